"""Operations: how each kind of element is renamed. One file a kind, each with the same verbs.

check     what speaks against renaming this element, as far as its kind knows
locate    where the element is, from a snapshot
rename    the statement that renames it
comment   the statement that sets its comment, None where PostgreSQL has no comments for the kind
lock      the lock that users can feel, in words, measured on PostgreSQL 15 and 18
locks     how many locks rename and comment take at most
"""

from collections.abc import Iterator
from typing import Protocol, cast

from catalog.elements import Element, Kind
from catalog.snapshot import Snapshot
from migrations.findings import Finding
from migrations.operations import (
    column,
    constraint,
    enum,
    enum_value,
    index,
    matview,
    sequence,
    table,
    view,
)
from migrations.steps import Place


class Operation(Protocol):
    """What each module of this package offers."""

    def check(self, snapshot: Snapshot, element: Element) -> Iterator[Finding]: ...

    def locate(self, snapshot: Snapshot, element: Element) -> Place | None: ...

    def rename(self, place: Place, old: str, new: str) -> str: ...

    def comment(self, place: Place, name: str, text: str | None) -> str | None: ...

    def lock(self, place: Place) -> str: ...

    def locks(self, place: Place) -> int: ...


_OPERATIONS: dict[Kind, Operation] = {
    Kind.TABLE: cast("Operation", table),
    Kind.COLUMN: cast("Operation", column),
    Kind.INDEX: cast("Operation", index),
    Kind.CONSTRAINT: cast("Operation", constraint),
    Kind.ENUM: cast("Operation", enum),
    Kind.ENUM_VALUE: cast("Operation", enum_value),
    Kind.VIEW: cast("Operation", view),
    Kind.MATVIEW: cast("Operation", matview),
    Kind.SEQUENCE: cast("Operation", sequence),
}


def operation_for(kind: Kind) -> Operation:
    """The operation that renames elements of a kind."""
    return _OPERATIONS[kind]

"""Renaming an enum type: takes no lock; columns, defaults and signatures follow.

Sessions that have compiled a statement with the old type name keep working until they end, and a comparison
with a bare literal never names the type, so silence proves less here than anywhere else.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding
from migrations.operations.places import in_schema
from migrations.steps import Place

locate = in_schema


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:  # noqa: ARG001
    """Nothing about an enum type forbids its rename; what uses it is found by the dependants check."""
    yield from ()


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the type."""
    return f"ALTER TYPE {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the type's comment; None removes it."""
    return f"COMMENT ON TYPE {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words: the rename takes none, its comment one that only changes of the type meet."""
    return "none that a reader or writer meets"


def locks(_: Place) -> int:
    """One, of the type, which the comment takes."""
    return 1

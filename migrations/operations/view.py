"""Renaming a view: what it reads and what reads it follow by OID; statements that name it fail."""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding
from migrations.operations.places import in_schema
from migrations.steps import Place

locate = in_schema


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:  # noqa: ARG001
    """Nothing about a view as such forbids its rename."""
    yield from ()


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the view."""
    return f"ALTER VIEW {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the view's comment; None removes it."""
    return f"COMMENT ON VIEW {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words; what the view reads is not locked."""
    return "ACCESS EXCLUSIVE on the view"


def locks(_: Place) -> int:
    """One, of the view."""
    return 1

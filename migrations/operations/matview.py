"""Renaming a materialized view: its indexes keep their names, views above it follow by OID.

A job that refreshes it by name fails from then on, and its rows stay as they were.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.operations.places import in_schema
from migrations.steps import Place

locate = in_schema


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """Who refreshes it cannot be seen from the catalog."""
    if snapshot.exists(element):
        yield Finding(
            "refresh",
            Severity.WARN,
            str(element),
            "a REFRESH MATERIALIZED VIEW by its former name fails from then on (42P01); who runs one"
            " cannot be seen from the catalog",
            "Look for jobs that refresh it",
        )


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the materialized view."""
    return f"ALTER MATERIALIZED VIEW {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the materialized view's comment; None removes it."""
    return f"COMMENT ON MATERIALIZED VIEW {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words; what it was made from is not locked."""
    return "ACCESS EXCLUSIVE on the materialized view"


def locks(_: Place) -> int:
    """One, of the materialized view."""
    return 1

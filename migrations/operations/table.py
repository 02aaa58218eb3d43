"""Renaming a table: its indexes, sequences and constraints keep their names, views follow by OID."""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place

LOCK = "ACCESS EXCLUSIVE on the table"


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """A table that an extension owns is not the user's to rename."""
    table = snapshot.relation(element.schema, element.name)
    if table and table.extension:
        yield Finding(
            "ownership",
            Severity.BLOCK,
            str(element),
            f"belongs to the extension {table.extension}",
            "Remove the extension instead, if nothing needs it",
        )


def locate(snapshot: Snapshot, element: Element) -> Place | None:
    """Find the table of that name."""
    oid = snapshot.oid(element)
    return Place(element.schema, None, oid) if oid else None


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the table."""
    return f"ALTER TABLE {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the table's comment; None removes it."""
    return f"COMMENT ON TABLE {place.path(name)} IS {literal(text)}"

"""Renaming a column: locks the table and every child of it; views keep showing the former name."""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """A column that a parent table defines can only be renamed there (42P16)."""
    column = snapshot.column(element.schema, element.parent or "", element.name)
    if column and column.inherited:
        yield Finding(
            "inheritance",
            Severity.BLOCK,
            str(element),
            "is inherited from a parent table, and PostgreSQL renames it only there",
            "Deprecate the column of the parent table",
        )


def locate(snapshot: Snapshot, element: Element) -> Place | None:
    """Find the column of that name."""
    oid = snapshot.oid(element)
    table = snapshot.relation(element.schema, element.parent or "")
    column = snapshot.column(element.schema, element.parent or "", element.name)
    if not (oid and table and column):
        return None
    return Place(
        element.schema, element.parent, oid, column.number, table_oid=table.oid, children=table.children
    )


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the column."""
    return f"ALTER TABLE {place.table_path} RENAME COLUMN {identifier(old)} TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the column's comment; None removes it."""
    return f"COMMENT ON COLUMN {place.table_path}.{identifier(name)} IS {literal(text)}"


def lock(place: Place) -> str:
    """The lock in words."""
    children = f" and {place.children} that inherit from it" if place.children else ""
    return f"ACCESS EXCLUSIVE on the table{children}"


def locks(place: Place) -> int:
    """One for the table and each that inherits from it."""
    return 1 + place.children

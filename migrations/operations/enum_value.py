"""Renaming an enum value: rows that hold it show the new label at once; no lock on any table.

PostgreSQL has no comments for labels, so the registry alone says what it was.
"""

from collections.abc import Iterator

from catalog.database import literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """Rows that hold the value cannot be found without reading every table with a column of the type."""
    enum = snapshot.enum(element.schema, element.parent or "")
    if enum is None:
        return
    columns = sum(column.type_oid == enum.oid for table in snapshot.relations for column in table.columns)
    if columns:
        every = "the column" if columns == 1 else f"all {columns:,} columns"
        yield Finding(
            "cannot-see",
            Severity.WARN,
            str(element),
            f"cannot see whether rows hold it without reading {every} of its type; those that"
            " do show the new label at once, and a program that looks for the old one finds none, silently",
            "Count the rows that hold it",
        )


def locate(snapshot: Snapshot, element: Element) -> Place | None:
    """Find the value of that label in its type."""
    oid = snapshot.oid(element)
    enum = snapshot.enum(element.schema, element.parent or "")
    return Place(element.schema, element.parent, oid, table_oid=enum.oid) if oid and enum else None


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the value."""
    return f"ALTER TYPE {place.table_path} RENAME VALUE {literal(old)} TO {literal(new)}"


def comment(place: Place, name: str, text: str | None) -> None:
    """There is no comment on a label."""


def lock(_: Place) -> str:
    """The lock in words: only another change of the type waits for it."""
    return "none that a reader or writer meets (EXCLUSIVE on the type)"


def locks(_: Place) -> int:
    """One, of the type."""
    return 1

"""Renaming a table: its indexes, sequences and constraints keep their names, views follow by OID.

So do the partitions of a partitioned table, and the parent of a partition.
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
    """Nothing about a table as such forbids its rename."""
    yield from ()


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the table."""
    return f"ALTER TABLE {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the table's comment; None removes it."""
    return f"COMMENT ON TABLE {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words; a partitioned table's partitions are not locked."""
    return "ACCESS EXCLUSIVE on the table"


def locks(_: Place) -> int:
    """One, of the table."""
    return 1

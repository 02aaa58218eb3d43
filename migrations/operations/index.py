"""Renaming an index: changes nothing for the planner, so only counters and by-name uses speak for it.

`ALTER INDEX` locks the index alone; `ALTER TABLE … RENAME` on an index would take ACCESS EXCLUSIVE. Renaming
the index of a partitioned table leaves those of the partitions as they are.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """An index that does more than speed up reads is not unused just because nobody scans it."""
    index = snapshot.index(element.schema, element.name)
    if index is None:
        return
    if index.constraint:
        yield Finding(
            "constraint-index",
            Severity.BLOCK,
            str(element),
            f"enforces the constraint {index.constraint}, which would be renamed with it",
            f"Deprecate constraint:{index.schema}.{index.table}.{index.constraint} if that is meant",
        )
    elif index.is_unique:
        yield Finding(
            "unique-index",
            Severity.WARN,
            str(element),
            "enforces uniqueness, which no counter shows",
            "Make sure that nothing relies on it before it is removed",
        )
    if index.is_replica_identity:
        yield Finding(
            "replica-identity",
            Severity.BLOCK,
            str(element),
            f"is the replica identity of {index.table}: logical replication needs it",
        )
    if index.has_expressions:
        yield Finding(
            "expression-statistics",
            Severity.WARN,
            str(element),
            "has expressions: the planner uses the statistics kept on them even when it is never scanned",
        )


def locate(snapshot: Snapshot, element: Element) -> Place | None:
    """Find the index of that name."""
    index = snapshot.index(element.schema, element.name)
    return Place(element.schema, index.table, index.oid) if index else None


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the index."""
    return f"ALTER INDEX {place.path(old)} RENAME TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the index's comment; None removes it."""
    return f"COMMENT ON INDEX {place.path(name)} IS {literal(text)}"


def lock(_: Place) -> str:
    """The lock in words; of a partitioned index only the parent is locked."""
    return "SHARE UPDATE EXCLUSIVE on the index; readers and writers go on"


def locks(_: Place) -> int:
    """One, of the index."""
    return 1

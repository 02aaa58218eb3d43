"""Renaming a constraint: it stays enforced; its name only shows in errors and ON CONFLICT ON CONSTRAINT.

A constraint with an index is renamed through the index, which renames both without locking the table.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place

LOCK = "ACCESS EXCLUSIVE on the table; with an index only SHARE UPDATE EXCLUSIVE on that"


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """A constraint that a parent table defines can only be renamed there (42P16)."""
    constraint = snapshot.constraint(element.schema, element.parent or "", element.name)
    if constraint is None:
        return
    if constraint.is_inherited:
        yield Finding(
            "inheritance",
            Severity.BLOCK,
            str(element),
            "is inherited from a parent table, and PostgreSQL renames it only there",
            "Deprecate the constraint of the parent table",
        )
    if constraint.type == "p":
        yield Finding(
            "primary-key",
            Severity.WARN,
            str(element),
            "is a primary key: tools and replication rely on it without naming it",
        )


def locate(snapshot: Snapshot, element: Element) -> Place | None:
    """Find the constraint of that name on its table."""
    constraint = snapshot.constraint(element.schema, element.parent or "", element.name)
    if constraint is None:
        return None
    return Place(element.schema, element.parent, constraint.oid, index=constraint.index)


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the constraint, and the index behind it."""
    if place.index:
        return f"ALTER INDEX {place.path(place.index)} RENAME TO {identifier(new)}"
    return f"ALTER TABLE {place.table_path} RENAME CONSTRAINT {identifier(old)} TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the constraint's comment; None removes it."""
    return f"COMMENT ON CONSTRAINT {identifier(name)} ON {place.table_path} IS {literal(text)}"

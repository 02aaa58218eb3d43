"""Renaming a constraint: it stays enforced; its name only shows in errors and ON CONFLICT ON CONSTRAINT.

A constraint with an index is renamed through the index, which renames both without locking the table.
"""

from collections.abc import Iterator

from catalog.database import identifier, literal
from catalog.elements import Element
from catalog.snapshot import Snapshot
from migrations.findings import Finding, Severity
from migrations.steps import Place


def check(snapshot: Snapshot, element: Element) -> Iterator[Finding]:
    """A constraint that a parent table defines can only be renamed there (42P16), unless it has an index."""
    constraint = snapshot.constraint(element.schema, element.parent or "", element.name)
    if constraint is None:
        return
    if constraint.is_inherited and not constraint.index:
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
    table = snapshot.relation(element.schema, element.parent or "")
    return Place(
        element.schema,
        element.parent,
        constraint.oid,
        index=constraint.index,
        table_oid=table.oid if table else None,
        children=table.children if table else 0,
    )


def rename(place: Place, old: str, new: str) -> str:
    """The statement that renames the constraint, and the index behind it."""
    if place.index:
        return f"ALTER INDEX {place.path(place.index)} RENAME TO {identifier(new)}"
    return f"ALTER TABLE {place.table_path} RENAME CONSTRAINT {identifier(old)} TO {identifier(new)}"


def comment(place: Place, name: str, text: str | None) -> str:
    """The statement that sets the constraint's comment; None removes it."""
    return f"COMMENT ON CONSTRAINT {identifier(name)} ON {place.table_path} IS {literal(text)}"


def lock(place: Place) -> str:
    """The lock in words."""
    if place.index:
        return "SHARE UPDATE EXCLUSIVE on its index; readers and writers go on"
    children = f" and {place.children} that inherit from it" if place.children else ""
    return f"ACCESS EXCLUSIVE on the table{children}"


def locks(place: Place) -> int:
    """The table, what inherits from it or the index, and the constraint itself for its comment."""
    return 3 if place.index else 2 + place.children

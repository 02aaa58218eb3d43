"""Whose rows a constraint or a unique index checks: to be enforced is a use that no statement names."""

from catalog.elements import Element, Kind, quote_identifier
from catalog.objects import CHILDREN, Relation
from catalog.snapshot import Snapshot

# What inheriting tables take over, too; keys are those of one table, or of one with its partitions.
_INHERITED = ("c", "n")


def checked(snapshot: Snapshot, element: Element | None) -> dict[str, tuple[int, ...]]:
    """The tables whose written rows an element checks, by name, with the OIDs that count their rows.

    `element` has its present name. A foreign key checks rows of both its tables. Empty where it checks none.
    """
    return {
        _name(table): tuple(_counting(snapshot, table, parts)) for table, parts in _tables(snapshot, element)
    }


def is_needed_by_queries(snapshot: Snapshot, element: Element | None) -> bool:
    """Whether a statement that reads its table may fail without it, unnamed: what makes rows unique for it.

    A query may group by a primary key alone, REFRESH … CONCURRENTLY needs a unique index.
    """
    if element is None:
        return False
    if element.kind is Kind.INDEX:
        return any(table.kind == "m" for table, _ in _tables(snapshot, element))
    item = snapshot.constraint(element.schema, element.parent or "", element.name)
    return element.kind is Kind.CONSTRAINT and item is not None and item.type == "p"


def _tables(snapshot: Snapshot, element: Element | None) -> list[tuple[Relation, tuple[str, ...]]]:
    """The tables, with the kinds of parts that are checked with each."""
    if element is None:
        return []
    if element.kind is Kind.INDEX:
        index = snapshot.index(element.schema, element.name)
        table = snapshot.relation(element.schema, index.table) if index and index.is_unique else None
        return [(table, ("partition",))] if table else []
    if element.kind is not Kind.CONSTRAINT:
        return []
    item = snapshot.constraint(element.schema, element.parent or "", element.name)
    if item is None or item.definition.endswith("NOT ENFORCED"):
        return []
    parts = CHILDREN if item.type in _INHERITED else ("partition",)
    places = [(item.schema, item.table), (item.references_schema or "", item.references_table or "")]
    found = {relation.oid: relation for place in places if (relation := snapshot.relation(*place))}
    return [(relation, parts) for relation in found.values()]


def _counting(snapshot: Snapshot, table: Relation, parts: tuple[str, ...]) -> list[int]:
    """The table and all its parts; a partitioned table has no rows of its own."""
    found = [] if table.kind == "p" else [table.oid]
    for use in snapshot.stored_uses_of("relation", table.schema, table.name):
        part = snapshot.relation(use.schema, use.name) if use.kind in parts else None
        if part:
            found += _counting(snapshot, part, parts)
    return found


def is_planned_visibly(snapshot: Snapshot, oid: int) -> bool:
    """Whether to plan any statement about a table reads a block: the planner looks at its B-tree indexes."""
    table = snapshot.relations_by_oid.get(oid)
    indexes = snapshot.indexes_of(table.schema, table.name) if table else ()
    return any(index.is_valid and " USING btree " in index.definition for index in indexes)


def _name(table: Relation) -> str:
    return f"{quote_identifier(table.schema)}.{quote_identifier(table.name)}"

"""From the names in a statement to the elements they mean; pure.

An unqualified name that several schemas have means each of them, marked ambiguous: the session's search_path
is not in the log. A name that nothing has means nothing here (missing.py reads errors about those).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.elements import Element, Kind
from ingest.references import ColumnUse, Name, References, RelationUse
from ingest.schemas import Operation
from ingest.world import Table, World


@dataclass(frozen=True, slots=True)
class Use:
    """One element used by a statement.

    `implicit` where the statement does not name it (`SELECT *`, a view's columns); `via` the view or function
    that it came through.
    """

    element: Element
    operation: Operation
    implicit: bool = False
    ambiguous: bool = False
    via: str | None = None


def resolve(found: References, world: World) -> tuple[Use, ...]:
    """The elements that a statement uses, each once per way of use."""
    uses: dict[Use, None] = {}
    for relation in found.relations:
        uses |= dict.fromkeys(_relation_uses(relation, world))
    for column in found.columns:
        uses |= dict.fromkeys(_column_uses(column, world))
    for kind, named, names in (
        (Kind.ENUM, found.types, world.enums),
        (Kind.INDEX, found.indexes, world.indexes),
    ):
        for use in named:
            elements = [e for e in names.get(use.name[1], ()) if use.name[0] in (None, e.schema)]
            assert all(element.kind is kind for element in elements)
            uses |= {Use(e, use.operation, ambiguous=len(elements) > 1): None for e in elements}
    for constraint in found.constraints:
        tables = (
            {t.element for t in tables_named(constraint.relation, world)} if constraint.relation else None
        )
        elements = [
            e for e in world.constraints.get(constraint.name, ()) if tables is None or e.table in tables
        ]
        uses |= {Use(e, constraint.operation, ambiguous=len(elements) > 1): None for e in elements}
    return _explicit_first(uses)


def tables_named(name: Name, world: World) -> list[Table]:
    """The tables and views that a name can mean."""
    schema, relation = name
    return [table for table in world.tables.get(relation, ()) if schema in (None, table.schema)]


def _relation_uses(use: RelationUse, world: World) -> Iterator[Use]:
    tables = tables_named(use.relation, world)
    ambiguous = len(tables) > 1
    for table in tables:
        if table.element:
            yield Use(table.element, use.operation, ambiguous=ambiguous)
            for column in table.columns.values() if use.is_whole else ():
                yield Use(column, use.operation, implicit=True, ambiguous=ambiguous)
        if table.kind == "v" or (table.kind == "m" and use.operation is Operation.DDL):
            operation = Operation.READ if table.kind == "m" else use.operation
            for element in _behind(table, world):
                yield Use(
                    element,
                    operation,
                    implicit=element.kind is Kind.COLUMN,
                    ambiguous=ambiguous,
                    via=f"view:{table.schema}.{table.name}",
                )
    if not tables and use.operation is Operation.DDL:
        # Most commands about tables take the name of an index too.
        for index in world.indexes.get(use.relation[1], ()):
            if use.relation[0] in (None, index.schema):
                yield Use(index, use.operation)


def _behind(view: Table, world: World) -> Iterator[Element]:
    """The tables, views and columns that a view reads, through other views too."""
    seen = {(view.schema, view.name)}
    waiting = [view]
    while waiting:
        current = waiting.pop()
        for table, column in world.views.get((current.schema, current.name), ()):
            if table.element:
                yield table.element
                if column:
                    yield column
            if table.kind == "v" and (table.schema, table.name) not in seen:
                seen.add((table.schema, table.name))
                waiting.append(table)


def _column_uses(use: ColumnUse, world: World) -> Iterator[Use]:
    for level in use.levels:
        tables = [t for name in level for t in tables_named(name, world) if use.name in t.columns]
        elements = dict.fromkeys(table.columns[use.name] for table in tables)
        yield from (Use(element, use.operation, ambiguous=len(elements) > 1) for element in elements)
        if elements:
            # An inner query's column hides an outer one's of the same name.
            return


def _explicit_first(uses: dict[Use, None]) -> tuple[Use, ...]:
    """Leave out what is implicit where the same element is named as well."""
    named = {(use.element, use.operation) for use in uses if not use.implicit}
    return tuple(use for use in uses if not use.implicit or (use.element, use.operation) not in named)

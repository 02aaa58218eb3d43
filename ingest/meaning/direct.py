"""What the names in a statement mean: the elements that it names itself, and what may follow from that.

An unqualified name means what the first schema of the session's search_path has of that name. Where the path
is not known, or none of its schemas has the name, it means what any schema has: each of them, and ambiguous
where there are several. A name that nothing has means nothing here (missing.py reads errors about those).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol, TypeVar

from catalog.elements import Element, Kind
from catalog.objects import Call, Function
from ingest.grammar.paths import Path
from ingest.grammar.references import ColumnUse, Event, KeyUse, Name, NamedUse, References, RelationUse
from ingest.meaning.tables import Table
from ingest.meaning.world import World
from ingest.schemas import Operation


@dataclass(frozen=True, slots=True)
class Use:
    """One element used by a statement.

    `implicit` where the statement does not name it (`SELECT *`, a view's columns); `via` the view, function,
    trigger, foreign key or other thing that it came through.
    """

    element: Element
    operation: Operation
    implicit: bool = False
    ambiguous: bool = False
    via: str | None = None


@dataclass(frozen=True, slots=True)
class Touch:
    """Something is done to a relation, from which more may follow.

    `columns` are those that are written or take their defaults; None stands for any.
    """

    table: Table
    operation: Operation
    event: Event | None = None
    columns: frozenset[str] | None = None
    ambiguous: bool = False


@dataclass
class Direct:
    """What a statement names: uses, the relations that it touches, and the functions that it may call."""

    uses: dict[Use, None] = field(default_factory=dict)
    touches: dict[Touch, None] = field(default_factory=dict)
    functions: dict[tuple[Function, bool], None] = field(default_factory=dict)

    def add(
        self,
        elements: Sequence[Element],
        operation: Operation,
        *,
        implicit: bool = False,
        unsure: bool = False,
    ) -> None:
        """Elements that one name means: ambiguous where there are several."""
        ambiguous = unsure or len(elements) > 1
        self.uses |= {Use(each, operation, implicit=implicit, ambiguous=ambiguous): None for each in elements}


class _InSchema(Protocol):
    @property
    def schema(self) -> str: ...


_Thing = TypeVar("_Thing", bound=_InSchema)
_TYPES = frozenset({"composite type", "domain", "range type"})
# What of PostgreSQL's own reads the values of sequences; the last is what pg_dump asks from version 18 on.
_OF_SEQUENCES = frozenset({"pg_sequences", "pg_sequence_last_value", "pg_get_sequence_data"})


def tables_named(name: Name, world: World, path: Path | None = None) -> list[Table]:
    """The tables and views that a name can mean."""
    return meant(name[0], world.tables.get(name[1], ()), path)


def meant(schema: str | None, things: Sequence[_Thing], path: Path | None) -> list[_Thing]:
    """Those of several things of one name that the name means, with its schema or without one."""
    if schema is not None:
        return [thing for thing in things if thing.schema == schema]
    for searched in path or () if len(things) > 1 else ():
        found = [thing for thing in things if thing.schema == searched]
        if found:
            return found
    return list(things)


def _reads_sequences(found: References) -> bool:
    """Whether a statement reads values of sequences that it does not name, perhaps of all: a dump does."""
    names = (*found.functions, *(use.relation for use in found.relations))
    return any(schema in (None, "pg_catalog") and name in _OF_SEQUENCES for schema, name in names)


class DirectWalk:
    """Looks the names of a statement up; `rows` are what a trigger's function calls NEW and OLD."""

    def __init__(self, world: World, path: Path | None, rows: Mapping[str, Table] | None = None) -> None:
        self._world = world
        self._path = path
        self._rows = rows or {}
        self.found = Direct()

    def take(self, found: References) -> None:
        """All that a statement names."""
        for relation in found.relations:
            self._relation(relation, found)
        for column in found.columns:
            self._column(column)
        for named in found.types:
            self._type(named)
        self._parts(found)
        for key in found.keys:
            self._key(key)
        for left, right in found.natural:
            self._natural(left, right)
        for function in found.functions:
            self._function(function)
        if _reads_sequences(found):
            sequences = [element for element in self._world.attic if element.kind is Kind.SEQUENCE]
            self.found.add(sequences, Operation.READ, implicit=True, unsure=True)
        if found.is_definition:
            self._calls(self._world.snapshot.event_triggers, unsure=True)
        for possible in found.possible:
            guess = DirectWalk(self._world, self._path, self._rows)
            guess.take(possible)
            self._guessed(guess.found)
        if found.words:
            self._words(found.words)

    def _parts(self, found: References) -> None:
        """Labels, indexes and constraints."""
        for label in found.labels:
            for enum in self._meant(label.type, self._world.enums):
                value = self._world.label_of(enum, label.label)
                self.found.add([value] if value else [], label.operation)
        for named in found.indexes:
            self.found.add(self._meant(named.name, self._world.indexes), named.operation)
        for constraint in found.constraints:
            elements = self._world.constraints.get(constraint.name, ())
            if constraint.relation:
                tables = {table.element for table in self._tables(constraint.relation)}
                elements = [element for element in elements if element.table in tables]
            self.found.add(elements, constraint.operation)

    def _function(self, name: Name) -> None:
        """Functions of a name, or those behind an aggregate or an operator."""
        snapshot = self._world.snapshot
        functions = meant(name[0], snapshot.functions_called(name[1]), self._path)
        self.found.functions |= {(each, len(functions) > 1): None for each in functions}
        if not functions:
            callers = [call for call in snapshot.calls_by(name[1]) if call.kind in ("function", "operator")]
            self._calls(meant(name[0], callers, self._path))

    def _calls(self, calls: Sequence[Call], *, unsure: bool = False) -> None:
        for call in calls:
            function = self._world.snapshot.functions_by_oid.get(call.function_oid)
            if function:
                self.found.functions[function, unsure] = None

    def _tables(self, name: Name) -> list[Table]:
        row = self._rows.get(name[1]) if name[0] is None else None
        return [row] if row else tables_named(name, self._world, self._path)

    def _meant(self, name: Name, things: Mapping[str, Sequence[Element]]) -> list[Element]:
        return meant(name[0], things.get(name[1], ()), self._path)

    def _relation(self, use: RelationUse, found: References) -> None:
        tables = self._tables(use.relation)
        ambiguous = len(tables) > 1
        written = frozenset(
            column.name
            for column in found.columns
            if column.operation is Operation.WRITE and column.levels == ((use.relation,),)
        )
        columns = None if use.is_whole or not written else written
        for table in tables:
            if table.element:
                self.found.uses[Use(table.element, use.operation, ambiguous=ambiguous)] = None
                whole = tuple(dict.fromkeys(table.columns.values())) if use.is_whole else ()
                for column in whole:
                    self.found.uses[Use(column, use.operation, implicit=True, ambiguous=ambiguous)] = None
            self.found.touches[Touch(table, use.operation, use.event, columns, ambiguous)] = None
        if not tables:
            # Commands about tables, and names within constants, take the name of an index or a type too.
            self.found.add(self._meant(use.relation, self._world.indexes), use.operation)
            self._made_type(NamedUse(use.relation, use.operation))

    def _column(self, use: ColumnUse) -> None:
        for level in use.levels:
            tables = [table for name in level for table in self._tables(name)]
            having = [table for table in tables if use.name in table.columns]
            elements = list(dict.fromkeys(table.columns[use.name] for table in having))
            self.found.add(elements, use.operation)
            for table in having:
                if use.name in table.enums:
                    # A constant beside it is one of the type's labels, perhaps.
                    self.found.add([table.enums[use.name]], Operation.READ, implicit=True, unsure=True)
            if any(use.name in table.shown for table in tables):
                # An inner query's column hides an outer one's of the same name.
                return

    def _type(self, use: NamedUse) -> None:
        made = [
            call
            for call in self._world.snapshot.calls_by(use.name[1])
            if call.kind in ("cast", "domain") and use.operation is not Operation.DDL
        ]
        self._calls(meant(use.name[0], made, self._path))
        elements = self._meant(use.name, self._world.enums)
        if not elements:
            # Every relation's rows are a type of its name.
            tables = self._tables(use.name)
            elements = [table.element for table in tables if table.element]
        self.found.add(elements, use.operation)
        if not elements:
            self._made_type(use)

    def _made_type(self, use: NamedUse) -> None:
        """Domains, composite types and ranges, through the enums and relations that they are made of."""
        for made in self._world.types.get(use.name[1], ()):
            if made.kind not in _TYPES or use.name[0] not in (None, made.schema):
                continue
            for element in self._world.elements_of(made):
                self.found.add([element], Operation.READ, implicit=True)

    def _key(self, use: KeyUse) -> None:
        snapshot = self._world.snapshot
        for table in self._tables(use.relation):
            relation = snapshot.relations_by_oid.get(table.oid)
            if relation is None:
                continue
            columns = {table.stored.get(name, name) for name in use.columns}
            place = (relation.schema, relation.name)
            for item in snapshot.constraints_of(*place):
                if item.type in "pux" and (not columns or columns == set(item.columns)):
                    element = self._world.constraint_of(item)
                    self.found.add([element], Operation.READ, implicit=True)
            for index in snapshot.indexes_of(*place):
                if (
                    index.is_unique
                    and not index.constraint
                    and (not columns or columns == set(index.columns))
                ):
                    self.found.add([self._world.index_of(index)], Operation.READ, implicit=True)

    def _natural(self, left: Sequence[Name], right: Sequence[Name]) -> None:
        tables = [[table for name in side for table in self._tables(name)] for side in (left, right)]
        names = [frozenset(chain.from_iterable(table.shown for table in side)) for side in tables]
        for table in chain(*tables):
            for name in names[0] & names[1] & table.columns.keys():
                self.found.add([table.columns[name]], Operation.READ, implicit=True)

    def _guessed(self, guess: Direct) -> None:
        for use in guess.uses:
            self.found.uses[Use(use.element, use.operation, use.implicit, ambiguous=True, via=use.via)] = None
        for touch in guess.touches:
            sure = (touch.table, touch.operation, touch.event, touch.columns)
            self.found.touches[Touch(*sure, ambiguous=True)] = None
        self.found.functions |= {(function, True): None for function, _ in guess.functions}

    def _words(self, words: frozenset[str]) -> None:
        """What words of a text may name: relations with their columns, and whatever is in the attic."""
        for element in self._mentioned(words):
            self.found.add([element], Operation.READ, unsure=True)

    def _mentioned(self, words: frozenset[str]) -> Iterator[Element]:
        for word in sorted(words & self._world.tables.keys()):
            for table in self._world.tables[word]:
                if table.element:
                    yield table.element
                for name in sorted(words & table.columns.keys()):
                    yield table.columns[name]
        for element, entry in self._world.attic.items():
            if element.name in words or entry.deprecated_name in words:
                yield element

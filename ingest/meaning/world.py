"""What names meant at a moment: the snapshot's catalog under the names that its elements had then.

Elements go by their former names for ever: whether a statement says `users_old` before the rename or
`users_old_deprecated_…` after it, it means `table:public.users_old`.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from catalog.attic import AtticEntry
from catalog.elements import Element, Kind
from catalog.objects import CHILDREN, KINDS_OF_RELATIONS, TABLE_KINDS, Constraint, Index, Relation, StoredUse
from catalog.snapshot import Snapshot
from ingest.meaning.tables import Table, Tables

# A rollback writes down its time, and then waits for locks and commits.
GRACE = timedelta(minutes=1)
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def in_attic_at(entry: AtticEntry, moment: datetime) -> bool:
    """Whether the element had its deprecated name at a time that a log line tells (in milliseconds)."""
    return _since(entry) <= moment and (entry.restored_at is None or moment < entry.restored_at)


def _since(entry: AtticEntry) -> datetime:
    return entry.deprecated_at.replace(microsecond=entry.deprecated_at.microsecond // 1000 * 1000)


def _is_leaving(entry: AtticEntry, moment: datetime) -> bool:
    """Whether the rollback may not have been seen yet: its time is told before it commits."""
    return entry.restored_at is not None and entry.restored_at <= moment < entry.restored_at + GRACE


class NamesAlone(Snapshot):
    """The catalog of logs from elsewhere: nothing is known but what statements say (names_alone.py).

    `database` is empty: it stands for any.
    """

    def __init__(self) -> None:
        super().__init__("", 0, _NO_TIME, (), (), (), (), (), (), ())


class World:
    """One database's names at one moment, or as the snapshot has them where that is None."""

    def __init__(self, snapshot: Snapshot, moment: datetime | None) -> None:
        self.snapshot = snapshot
        self._entries = [
            (entry, entry.is_in_attic if moment is None else in_attic_at(entry, moment))
            for entry in snapshot.attic
        ]
        self._entries_of: dict[int, list[tuple[AtticEntry, bool]]] = defaultdict(list)
        for entry, is_in in self._entries:
            self._entries_of[entry.object_oid].append((entry, is_in))
        self._leaving = [entry for entry in snapshot.attic if moment and _is_leaving(entry, moment)]
        self._tables_by_oid: dict[int, Table] = {}
        self.tables = Tables(self._table_made)
        self._hidden = {
            entry.object_oid: (entry.element.parent or "", is_in)
            for entry, is_in in self._entries
            if entry.is_in_attic and entry.shim_oid and entry.element.kind is Kind.COLUMN
        }
        shims = {entry.shim_oid for entry, _ in self._entries if entry.shim_oid}
        for relation in snapshot.relations:
            if relation.oid not in shims:
                name, _ = self._names(KINDS_OF_RELATIONS[relation.kind], relation.oid, relation.name)
                self.tables.add_relation(name, relation)
        for shown in tuple(self._shown()):
            self.tables.add(shown)
        self._keep_deprecated_names()

    @cached_property
    def attic(self) -> dict[Element, AtticEntry]:
        """What was in the attic at the moment, or had just left it."""
        leaving = {entry.element: entry for entry in self._leaving}
        return leaving | {entry.element: entry for entry, is_in in self._entries if is_in}

    @property
    def is_alone(self) -> bool:
        """Whether nothing is known of the database but the names in its statements."""
        return isinstance(self.snapshot, NamesAlone)

    @cached_property
    def present(self) -> "World":
        """The names as the snapshot has them: those in texts that the catalog stores."""
        return World(self.snapshot, None)

    def table_of(self, oid: int) -> Table | None:
        """The table, view or sequence with that OID."""
        relation = self.snapshot.relations_by_oid.get(oid)
        return self._table_made(relation) if relation else None

    def _table_made(self, relation: Relation) -> Table:
        table = self._tables_by_oid.get(relation.oid)
        if table is None:
            table = self._tables_by_oid[relation.oid] = self._table(relation)
        return table

    @cached_property
    def indexes(self) -> dict[str, list[Element]]:
        """Indexes by the name they had."""
        found = [(i.oid, Element(Kind.INDEX, i.schema, i.name)) for i in self.snapshot.indexes]
        return self._named(Kind.INDEX, found)

    @cached_property
    def enums(self) -> dict[str, list[Element]]:
        """Enum types by the name they had."""
        found = [(e.oid, Element(Kind.ENUM, e.schema, e.name)) for e in self.snapshot.enums]
        return self._named(Kind.ENUM, found)

    @cached_property
    def constraints(self) -> dict[str, list[Element]]:
        """Constraints by the name they had."""
        found = [
            (c.oid, Element(Kind.CONSTRAINT, c.schema, c.name, self._former_table(c.schema, c.table)))
            for c in self.snapshot.constraints
        ]
        return self._named(Kind.CONSTRAINT, found)

    def label_of(self, enum: Element, label: str) -> Element | None:
        """The value of an enum type that had that label."""
        return self._labels.get((enum, label))

    @cached_property
    def _labels(self) -> dict[tuple[Element, str], Element]:
        found = {}
        for enum in self.snapshot.enums:
            of = self.enum_of(enum.oid)
            for present, oid in enum.values.items():
                name, former = self._names(Kind.ENUM_VALUE, oid, present)
                found[of, name] = Element(Kind.ENUM_VALUE, of.schema, former, of.name)
        return found

    @cached_property
    def types(self) -> dict[str, list[StoredUse]]:
        """Domains, composite types and ranges by name, with what each is made of."""
        found = defaultdict(list)
        for use in self.snapshot.stored_uses:
            if use.relation is None:
                found[use.name].append(use)
        return found

    def elements_of(self, use: StoredUse) -> Iterator[Element]:
        """What a stored object refers to: an enum type, or a relation and its column."""
        if use.used_kind == "enum":
            enum = self.snapshot.enum(use.used_schema, use.used_name)
            if enum:
                yield self.enum_of(enum.oid)
            return
        used = self.snapshot.relation(use.used_schema, use.used_name)
        table = self.table_of(used.oid) if used else None
        if table and table.element:
            yield table.element
        column = self.column_of(used.oid, use.used_column) if used and use.used_column else None
        if column:
            yield column

    def constraint_of(self, item: Constraint) -> Element:
        """A constraint of the snapshot under its former name."""
        _, former = self._names(Kind.CONSTRAINT, item.oid, item.name)
        return Element(Kind.CONSTRAINT, item.schema, former, self._former_table(item.schema, item.table))

    def index_of(self, index: Index) -> Element:
        """An index of the snapshot under its former name."""
        _, former = self._names(Kind.INDEX, index.oid, index.name)
        return Element(Kind.INDEX, index.schema, former)

    def read_by(self, view: Relation) -> Iterator[tuple[Table, Element | None]]:
        """What a view of the snapshot reads: relations, and their columns where it names them."""
        for use in self.snapshot.stored_uses_on(view.schema, view.name):
            used = self.snapshot.relation(use.used_schema, use.used_name)
            if use.kind not in ("view", "materialized view") or used is None:
                continue
            table = self._table_made(used)
            column = self._column_element(used, use.used_column) if use.used_column else None
            yield table, column

    def column_of(self, oid: int, present: str) -> Element | None:
        """The column of a table that has that name in the snapshot."""
        relation = self.snapshot.relations_by_oid.get(oid)
        return self._column_element(relation, present) if relation else None

    def ancestors(self, oid: int) -> tuple[Table, ...]:
        """The partitioned and inherited tables that a table is a part of, the nearest first."""
        found: dict[int, Table] = {}
        waiting = [oid]
        while waiting:
            part = self.snapshot.relations_by_oid.get(waiting.pop(0))
            for use in self.snapshot.stored_uses_by(part.schema, part.name) if part else ():
                parent = self.snapshot.relation(use.used_schema, use.used_name)
                if use.kind in CHILDREN and parent and parent.oid not in found:
                    found[parent.oid] = self._table_made(parent)
                    waiting.append(parent.oid)
        return tuple(found.values())

    def _keep_deprecated_names(self) -> None:
        for entry in self._leaving:
            table = self.table_of(entry.object_oid)
            if table is None:
                continue
            if entry.element.kind is Kind.COLUMN:
                table.columns[entry.deprecated_name] = entry.element
            else:
                self.tables.add(replace(table, name=entry.deprecated_name))

    def _shown(self) -> Iterator[Table]:
        """What shims showed at the moment: tables by their former names, columns by theirs."""
        columns: dict[int, dict[str, str]] = defaultdict(dict)
        names: dict[int, tuple[str, str]] = {}
        for entry, is_in in self._entries:
            if not (is_in and entry.shim_oid):
                continue
            names[entry.object_oid] = (entry.element.schema, entry.element.parent or entry.element.name)
            if entry.element.kind is Kind.COLUMN:
                columns[entry.object_oid][entry.deprecated_name] = entry.element.name
        for oid, (schema, name) in names.items():
            behind = self.table_of(oid)
            if behind is None:
                continue
            shown = {columns[oid].get(now, now): element for now, element in behind.columns.items()}
            if (behind.schema, behind.name) == (schema, name):
                # Back under its own name by the snapshot's time, which is all that is known of it.
                behind.columns.update(shown)
            else:
                former = columns[oid]
                yield replace(
                    behind,
                    schema=schema,
                    name=name,
                    columns=shown,
                    shown=frozenset(shown),
                    stored={former.get(now, now): behind.stored.get(now, now) for now in behind.columns},
                )

    def _named(self, kind: Kind, present: list[tuple[int, Element]]) -> dict[str, list[Element]]:
        found = defaultdict(list)
        for oid, element in present:
            name, former = self._names(kind, oid, element.name)
            found[name].append(Element(kind, element.schema, former, element.parent))
        for entry in self._leaving:
            if entry.element.kind is kind:
                found[entry.deprecated_name].append(entry.element)
        return found

    def _names(self, kind: Kind | None, oid: int, present: str, column: bool = False) -> tuple[str, str]:
        """The name at the moment, and the former name, of what has the name `present` in the snapshot."""
        name = former = present
        if kind is Kind.TABLE and oid in self._hidden:
            # Renamed only to make room for a shim: its own name is what the shim shows.
            former = self._hidden[oid][0]
            name = present if self._hidden[oid][1] else former
        for entry, is_in in self._entries_of.get(oid, ()):
            if entry.element.kind is not kind:
                continue
            if column and present != (entry.deprecated_name if entry.is_in_attic else entry.element.name):
                continue
            # A restored element may have another name by now: the registry speaks for its time there.
            if entry.is_in_attic or is_in:
                former = entry.element.name
                name = entry.deprecated_name if is_in else former
            if is_in:
                break
        return name, former

    def _table(self, relation: Relation) -> Table:
        is_table = relation.kind in TABLE_KINDS
        kind = KINDS_OF_RELATIONS[relation.kind]
        name, former = self._names(kind, relation.oid, relation.name)
        columns: dict[str, Element] = {}
        enums: dict[str, Element] = {}
        stored: dict[str, str] = {}
        for column in relation.columns if is_table else ():
            column_name, _ = self._names(Kind.COLUMN, relation.oid, column.name, column=True)
            element = self._column_element(relation, column.name)
            if element:
                columns[column_name] = element
            if column_name != column.name:
                stored[column_name] = column.name
            if column.type_oid in self.snapshot.enums_by_oid:
                enums[column_name] = self.enum_of(column.type_oid)
        element = Element(kind, relation.schema, former) if kind else None
        shown = frozenset(columns) if is_table else frozenset(column.name for column in relation.columns)
        return Table(
            relation.oid, relation.schema, name, relation.kind, element, columns, shown, enums, stored
        )

    def enum_of(self, oid: int) -> Element:
        """The enum type with that OID, which the snapshot must have."""
        enum = self.snapshot.enums_by_oid[oid]
        _, former = self._names(Kind.ENUM, oid, enum.name)
        return Element(Kind.ENUM, enum.schema, former)

    def _column_element(self, relation: Relation, present: str) -> Element | None:
        if relation.kind not in TABLE_KINDS:
            return None
        _, table = self._names(Kind.TABLE, relation.oid, relation.name)
        _, former = self._names(Kind.COLUMN, relation.oid, present, column=True)
        return Element(Kind.COLUMN, relation.schema, former, table)

    def _former_table(self, schema: str, present: str) -> str:
        relation = self.snapshot.relation(schema, present)
        return self._names(Kind.TABLE, relation.oid, present)[1] if relation else present


class History:
    """The worlds of one snapshot; names change only when something entered or left the attic."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._changes = sorted(
            moment
            for entry in snapshot.attic
            for moment in (
                _since(entry),
                entry.restored_at,
                entry.restored_at + GRACE if entry.restored_at else None,
            )
            if moment is not None
        )
        self._worlds: dict[int, World] = {}

    def epoch(self, moment: datetime) -> int:
        """The number of the stretch of time, without a change of names, that a moment is in."""
        return bisect_right(self._changes, moment)

    def world(self, moment: datetime) -> World:
        """The names at a moment."""
        epoch = self.epoch(moment)
        if epoch not in self._worlds:
            self._worlds[epoch] = World(self.snapshot, moment)
        return self._worlds[epoch]

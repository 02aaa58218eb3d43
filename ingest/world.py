"""What names meant at a moment: the snapshot's catalog under the names that its elements had then.

Elements go by their former names for ever: whether a statement says `users_old` before the rename or
`users_old_deprecated_…` after it, it means `table:public.users_old`.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from catalog.elements import Element, Kind
from catalog.snapshot import KINDS_OF_RELATIONS, TABLE_KINDS, AtticEntry, Relation, Snapshot


@dataclass(frozen=True)
class Table:
    """A table, view or sequence under the names of a moment; `element` is None for a foreign table.

    A shim is a table too: the one that it keeps working, under the names that it shows.
    """

    schema: str
    name: str
    kind: str
    element: Element | None
    columns: dict[str, Element]


def in_attic_at(entry: AtticEntry, moment: datetime) -> bool:
    """Whether the element had its deprecated name at a time that a log line tells (in milliseconds)."""
    since = entry.deprecated_at.replace(microsecond=entry.deprecated_at.microsecond // 1000 * 1000)
    return since <= moment and (entry.restored_at is None or moment <= entry.restored_at)


class World:
    """One database's names at one moment."""

    def __init__(self, snapshot: Snapshot, moment: datetime) -> None:
        self._snapshot = snapshot
        self._entries = [(entry, in_attic_at(entry, moment)) for entry in snapshot.attic]
        self.tables: dict[str, list[Table]] = defaultdict(list)
        self._tables_by_oid: dict[int, Table] = {}
        self._hidden = {
            entry.object_oid: (entry.element.parent or "", is_in)
            for entry, is_in in self._entries
            if entry.is_in_attic and entry.shim_oid and entry.element.kind is Kind.COLUMN
        }
        shims = {entry.shim_oid for entry, _ in self._entries if entry.shim_oid}
        for relation in snapshot.relations:
            table = self._table(relation)
            self._tables_by_oid[relation.oid] = table
            if relation.oid not in shims:
                self.tables[table.name].append(table)
        for shown in self._shown():
            self.tables[shown.name].append(shown)

    @cached_property
    def attic(self) -> dict[Element, AtticEntry]:
        """What was in the attic at the moment."""
        return {entry.element: entry for entry, is_in in self._entries if is_in}

    @cached_property
    def indexes(self) -> dict[str, list[Element]]:
        """Indexes by the name they had."""
        found = [(i.oid, Element(Kind.INDEX, i.schema, i.name)) for i in self._snapshot.indexes]
        return self._named(Kind.INDEX, found)

    @cached_property
    def enums(self) -> dict[str, list[Element]]:
        """Enum types by the name they had."""
        found = [(e.oid, Element(Kind.ENUM, e.schema, e.name)) for e in self._snapshot.enums]
        return self._named(Kind.ENUM, found)

    @cached_property
    def constraints(self) -> dict[str, list[Element]]:
        """Constraints by the name they had."""
        found = [
            (c.oid, Element(Kind.CONSTRAINT, c.schema, c.name, self._former_table(c.schema, c.table)))
            for c in self._snapshot.constraints
        ]
        return self._named(Kind.CONSTRAINT, found)

    @cached_property
    def views(self) -> dict[tuple[str, str], list[tuple[Table, Element | None]]]:
        """What each view (by present name) reads: relations, and their columns where it names them."""
        found = defaultdict(list)
        for use in self._snapshot.stored_uses:
            used = self._snapshot.relation(use.used_schema, use.used_name)
            if use.kind not in ("view", "materialized view") or use.relation is None or used is None:
                continue
            table = self._tables_by_oid[used.oid]
            column = self._column_element(used, use.used_column) if use.used_column else None
            found[use.schema, use.relation].append((table, column))
        return found

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
            behind = self._tables_by_oid.get(oid)
            if behind is None:
                continue
            shown = {columns[oid].get(now, now): element for now, element in behind.columns.items()}
            if (behind.schema, behind.name) == (schema, name):
                # Back under its own name by the snapshot's time, which is all that is known of it.
                behind.columns.update(shown)
            else:
                yield Table(schema, name, behind.kind, behind.element, shown)

    def _named(self, kind: Kind, present: list[tuple[int, Element]]) -> dict[str, list[Element]]:
        found = defaultdict(list)
        for oid, element in present:
            name, former = self._names(kind, oid, element.name)
            found[name].append(Element(kind, element.schema, former, element.parent))
        return found

    def _names(self, kind: Kind | None, oid: int, present: str, column: bool = False) -> tuple[str, str]:
        """The name at the moment, and the former name, of what has the name `present` in the snapshot."""
        name = former = present
        if kind is Kind.TABLE and oid in self._hidden:
            # Renamed only to make room for a shim: its own name is what the shim shows.
            former = self._hidden[oid][0]
            name = present if self._hidden[oid][1] else former
        for entry, is_in in self._entries:
            if entry.object_oid != oid or entry.element.kind is not kind:
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
        for column in relation.columns if is_table else ():
            column_name, _ = self._names(Kind.COLUMN, relation.oid, column.name, column=True)
            element = self._column_element(relation, column.name)
            if element:
                columns[column_name] = element
        element = Element(kind, relation.schema, former) if kind else None
        return Table(relation.schema, name, relation.kind, element, columns)

    def _column_element(self, relation: Relation, present: str) -> Element | None:
        if relation.kind not in TABLE_KINDS:
            return None
        _, table = self._names(Kind.TABLE, relation.oid, relation.name)
        _, former = self._names(Kind.COLUMN, relation.oid, present, column=True)
        return Element(Kind.COLUMN, relation.schema, former, table)

    def _former_table(self, schema: str, present: str) -> str:
        relation = self._snapshot.relation(schema, present)
        return self._names(Kind.TABLE, relation.oid, present)[1] if relation else present


class History:
    """The worlds of one snapshot; names change only when something entered or left the attic."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._changes = sorted(
            moment
            for entry in snapshot.attic
            for moment in (
                entry.deprecated_at.replace(microsecond=entry.deprecated_at.microsecond // 1000 * 1000),
                entry.restored_at,
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

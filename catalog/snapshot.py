"""The snapshot: one database's catalog at one moment, as a value that can be stored, compared and asked."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from catalog.attic import AtticEntry
from catalog.elements import Element, Kind
from catalog.lookups import Many, One
from catalog.objects import (
    KINDS_OF_RELATIONS,
    TABLE_KINDS,
    Call,
    Column,
    Constraint,
    Enum,
    Function,
    Index,
    Relation,
    Rule,
    SearchPath,
    StoredUse,
    Trigger,
)
from catalog.words import words

# PostgreSQL's own defaults: max_locks_per_transaction 64, max_connections 100.
_DEFAULT_MAX_LOCKS = 6400


@dataclass(frozen=True)
class Snapshot:
    """A database's catalog at `taken_at`; `max_locks` is how many locks the server has room for in all.

    `encoding` is what the server calls the encoding of the database; `search_paths` is empty where it is not
    known what sessions begin with.
    """

    database: str
    server_version: int
    taken_at: datetime
    relations: tuple[Relation, ...]
    indexes: tuple[Index, ...]
    constraints: tuple[Constraint, ...]
    enums: tuple[Enum, ...]
    functions: tuple[Function, ...]
    triggers: tuple[Trigger, ...]
    stored_uses: tuple[StoredUse, ...]
    attic: tuple[AtticEntry, ...] = ()
    max_locks: int = _DEFAULT_MAX_LOCKS
    encoding: str = "UTF8"
    search_paths: tuple[SearchPath, ...] = ()
    rules: tuple[Rule, ...] = ()
    calls: tuple[Call, ...] = ()

    @cached_property
    def shims(self) -> dict[int, AtticEntry]:
        """The views that keep former names working, by OID, with an element that each stands for."""
        return {entry.shim_oid: entry for entry in self.attic if entry.is_in_attic and entry.shim_oid}

    @cached_property
    def relations_by_oid(self) -> dict[int, Relation]:
        """Every relation by its OID."""
        return {relation.oid: relation for relation in self.relations}

    @cached_property
    def functions_by_oid(self) -> dict[int, Function]:
        """Every function by its OID."""
        return {function.oid: function for function in self.functions}

    @cached_property
    def indexes_by_oid(self) -> dict[int, Index]:
        """Every index by its OID."""
        return {index.oid: index for index in self.indexes}

    @cached_property
    def constraints_by_oid(self) -> dict[int, Constraint]:
        """Every constraint by its OID."""
        return {item.oid: item for item in self.constraints}

    @cached_property
    def enums_by_oid(self) -> dict[int, Enum]:
        """Every enum type by its OID."""
        return {enum.oid: enum for enum in self.enums}

    @cached_property
    def labels_by_oid(self) -> dict[int, Element]:
        """Every value of an enum type by the OID of its label."""
        return {
            oid: Element(Kind.ENUM_VALUE, enum.schema, label, enum.name)
            for enum in self.enums
            for label, oid in enum.values.items()
        }

    @cached_property
    def event_triggers(self) -> tuple[Call, ...]:
        """The event triggers that are not disabled, with the functions that they call."""
        return tuple(call for call in self.calls if call.kind == "event trigger")

    @cached_property
    def relation(self) -> One[str, str, Relation]:
        """The relation of a schema and name, whatever its kind."""
        return One(((relation.schema, relation.name), relation) for relation in self.relations)

    @cached_property
    def index(self) -> One[str, str, Index]:
        """The index of a schema and name."""
        return One(((index.schema, index.name), index) for index in self.indexes)

    @cached_property
    def constraint(self) -> One[str, str, str, Constraint]:
        """The constraint of a schema, table and name."""
        return One(((item.schema, item.table, item.name), item) for item in self.constraints)

    @cached_property
    def enum(self) -> One[str, str, Enum]:
        """The enum type of a schema and name."""
        return One(((enum.schema, enum.name), enum) for enum in self.enums)

    @cached_property
    def shimmed(self) -> Many[int, AtticEntry]:
        """The elements with a shim whose table or view has an OID; one shim can stand for several."""
        entries = (entry for entry in self.attic if entry.is_in_attic and entry.shim_oid)
        return Many(((entry.object_oid,), entry) for entry in entries)

    @cached_property
    def relations_called(self) -> Many[str, Relation]:
        """The relations of a name in any schema."""
        return Many(((relation.name,), relation) for relation in self.relations)

    @cached_property
    def functions_called(self) -> Many[str, Function]:
        """The functions of a name in any schema, with any arguments."""
        return Many(((function.name,), function) for function in self.functions)

    @cached_property
    def indexes_of(self) -> Many[str, str, Index]:
        """The indexes of a table, by its schema and name."""
        return Many(((index.schema, index.table), index) for index in self.indexes)

    @cached_property
    def constraints_of(self) -> Many[str, str, Constraint]:
        """The constraints of a table, by its schema and name."""
        return Many(((item.schema, item.table), item) for item in self.constraints)

    @cached_property
    def references_to(self) -> Many[str, str, Constraint]:
        """The foreign keys that point to a table, by its schema and name."""
        return Many(
            ((item.references_schema, item.references_table), item)
            for item in self.constraints
            if item.references_schema and item.references_table
        )

    @cached_property
    def sequences_of(self) -> Many[str, str, Relation]:
        """The sequences that belong to columns of a table, by its schema and name."""
        return Many(
            ((one.schema, one.used_by_table), one)
            for one in self.relations
            if one.kind == "S" and one.used_by_table
        )

    @cached_property
    def triggers_of(self) -> Many[str, str, Trigger]:
        """The triggers of a table or view that are not disabled, by its schema and name."""
        return Many(((one.schema, one.table), one) for one in self.triggers if one.is_enabled)

    @cached_property
    def rules_of(self) -> Many[str, str, Rule]:
        """The rules of a table or view, by its schema and name."""
        return Many(((rule.schema, rule.relation), rule) for rule in self.rules)

    @cached_property
    def calls_of(self) -> Many[str, str, Call]:
        """The calls of functions by stored objects of a relation, by its schema and name."""
        return Many(((call.schema, call.relation), call) for call in self.calls)

    @cached_property
    def calls_by(self) -> Many[str, Call]:
        """The calls of functions by what has a name and is no part of a relation."""
        return Many(((call.name,), call) for call in self.calls if not call.relation)

    @cached_property
    def stored_uses_of(self) -> Many[Literal["relation", "enum"], str, str, StoredUse]:
        """The stored objects that refer to a relation or enum, by its schema and name."""
        return Many(((use.used_kind, use.used_schema, use.used_name), use) for use in self.stored_uses)

    @cached_property
    def stored_uses_on(self) -> Many[str, str, StoredUse]:
        """What the stored objects of a relation (its view, policies, defaults…) refer to."""
        return Many(((use.schema, use.relation), use) for use in self.stored_uses if use.relation)

    @cached_property
    def stored_uses_by(self) -> Many[str, str, StoredUse]:
        """What the stored objects of a schema and name refer to."""
        return Many(((use.schema, use.name), use) for use in self.stored_uses)

    @cached_property
    def columns_of_type(self) -> Many[int, tuple[Relation, Column]]:
        """The columns that have a type, or an array of it, by its OID."""
        return Many(((c.type_oid,), (r, c)) for r in self.relations for c in r.columns)

    @cached_property
    def functions_of_type(self) -> Many[int, Function]:
        """The functions that have a type in their signature, by its OID."""
        return Many(((oid,), function) for function in self.functions for oid in function.type_oids)

    def functions_saying(self, names: Collection[str]) -> tuple[Function, ...]:
        """The functions whose body has one of the words in it, in any case."""
        found = (self._functions_by_word(name.casefold()) for name in names)
        return tuple({function.oid: function for some in found for function in some}.values())

    @cached_property
    def _functions_by_word(self) -> Many[str, Function]:
        return Many(((word,), one) for one in self.functions if one.body for word in words(one.body))

    @cached_property
    def _names_by_schema(self) -> dict[str, frozenset[str]]:
        """What tables, views, sequences, indexes and enum types are called."""
        items: tuple[Relation | Index | Enum, ...] = (*self.relations, *self.indexes, *self.enums)
        names = Many(((item.schema,), item.name) for item in items)
        return {schema: frozenset(names(schema)) for schema in {item.schema for item in items}}

    def column(self, schema: str, table: str, name: str) -> Column | None:
        """The column of that name, or None."""
        relation = self.relation(schema, table)
        return next((one for one in relation.columns if one.name == name), None) if relation else None

    def elements(self) -> tuple[Element, ...]:
        """Every element under its present name; the columns are those of tables, and a shim is no element."""
        tables = [relation for relation in self.relations if relation.kind in TABLE_KINDS]
        known = [
            (kind, relation)
            for relation in self.relations
            if (kind := KINDS_OF_RELATIONS[relation.kind]) and relation.oid not in self.shims
        ]
        return (
            *(Element(kind, relation.schema, relation.name) for kind, relation in known),
            *(Element(Kind.COLUMN, t.schema, column.name, t.name) for t in tables for column in t.columns),
            *(Element(Kind.INDEX, index.schema, index.name) for index in self.indexes),
            *(Element(Kind.CONSTRAINT, item.schema, item.name, item.table) for item in self.constraints),
            *(Element(Kind.ENUM, enum.schema, enum.name) for enum in self.enums),
            *(Element(Kind.ENUM_VALUE, e.schema, label, e.name) for e in self.enums for label in e.labels),
        )

    def exists(self, element: Element) -> bool:
        """Whether an element has that name now."""
        return self.oid(element) is not None

    def oid(self, element: Element) -> int | None:
        """The OID of the element that has that name now (a column's is its table's), or None."""
        schema, name, parent = element.schema, element.name, element.parent or ""
        found: Relation | Index | Constraint | Enum | None
        match element.kind:
            case Kind.TABLE | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
                found = self.relation(schema, name)
                if found and (KINDS_OF_RELATIONS[found.kind] is not element.kind or found.oid in self.shims):
                    found = None
            case Kind.COLUMN:
                found = self.relation(schema, parent) if self.column(schema, parent, name) else None
                if found and found.kind not in TABLE_KINDS:
                    found = None
            case Kind.INDEX:
                found = self.index(schema, name)
            case Kind.CONSTRAINT:
                found = self.constraint(schema, parent, name)
            case Kind.ENUM:
                found = self.enum(schema, name)
            case Kind.ENUM_VALUE:
                enum = self.enum(schema, parent)
                return enum.values.get(name) if enum else None
        return found.oid if found else None

    def comment(self, element: Element) -> str | None:
        """The comment of the element that has that name now, or None; an enum value never has one."""
        schema, name, parent = element.schema, element.name, element.parent or ""
        found: Relation | Column | Index | Constraint | Enum | None
        match element.kind:
            case Kind.TABLE | Kind.VIEW | Kind.MATVIEW | Kind.SEQUENCE:
                found = self.relation(schema, name)
            case Kind.COLUMN:
                found = self.column(schema, parent, name)
            case Kind.INDEX:
                found = self.index(schema, name)
            case Kind.CONSTRAINT:
                found = self.constraint(schema, parent, name)
            case Kind.ENUM:
                found = self.enum(schema, name)
            case Kind.ENUM_VALUE:
                found = None
        return found.comment if found else None

    def neighbours(self, element: Element) -> frozenset[str]:
        """The names that the element must not take: its namespace's, as PostgreSQL has them.

        Tables, views, sequences and indexes share one namespace, tables also use the one of types; a
        constraint that has an index needs both; labels are among themselves.
        """
        in_schema = self._names_by_schema.get(element.schema, frozenset())
        table = self.relation(element.schema, element.parent or "")
        match element.kind:
            case Kind.COLUMN:
                return frozenset(column.name for column in table.columns) if table else frozenset()
            case Kind.CONSTRAINT:
                constraints = self.constraints_of(element.schema, element.parent or "")
                return in_schema | {constraint.name for constraint in constraints}
            case Kind.ENUM_VALUE:
                enum = self.enum(element.schema, element.parent or "")
                return frozenset(enum.labels) if enum else frozenset()
            case _:
                return in_schema

    def fingerprint(self, elements: tuple[Element, ...]) -> str:
        """A hash over what the catalog says of these elements and their tables: what a plan was made for."""
        tables = {(e.schema, e.parent or e.name) for e in elements}
        indexed = {(e.schema, index.table) for e in elements if (index := self.index(e.schema, e.name))}
        wanted = tables | indexed
        facts = {
            "relations": [_facts(r) for r in self.relations if (r.schema, r.name) in wanted],
            "indexes": [_facts(i) for i in self.indexes if (i.schema, i.table) in wanted],
            "constraints": [_facts(c) for c in self.constraints if (c.schema, c.table) in wanted],
            "enums": [_facts(e) for e in self.enums if (e.schema, e.name) in wanted],
            "stored_uses": [_facts(u) for u in self.stored_uses if (u.used_schema, u.used_name) in wanted],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


# Sizes and row estimates change without the catalog changing.
_VOLATILE = frozenset({"total_bytes", "estimated_rows", "bytes"})


def _facts(item: object) -> dict[str, Any]:
    return {key: value for key, value in vars(item).items() if key not in _VOLATILE}

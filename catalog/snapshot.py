"""The snapshot: one database's catalog at one moment, as values that can be stored and compared."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from catalog.counters import Baseline
from catalog.database import Database, load_sql
from catalog.elements import Element, Kind
from catalog.errors import RightsMissingError, SnapshotError
from catalog.words import words

RelationKind = Literal["r", "p", "v", "m", "S", "f"]
TABLE_KINDS = ("r", "p")
# A foreign table is no element: what it shows is another server's.
KINDS_OF_RELATIONS: dict[str, Kind | None] = {
    "r": Kind.TABLE,
    "p": Kind.TABLE,
    "v": Kind.VIEW,
    "m": Kind.MATVIEW,
    "S": Kind.SEQUENCE,
    "f": None,
}
# What an owner may do with a table where nobody was granted or refused anything; 17 adds MAINTAIN.
OWNERS_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"})
# PostgreSQL's own defaults: max_locks_per_transaction 64, max_connections 100.
_DEFAULT_MAX_LOCKS = 6400


@dataclass(frozen=True)
class Grant:
    """One privilege on a relation or column; `grantee` is empty for PUBLIC."""

    grantee: str
    privilege: str
    grantable: bool


@dataclass(frozen=True)
class Column:
    """A column; `type_oid` is the element type for arrays."""

    number: int
    name: str
    type_oid: int
    type: str
    not_null: bool
    inherited: bool
    comment: str | None
    default: str | None = None
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True)
class Relation:
    """A relation: r table, p partitioned table, v view, m materialized view, S sequence, f foreign table.

    `children` counts partitions and inheriting tables; `grants` is empty where nobody but the owner was ever
    granted anything; a sequence's `used_by_table` and `used_by_column` say what it belongs to, by OWNED BY or
    as its identity.
    """

    oid: int
    schema: str
    name: str
    kind: RelationKind
    owner: str
    comment: str | None
    total_bytes: int
    estimated_rows: int
    extension: str | None
    columns: tuple[Column, ...]
    row_type_oid: int = 0
    children: int = 0
    used_by_table: str | None = None
    used_by_column: str | None = None
    is_identity: bool = False
    grants: tuple[Grant, ...] = ()


@dataclass(frozen=True)
class Index:
    """An index; `constraint` is the one that it backs, `definition` leaves the index's own name out."""

    oid: int
    schema: str
    name: str
    table: str
    columns: tuple[str, ...]
    is_unique: bool
    is_primary: bool
    is_valid: bool
    is_replica_identity: bool
    has_expressions: bool
    is_partition: bool
    constraint: str | None
    bytes: int
    comment: str | None
    definition: str


@dataclass(frozen=True)
class Constraint:
    """A constraint of a table.

    `type` as in pg_constraint: c check, f foreign key, p primary key, u unique, x exclusion, n not null.
    """

    oid: int
    schema: str
    table: str
    name: str
    type: Literal["c", "f", "p", "u", "x", "n"]
    columns: tuple[str, ...]
    references_schema: str | None
    references_table: str | None
    index: str | None
    is_inherited: bool
    is_validated: bool
    comment: str | None
    definition: str


@dataclass(frozen=True)
class Enum:
    """An enum type with its labels, and their OIDs, in order."""

    oid: int
    schema: str
    name: str
    labels: tuple[str, ...]
    comment: str | None
    label_oids: tuple[int, ...] = ()

    @property
    def values(self) -> dict[str, int]:
        """The OID of each label."""
        return dict(zip(self.labels, self.label_oids, strict=False))


@dataclass(frozen=True)
class Function:
    """A function or procedure; `body` is its source text, `type_oids` the types in its signature.

    `search_path` is the setting that it brings along, None where it runs with its caller's.
    """

    oid: int
    schema: str
    name: str
    language: str
    body: str | None
    arguments: str
    type_oids: tuple[int, ...]
    search_path: str | None = None


@dataclass(frozen=True)
class Trigger:
    """A trigger, what fires it, and the function that it calls.

    `columns` are those whose UPDATE fires it, empty for any; a snapshot of an older pgattic knows nothing of
    all this, so that a trigger of it fires always.
    """

    schema: str
    table: str
    name: str
    function_schema: str
    function_name: str
    events: tuple[str, ...] = ("insert", "delete", "update", "truncate")
    is_instead: bool = False
    columns: tuple[str, ...] = ()
    is_enabled: bool = True


@dataclass(frozen=True)
class Rule:
    """A rewrite rule as the statement that defines it; a view is a rule named `_RETURN`."""

    schema: str
    relation: str
    name: str
    definition: str


@dataclass(frozen=True)
class Call:
    """A stored object that calls a function, itself or through an operator.

    `relation` is what it belongs to, as in StoredUse, and empty for functions, operators, domains, event
    triggers, and casts (by the name of either type).
    """

    kind: str
    schema: str
    relation: str
    name: str
    function_oid: int


@dataclass(frozen=True)
class StoredUse:
    """A stored object (view, policy, default…) that refers to a relation, one of its columns, or an enum.

    `definition` is its text where it refers to an enum: the labels in it stand nowhere else.
    """

    kind: str
    schema: str
    relation: str | None
    name: str
    used_schema: str
    used_name: str
    used_kind: Literal["relation", "enum"]
    used_column: str | None
    definition: str | None = None


@dataclass(frozen=True)
class AtticEntry:
    """An element that is in the attic, or was there until `restored_at`.

    `element` has the former name; `object_oid` is the table's for a column; `baseline` are the counters at
    the rename, None where PostgreSQL keeps none (columns, constraints without an index, enums);
    `backup_proved_at` is when a backup of its migration was last proved by a restore; `shim_oid` is that of
    the view that pgattic made to keep its former name working; `sensors` are the kinds that are armed on it
    now (canary, trigger, grant), all of them since `armed_at`; `approved_by` are other roles than the one
    that applied its plan, which agreed with that.
    """

    element: Element
    deprecated_name: str
    migration_id: str
    reason: str
    object_oid: int
    baseline: Baseline | None
    deprecated_at: datetime
    restored_at: datetime | None
    backup_proved_at: datetime | None
    shim_oid: int | None = None
    sensors: tuple[str, ...] = ()
    armed_at: datetime | None = None
    approved_by: tuple[str, ...] = ()

    @property
    def is_in_attic(self) -> bool:
        """Whether the element still has its deprecated name."""
        return self.restored_at is None


@dataclass(frozen=True)
class SearchPath:
    """A search_path that sessions begin with, as the server shows it (`"$user", public`).

    It holds for one role or for all (None), in this database alone or in all databases.
    """

    role: str | None
    is_of_database: bool
    setting: str


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
    def _functions_by_name(self) -> dict[str, list[Function]]:
        return _grouped((function.name, function) for function in self.functions)

    @cached_property
    def _triggers_by_table(self) -> dict[tuple[str, str], list[Trigger]]:
        return _grouped(((one.schema, one.table), one) for one in self.triggers if one.is_enabled)

    @cached_property
    def _rules_by_relation(self) -> dict[tuple[str, str], list[Rule]]:
        return _grouped(((rule.schema, rule.relation), rule) for rule in self.rules)

    @cached_property
    def _calls_by_relation(self) -> dict[tuple[str, str], list[Call]]:
        return _grouped(((call.schema, call.relation), call) for call in self.calls)

    @cached_property
    def _calls_by_name(self) -> dict[str, list[Call]]:
        return _grouped((call.name, call) for call in self.calls if not call.relation)

    @cached_property
    def event_triggers(self) -> tuple[Call, ...]:
        """The event triggers that are not disabled, with the functions that they call."""
        return tuple(call for call in self.calls if call.kind == "event trigger")

    @cached_property
    def _uses_by_relation(self) -> dict[tuple[str, str | None], list[StoredUse]]:
        return _grouped(((use.schema, use.relation), use) for use in self.stored_uses)

    @cached_property
    def _sequences_by_table(self) -> dict[tuple[str, str | None], list[Relation]]:
        return _grouped(((r.schema, r.used_by_table), r) for r in self.relations if r.kind == "S")

    @cached_property
    def _relations_by_name(self) -> dict[tuple[str, str], Relation]:
        return {(relation.schema, relation.name): relation for relation in self.relations}

    @cached_property
    def _indexes_by_name(self) -> dict[tuple[str, str], Index]:
        return {(index.schema, index.name): index for index in self.indexes}

    @cached_property
    def _constraints_by_name(self) -> dict[tuple[str, str, str], Constraint]:
        return {(item.schema, item.table, item.name): item for item in self.constraints}

    @cached_property
    def _enums_by_name(self) -> dict[tuple[str, str], Enum]:
        return {(enum.schema, enum.name): enum for enum in self.enums}

    @cached_property
    def _uses_by_used(self) -> dict[tuple[str, str, str], list[StoredUse]]:
        return _grouped(((use.used_kind, use.used_schema, use.used_name), use) for use in self.stored_uses)

    @cached_property
    def _relations_by_bare_name(self) -> dict[str, list[Relation]]:
        return _grouped((relation.name, relation) for relation in self.relations)

    @cached_property
    def _uses_by_user(self) -> dict[tuple[str, str], list[StoredUse]]:
        return _grouped(((use.schema, use.name), use) for use in self.stored_uses)

    @cached_property
    def _indexes_by_table(self) -> dict[tuple[str, str], list[Index]]:
        return _grouped(((index.schema, index.table), index) for index in self.indexes)

    @cached_property
    def _constraints_by_table(self) -> dict[tuple[str, str], list[Constraint]]:
        return _grouped(((item.schema, item.table), item) for item in self.constraints)

    @cached_property
    def _references_by_target(self) -> dict[tuple[str | None, str | None], list[Constraint]]:
        return _grouped(((item.references_schema, item.references_table), item) for item in self.constraints)

    @cached_property
    def _columns_by_type(self) -> dict[int, list[tuple[Relation, Column]]]:
        return _grouped((c.type_oid, (r, c)) for r in self.relations for c in r.columns)

    @cached_property
    def _functions_by_type(self) -> dict[int, list[Function]]:
        return _grouped((oid, function) for function in self.functions for oid in function.type_oids)

    @cached_property
    def _functions_by_word(self) -> dict[str, list[Function]]:
        return _grouped((word, one) for one in self.functions if one.body for word in words(one.body))

    @cached_property
    def _names_by_schema(self) -> dict[str, frozenset[str]]:
        """What tables, views, sequences, indexes and enum types are called."""
        items: tuple[Relation | Index | Enum, ...] = (*self.relations, *self.indexes, *self.enums)
        return {key: frozenset(names) for key, names in _grouped((i.schema, i.name) for i in items).items()}

    @cached_property
    def _shimmed_by_oid(self) -> dict[int, list[AtticEntry]]:
        entries = (entry for entry in self.attic if entry.is_in_attic and entry.shim_oid)
        return _grouped((entry.object_oid, entry) for entry in entries)

    def shimmed(self, oid: int) -> tuple[AtticEntry, ...]:
        """The elements with a shim whose table or view has that OID; one shim can stand for several."""
        return tuple(self._shimmed_by_oid.get(oid, ()))

    def functions_called(self, name: str) -> tuple[Function, ...]:
        """The functions of that name in any schema, with any arguments."""
        return tuple(self._functions_by_name.get(name, ()))

    def triggers_of(self, schema: str, table: str) -> tuple[Trigger, ...]:
        """The triggers of a table or view that are not disabled."""
        return tuple(self._triggers_by_table.get((schema, table), ()))

    def rules_of(self, schema: str, relation: str) -> tuple[Rule, ...]:
        """The rules of a table or view."""
        return tuple(self._rules_by_relation.get((schema, relation), ()))

    def calls_of(self, schema: str, relation: str) -> tuple[Call, ...]:
        """The calls of functions by stored objects of a relation."""
        return tuple(self._calls_by_relation.get((schema, relation), ()))

    def calls_by(self, name: str) -> tuple[Call, ...]:
        """The calls of functions by what has that name and is no part of a relation."""
        return tuple(self._calls_by_name.get(name, ()))

    def stored_uses_on(self, schema: str, relation: str) -> tuple[StoredUse, ...]:
        """What the stored objects of a relation (its view, policies, defaults…) refer to."""
        return tuple(self._uses_by_relation.get((schema, relation), ()))

    def sequences_of(self, schema: str, table: str) -> tuple[Relation, ...]:
        """The sequences that belong to columns of a table."""
        return tuple(self._sequences_by_table.get((schema, table), ()))

    def relations_called(self, name: str) -> tuple[Relation, ...]:
        """The relations of that name in any schema."""
        return tuple(self._relations_by_bare_name.get(name, ()))

    def stored_uses_by(self, schema: str, name: str) -> tuple[StoredUse, ...]:
        """What the stored objects of that name refer to."""
        return tuple(self._uses_by_user.get((schema, name), ()))

    def indexes_of(self, schema: str, table: str) -> tuple[Index, ...]:
        """The indexes of a table."""
        return tuple(self._indexes_by_table.get((schema, table), ()))

    def constraints_of(self, schema: str, table: str) -> tuple[Constraint, ...]:
        """The constraints of a table."""
        return tuple(self._constraints_by_table.get((schema, table), ()))

    def references_to(self, schema: str, table: str) -> tuple[Constraint, ...]:
        """The foreign keys that point to a table."""
        return tuple(self._references_by_target.get((schema, table), ()))

    def columns_of_type(self, oid: int) -> tuple[tuple[Relation, Column], ...]:
        """The columns that have a type, or an array of it."""
        return tuple(self._columns_by_type.get(oid, ()))

    def functions_of_type(self, oid: int) -> tuple[Function, ...]:
        """The functions that have a type in their signature."""
        return tuple(self._functions_by_type.get(oid, ()))

    def functions_saying(self, names: Collection[str]) -> tuple[Function, ...]:
        """The functions whose body has one of the words in it, in any case."""
        found = (self._functions_by_word.get(name.casefold(), ()) for name in names)
        return tuple({function.oid: function for some in found for function in some}.values())

    def stored_uses_of(
        self, kind: Literal["relation", "enum"], schema: str, name: str
    ) -> tuple[StoredUse, ...]:
        """The stored objects that refer to the relation or enum of that name."""
        return tuple(self._uses_by_used.get((kind, schema, name), ()))

    def relation(self, schema: str, name: str) -> Relation | None:
        """The relation of that name, whatever its kind, or None."""
        return self._relations_by_name.get((schema, name))

    def index(self, schema: str, name: str) -> Index | None:
        """The index of that name, or None."""
        return self._indexes_by_name.get((schema, name))

    def constraint(self, schema: str, table: str, name: str) -> Constraint | None:
        """The constraint of that name on that table, or None."""
        return self._constraints_by_name.get((schema, table, name))

    def enum(self, schema: str, name: str) -> Enum | None:
        """The enum type of that name, or None."""
        return self._enums_by_name.get((schema, name))

    def column(self, schema: str, table: str, name: str) -> Column | None:
        """The column of that name, or None."""
        relation = self.relation(schema, table)
        return (
            next((column for column in relation.columns if column.name == name), None) if relation else None
        )

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
        indexed = {
            (e.schema, i.table) for e in elements if (i := self._indexes_by_name.get((e.schema, e.name)))
        }
        wanted = tables | indexed
        facts = {
            "relations": [_facts(r) for r in self.relations if (r.schema, r.name) in wanted],
            "indexes": [_facts(i) for i in self.indexes if (i.schema, i.table) in wanted],
            "constraints": [_facts(c) for c in self.constraints if (c.schema, c.table) in wanted],
            "enums": [_facts(e) for e in self.enums if (e.schema, e.name) in wanted],
            "stored_uses": [_facts(u) for u in self.stored_uses if (u.used_schema, u.used_name) in wanted],
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()

    def to_json(self) -> bytes:
        """The snapshot as JSON, for a file."""
        return _ADAPTER.dump_json(self, indent=1)


_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


def _grouped(pairs: Iterable[tuple[_Key, _Item]]) -> dict[_Key, list[_Item]]:
    found: dict[_Key, list[_Item]] = {}
    for key, item in pairs:
        found.setdefault(key, []).append(item)
    return found


# Sizes and row estimates change without the catalog changing.
_VOLATILE = frozenset({"total_bytes", "estimated_rows", "bytes"})


def _facts(item: object) -> dict[str, Any]:
    return {key: value for key, value in vars(item).items() if key not in _VOLATILE}


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot file; raise SnapshotError where it is none."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise SnapshotError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SnapshotError(
            f"not a snapshot: {place or 'document'}: {first['msg']}", where=str(path)
        ) from None


def read_snapshot(db: Database) -> Snapshot:
    """Read the catalog of the connected database, all of it as of one moment."""
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        search_paths = db.fetch(load_sql("catalog", "search_paths"))
        # With an empty search_path the server writes every name qualified, whoever is connected.
        db.execute("SET LOCAL search_path = ''")
        rows: dict[str, Any] = {
            part: db.fetch(load_sql("catalog", part))
            for part in (
                "relations",
                "indexes",
                "constraints",
                "enums",
                "functions",
                "triggers",
                "stored_uses",
                "rules",
                "calls",
            )
        }
        _without_own_grants(db, rows["relations"])
        rows["attic"] = _read_attic(db)
        rows["max_locks"] = db.fetch_value(
            "SELECT current_setting('max_locks_per_transaction')::integer"
            " * current_setting('max_connections')::integer"
        )
        rows |= {
            "encoding": db.fetch_value(
                "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
            ),
            "search_paths": [row for row in search_paths if row["setting"] is not None],
            "database": db.name,
            "server_version": db.server_version,
            "taken_at": db.fetch_value("SELECT clock_timestamp()"),
        }
    return _ADAPTER.validate_python(rows)


def read_attic(db: Database) -> tuple[AtticEntry, ...]:
    """Read what is or was in the attic; nothing where pgattic was never initialised."""
    return TypeAdapter(tuple[AtticEntry, ...]).validate_python(_read_attic(db))


def _read_attic(db: Database) -> list[dict[str, Any]]:
    if db.fetch_value("SELECT to_regnamespace('pgattic') IS NULL"):
        return []
    if not db.fetch_value("SELECT has_schema_privilege('pgattic', 'USAGE')"):
        role = db.fetch_value("SELECT current_user")
        raise RightsMissingError(
            f"role {role} may not read schema pgattic, so it cannot know what is in the attic",
            where=db.where,
            todo=f"GRANT USAGE ON SCHEMA pgattic TO {role};"
            f" GRANT SELECT ON ALL TABLES IN SCHEMA pgattic TO {role}",
        )
    if db.fetch_value("SELECT to_regclass('pgattic.element') IS NULL"):
        return []
    armed, approved = _read_sensors(db), _read_approvals(db)
    return [
        {
            "element": Element(Kind(row.pop("kind")), row.pop("schema"), row.pop("name"), row.pop("parent")),
            **armed.get((row["migration_id"], row.pop("position")), {}),
            "approved_by": approved.get(row["migration_id"], ()),
            **row,
        }
        for row in db.fetch(load_sql("catalog", "attic"))
    ]


def _read_sensors(db: Database) -> dict[tuple[str, int], dict[str, Any]]:
    if not _has_sensors(db):
        return {}
    return {
        (row["migration_id"], row["position"]): {"sensors": row["kinds"], "armed_at": row["armed_at"]}
        for row in db.fetch(
            "SELECT migration_id, position, array_agg(DISTINCT kind ORDER BY kind) AS kinds,"
            " max(made_at) AS armed_at FROM pgattic.sensor WHERE removed_at IS NULL GROUP BY 1, 2"
        )
    }


def _read_approvals(db: Database) -> dict[str, tuple[str, ...]]:
    """Who approved the plan of each migration; older registries have no approvals."""
    if not db.fetch_value("SELECT has_table_privilege(to_regclass('pgattic.approval'), 'SELECT')"):
        return {}
    rows = db.fetch(
        "SELECT m.id, array_agg(DISTINCT a.approved_by ORDER BY a.approved_by) AS roles"
        " FROM pgattic.migration m JOIN pgattic.approval a"
        " ON a.plan_hash = m.plan_hash AND a.approved_by <> m.applied_by GROUP BY 1"
    )
    return {row["id"]: tuple(row["roles"]) for row in rows}


def _has_sensors(db: Database) -> bool:
    """Whether there is a table of sensors that may be read; older registries have none."""
    return bool(
        db.fetch_value(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'pgattic' AND c.relname = 'sensor' AND has_table_privilege(c.oid, 'SELECT')"
            " AND has_schema_privilege(n.oid, 'USAGE'))"
        )
    )


def _without_own_grants(db: Database, relations: list[dict[str, Any]]) -> None:
    """Take out what pgattic granted to the audit role, and what an owner may do anyway."""
    own: set[tuple[int, int, str, str]] = set()
    if _has_sensors(db):
        own = {
            (row["oid"], row["number"], row["role"], row["privilege"])
            for row in db.fetch(
                "SELECT object_oid::bigint AS oid, coalesce(column_number, 0)::integer AS number,"
                " name AS role, unnest(privileges) AS privilege FROM pgattic.sensor"
                " WHERE kind = 'grant' AND removed_at IS NULL"
            )
        }
    for relation in relations:
        for number, holder in (
            (0, relation),
            *((column["number"], column) for column in relation["columns"]),
        ):
            if holder["grants"]:
                key = (relation["oid"], number)
                holder["grants"] = [
                    grant
                    for grant in holder["grants"]
                    if (*key, grant["grantee"], grant["privilege"]) not in own
                ]
        if _are_defaults(relation["grants"], relation["owner"]):
            relation["grants"] = []


def _are_defaults(grants: list[dict[str, Any]], owner: str) -> bool:
    held = {grant["privilege"] for grant in grants}
    return held >= OWNERS_PRIVILEGES and all(g["grantee"] == owner and not g["grantable"] for g in grants)


_ADAPTER = TypeAdapter(Snapshot)

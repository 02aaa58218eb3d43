"""The snapshot: one database's catalog at one moment, as values that can be stored and compared."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from catalog.counters import Baseline
from catalog.database import Database, load_sql
from catalog.elements import Element, Kind
from catalog.errors import RightsMissingError, SnapshotError

RelationKind = Literal["r", "p", "v", "m", "S", "f"]
TABLE_KINDS = ("r", "p")


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


@dataclass(frozen=True)
class Relation:
    """A relation: r table, p partitioned table, v view, m materialized view, S sequence, f foreign table."""

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
    """An enum type with its labels in order."""

    oid: int
    schema: str
    name: str
    labels: tuple[str, ...]
    comment: str | None


@dataclass(frozen=True)
class Function:
    """A function or procedure; `body` is its source text, `type_oids` the types in its signature."""

    oid: int
    schema: str
    name: str
    language: str
    body: str | None
    arguments: str
    type_oids: tuple[int, ...]


@dataclass(frozen=True)
class Trigger:
    """A trigger and the function that it calls."""

    schema: str
    table: str
    name: str
    function_schema: str
    function_name: str


@dataclass(frozen=True)
class StoredUse:
    """A stored object (view, policy, default…) that refers to a relation, one of its columns, or an enum."""

    kind: str
    schema: str
    relation: str | None
    name: str
    used_schema: str
    used_name: str
    used_kind: Literal["relation", "enum"]
    used_column: str | None


@dataclass(frozen=True)
class AtticEntry:
    """An element that is in the attic, or was there until `restored_at`.

    `element` has the former name; `object_oid` is the table's for a column; `baseline` are the counters at
    the rename, None where PostgreSQL keeps none (columns, constraints without an index, enums);
    `backup_proved_at` is when a backup of its migration was last proved by a restore.
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

    @property
    def is_in_attic(self) -> bool:
        """Whether the element still has its deprecated name."""
        return self.restored_at is None


@dataclass(frozen=True)
class Snapshot:
    """A database's catalog at `taken_at`."""

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
        found: dict[tuple[str, str, str], list[StoredUse]] = {}
        for use in self.stored_uses:
            found.setdefault((use.used_kind, use.used_schema, use.used_name), []).append(use)
        return found

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
        """Every table, column of a table, index, constraint and enum, under its present name."""
        tables = [relation for relation in self.relations if relation.kind in TABLE_KINDS]
        return (
            *(Element(Kind.TABLE, table.schema, table.name) for table in tables),
            *(Element(Kind.COLUMN, t.schema, column.name, t.name) for t in tables for column in t.columns),
            *(Element(Kind.INDEX, index.schema, index.name) for index in self.indexes),
            *(Element(Kind.CONSTRAINT, item.schema, item.name, item.table) for item in self.constraints),
            *(Element(Kind.ENUM, enum.schema, enum.name) for enum in self.enums),
        )

    def exists(self, element: Element) -> bool:
        """Whether an element has that name now."""
        return self.oid(element) is not None

    def oid(self, element: Element) -> int | None:
        """The OID of the element that has that name now (a column's is its table's), or None."""
        match element.kind:
            case Kind.TABLE:
                table = self.relation(element.schema, element.name)
                return table.oid if table and table.kind in TABLE_KINDS else None
            case Kind.COLUMN:
                table = self.relation(element.schema, element.parent or "")
                found = self.column(element.schema, element.parent or "", element.name)
                return table.oid if table and found and table.kind in TABLE_KINDS else None
            case Kind.INDEX:
                index = self.index(element.schema, element.name)
                return index.oid if index else None
            case Kind.CONSTRAINT:
                constraint = self.constraint(element.schema, element.parent or "", element.name)
                return constraint.oid if constraint else None
            case Kind.ENUM:
                enum = self.enum(element.schema, element.name)
                return enum.oid if enum else None

    def comment(self, element: Element) -> str | None:
        """The comment of the element that has that name now, or None."""
        schema, name, parent = element.schema, element.name, element.parent or ""
        found: Relation | Column | Index | Constraint | Enum | None
        match element.kind:
            case Kind.TABLE:
                found = self.relation(schema, name)
            case Kind.COLUMN:
                found = self.column(schema, parent, name)
            case Kind.INDEX:
                found = self.index(schema, name)
            case Kind.CONSTRAINT:
                found = self.constraint(schema, parent, name)
            case Kind.ENUM:
                found = self.enum(schema, name)
        return found.comment if found else None

    def neighbours(self, element: Element) -> frozenset[str]:
        """The names that the element must not take: its namespace's, as PostgreSQL has them.

        Tables, views, sequences and indexes share one namespace, tables also use the one of types; a
        constraint that has an index needs both.
        """
        relations = {r.name for r in self.relations if r.schema == element.schema}
        indexes = {i.name for i in self.indexes if i.schema == element.schema}
        enums = {e.name for e in self.enums if e.schema == element.schema}
        constraints = {
            c.name for c in self.constraints if (c.schema, c.table) == (element.schema, element.parent)
        }
        table = self.relation(element.schema, element.parent or "")
        match element.kind:
            case Kind.COLUMN:
                return frozenset(column.name for column in table.columns) if table else frozenset()
            case Kind.CONSTRAINT:
                return frozenset(constraints | indexes | relations)
            case _:
                return frozenset(relations | indexes | enums)

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
            )
        }
        rows["attic"] = _read_attic(db)
        rows |= {
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
    return [
        {
            "element": Element(Kind(row.pop("kind")), row.pop("schema"), row.pop("name"), row.pop("parent")),
            **row,
        }
        for row in db.fetch(load_sql("catalog", "attic"))
    ]


_ADAPTER = TypeAdapter(Snapshot)

"""What a catalog holds, as values: relations, their parts, and what refers to them."""

from dataclasses import dataclass
from typing import Literal

from catalog.elements import Kind

RelationKind = Literal["r", "p", "v", "m", "S", "f"]
TABLE_KINDS = ("r", "p")
# What stored uses call a table that is a part of another one.
CHILDREN = ("partition", "inheriting table")
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
    """An index; `constraint` is the one that it backs, `definition` leaves the index's own name out.

    `is_clustered` where `CLUSTER` of its table goes by it without naming it.
    """

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
    is_clustered: bool = False


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
class SearchPath:
    """A search_path that sessions begin with, as the server shows it (`"$user", public`).

    It holds for one role or for all (None), in this database alone or in all databases.
    """

    role: str | None
    is_of_database: bool
    setting: str

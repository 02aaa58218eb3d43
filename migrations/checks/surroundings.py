"""The surroundings of a database that the checks look at: its server, replication, foreign tables, paths."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from catalog.database import Database, load_sql

_PATH_PART = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
_OF_USER = "$user"


@dataclass(frozen=True)
class Server:
    """What the connected role and its server are, and what it may see and do there."""

    is_standby: bool
    role: str
    keeps_commit_times: bool
    may_stat_files: bool
    search_path: str
    missing_registry_rights: list[str]
    schemas_not_creatable: list[str]
    schemas_of_roles: list[str]
    foreign_sessions: int


@dataclass(frozen=True)
class Published:
    """By which publications a table is published, and which of its columns."""

    publications: list[str]
    columns: list[str]


@dataclass(frozen=True)
class Subscribed:
    """A subscription that writes to a table."""

    name: str
    is_enabled: bool


@dataclass(frozen=True)
class Slot:
    """A replication slot; `retained_bytes` is how much of the log it holds back."""

    name: str
    type: str
    is_active: bool
    wal_status: str
    retained_bytes: int


@dataclass(frozen=True)
class Standby:
    """Somebody who reads the log now; not visible without pg_read_all_stats."""

    name: str
    is_visible: bool
    lag_seconds: float
    behind_bytes: int


@dataclass(frozen=True)
class ForeignTable:
    """A foreign table; `remote_*` are its options, None where they are not set."""

    schema: str
    name: str
    server: str
    wrapper: str
    remote_database: str | None
    remote_schema: str | None
    remote_table: str | None
    columns_by_own_name: list[str]


@dataclass(frozen=True)
class SearchPath:
    """A search_path as schemas, and for whom it is in effect."""

    who: str
    schemas: tuple[str, ...]


def read_server(db: Database) -> Server:
    """Read what the server and the role are."""
    row = db.fetch_one(load_sql("migrations", "server_state"))
    assert row is not None
    return Server(**row)


def read_published(db: Database) -> Mapping[tuple[str, str], Published]:
    """Read the published tables, by schema and name."""
    rows = db.fetch(load_sql("migrations", "publications"))
    return {(row["schema"], row["name"]): Published(row["publications"], row["columns"]) for row in rows}


def read_subscribed(db: Database) -> Mapping[int, Subscribed]:
    """Read the tables that subscriptions write to, by OID."""
    return {row.pop("oid"): Subscribed(**row) for row in db.fetch(load_sql("migrations", "subscribed"))}


def read_slots(db: Database) -> tuple[Slot, ...]:
    """Read the replication slots."""
    return tuple(Slot(**row) for row in db.fetch(load_sql("migrations", "slots")))


def read_standbys(db: Database) -> tuple[Standby, ...]:
    """Read who follows this server, the furthest behind first."""
    return tuple(Standby(**row) for row in db.fetch(load_sql("migrations", "standbys")))


def read_foreign_tables(db: Database) -> tuple[ForeignTable, ...]:
    """Read the foreign tables."""
    return tuple(ForeignTable(**row) for row in db.fetch(load_sql("migrations", "foreign_tables")))


def read_search_paths(db: Database, server: Server) -> tuple[SearchPath, ...]:
    """Read every search_path in effect for somebody, with `$user` as each schema that it can mean."""
    rows = db.fetch(load_sql("migrations", "search_paths"))
    found = [(row["who"], row["role"], row["path"]) for row in rows]
    # PostgreSQL's own default holds wherever nothing else is set.
    found += [
        ("every role by default", None, server.search_path),
        ("every role by default", None, '"$user", public'),
    ]
    paths: dict[SearchPath, None] = {}
    for who, role, path in found:
        schemas = path_schemas(path)
        for user in [role] if role else [None, *server.schemas_of_roles]:
            meant = tuple(user if part == _OF_USER else part for part in schemas)
            paths[SearchPath(who, tuple(part for part in meant if part))] = None
    return tuple(paths)


def path_schemas(path: str) -> tuple[str, ...]:
    """The schemas of a search_path as PostgreSQL reads them: unquoted ones folded to lower case."""
    return tuple(
        plain.lower() if plain else quoted.replace('""', '"') for quoted, plain in _PATH_PART.findall(path)
    )

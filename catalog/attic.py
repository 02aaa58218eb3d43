"""The attic: what is in it or was, as the registry in the database tells."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from catalog.counters import Baseline
from catalog.database import Database, load_sql
from catalog.elements import Element, Kind
from catalog.errors import RightsMissingError

_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Unwatched:
    """Relations (by quoted name) that hold rows of an element and lack a kind of sensor that it has."""

    kind: str
    relations: tuple[str, ...]

    def __str__(self) -> str:
        named, more = ", ".join(self.relations[:_NAMED_AT_MOST]), len(self.relations) - _NAMED_AT_MOST
        return f"no {self.kind} on {named}" + (f" and {more:,} more" if more > 0 else "")


@dataclass(frozen=True)
class AtticEntry:
    """An element that is in the attic, or was there until `restored_at`.

    `element` has the former name; `object_oid` is the table's for a column; `baseline` are the counters at
    the rename, None where PostgreSQL keeps none (columns, constraints without an index, enums);
    `backup_proved_at` is when a backup of its migration was last proved by a restore; `shim_oid` is that of
    the view that pgattic made to keep its former name working; `sensors` are the kinds that are armed on all
    of it now (canary, trigger, grant), all of them since `armed_at`; `unwatched` are those that are armed on
    a part of it only; `approved_by` are other roles than the one that applied its plan, which agreed with
    that; `database` is what the database was called when it was planned.
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
    unwatched: tuple[Unwatched, ...] = ()
    database: str | None = None

    @property
    def to_arm(self) -> str | None:
        """What nothing watches though the rest of the element is watched, and the command that mends it."""
        if not self.unwatched:
            return None
        lacks, command = "; ".join(map(str, self.unwatched)), f"pgattic arm {shlex.quote(str(self.element))}"
        return f"{self.element}: {lacks}; uses there are not logged: `{command}`"

    @property
    def is_in_attic(self) -> bool:
        """Whether the element still has its deprecated name."""
        return self.restored_at is None


def read_attic(db: Database) -> tuple[AtticEntry, ...]:
    """Read what is or was in the attic; nothing where pgattic was never initialised."""
    return TypeAdapter(tuple[AtticEntry, ...]).validate_python(attic_rows(db))


def attic_rows(db: Database) -> list[dict[str, Any]]:
    """The fields of each entry: for a snapshot, which makes all of its parts values at once."""
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
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for row in db.fetch(load_sql("catalog", "sensors")):
        entry = found.setdefault(
            (row["migration_id"], row["position"]), {"sensors": (), "armed_at": None, "unwatched": ()}
        )
        if row["unwatched"]:
            entry["unwatched"] += ({"kind": row["kind"], "relations": row["unwatched"]},)
        elif row["watched"]:
            entry["sensors"] += (row["kind"],)
            entry["armed_at"] = max(filter(None, (entry["armed_at"], row["armed_at"])))
    return found


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


def own_grants(db: Database) -> set[tuple[int, int, str, str]]:
    """What pgattic granted to the audit role: OID, column number (0 for all of it), role and privilege."""
    if not _has_sensors(db):
        return set()
    return {
        (row["oid"], row["number"], row["role"], row["privilege"])
        for row in db.fetch(
            "SELECT object_oid::bigint AS oid, coalesce(column_number, 0)::integer AS number,"
            " name AS role, unnest(privileges) AS privilege FROM pgattic.sensor"
            " WHERE kind = 'grant' AND removed_at IS NULL"
        )
    }


def _has_sensors(db: Database) -> bool:
    """Whether there is a table of sensors that may be read; older registries have none."""
    return bool(
        db.fetch_value(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'pgattic' AND c.relname = 'sensor' AND has_table_privilege(c.oid, 'SELECT')"
            " AND has_schema_privilege(n.oid, 'USAGE'))"
        )
    )

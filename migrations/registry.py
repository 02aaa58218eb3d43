"""The registry: schema `pgattic` in the target database, which commits together with every rename."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from catalog.counters import Baseline, CounterSample
from catalog.database import Database, Json, load_sql
from catalog.elements import Element, Kind
from migrations.errors import RefusedError, RegistryError
from migrations.plan import Plan, plan_as_json
from migrations.steps import Shim, Step

# Any constant does, as long as no other program of ours takes the same; this one spells "pgattic".
_INSTALL_LOCK = 0x70676174746963
# The turn: whoever changes the registry's history (apply, rollback, checkpoint) takes it first.
_TURN_LOCK = _INSTALL_LOCK + 1


@dataclass(frozen=True)
class MigrationRow:
    """A migration as the registry has it; `in_attic` counts its elements that are not restored."""

    id: str
    state: str
    reason: str
    applied_by: str
    applied_at: datetime | None
    rolled_back_at: datetime | None
    failure: str | None
    elements: int
    in_attic: int


@dataclass(frozen=True)
class Progress:
    """How far a migration got: its state (None before its first apply), the plan's steps that were taken."""

    state: str | None
    positions: frozenset[int]


@dataclass(frozen=True)
class BackupRow:
    """A backup as the registry has it; `proved_at` is None until a restore gave back the same rows."""

    id: str
    migration_id: str
    directory: str
    made_at: datetime
    proved_at: datetime | None
    tables: list[dict[str, Any]]
    total_bytes: int


@dataclass(frozen=True)
class DeprecatedElement:
    """An element in the attic as rollback needs it."""

    migration_id: str
    position: int
    element: Element
    deprecated_name: str
    object_oid: int
    column_number: int | None
    former_comment: str | None
    integrity: dict[str, Any] | None = None
    shim: Shim | None = None
    shim_oid: int | None = None


def scripts() -> list[tuple[int, str]]:
    """The registry's own migrations: version and SQL, oldest first."""
    folder = files("migrations") / "sql" / "registry"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), (folder / name).read_text()) for name in names]


def install(db: Database) -> int:
    """Create the registry or bring it up to date; return its version. Safe to repeat."""
    known = scripts()
    with db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(%s)", [_INSTALL_LOCK])
        db.execute("CREATE SCHEMA IF NOT EXISTS pgattic")
        db.execute(
            "CREATE TABLE IF NOT EXISTS pgattic.schema_version"
            " (version integer PRIMARY KEY, installed_at timestamptz NOT NULL DEFAULT now())"
        )
        present = db.fetch_value("SELECT coalesce(max(version), 0) FROM pgattic.schema_version")
        _refuse_newer(present, db)
        for version, script in known:
            if version > present:
                db.execute(script)
                db.execute("INSERT INTO pgattic.schema_version (version) VALUES (%s)", [version])
    return known[-1][0]


def require(db: Database) -> None:
    """Raise RegistryError unless the registry is installed in this program's version."""
    if db.fetch_value("SELECT to_regclass('pgattic.schema_version') IS NULL"):
        raise RegistryError(
            "the registry (schema pgattic) is not installed", where=db.where, todo="Run `pgattic init`"
        )
    present = db.fetch_value("SELECT coalesce(max(version), 0) FROM pgattic.schema_version")
    _refuse_newer(present, db)
    if present < scripts()[-1][0]:
        raise RegistryError(
            f"the registry has version {present}, this program {scripts()[-1][0]}",
            where=db.where,
            todo="Run `pgattic init` to bring it up to date",
        )


def _refuse_newer(present: int, db: Database) -> None:
    if present > scripts()[-1][0]:
        raise RegistryError(
            f"the registry has version {present}, newer than this program's {scripts()[-1][0]}",
            where=db.where,
            todo="Upgrade pgattic",
        )


def take_turn(db: Database) -> None:
    """Wait until no other session changes the registry's history, for the rest of the transaction.

    Take it before any other lock: moments drawn while holding it are in the order of the commits.
    """
    db.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN_LOCK])


def record_executed(db: Database, plan: Plan, *, unfinished: str | None = None) -> None:
    """Insert the migration as executed; call it first in the transaction of the renames.

    Where more batches are to come, `unfinished` says so and the state is failed, as it is if none comes.
    Raises RefusedError where somebody else applied the plan, or rolled it back, in the meantime.
    """
    take_turn(db)
    state = "failed" if unfinished else "executed"
    went_on = db.execute(
        # A plan that failed before may be tried again. The time stays that of its first renames.
        "UPDATE pgattic.migration SET state = %s, failure = %s, applied_at = coalesce(applied_at, now())"
        " WHERE id = %s AND plan_hash = %s AND state = 'failed'",
        [state, unfinished, plan.id, plan.hash],
    )
    if not went_on and not db.execute(
        "INSERT INTO pgattic.migration (id, state, reason, plan, plan_hash, applied_at, failure)"
        " VALUES (%s, %s, %s, %s, %s, now(), %s) ON CONFLICT (id) DO NOTHING",
        [plan.id, state, plan.reason, Json(plan_as_json(plan)), plan.hash, unfinished],
    ):
        raise RefusedError(
            "was applied in the meantime; nothing was changed",
            where=plan.id,
            todo="`pgattic status` shows what became of it",
        )


def progress_of(db: Database, migration_id: str) -> Progress:
    """How far a migration got."""
    row = db.fetch_one(
        "SELECT (SELECT state FROM pgattic.migration WHERE id = %(id)s) AS state,"
        " ARRAY(SELECT position FROM pgattic.element WHERE migration_id = %(id)s) AS positions",
        {"id": migration_id},
    )
    assert row is not None
    return Progress(row["state"], frozenset(row["positions"]))


def record_failed(db: Database, plan: Plan, failure: str) -> None:
    """Insert the migration as failed, with why; its renames were rolled back."""
    db.execute(
        "INSERT INTO pgattic.migration (id, state, reason, plan, plan_hash, failure)"
        " VALUES (%s, 'failed', %s, %s, %s, %s)"
        " ON CONFLICT (id) DO UPDATE SET failure = excluded.failure WHERE migration.state = 'failed'",
        [plan.id, plan.reason, Json(plan_as_json(plan)), plan.hash, failure],
    )


def record_deprecated(
    db: Database,
    plan: Plan,
    steps: Sequence[Step],
    former_comments: Sequence[str | None],
    counters: CounterSample,
) -> None:
    """Insert the elements of some of a plan's steps; call it in the transaction of their renames.

    The comments, one for each step, and the counters are from before the renames.
    """
    comments = dict(zip((step.element for step in steps), former_comments, strict=True))
    # What is counted of a constraint are the scans of the index behind it.
    indexes = {
        row["constraint_oid"]: row["index_oid"]
        for row in db.fetch(
            "SELECT oid::bigint AS constraint_oid, conindid::bigint AS index_oid FROM pg_constraint"
            " WHERE oid = ANY (%s::oid[]) AND contype IN ('p', 'u', 'x')",
            [[step.object_oid for step in steps if step.element.kind is Kind.CONSTRAINT]],
        )
    }
    rows = [
        {
            "position": position,
            "kind": step.element.kind,
            "schema": step.element.schema,
            "parent": step.element.parent,
            "former_name": step.element.name,
            "deprecated_name": step.deprecated_name,
            "oid": step.object_oid,
            "column_number": step.column_number,
            "comment": comments[step.element],
            "counters": _baseline(counters.baseline(indexes.get(step.object_oid, step.object_oid))),
            "shim": asdict(step.shim) if step.shim else None,
        }
        for position, step in enumerate(plan.steps, start=1)
        if step.element in comments
    ]
    db.execute(load_sql("migrations", "record_deprecated"), {"migration_id": plan.id, "rows": Json(rows)})


def in_attic(
    db: Database,
    *,
    migration_id: str | None = None,
    element: Element | None = None,
    after: int | None = None,
    since: datetime | None = None,
    lock: bool = False,
) -> list[DeprecatedElement]:
    """Return the elements in the attic, in the order in which they must go back; `lock` locks their rows.

    `after` is the moment of a checkpoint.
    """
    rows = db.fetch(
        load_sql("migrations", "in_attic") + ("FOR UPDATE" if lock else ""),
        {
            "migration_id": migration_id,
            "after": after,
            "since": since,
            "kind": element.kind if element else None,
            "schema": element.schema if element else None,
            "parent": element.parent if element else None,
            "name": element.name if element else None,
        },
    )
    return [
        DeprecatedElement(
            element=Element(Kind(row.pop("kind")), row.pop("schema"), row.pop("name"), row.pop("parent")),
            shim=Shim(**shim) if (shim := row.pop("shim")) else None,
            **row,
        )
        for row in rows
    ]


def record_restored(db: Database, items: Sequence[DeprecatedElement]) -> None:
    """Mark elements as restored; call it in the transaction of their renames, after them."""
    db.execute(
        load_sql("migrations", "record_restored"),
        {
            "migration_ids": [item.migration_id for item in items],
            "positions": [item.position for item in items],
        },
    )


def record_backup(db: Database, backup: BackupRow) -> None:
    """Insert a backup."""
    db.execute(
        "INSERT INTO pgattic.backup (id, migration_id, directory, made_at, proved_at, tables, total_bytes)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            backup.id,
            backup.migration_id,
            backup.directory,
            backup.made_at,
            backup.proved_at,
            Json(backup.tables),
            backup.total_bytes,
        ],
    )


def record_proof(db: Database, backup_id: str, proved_at: datetime, directory: str) -> None:
    """Note that a restore of a backup gave back the same rows, and where it was found."""
    db.execute(
        "UPDATE pgattic.backup SET proved_at = %s, directory = %s WHERE id = %s",
        [proved_at, directory, backup_id],
    )


def withdraw_proofs(db: Database, backup_ids: Sequence[str]) -> None:
    """Note that backups no longer restore."""
    db.execute("UPDATE pgattic.backup SET proved_at = NULL WHERE id = ANY (%s)", [list(backup_ids)])


def migrations_of(db: Database) -> list[MigrationRow]:
    """Every migration, newest first; raises RegistryError where there is no registry."""
    require(db)
    return [MigrationRow(**row) for row in db.fetch(load_sql("migrations", "migrations"))]


def backups_of(db: Database) -> list[BackupRow]:
    """Every backup, newest first; raises RegistryError where there is no registry."""
    require(db)
    return [BackupRow(**row) for row in db.fetch("SELECT * FROM pgattic.backup ORDER BY made_at DESC")]


def _baseline(baseline: Baseline | None) -> dict[str, Any] | None:
    if baseline is None:
        return None
    return {
        "reads": baseline.reads,
        "writes": baseline.writes,
        "taken_at": baseline.taken_at.isoformat(),
        "server_started_at": baseline.server_started_at.isoformat(),
        "reset_at": baseline.reset_at.isoformat() if baseline.reset_at else None,
        "blocks": baseline.blocks,
        "maintenance": baseline.maintenance,
        "filenode": baseline.filenode,
        "kept_since": baseline.kept_since.isoformat() if baseline.kept_since else None,
    }

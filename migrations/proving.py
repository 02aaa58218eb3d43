"""Proving backups once more: what was restored a year ago may be gone or damaged by now.

A migration whose backups do not give back all of its tables counts as not proved from then on, until they do,
or a new backup of it is proved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from catalog.attic import AtticEntry, read_attic
from catalog.closure import present_element
from catalog.database import Database
from catalog.reading import read_snapshot
from catalog.settings import Settings
from migrations import audit, registry
from migrations.audit import Event
from migrations.backup import Backup, load_manifest, make_backup, register, tables_as_rows
from migrations.errors import BackupDamagedError, NothingInAtticError, RestoreProofError
from migrations.registry import BackupRow
from migrations.restore_proof import Restored, prove


@dataclass(frozen=True)
class Proof:
    """What became of the backups of one migration.

    `backups` were restored, and all `rows` of their `tables` came back the same; `failures` say what is wrong
    with others, `notes` what was left out of a restore. `is_proved` is whether every table of the migration
    is in one that was restored; `proved_before` is the last proof until now.
    """

    migration_id: str
    proved_before: datetime | None
    is_proved: bool
    backups: tuple[str, ...] = ()
    tables: int = 0
    rows: int = 0
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Proved:
    row: BackupRow
    backup: Backup
    folder: Path
    restored: Restored


def due(
    db: Database, migration_ids: Sequence[str], older_than: timedelta | None, now: datetime
) -> dict[str, tuple[AtticEntry, ...]]:
    """The migrations to prove, with their elements in the attic: those named, or all.

    `older_than` leaves out what was proved in that time. Raises NothingInAtticError where one that is named
    has nothing in the attic, or nothing has.
    """
    registry.require(db)
    found: dict[str, list[AtticEntry]] = {}
    for entry in read_attic(db):
        if entry.is_in_attic and (not migration_ids or entry.migration_id in migration_ids):
            found.setdefault(entry.migration_id, []).append(entry)
    missing = [name for name in migration_ids if name not in found]
    if missing:
        raise NothingInAtticError(where=", ".join(missing))
    if not found:
        raise NothingInAtticError("nothing is in the attic", where=db.where)
    return {name: tuple(entries) for name, entries in found.items() if _is_due(entries, older_than, now)}


def prove_again(
    db: Database,
    settings: Settings,
    migration_id: str,
    entries: Sequence[AtticEntry],
    clock: Callable[[], datetime],
) -> Proof:
    """Restore the backups of a migration into a throw-away server and compare; record how it went.

    What is wrong with the backups is in the result. Raises BackupError (ProofServerError where an extension
    is lacking) or ServerProgramError where nothing can be restored here, whatever the backups are like.
    """
    rows = [row for row in registry.backups_of(db) if row.migration_id == migration_id]
    done: list[_Proved] = []
    failures: dict[str, str] = {}
    held: set[int] = set()
    # The newest, and older ones for the tables that no newer one gave back: a plan that stopped between its
    # batches has several backups. Each holds the schema of the whole database.
    for row in rows:
        if done and _tables(row) <= held:
            continue
        try:
            done.append(_proved(row, settings))
        except (BackupDamagedError, RestoreProofError) as error:
            failures[row.id] = str(error)
        else:
            held |= _tables(row)
    is_proved = bool(done) and all(_tables(row) <= held for row in rows)
    with db.transaction():
        audit.reserve(db)
        # One that is whole does not help the tables that it has not, and a verdict asks for the newest proof.
        registry.withdraw_proofs(db, list(failures) if is_proved else [row.id for row in rows])
        for failed, said in failures.items():
            _record_failure(db, migration_id, failed, said)
        if is_proved:
            for one in done:
                _record(db, one, clock())
    if not rows:
        failures[""] = "no backup of it is known"
    return _proof(migration_id, entries, done, failures, is_proved=is_proved)


def back_up_again(
    db: Database,
    settings: Settings,
    migration_id: str,
    entries: Sequence[AtticEntry],
    clock: Callable[[], datetime],
) -> Proof:
    """Make a new backup of what a migration has in the attic, under its present names, and prove it.

    The old ones stay where they are. Raises BackupError where none can be made.
    """
    snapshot = read_snapshot(db)
    elements = [element for entry in entries if (element := present_element(snapshot, entry))]
    backup, folder = make_backup(
        db,
        settings.backup.dsn or settings.database.dsn,
        migration_id,
        elements,
        snapshot,
        settings.backup.directory,
        settings.backup.bin_directory,
        clock(),
    )
    row = register(db, backup, folder)
    failures: dict[str, str] = {}
    done: list[_Proved] = []
    try:
        done.append(_Proved(row, backup, folder, prove(backup, folder, settings.backup.bin_directory)))
    except (BackupDamagedError, RestoreProofError) as error:
        failures[backup.id] = str(error)
    with db.transaction():
        audit.reserve(db)
        for said in failures.values():
            _record_failure(db, migration_id, backup.id, said)
        for one in done:
            _record(db, one, clock())
    return _proof(migration_id, entries, done, failures, is_proved=not failures)


def _proved_at(entries: Sequence[AtticEntry]) -> datetime | None:
    return max((entry.backup_proved_at for entry in entries if entry.backup_proved_at), default=None)


def _is_due(entries: Sequence[AtticEntry], older_than: timedelta | None, now: datetime) -> bool:
    proved_at = _proved_at(entries)
    return older_than is None or proved_at is None or now - proved_at >= older_than


def _tables(row: BackupRow) -> set[int]:
    return {table["oid"] for table in row.tables}


def _proved(row: BackupRow, settings: Settings) -> _Proved:
    folder = _folder(row, settings)
    backup = load_manifest(folder)
    if backup.id != row.id or tables_as_rows(backup) != row.tables:
        raise BackupDamagedError("its manifest does not say what the registry says of it", where=str(folder))
    return _Proved(row, backup, folder, prove(backup, folder, settings.backup.bin_directory))


def _folder(row: BackupRow, settings: Settings) -> Path:
    """Where a backup is: where it was put or, where it was moved since, in today's folder for backups."""
    folder = Path(row.directory)
    moved = settings.backup.directory / row.id
    return moved if not folder.is_dir() and moved.is_dir() else folder


def _record(db: Database, done: _Proved, now: datetime) -> None:
    directory = str(done.folder.absolute())
    registry.record_proof(db, done.row.id, now, directory)
    rows = {f"{table.schema}.{table.name}": table.rows for table in done.backup.tables}
    detail = {"backup": done.row.id, "directory": directory, "rows": rows, "files": done.backup.files}
    audit.record(
        db,
        Event.BACKUP,
        done.row.migration_id,
        {"outcome": "proved again by a restore", **detail, **done.restored.for_audit},
    )


def _record_failure(db: Database, migration_id: str, backup_id: str, failure: str) -> None:
    detail = {"outcome": "failed", "backup": backup_id, "error": failure}
    audit.record(db, Event.BACKUP, migration_id, detail)


def _proof(
    migration_id: str,
    entries: Sequence[AtticEntry],
    done: Sequence[_Proved],
    failures: Mapping[str, str],
    *,
    is_proved: bool,
) -> Proof:
    tables = [table for one in done for table in one.backup.tables]
    return Proof(
        migration_id,
        _proved_at(entries),
        is_proved,
        tuple(one.row.id for one in done),
        len(tables),
        sum(table.rows for table in tables),
        tuple(failures.values()),
        tuple(dict.fromkeys(one.restored.without for one in done if one.restored.without)),
    )

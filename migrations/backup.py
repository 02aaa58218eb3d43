"""Backups: for one plan, the schema of the whole database and the rows of the tables that it touches.

A table dump alone cannot be restored (it lacks its schema, enum types and functions), so there are always two
artifacts, taken from the same snapshot as the fingerprints that a restore is compared with.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from catalog.database import Database, identifier, load_sql
from catalog.elements import Element
from catalog.errors import os_error_as
from catalog.files import write_atomically
from catalog.objects import Relation
from catalog.snapshot import Snapshot
from migrations import registry
from migrations.errors import BackupDamagedError, BackupError
from migrations.fingerprints import TableFingerprint, fingerprint, pin_output
from migrations.programs import major_version, program, run
from migrations.review import tables_with_rows

SCHEMA_FILE = "schema.dump"
ROWS_FILE = "rows.dump"
MANIFEST_FILE = "manifest.json"
# How often making a backup scans each table: once for the dump, once for the fingerprint.
SCANS_PER_BACKUP = 2
# The first pg_dump that takes along partitions and inheriting tables by itself.
_TAKES_CHILDREN = 16


@dataclass(frozen=True)
class Backup:
    """What a backup holds; `files` maps file names to their SHA-256."""

    id: str
    plan_id: str
    database: str
    server_version: int
    encoding: str
    roles: tuple[str, ...]
    made_at: datetime
    tables: tuple[TableFingerprint, ...]
    files: dict[str, str]
    total_bytes: int


def make_backup(
    db: Database,
    dsn: str,
    migration_id: str,
    elements: Iterable[Element],
    snapshot: Snapshot,
    directory: Path,
    bin_directory: Path | None,
    now: datetime,
) -> tuple[Backup, Path]:
    """Dump what a migration touches into a new folder of `directory`; return the backup and that folder.

    `elements` have the names that they have in the snapshot.
    """
    pg_dump = program("pg_dump", bin_directory, db.server_version)
    folder = _new_folder(directory, migration_id, now)
    tables = tables_with_rows(elements, snapshot)
    sequences = _sequences_read(dsn, tables)
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Dumping and counting take as long as the tables are large.
        db.execute("SET LOCAL statement_timeout = 0")
        pin_output(db)
        shared = f"--snapshot={db.fetch_value('SELECT pg_export_snapshot()')}"
        run(
            pg_dump,
            ["--format=custom", "--schema-only", shared, f"--file={folder / SCHEMA_FILE}", f"--dbname={dsn}"],
            db.where,
        )
        if tables:
            run(
                pg_dump,
                [
                    "--format=custom",
                    "--compress=1",
                    *_patterns(db, tables, major_version(pg_dump)),
                    shared,
                    f"--file={folder / ROWS_FILE}",
                    f"--dbname={dsn}",
                ],
                db.where,
            )
        fingerprints = tuple(fingerprint(db, table.oid, table.schema, table.name) for table in tables)
        # Our own reads must be in the counters before the baseline is taken, or they would look like a use.
        db.execute("SELECT pg_stat_force_next_flush()")
    # Noted whatever becomes of the backup; counted since before they were read.
    db.execute(
        "INSERT INTO pgattic.own_scan (relation, at, scans) SELECT unnest(%s::oid[]), %s, 1", [sequences, now]
    )
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    backup = Backup(
        id=folder.name,
        plan_id=migration_id,
        database=snapshot.database,
        server_version=db.server_version,
        encoding=db.fetch_value(
            "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
        ),
        roles=tuple(
            row["rolname"]
            for row in db.fetch("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1")
        ),
        made_at=now,
        tables=fingerprints,
        files=files,
        total_bytes=sum(path.stat().st_size for path in folder.iterdir()),
    )
    write_atomically(folder / MANIFEST_FILE, TypeAdapter(Backup).dump_json(backup, indent=2))
    return backup, folder


def _patterns(db: Database, tables: Sequence[Relation], version: int) -> list[str]:
    """The options that make a pg_dump of some version take tables with all that hold rows of theirs."""
    if version >= _TAKES_CHILDREN:
        return [f"--table-and-children={identifier(table.schema, table.name)}" for table in tables]
    family = db.fetch(load_sql("migrations", "with_children"), {"tables": [table.oid for table in tables]})
    return [f"--table={identifier(row['schema'], row['name'])}" for row in family]


def _sequences_read(dsn: str, tables: Sequence[Relation]) -> list[int]:
    """The sequences, by OID, of which a dump of the rows of some tables reads the last value, once each."""
    if not tables:
        return []
    # What its role may not read, pg_dump leaves out.
    with Database.connect(dsn) as db:
        rows = db.fetch(load_sql("migrations", "sequences_read"), {"tables": [table.oid for table in tables]})
    return [row["oid"] for row in rows]


def register(db: Database, backup: Backup, folder: Path) -> registry.BackupRow:
    """Note a backup in the registry, before its proof: its scans of tables are ours, whatever comes of it."""
    row = registry.BackupRow(
        id=backup.id,
        migration_id=backup.plan_id,
        directory=str(folder.absolute()),
        made_at=backup.made_at,
        proved_at=None,
        tables=tables_as_rows(backup),
        total_bytes=backup.total_bytes,
    )
    registry.record_backup(db, row)
    return row


def verify_files(backup: Backup, folder: Path) -> None:
    """Raise BackupDamagedError where a file is missing or is not what was written."""
    for name, digest in backup.files.items():
        path = folder / name
        try:
            is_as_written = _sha256(path) == digest
        except OSError as error:
            raise _unreadable(path, error) from error
        if not is_as_written:
            raise BackupDamagedError("file is not what was written: its SHA-256 differs", where=str(path))


def load_manifest(folder: Path) -> Backup:
    """What a folder holds, by its own account; raises BackupDamagedError."""
    path = folder / MANIFEST_FILE
    try:
        return TypeAdapter(Backup).validate_json(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValidationError as error:
        raise BackupDamagedError("file is not what pgattic wrote", where=str(path)) from error


def _unreadable(path: Path, error: OSError) -> BackupDamagedError:
    reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
    return BackupDamagedError(f"file {reason}", where=str(path))


def tables_as_rows(backup: Backup) -> list[dict[str, object]]:
    """The fingerprints as the registry stores them."""
    return [asdict(table) for table in backup.tables]


def _new_folder(directory: Path, migration_id: str, now: datetime) -> Path:
    folder = directory / f"{migration_id}-{now:%H%M%S%f}"
    with os_error_as(BackupError, "cannot make the folder", where=folder, todo="Check backup.directory"):
        folder.mkdir(parents=True, mode=0o700)
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

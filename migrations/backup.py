"""Backups: for one plan, the schema of the whole database and the rows of the tables that it touches.

A table dump alone cannot be restored (it lacks its schema, enum types and functions), so there are always two
artifacts, taken from the same snapshot as the fingerprints that a restore is compared with.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from catalog.database import Database, identifier
from catalog.files import write_atomically
from catalog.snapshot import Snapshot
from migrations.errors import BackupError
from migrations.fingerprints import TableFingerprint, fingerprint, pin_output
from migrations.plan import Plan
from migrations.programs import program, run
from migrations.review import tables_with_rows

SCHEMA_FILE = "schema.dump"
ROWS_FILE = "rows.dump"
MANIFEST_FILE = "manifest.json"
# How often making a backup scans each table: once for the dump, once for the fingerprint.
SCANS_PER_BACKUP = 2


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
    plan: Plan,
    snapshot: Snapshot,
    directory: Path,
    bin_directory: Path | None,
    now: datetime,
) -> tuple[Backup, Path]:
    """Dump what the plan touches into a new folder of `directory`; return the backup and that folder."""
    pg_dump = program("pg_dump", bin_directory, db.server_version)
    folder = _new_folder(directory, plan, now)
    tables = tables_with_rows(plan.elements, snapshot)
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
            patterns = [f"--table-and-children={identifier(table.schema, table.name)}" for table in tables]
            run(
                pg_dump,
                [
                    "--format=custom",
                    "--compress=1",
                    *patterns,
                    shared,
                    f"--file={folder / ROWS_FILE}",
                    f"--dbname={dsn}",
                ],
                db.where,
            )
        fingerprints = tuple(fingerprint(db, table.oid, table.schema, table.name) for table in tables)
        # Our own reads must be in the counters before the baseline is taken, or they would look like a use.
        db.execute("SELECT pg_stat_force_next_flush()")
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    backup = Backup(
        id=folder.name,
        plan_id=plan.id,
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


def verify_files(backup: Backup, folder: Path) -> None:
    """Raise BackupError where a file is missing or is not what was written."""
    for name, digest in backup.files.items():
        path = folder / name
        if not path.is_file():
            raise BackupError("file is missing", where=str(path))
        if _sha256(path) != digest:
            raise BackupError("file is not what was written: its SHA-256 differs", where=str(path))


def tables_as_rows(backup: Backup) -> list[dict[str, object]]:
    """The fingerprints as the registry stores them."""
    return [asdict(table) for table in backup.tables]


def _new_folder(directory: Path, plan: Plan, now: datetime) -> Path:
    folder = directory / f"{plan.id}-{now:%H%M%S%f}"
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise BackupError(
            f"cannot make the folder: {(error.strerror or 'error').lower()}",
            where=str(folder),
            todo="Check backup.directory",
        ) from error
    return folder


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

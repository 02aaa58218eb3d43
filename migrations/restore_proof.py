"""The restore proof: a backup counts only once a restore of it gave back the same rows.

It is restored into a throw-away server of its own, never into the user's: first the schema of the whole
database, then the rows with triggers off, as foreign keys may point to tables whose rows are not there.
"""

from pathlib import Path

from catalog.database import Database, identifier, literal
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations.backup import ROWS_FILE, SCHEMA_FILE, Backup, verify_files
from migrations.errors import BackupError, RestoreProofError
from migrations.fingerprints import TableFingerprint, fingerprint, pin_output
from migrations.programs import program, run

_SCRATCH = "pgattic_proof"
_SCHEMA_OPTIONS = (
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
)
_ROWS_OPTIONS = ("--data-only", "--disable-triggers")


def prove(backup: Backup, folder: Path, bin_directory: Path | None) -> tuple[TableFingerprint, ...]:
    """Restore a backup and compare; return the restored fingerprints or raise RestoreProofError."""
    verify_files(backup, folder)
    pg_restore = program("pg_restore", bin_directory, backup.server_version)
    with ThrowawayServer(bin_directory=bin_directory or EMBEDDED_BIN) as server:
        with Database.connect(server.dsn()) as admin:
            _make_scratch(admin, backup)
        restore = [f"--dbname={server.dsn(_SCRATCH)}", "--exit-on-error"]
        try:
            run(pg_restore, [*restore, *_SCHEMA_OPTIONS, str(folder / SCHEMA_FILE)], str(folder))
            if backup.tables:
                run(pg_restore, [*restore, *_ROWS_OPTIONS, str(folder / ROWS_FILE)], str(folder))
        except BackupError as error:
            raise RestoreProofError(
                f"the backup does not restore: {error.what}", where=str(folder)
            ) from error
        with Database.connect(server.dsn(_SCRATCH), statement_timeout_ms=0) as db:
            return _compare(db, backup, folder)


def _make_scratch(admin: Database, backup: Backup) -> None:
    # Policies name roles; which rights these have does not matter here.
    present = {row["rolname"] for row in admin.fetch("SELECT rolname FROM pg_roles")}
    for role in sorted(set(backup.roles) - present):
        admin.execute(f"CREATE ROLE {identifier(role)}")
    # Checksums are over bytes, so the copy must have the encoding of the original.
    locale = "C.UTF-8" if backup.encoding == "UTF8" else "C"
    admin.execute(
        f"CREATE DATABASE {_SCRATCH} TEMPLATE template0"
        f" ENCODING {literal(backup.encoding)} LOCALE {literal(locale)}"
    )


def _compare(db: Database, backup: Backup, folder: Path) -> tuple[TableFingerprint, ...]:
    with db.transaction():
        pin_output(db)
        restored = tuple(fingerprint(db, table.oid, table.schema, table.name) for table in backup.tables)
    for before, after in zip(backup.tables, restored, strict=True):
        if before != after:
            raise RestoreProofError(
                f"{before.schema}.{before.name}: {before.rows} rows went in, {after.rows} came out, checksums"
                f" {'equal' if before.checksum == after.checksum else 'differ'}",
                where=str(folder),
                todo="Do not rely on this backup; nothing was renamed",
            )
    return restored

"""The restore proof: a backup counts only once a restore of it gave back the same rows.

It is restored into a throw-away server of its own, never into the user's: first the schema of the whole
database, then the rows with triggers off, as foreign keys may point to tables whose rows are not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from analytics.sentences import count
from catalog.database import Database, identifier, literal
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations import extensions
from migrations.backup import ROWS_FILE, SCHEMA_FILE, Backup, verify_files
from migrations.errors import BackupError, ProofServerError, RestoreProofError
from migrations.fingerprints import fingerprint, pin_output
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


@dataclass(frozen=True)
class Restored:
    """A proof that every table came back as it was.

    `left_out` are extensions that its server cannot make, with why, and that nothing of the backup needed.
    """

    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def for_audit(self) -> dict[str, object]:
        """What the audit trail says of it."""
        return {"left_out": dict(self.left_out)} if self.left_out else {}

    @property
    def without(self) -> str | None:
        """In words, what was left out."""
        if not self.left_out:
            return None
        return (
            f"left out of the proof: {extensions.in_words(self.left_out)}, which its server cannot make and"
            " nothing in the backup needed"
        )


def prove(backup: Backup, folder: Path, bin_directory: Path | None) -> Restored:
    """Restore a backup and compare.

    Raises RestoreProofError, BackupDamagedError, ProofServerError where the server of the proof lacks an
    extension that is needed, or BackupError where there is no program to restore with.
    """
    verify_files(backup, folder)
    pg_restore = program("pg_restore", bin_directory, backup.server_version)
    with ThrowawayServer(bin_directory=bin_directory or EMBEDDED_BIN) as server:
        with Database.connect(server.dsn()) as admin:
            _make_scratch(admin, backup)
        left_out: dict[str, str] = {}
        try:
            contents = run(pg_restore, ["--list", str(folder / SCHEMA_FILE)], str(folder))
            left_out = extensions.cannot_be_made(server, extensions.named_in(contents))
            _restore(pg_restore, server.dsn(_SCRATCH), backup, folder, contents, left_out)
        except BackupError as error:
            raise _failure(error, folder, left_out) from error
        with Database.connect(server.dsn(_SCRATCH), statement_timeout_ms=0) as db:
            _compare(db, backup, folder)
    return Restored(left_out)


def _restore(
    pg_restore: Path, dsn: str, backup: Backup, folder: Path, contents: str, left_out: Mapping[str, str]
) -> None:
    into = [f"--dbname={dsn}", "--exit-on-error"]
    with NamedTemporaryFile("w", prefix="pgattic-contents-") as chosen:
        chosen.write(extensions.contents_without(contents, left_out))
        chosen.flush()
        only = [f"--use-list={chosen.name}"] if left_out else []
        run(pg_restore, [*into, *_SCHEMA_OPTIONS, *only, str(folder / SCHEMA_FILE)], str(folder))
    if backup.tables:
        run(pg_restore, [*into, *_ROWS_OPTIONS, str(folder / ROWS_FILE)], str(folder))


def _failure(error: BackupError, folder: Path, left_out: Mapping[str, str]) -> BackupError:
    what = f"the backup does not restore: {error.what}"
    if not left_out:
        return RestoreProofError(what, where=str(folder))
    return ProofServerError(
        f"{what}; the server of the proof cannot make {extensions.in_words(left_out)}, and"
        f" {'it' if len(left_out) == 1 else 'one of them'} seems to be needed",
        where=str(folder),
        todo="Set backup.bin_directory in pgattic.toml to the programs of a PostgreSQL that can, such as your"
        " server's own",
    )


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


def _compare(db: Database, backup: Backup, folder: Path) -> None:
    with db.transaction():
        pin_output(db)
        restored = [fingerprint(db, table.oid, table.schema, table.name) for table in backup.tables]
    for before, after in zip(backup.tables, restored, strict=True):
        if before != after:
            raise RestoreProofError(
                f"{before.schema}.{before.name}: {count(before.rows, 'row')} went in, {after.rows:,} came"
                f" out, checksums {'equal' if before.checksum == after.checksum else 'differ'}",
                where=str(folder),
                todo="Do not rely on this backup",
            )

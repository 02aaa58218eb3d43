"""Sealing the audit trail of a database, where a key is configured."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from catalog.database import Database
from catalog.errors import PgatticError, os_error_as
from catalog.settings import Settings
from migrations.audit import seal as seals
from migrations.audit.chain import GENESIS
from migrations.audit.seal import BrokenSeal, Seal
from migrations.errors import SealError

SEAL_FILE = "audit.seals"


def seal_file(settings: Settings) -> Path:
    """Where the seals of the configured database are kept."""
    return settings.audit.seal_file or settings.data.directory / SEAL_FILE


def key_of(settings: Settings) -> bytes | None:
    """The key, or None where none is configured; raises SealError where its file cannot be read."""
    audit = settings.audit
    if audit.key is not None:
        return audit.key.get_secret_value().encode()
    if audit.key_file is None:
        return None
    with os_error_as(SealError, "cannot be read", where=audit.key_file, todo="Check audit.key_file"):
        key = audit.key_file.read_bytes().strip()
    if len(key) < seals.SHORTEST_KEY:
        raise SealError(
            f"holds a key of less than {seals.SHORTEST_KEY} bytes",
            where=str(audit.key_file),
            todo="Make one with `openssl rand -hex 32`",
        )
    return key


def chain_of(db: Database) -> str:
    """Which chain this is: the cluster and the database in it, whatever they are called.

    Not something from the chain itself, or rewriting it would make it another, which no seal speaks of.
    """
    return str(
        db.fetch_value(
            "SELECT c.system_identifier::text || '/' || d.oid::text"
            " FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()"
        )
    )


def seals_of(db: Database, settings: Settings) -> list[Seal | BrokenSeal] | None:
    """The seals that speak of this database's chain; None where no key is configured to read them with."""
    key = key_of(settings)
    if key is None:
        return None
    return seals.in_force(seals.load(seal_file(settings), key), chain_of(db))


def seal_now(db: Database, settings: Settings, *, because: str | None = None) -> Seal | None:
    """Seal what is committed now, unless the last seal says the same; None where there is no key.

    Never within a transaction: what is rolled back afterwards must not be sealed.
    """
    key = key_of(settings)
    if key is None:
        return None
    row = db.fetch_one("SELECT sequence, hash FROM pgattic.audit ORDER BY sequence DESC LIMIT 1")
    made = Seal(
        chain=chain_of(db),
        count=row["sequence"] if row else 0,
        head=row["hash"] if row else GENESIS,
        at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        because=because,
    )
    path = seal_file(settings)
    last = next(reversed(seals.in_force(seals.load(path, key), made.chain)), None)
    if because is None and isinstance(last, Seal) and (last.count, last.head) == (made.count, made.head):
        return last
    seals.append(path, seals.sign(made, key))
    return made


@contextmanager
def sealing(db: Database, settings: Settings) -> Iterator[None]:
    """Seal before a change, which shows that it can be done, and after it, however it ended."""
    seal_now(db, settings)
    try:
        yield
    except BaseException:
        # What went wrong first says more; the next seal covers these rows too.
        with suppress(PgatticError):
            seal_now(db, settings)
        raise
    seal_now(db, settings)

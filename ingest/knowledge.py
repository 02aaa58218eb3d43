"""What ingest knows of the watched database: its catalog and the settings of its log, kept fresh."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.database import Database, load_sql
from catalog.errors import StatementFailedError
from catalog.snapshot import Snapshot, read_attic, read_snapshot
from ingest.coverage import LogSettings

# Tables and views that come and go without pgattic are known after this long.
_SNAPSHOT_AGE = timedelta(minutes=5)
_CONNECTION_LOST = ("", "57P01", "57P02", "57P03", "08003", "08006")


@dataclass(frozen=True)
class Knowledge:
    """A snapshot and the log settings, as of one moment; settings are None where no database tells them."""

    snapshot: Snapshot
    settings: LogSettings | None = None


class DatabaseKnowledge:
    """Knowledge read from the database: each time a look at the registry, a new snapshot when it changed."""

    def __init__(self, connect: Callable[[], Database], clock: Callable[[], datetime]) -> None:
        self._connect = connect
        self._clock = clock
        self._db: Database | None = None
        self._known: Knowledge | None = None
        self._read_at: datetime | None = None

    def __call__(self) -> Knowledge:
        """What is known now; raises DatabaseError."""
        try:
            return self._fresh()
        except StatementFailedError as error:
            if error.sqlstate not in _CONNECTION_LOST:
                raise
            # The server was restarted, perhaps: once more with a new session.
            self.close()
            return self._fresh()

    def close(self) -> None:
        """End the session with the database, if there is one."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _fresh(self) -> Knowledge:
        if self._db is None:
            self._db = self._connect()
        now = self._clock()
        settings = read_log_settings(self._db)
        known = self._known
        if known is None or self._is_stale(known.snapshot, self._db, now):
            snapshot = read_snapshot(self._db)
            self._read_at = now
        else:
            snapshot = known.snapshot
        if known is None or (snapshot, settings) != (known.snapshot, known.settings):
            self._known = known = Knowledge(snapshot, settings)
        return known

    def _is_stale(self, snapshot: Snapshot, db: Database, now: datetime) -> bool:
        is_old = self._read_at is None or now - self._read_at > _SNAPSHOT_AGE
        return is_old or read_attic(db) != snapshot.attic


def read_log_settings(db: Database) -> LogSettings:
    """The settings that decide what the server's log tells."""
    rows = db.fetch(load_sql("ingest", "log_settings"))
    overridden = [row["name"] for row in rows if row["is_overridden"]]
    since = rows[0]["loaded_at"] if rows else None
    return LogSettings.of({row["name"]: row["setting"] for row in rows}, overridden, since)

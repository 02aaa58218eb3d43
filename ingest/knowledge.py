"""What ingest knows of the watched database: its catalog and the settings of its log, kept fresh."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.attic import read_attic
from catalog.database import Database, load_sql
from catalog.errors import DatabaseError, StatementFailedError
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from ingest.coverage import LogSettings, sources_seen
from ingest.schemas import Source

# Tables and views that come and go without pgattic are known after this long.
_SNAPSHOT_AGE = timedelta(minutes=5)
# To connect to a server that is not there can take as long as its timeout.
_RETRY_AGE = timedelta(seconds=5)
_CONNECTION_LOST = ("", "57P01", "57P02", "57P03", "08003", "08006")


@dataclass(frozen=True)
class Knowledge:
    """A snapshot and the log settings, as of one moment; settings are None where no database tells them.

    `vouched` are the sources that somebody says the logs show, `log_timezone` is what somebody says of them;
    the database's own word goes before both.
    """

    snapshot: Snapshot
    settings: LogSettings | None = None
    vouched: tuple[Source, ...] = ()
    log_timezone: str | None = None

    @property
    def timezone(self) -> str | None:
        """The server's log_timezone, if anybody tells."""
        return self.settings.log_timezone if self.settings else self.log_timezone

    def sources(self, log_format: str) -> tuple[Source, ...]:
        """By what a use would have shown up in a log of that format."""
        return sources_seen(self.settings, log_format) if self.settings else self.vouched

    @property
    def since(self) -> datetime | None:
        """Since when the settings are known to hold; None where they are not known or always did."""
        return self.settings.since if self.settings else None


class FixedKnowledge:
    """Knowledge without a database: it is what it was at the beginning."""

    def __init__(self, known: Knowledge) -> None:
        self._known = known

    def __call__(self) -> Knowledge:
        """The same each time."""
        return self._known

    def close(self) -> None:
        """Nothing is open."""


class LastingKnowledge:
    """Knowledge that goes on with what it last knew while the database cannot be reached.

    The last settings are then not known to hold, so nothing is claimed for that time. `tell` is given a line
    when the database is lost and when it is back. It is tried again after `retry_after`.
    """

    def __init__(
        self,
        source: "DatabaseKnowledge",
        tell: Callable[[str], None],
        clock: Callable[[], datetime],
        retry_after: timedelta = _RETRY_AGE,
    ) -> None:
        self._source = source
        self._tell = tell
        self._clock = clock
        self._retry_after = retry_after
        self._last: Knowledge | None = None
        self._lost_at: datetime | None = None

    def __call__(self) -> Knowledge:
        """What is known now, or was last known; raises DatabaseError only where nothing was ever known."""
        now = self._clock()
        if self._last is not None and self._lost_at and now - self._lost_at < self._retry_after:
            return self._last
        try:
            known = self._source()
        except DatabaseError as error:
            if self._last is None:
                raise
            if self._lost_at is None:
                self._tell(f"the database is lost, going on with what was known of it: {error}")
                self._last = Knowledge(self._last.snapshot, log_timezone=self._last.timezone)
            self._source.close()
            self._lost_at = now
            return self._last
        if self._lost_at is not None:
            self._tell("the database is back")
            self._lost_at = None
        self._last = known
        return known

    def close(self) -> None:
        """End the session with the database."""
        self._source.close()


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

"""What an ingest is told to read, against which catalog, and where it writes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.errors import ConnectionFailedError
from catalog.settings import Settings
from catalog.snapshot import load_snapshot
from catalog.terminal import Invocation
from ingest.collect import configured_nodes
from ingest.errors import LogsUnavailableError
from ingest.knowledge import DatabaseKnowledge, FixedKnowledge, Knowledge, LastingKnowledge
from ingest.logs.tail import Logs
from ingest.meaning.world import NamesAlone
from ingest.pipeline import Alerting, Pipeline
from ingest.sampling import Sampler
from ingest.schemas import Source
from ingest.store import Store

# While logs are followed, what nobody waits for is committed this often: small commits make small files.
_PATIENCE = timedelta(seconds=2)
_BEST_FORMAT = "csvlog"

AnyKnowledge = DatabaseKnowledge | FixedKnowledge | LastingKnowledge


@dataclass(frozen=True)
class Job:
    """The configuration, and what the command line says in place of it (None: nothing)."""

    call: Invocation
    settings: Settings
    logs: str | None = None
    data: Path | None = None
    catalog: Path | None = None
    workers: int = 1

    @property
    def data_directory(self) -> Path:
        """Where the evidence tables are."""
        return self.data or self.settings.data.directory

    def open_logs(self) -> Logs:
        """The logs; raises LogsUnavailableError where none are named."""
        settings = self.settings.logs
        where = self.logs if self.logs is not None else settings.directory
        pattern = None if self.logs is not None else settings.pattern
        return Logs(where, pattern, settings.node, line_prefix=settings.line_prefix)

    def log_format(self) -> str:
        """The format of the newest log that is read here; where none can be read, the best one."""
        try:
            logs = self.open_logs()
            files = [] if logs.is_stream else logs.files()
        except LogsUnavailableError:
            return _BEST_FORMAT
        return files[-1].format.name if files else _BEST_FORMAT

    def open_knowledge(self, tell: Callable[[str], None] | None) -> AnyKnowledge:
        """What the names in the logs mean: by the database, a snapshot file, or the names alone.

        With `tell`, a database that is lost later on is told of and waited for. Raises SnapshotError.
        """
        logs = self.settings.logs
        if self.catalog is None and self.settings.database.dsn:
            knowledge = DatabaseKnowledge(self.call.connect, now)
            return LastingKnowledge(knowledge, tell, now) if tell else knowledge
        snapshot = load_snapshot(self.catalog) if self.catalog else NamesAlone()
        vouched = tuple(Source(name) for name in logs.shows)
        return FixedKnowledge(Knowledge(snapshot, vouched=vouched, log_timezone=logs.timezone))

    def sampling(self, tell: Callable[[str], object]) -> AbstractContextManager[object]:
        """What samples the counters beside it; nothing where there is no database to ask."""
        every = self.settings.collect.every
        if not every or self.catalog is not None or not self.settings.database.dsn:
            return nullcontext()
        nodes = configured_nodes(self.settings, self.call.connect)
        return Sampler(nodes, self.data_directory, every, now, tell, self.log_format)

    def pipeline(self, knowledge: AnyKnowledge, alerting: Alerting, *, is_following: bool) -> Pipeline:
        """The ingest of it all; raises LogsUnavailableError, and DatabaseError where there never was one."""
        logs = self.open_logs()
        logs.check()
        try:
            known = knowledge()
        except ConnectionFailedError as error:
            error.todo = f"{error.todo}; or read the logs against a snapshot file: --catalog FILE"
            raise
        if known.settings is not None and known.settings.log_line_prefix is not None:
            logs.line_prefix = known.settings.log_line_prefix
        return Pipeline(
            logs=logs,
            store=Store(self.data_directory),
            node=self.settings.logs.node,
            knowledge=knowledge,
            alerting=alerting,
            clock=now,
            patience=_PATIENCE if is_following else timedelta(),
            workers=self.workers,
        )


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)

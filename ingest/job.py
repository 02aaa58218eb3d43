"""What an ingest is told to read, against which catalog, and where it writes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.database import Database
from catalog.errors import ConnectionFailedError, SettingsError
from catalog.reading import load_snapshot
from catalog.settings import Settings
from catalog.terminal import Invocation
from ingest.belonging import claim
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

# A standby that does not answer keeps the reading of the primary's log waiting: not often, then.
_RETRY_OTHERS = timedelta(minutes=1)

AnyKnowledge = DatabaseKnowledge | FixedKnowledge | LastingKnowledge


@dataclass(frozen=True)
class NodeLogs:
    """The logs of one server; `connect` asks that server what they mean, None where no database is asked."""

    name: str
    directory: Path | str | None
    pattern: str | None = None
    line_prefix: str | None = None
    connect: Callable[[], Database] | None = None
    is_primary: bool = True

    def open(self) -> Logs:
        """The logs; raises LogsUnavailableError where none are named."""
        return Logs(self.directory, self.pattern, self.name, line_prefix=self.line_prefix)


@dataclass(frozen=True)
class Job:
    """The configuration, and what the command line says in place of it (None: nothing).

    `follows` where it goes on until it is ended.
    """

    call: Invocation
    settings: Settings
    logs: str | None = None
    data: Path | None = None
    catalog: Path | None = None
    workers: int = 1
    node: str | None = None
    follows: bool = False

    @property
    def data_directory(self) -> Path:
        """Where the evidence tables are."""
        return self.data or self.settings.data.directory

    def nodes(self) -> tuple[NodeLogs, ...]:
        """The servers whose logs are read, the primary first; raises SettingsError.

        That is every one whose logs are configured; with `node` that one alone, which is also meant by
        `logs`.
        """
        primary = self.settings.logs.node
        known = {node.name: node for node in self._configured()}
        if self.node is not None and self.node not in known:
            raise SettingsError(
                f"no node is called {self.node!r}",
                where="--node",
                todo=f"Configured are {', '.join(known)}; add a [[nodes]] with name and dsn",
            )
        if self.logs is not None:
            return (replace(known[self.node or primary], directory=self.logs, pattern=None),)
        if self.node is None:
            return tuple(node for node in known.values() if node.is_primary or node.directory is not None)
        if known[self.node].directory is None:
            raise SettingsError(
                f"no logs of {self.node!r} are configured",
                where="--node",
                todo="Set nodes.logs in pgattic.toml, or name them: --logs FOLDER",
            )
        return (known[self.node],)

    def _configured(self) -> Iterator[NodeLogs]:
        logs = self.settings.logs
        to_primary, *to_replicas = configured_nodes(self.settings, self.call.connect)
        is_asked = self.catalog is None
        yield NodeLogs(
            logs.node,
            logs.directory,
            logs.pattern,
            logs.line_prefix,
            to_primary.connect if is_asked and self.settings.database.dsn else None,
        )
        for node, to_replica in zip(self.settings.nodes, to_replicas, strict=True):
            connect = to_replica.connect if is_asked else None
            yield NodeLogs(node.name, node.logs, connect=connect, is_primary=False)

    def log_format(self) -> str:
        """The format of the primary's newest log; where none can be read, the best one."""
        primary = next(self._configured())
        if self.logs is not None and self.node in (None, primary.name):
            primary = replace(primary, directory=self.logs, pattern=None)
        try:
            return primary.open().newest_format() or _BEST_FORMAT
        except LogsUnavailableError:
            return _BEST_FORMAT

    def open_knowledge(self, node: NodeLogs, tell: Callable[[str], None] | None) -> AnyKnowledge:
        """What the names in a server's logs mean: by its database, a snapshot file, or the names alone.

        With `tell`, a database that is lost later on is told of and waited for. Raises SnapshotError.
        """
        logs = self.settings.logs
        if node.connect is not None:
            knowledge = DatabaseKnowledge(node.connect, now)
            if tell is None:
                return knowledge
            if node.is_primary:
                return LastingKnowledge(knowledge, tell, now)
            return LastingKnowledge(knowledge, lambda line: tell(f"{node.name}: {line}"), now, _RETRY_OTHERS)
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

    def pipeline(
        self, node: NodeLogs, knowledge: AnyKnowledge, alerting: Alerting, store: Store, *, is_following: bool
    ) -> Pipeline:
        """The ingest of a server's logs; raises LogsUnavailableError, and DatabaseError where there was none.

        Those of several servers share their store: each must know what the others have committed. Raises
        StoreError where the evidence in it is another database's.
        """
        logs = node.open()
        logs.check()
        try:
            known = knowledge()
        except ConnectionFailedError as error:
            if not node.is_primary:
                error.todo = "Check nodes.dsn in pgattic.toml, ~/.pgpass and that the server runs"
            error.todo = f"{error.todo}; or read the logs against a snapshot file: --catalog FILE"
            raise
        claim(store.data_directory, known.snapshot)
        if known.settings is not None and known.settings.log_line_prefix is not None:
            logs.line_prefix = known.settings.log_line_prefix
        return Pipeline(
            logs=logs,
            store=store,
            node=node.name,
            knowledge=knowledge,
            alerting=alerting,
            clock=now,
            patience=_PATIENCE if is_following else timedelta(),
            workers=self.workers,
        )


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)

"""The ingests of all servers whose logs a job reads, each opened when it is asked for."""

from collections.abc import Callable

from ingest.job import AnyKnowledge, Job, NodeLogs
from ingest.pipeline import Alerting, Pipeline
from ingest.store import Store


class Reader:
    """The ingest of one server's logs; `tell` is given a line when its database is lost or back."""

    def __init__(
        self,
        job: Job,
        node: NodeLogs,
        alerting: Alerting,
        store: Store,
        tell: Callable[[str], None] | None,
    ) -> None:
        self.name = node.name
        self._job = job
        self._node = node
        self._alerting = alerting
        self._store = store
        self._tell = tell
        self._knowledge: AnyKnowledge | None = None

    @property
    def node(self) -> NodeLogs:
        """The logs that it reads."""
        return self._node

    def open(self) -> Pipeline:
        """Ask the server and look at its logs; raises LogsUnavailableError, SnapshotError, DatabaseError."""
        self.close()
        self._knowledge = self._job.open_knowledge(self._node, self._tell)
        return self._job.pipeline(
            self._node, self._knowledge, self._alerting, self._store, is_following=self._tell is not None
        )

    def close(self) -> None:
        """End the session with the server."""
        if self._knowledge is not None:
            self._knowledge.close()
            self._knowledge = None


def readers(job: Job, alerting: Alerting, tell: Callable[[str], None] | None = None) -> tuple[Reader, ...]:
    """One for each server whose logs are read, the primary's first; with `tell` they are to be followed.

    Raises SettingsError.
    """
    store = Store(job.data_directory)
    return tuple(Reader(job, node, alerting, store, tell) for node in job.nodes())

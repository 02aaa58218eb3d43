"""Alerts of what acts by itself and must not wait: committed by a thread, and delivered as all others are."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import Any

import pyarrow as pa

from analytics.alerting.worker import Worker
from catalog.database import Database
from catalog.errors import PgatticError
from catalog.settings import Settings
from ingest.schemas import ALERT
from ingest.store import Store

_LOG = logging.getLogger("pgattic.alerts")
# Somebody else who commits to the table at the same moment is done by then.
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.2
_LAST_COMMIT_SECONDS = 10.0


class UrgentAlerts:
    """Commits and delivers what it is given, until it is left; a context manager.

    Raises SettingsError where addresses are configured wrongly, and nothing later: what cannot be committed
    or delivered is told in the log of the process.
    """

    def __init__(
        self, settings: Settings, connect: Callable[[], Database], clock: Callable[[], datetime]
    ) -> None:
        self._store = Store(settings.data.directory)
        self._worker = Worker(settings, connect, clock)
        # `rules = []` is how one says that nothing is to be alarming.
        self._is_silent = not settings.alerts.rules
        self._rows: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._commit_all, name="urgent alerts", daemon=True)

    def __enter__(self) -> "UrgentAlerts":
        self._worker.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.put(None)
        self._thread.join(_LAST_COMMIT_SECONDS)
        if self._thread.is_alive():
            _LOG.warning("alerts: what was told last could not be committed in %d s", _LAST_COMMIT_SECONDS)
        self._worker.__exit__()

    def give(self, row: Mapping[str, Any]) -> None:
        """Take a row of ALERT and return at once."""
        if not self._is_silent:
            self._rows.put({"day": row["occurred_at"].date(), **row})

    def _commit_all(self) -> None:
        while (row := self._rows.get()) is not None:
            self._commit(row)

    def _commit(self, row: Mapping[str, Any]) -> None:
        rows = pa.Table.from_pylist([dict(row)], schema=ALERT)
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._store.append("alert", rows, transaction=None)
            except PgatticError as error:
                if not left:
                    _LOG.warning("alerts: %s", error)
                    return
                sleep(_PAUSE_SECONDS)
            else:
                return

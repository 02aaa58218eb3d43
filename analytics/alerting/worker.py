"""The thread beside ingest that delivers what was committed and looks for what no log tells.

Ingest never waits for it: it reads what is committed, on its own connections. Of several processes on one
data directory one works at a time.
"""

import fcntl
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import TextIO

from analytics.alerting.delivery import Delivery, JsonLines, Receiver
from analytics.alerting.messages import describe
from analytics.errors import AlertStateError
from analytics.notify import addresses
from catalog.database import Database
from catalog.errors import PgatticError, os_error_as
from catalog.settings import Settings

_LOG = logging.getLogger("pgattic.alerts")
_LOOK_SECONDS = 0.25
# Long enough for one message to one slow address; the next run goes on with what is left.
_LAST_ROUND_SECONDS = 20.0


def receivers(settings: Settings) -> Sequence[Receiver]:
    """Everybody who is told; raises SettingsError."""
    file = settings.alerts.json_file
    return [*addresses(settings.alerts), *([JsonLines(file)] if file else [])]


class Worker:
    """Delivers and checks until it is stopped; a context manager."""

    def __init__(
        self, settings: Settings, connect: Callable[[], Database], clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._connect = connect
        self._clock = clock
        self._receivers = receivers(settings)
        self._stop = Event()
        self._lock: TextIO | None = None
        self._delivery: Delivery | None = None
        self._checked_at = clock()
        self._said: str | None = None
        self._thread = Thread(target=self._work, name="alerts", daemon=True)

    def __enter__(self) -> "Worker":
        # Here, not in the thread: what ingest commits from now on is new to everybody.
        if self._receivers:
            self._try(self._begin)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LAST_ROUND_SECONDS)

    def _work(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self._try(self._turn)
        self._try(lambda: self._turn(is_last=True))
        if self._lock:
            self._lock.close()

    def _begin(self) -> bool:
        """Whether it is this process that works."""
        if self._lock is None:
            self._lock = take_turn(self._settings.data.directory)
        if self._lock is None:
            return False
        if self._delivery is None:
            directory, digest = self._settings.data.directory, self._settings.alerts.digest
            self._delivery = Delivery(directory, self._receivers, digest)
        return True

    def _turn(self, *, is_last: bool = False) -> None:
        now = self._clock()
        every = self._settings.alerts.check_every
        checks = bool(every) and not is_last and now - self._checked_at >= every
        if not (self._receivers or checks) or not self._begin():
            return
        assert self._delivery is not None
        if checks:
            # Most runs of ingest end before a check is due, and it takes long to load.
            from analytics.alerting.check import check_conditions  # noqa: PLC0415

            self._checked_at = now
            for row in check_conditions(self._settings, self._connect, now).to_pylist():
                _LOG.warning("%s", describe(row))
            # It was well again: what goes wrong from now on is news.
            self._said = None
        self._delivery.round(now, is_last=is_last)

    def _try(self, step: Callable[[], object]) -> None:
        """What goes wrong here must not end ingest; it is told once, and tried again."""
        try:
            step()
        except PgatticError as error:
            if str(error) != self._said:
                _LOG.warning("alerts: %s", error)
            self._said = str(error)


def take_turn(data_directory: Path) -> TextIO | None:
    """The lock of who delivers, or None where another process has it; closing it gives it back."""
    path = data_directory / "alerts" / "worker.lock"
    todo = "Correct the rights of data.directory"
    with os_error_as(AlertStateError, "cannot be written", where=path, todo=todo):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file

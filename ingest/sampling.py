"""Samples the counters now and then while ingest goes on, in a thread of its own.

Ingest never waits for it: a server that does not answer costs this thread its time and nobody else. What goes
wrong here is told once and tried again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pyarrow.compute as pc

from catalog.errors import PgatticError
from ingest.calls import CallReader
from ingest.collect import Node, collect
from ingest.store import Store

_LOOK_SECONDS = 0.5
# What waits in the log comes first: the first alert of a process is not to wait for a look.
_FIRST_SECONDS = 2.0
# A look at a server that is well takes some tenths; the process does not wait for one that is not.
_LAST_SECONDS = 5.0


class Sampler:
    """Looks at every node each `every`, until it is stopped; a context manager.

    `tell` gets a line when nodes begin or cease to answer. The first look is made after two seconds, unless
    somebody looked within that time. `log_format` tells that of the logs that ingest reads.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        data_directory: Path,
        every: timedelta,
        clock: Callable[[], datetime],
        tell: Callable[[str], object],
        log_format: Callable[[], str] = lambda: "csvlog",
    ) -> None:
        self._nodes = nodes
        self._data_directory = data_directory
        self._every = every
        self._clock = clock
        self._tell = tell
        self._log_format = log_format
        self._said = ""
        self._reader = CallReader()
        self._stop = Event()
        self._thread = Thread(target=self._work, name="counters", daemon=True)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_LAST_SECONDS)

    def _work(self) -> None:
        due = monotonic() + max(_FIRST_SECONDS, self._until_first())
        while not self._stop.wait(min(_LOOK_SECONDS, max(0.0, due - monotonic()))):
            if monotonic() >= due:
                due = monotonic() + self._every.total_seconds()
                self._sample()

    def _until_first(self) -> float:
        """Seconds until the first look is due."""
        try:
            newest = pc.max(Store(self._data_directory).rows("sample", ["sampled_at"])["sampled_at"]).as_py()
        except PgatticError:
            # The look itself will say what is the matter.
            return 0.0
        if newest is None:
            return 0.0
        wait: timedelta = newest + self._every - self._clock()
        return min(max(wait, timedelta()), self._every).total_seconds()

    def _sample(self) -> None:
        try:
            store = Store(self._data_directory)
            found = collect(
                self._nodes, store, self._clock, log_format=self._log_format(), reader=self._reader
            )
            said = "; ".join(f"{node.node}: {node.failure}" for node in found.failed)
        except PgatticError as error:
            said = str(error)
        # It may have taken so long that nobody is there any more to be told.
        if said != self._said and not self._stop.is_set():
            self._tell(f"counters were not sampled: {said}" if said else "counters are sampled again")
        self._said = said

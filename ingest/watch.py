"""The home of watchdog: waits until the log folder may have changed, or somebody wants us to end."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from types import FrameType
from typing import Self

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

_GATHER_SECONDS = 0.1


class _Hint(FileSystemEventHandler):
    def __init__(self, hints: "SimpleQueue[None]") -> None:
        self._hints = hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        # Opening and reading a file are events too, and those are ours.
        if event.event_type in ("created", "modified", "moved", "deleted") and self._hints.empty():
            self._hints.put(None)


class Watcher:
    """Events are hints to look sooner; a look every `poll_seconds` finds what they miss.

    `directory` None means that there is no folder to watch; `others` are watched besides. A folder that goes
    away and comes back is polled.
    """

    def __init__(self, directory: Path | None, poll_seconds: float, others: Iterable[Path] = ()) -> None:
        self.is_ended = False
        self.is_reload_wanted = False
        self._directories = tuple(dict.fromkeys(([directory] if directory else []) + list(others)))
        self._poll_seconds = poll_seconds
        # Not an Event: a signal handler that sets one may wait for ever for the code it interrupted. Each
        # handler puts a hint: after a signal that comes as its timeout ends, Python 3.11's `get` has none.
        self._hints: SimpleQueue[None] = SimpleQueue()
        self._observer = Observer()

    def __enter__(self) -> Self:
        if self._directories:
            self._observer.start()
        for directory in self._directories:
            # No inotify here (its limit is reached, a network file system): polling alone finds everything.
            with suppress(OSError):
                self._observer.schedule(_Hint(self._hints), str(directory), recursive=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join()

    def end(self) -> None:
        """Let the wait, and every later one, return at once."""
        self.is_ended = True
        self._hints.put(None)

    def reload(self) -> None:
        """Let the wait return, so that the configuration is read anew."""
        self.is_reload_wanted = True
        self._hints.put(None)

    def wake(self) -> None:
        """Let the wait return: something came that no event tells of; may be called from any thread."""
        self._hints.put(None)

    def wait_for_change(self, until: float | None = None) -> bool:
        """Wait for a hint or the next poll; False when it is over (`until` is a time.monotonic())."""
        left = self._poll_seconds if until is None else min(self._poll_seconds, until - monotonic())
        if left > 0 and not self.is_ended:
            with suppress(Empty):
                self._hints.get(timeout=left)
                # A busy server writes all the time: what it writes in a moment is looked at together.
                sleep(min(left, _GATHER_SECONDS))
                while True:
                    self._hints.get_nowait()
        return not self.is_ended and (until is None or monotonic() < until)


@contextmanager
def ending_on_signals(watcher: Watcher) -> Iterator[None]:
    """Within the block SIGTERM and SIGINT end the watch after the batch at hand, instead of the process.

    SIGHUP asks for the configuration to be read anew.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        watcher.end()

    def reload(_signal: int, _frame: FrameType | None) -> None:
        watcher.reload()

    handlers = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

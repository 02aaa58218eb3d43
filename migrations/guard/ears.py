"""The guard's ears: the logs of all servers at once, none of which can keep another from being heard.

The primary's log is read by whoever asks; that of each replica in a thread of its own, as it may be on a file
system of another machine that does not answer.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import monotonic, time
from typing import Self

from catalog.errors import DatabaseError, PgatticError
from ingest.errors import LogsUnavailableError
from migrations.guard.failures import Clock, Heard
from migrations.guard.log import GuardedLog, Row
from migrations.guard.servers import Blind, Said, telling_too_little

# Events are hints, and there are none of another machine's file system: the promise is kept by looking.
LONGEST_POLL_SECONDS = 0.5
_ASK_AFTER_SECONDS = 5.0
# A connection that is not answered takes ten seconds.
_FIRST_LOOK_SECONDS = 12.0
_SILENT_SECONDS = 10.0
_SILENT = "it does not answer"
_LAST_SECONDS = 1.0
_PUT_SECONDS = 0.5
# What waits to be understood, some tenths of a second's work; a log that tells more waits with the rest.
_WAITING_PARTS = 4
_PART_ROWS = 200
# Files that nobody wrote to for so long before the guard began hold nothing that came after it.
_OLD = timedelta(hours=1).total_seconds()


class ReplicaEar:
    """Reads the log of one replica in a thread of its own; what is the matter is kept and tried again.

    `wake` is called, from that thread, when there is something new; `weak` is what its log does not tell.
    """

    def __init__(self, node: str, log: GuardedLog, ask: Callable[[], Said], poll_seconds: float) -> None:
        self.node = node
        self._log = log
        self._ask = ask
        self._poll_seconds = min(poll_seconds, LONGEST_POLL_SECONDS)
        self._heard: Queue[Heard] = Queue(_WAITING_PARTS)
        self._clock: Clock | None = None
        self._refusal: PgatticError | None = None
        self._ask_at = 0.0
        self._trouble: str | None = None
        self._began_at: float | None = None
        self._has_positions = False
        self._busy_since: float | None = None
        self._looked, self._ended = Event(), Event()
        self.wake: Callable[[], None] = lambda: None
        self.weak: tuple[Blind, ...] = ()
        self._thread = Thread(target=self._work, name=f"log of {node}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, or leave it where its file system does not answer."""
        self._ended.set()
        self._thread.join(_LAST_SECONDS)

    def wait_for_first_look(self, until: float) -> None:
        """Wait until it is known whether the log can be read, or until a time.monotonic()."""
        self._looked.wait(max(0.0, until - monotonic()))

    def begin(self) -> None:
        """Hear what is logged from now on; returns at once."""
        self._began_at = time()

    @property
    def trouble(self) -> str | None:
        """Why it hears nothing now, None where it does."""
        since = self._busy_since
        if not self._looked.is_set() or (since is not None and monotonic() - since > _SILENT_SECONDS):
            return _SILENT
        return self._trouble

    def heard(self) -> Iterator[Heard]:
        """What has come until now."""
        for _ in range(self._heard.qsize()):
            try:
                yield self._heard.get_nowait()
            except Empty:
                return

    def _work(self) -> None:
        while not self._ended.is_set():
            before = self._trouble
            self._busy_since = monotonic()
            try:
                self._look()
                self._trouble = None
            except (LogsUnavailableError, DatabaseError) as error:
                self._trouble = str(error)
            except Exception as error:
                # Nobody would see that a thread has ended. Its text may hold what the log says.
                self._trouble = f"its log could not be read ({type(error).__name__})"
            self._busy_since = None
            self._looked.set()
            if self._trouble != before:
                self.wake()
            self._ended.wait(self._poll_seconds)

    def _look(self) -> None:
        try:
            clock = self._asked()
        finally:
            # Where the log ends is known also where nobody says yet what it means.
            self._take_positions()
        if self._began_at is not None:
            for rows in self._log.errors():
                self._busy_since = monotonic()
                clock = self._looked_at_again(clock, rows, datetime.fromtimestamp(self._began_at, UTC))
                for start in range(0, len(rows), _PART_ROWS):
                    self._put(Heard(self.node, rows[start : start + _PART_ROWS], clock))

    def _asked(self) -> Clock:
        """The clock, when its server has said what its log means; raises DatabaseError."""
        if self._clock is None:
            if self._refusal and monotonic() < self._ask_at:
                raise self._refusal
            # Whoever cannot connect says so by itself.
            self._busy_since = None
            try:
                said = self._ask()
            except (LogsUnavailableError, DatabaseError) as error:
                self._refusal, self._ask_at = error, monotonic() + _ASK_AFTER_SECONDS
                raise
            finally:
                self._busy_since = monotonic()
            self._log.understand(said.settings)
            self.weak = tuple(
                telling_too_little(self.node, self._log.newest_format(), said, datetime.now(UTC))
            )
            self._clock = said.clock
        return self._clock

    def _looked_at_again(self, clock: Clock, rows: Sequence[Row], began_at: datetime) -> Clock:
        """The clock; measured once more where it puts what is new before the beginning.

        Somebody may have set it back meanwhile, which a clock that merely drifts does not come to: then it
        would be overheard. What comes late with a copy of the log is from before by any clock.
        """
        is_before = any(row["occurred_at"] - clock.ahead < began_at for row in rows)
        if not is_before or monotonic() < self._ask_at:
            return clock
        self._ask_at = monotonic() + _ASK_AFTER_SECONDS
        self._busy_since = None
        # Who does not answer now is taken as he was.
        with suppress(LogsUnavailableError, DatabaseError):
            clock = self._clock = self._ask().clock
        self._busy_since = monotonic()
        return clock

    def _take_positions(self) -> None:
        """Keep where the log ends, as long as nothing has begun; later, what was not seen then is read."""
        if self._began_at is None:
            self._log.check()
            positions = self._log.ends()
            # A look that lasted until after the beginning may have seen what came after it.
            if self._began_at is None:
                self._log.go_on_from(positions)
                self._has_positions = True
        elif not self._has_positions:
            self._log.check()
            self._log.go_on_from(self._log.ends(before=self._began_at - _OLD))
            self._has_positions = True

    def _put(self, heard: Heard) -> None:
        self._busy_since = None
        while not self._ended.is_set():
            try:
                self._heard.put(heard, timeout=_PUT_SECONDS)
            except Full:
                continue
            self.wake()
            break
        self._busy_since = monotonic()


class Ears:
    """The logs of the primary and of the replicas; a context manager.

    `blind` are the servers that are known to be heard by nobody.
    """

    def __init__(
        self,
        primary: str,
        log: GuardedLog,
        replicas: Sequence[ReplicaEar] = (),
        blind: Iterable[Blind] = (),
    ) -> None:
        self.log = log
        self._primary = primary
        self._replicas = tuple(replicas)
        self._always = tuple(blind)
        self._now: dict[str, Blind] = {}
        self._past: list[Blind] = []

    def __enter__(self) -> Self:
        for replica in self._replicas:
            replica.start()
        until = monotonic() + _FIRST_LOOK_SECONDS
        for replica in self._replicas:
            replica.wait_for_first_look(until)
        for _ in self._changes():
            # What is so at the beginning is told by whoever asks for `blind`.
            pass
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self._replicas:
            replica.stop()

    def wake_by(self, wake: Callable[[], None]) -> None:
        """Have that called, from any thread, when something came that no file of the primary tells."""
        for replica in self._replicas:
            replica.wake = wake

    @property
    def blind(self) -> tuple[Blind, ...]:
        """The servers that were not heard, or are not now; those that never will be first."""
        weak = (one for replica in self._replicas for one in replica.weak)
        return (*self._always, *weak, *self._past, *self._now.values())

    def begin(self) -> None:
        """Hear what is logged from now on; raises LogsUnavailableError where the primary's log is gone."""
        self.log.go_on_from(self.log.ends())
        for replica in self._replicas:
            replica.begin()

    def hear(self) -> Iterator[Heard | Blind]:
        """What failed since the last call, and whose log cannot be heard any more, or can again."""
        try:
            for rows in self.log.errors():
                yield Heard(self._primary, rows)
        except LogsUnavailableError as error:
            yield from self._note(self._primary, str(error))
        else:
            yield from self._note(self._primary, None)
        for replica in self._replicas:
            yield from replica.heard()
        yield from self._changes()

    def _changes(self) -> Iterator[Blind]:
        for replica in self._replicas:
            yield from self._note(replica.node, replica.trouble)

    def _note(self, node: str, why: str | None) -> Iterator[Blind]:
        """Keep since when a log is not heard; yields what changed."""
        known, now = self._now.get(node), datetime.now(UTC)
        if known and known.why == why:
            return
        if known:
            ended = replace(known, until=now)
            self._past.append(ended)
            del self._now[node]
            if why is None:
                yield ended
        if why is not None:
            self._now[node] = Blind(node, why, now)
            yield self._now[node]

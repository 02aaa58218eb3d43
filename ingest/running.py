"""Runs a pipeline: once over what is there, or on and on until somebody ends it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from itertools import chain
from time import monotonic
from typing import Protocol

from catalog.errors import DatabaseError
from ingest.errors import LogsUnavailableError, StoreError
from ingest.lag import beat
from ingest.pipeline import BatchResult, Pipeline
from ingest.upkeep import keep_up, tidy

# Counts of the hour are added up when it is over, about.
_TIDY_AFTER = timedelta(hours=1)
_BEAT_AFTER = timedelta(seconds=1)
# To open what cannot be reached can take as long as a connection's timeout, and keeps the others waiting.
_OPEN_AFTER_SECONDS = 60.0


class Other(Protocol):
    """The ingest of another server's log, which may not be there yet."""

    @property
    def name(self) -> str:
        """The server's."""

    def open(self) -> Pipeline:
        """Make it ready; raises LogsUnavailableError, StoreError or DatabaseError."""


@dataclass(frozen=True)
class IngestSummary:
    """What a run did."""

    files: int
    records: int
    accesses: int
    rejects: int
    gaps: int
    alerts: int
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether everything could be read, and nothing is known to be lost."""
        return not self.rejects and not self.gaps


def together(summaries: Iterable[IngestSummary]) -> IngestSummary:
    """What several runs, of a server each, did together."""
    found = list(summaries)
    return IngestSummary(*(sum(getattr(one, each.name) for one in found) for each in fields(IngestSummary)))


def ingest_once(pipeline: Pipeline) -> IngestSummary:
    """Read all that is complete now; raises LogsUnavailableError where there is no log."""
    started = monotonic()
    pipeline.logs.check()
    origins: set[str] = set()
    records = accesses = rejects = gaps = alerts = 0
    # The rows of a result are let go at once: memory stays bounded however much there is to read.
    for result in chain(pipeline.run(), pipeline.end()):
        origins.add(result.origin)
        records += result.records
        accesses += len(result.access)
        rejects += result.rejects
        gaps += result.gaps
        alerts += len(result.alerts)
    while keep_up(pipeline.store):
        pass
    beat(pipeline.store.data_directory, pipeline.node, pipeline.clock())
    return IngestSummary(len(origins), records, accesses, rejects, gaps, alerts, monotonic() - started)


def follow(
    pipeline: Pipeline,
    wait: Callable[[], bool],
    *,
    others: Sequence[Other] = (),
    keep_days: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[str], object] = str,
) -> Iterator[BatchResult]:
    """Read what comes, until `wait` says that it is over; it is asked after each look at the folders.

    `is_over` is asked after each commit. What went well once and fails later (the folder is gone, the disk is
    full) is told once and tried again; what fails at the first look is raised. Of `others` everything is told
    and tried again: what is the matter with them keeps nobody else from being read.
    """
    pipeline.logs.check()
    first = _Followed(tell, pipeline)
    followed = [first, *(_Followed(tell, other=other) for other in others)]
    upkeep = _Upkeep(followed, keep_days, tidied_at=pipeline.clock())
    while True:
        yield from first.run(is_over, upkeep.do)
        for each in followed[1:]:
            yield from each.run(is_over)
        if not wait():
            break
    for each in followed:
        if each.is_well and each.pipeline:
            yield from each.pipeline.end()


@dataclass
class _Followed:
    """The ingest of one server while it is followed; that of an `other` is opened when it can be."""

    tell: Callable[[str], object]
    pipeline: Pipeline | None = None
    other: Other | None = None
    trouble: str | None = None
    has_run: bool = False
    open_after: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it is read."""
        return self.pipeline is not None and self.trouble is None

    def run(
        self, is_over: Callable[[], bool], after: Callable[[], Iterator[BatchResult]] = lambda: iter(())
    ) -> Iterator[BatchResult]:
        """Read what is there, and do what comes after it; what is the matter is told."""
        if self.pipeline is None and monotonic() < self.open_after:
            return
        try:
            pipeline = self.pipeline = self.pipeline or self._opened()
            for result in pipeline.run():
                yield result
                if is_over():
                    break
            yield from after()
        except (LogsUnavailableError, StoreError, DatabaseError) as error:
            if self.other is None and (not self.has_run or isinstance(error, DatabaseError)):
                raise
            if str(error) != self.trouble:
                self.trouble = str(error)
                self._say(f"{error}; trying again")
            self.open_after = monotonic() + _OPEN_AFTER_SECONDS
            if isinstance(error, StoreError) and self.pipeline:
                # Nobody knows how far the commit came: as after a crash, the tables tell.
                self.pipeline.forget()
        else:
            self.has_run = True
            if self.trouble:
                self.trouble = None
                self._say("it is well again, going on")

    def _opened(self) -> Pipeline:
        assert self.other is not None
        return self.other.open()

    def _say(self, line: str) -> None:
        self.tell(f"{self.other.name}: {line}" if self.other else line)


@dataclass
class _Upkeep:
    """What is done beside the reading, now and then."""

    followed: Sequence[_Followed]
    keep_days: int | None
    tidied_at: datetime
    beaten_at: datetime | None = None

    def do(self) -> Iterator[BatchResult]:
        """Do what is due; what waits is committed before it."""
        pipelines = [each.pipeline for each in self.followed if each.pipeline]
        store, now = pipelines[0].store, pipelines[0].clock()
        keep_up(store)
        if now - self.tidied_at >= _TIDY_AFTER:
            self.tidied_at = now
            try:
                for pipeline in pipelines:
                    yield from pipeline.end()
                tidy(store, self.keep_days, now)
            finally:
                # Statements that were removed have to be kept again when they come back, and what could not
                # be committed is read again.
                for pipeline in pipelines:
                    pipeline.forget()
        if self.beaten_at is None or now - self.beaten_at >= _BEAT_AFTER:
            self.beaten_at = now
            for each in self.followed:
                # Upkeep is part of the first one's round, which is not over yet.
                if each.pipeline and (each.is_well or each.other is None):
                    beat(store.data_directory, each.pipeline.node, now)

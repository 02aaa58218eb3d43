"""Runs a pipeline: once over what is there, or on and on until somebody ends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

from ingest.errors import LogsUnavailableError, StoreError
from ingest.lag import beat
from ingest.pipeline import BatchResult, Pipeline
from ingest.upkeep import keep_up, tidy

# Counts of the hour are added up when it is over, about.
_TIDY_AFTER = timedelta(hours=1)
_BEAT_AFTER = timedelta(seconds=1)


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


def ingest_once(pipeline: Pipeline) -> IngestSummary:
    """Read all that is complete now; raises LogsUnavailableError where there is no log."""
    started = monotonic()
    pipeline.logs.check()
    origins: set[str] = set()
    records = accesses = rejects = gaps = alerts = 0
    # The rows of a result are let go at once: memory stays bounded however much there is to read.
    for result in pipeline.run():
        origins.add(result.origin)
        records += result.records
        accesses += len(result.access)
        rejects += result.rejects
        gaps += result.gaps
        alerts += len(result.alerts)
    keep_up(pipeline.store)
    beat(pipeline.store.data_directory, pipeline.node, pipeline.clock())
    return IngestSummary(len(origins), records, accesses, rejects, gaps, alerts, monotonic() - started)


def follow(
    pipeline: Pipeline,
    wait: Callable[[], bool],
    *,
    keep_days: int | None = None,
    is_over: Callable[[], bool] = lambda: False,
    tell: Callable[[str], object] = str,
) -> Iterator[BatchResult]:
    """Read what comes, until `wait` says that it is over; it is asked after each look at the folder.

    `is_over` is asked after each commit. What went well once and fails later (the folder is gone, the disk is
    full) is told once and tried again; what fails at the first look is raised.
    """
    pipeline.logs.check()
    trouble: str | None = None
    has_run = False
    upkeep = _Upkeep(pipeline, keep_days, tidied_at=pipeline.clock())
    while True:
        try:
            for result in pipeline.run():
                yield result
                if is_over():
                    break
            yield from upkeep.do()
        except (LogsUnavailableError, StoreError) as error:
            if not has_run:
                raise
            if str(error) != trouble:
                trouble = str(error)
                tell(f"{error}; trying again")
            if isinstance(error, StoreError):
                # Nobody knows how far the commit came: as after a crash, the tables tell.
                pipeline.forget()
        else:
            has_run = True
            if trouble:
                trouble = None
                tell("it is well again, going on")
        if not wait():
            break
    if not trouble:
        yield from pipeline.finish()


@dataclass
class _Upkeep:
    """What is done beside the reading, now and then."""

    pipeline: Pipeline
    keep_days: int | None
    tidied_at: datetime
    beaten_at: datetime | None = None

    def do(self) -> Iterator[BatchResult]:
        """Do what is due; what waits is committed before it."""
        pipeline, now = self.pipeline, self.pipeline.clock()
        keep_up(pipeline.store)
        if now - self.tidied_at >= _TIDY_AFTER:
            self.tidied_at = now
            yield from pipeline.finish()
            tidy(pipeline.store, self.keep_days, now)
            # Statements that were removed have to be kept again when they come back.
            pipeline.forget()
        if self.beaten_at is None or now - self.beaten_at >= _BEAT_AFTER:
            self.beaten_at = now
            beat(pipeline.store.data_directory, pipeline.node, now)

"""What counters say: how often an element was used on a node, and for which time that is known; pure.

Counters only go up. So between two samples of the same counting nothing can have been used that does not show
in their difference, however far apart they are. What begins the counting anew (a crash, a reset, another
server, another object) leaves a gap: from the last sample before it to the moment when counting began again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from analytics.stretches import Stretch, joined, without


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one object on one node that all say the same, from the first to the last of them.

    `kept_since` is None where it was not noted; all but the times are as in the counters.
    """

    start: datetime
    end: datetime
    reads: int
    writes: int
    last_read_at: datetime | None
    kept_since: datetime | None
    reset_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """Uses that were counted on a node between two samples: scans, and rows written."""

    node: str
    start: datetime
    end: datetime
    reads: int
    writes: int
    last_read_at: datetime | None = None

    @property
    def used_until(self) -> datetime:
        """When the last of the uses was, at the latest."""
        if self.writes or self.last_read_at is None or not self.start <= self.last_read_at <= self.end:
            return self.end
        return self.last_read_at


@dataclass(frozen=True, slots=True)
class Counted:
    """What one node counted of one element: for which time it did, and the uses."""

    stretches: tuple[Stretch, ...] = ()
    steps: tuple[Step, ...] = ()


def count_uses(node: str, runs: Iterable[Run]) -> Counted:
    """Put the runs of one object on one node together; they are sorted by their start."""
    stretches: list[Stretch] = []
    holes: list[Stretch] = []
    steps: list[Step] = []
    last: Run | None = None
    for run in runs:
        stretches.append((run.start, run.end))
        if last is not None and run.start <= last.end:
            # Numbers that came back to what they were: they went down in between, and nobody knows when.
            end = max(last.end, run.end)
            holes.append((run.start, end))
            steps.append(Step(node, run.start, end, max(last.reads, run.reads), max(last.writes, run.writes)))
        elif last is not None:
            stretch, step = _between(node, last, run)
            stretches += stretch
            steps += step
        if last is None or run.end >= last.end:
            last = run
    return Counted(tuple(without(joined(stretches), holes)), tuple(steps))


def _between(node: str, before: Run, after: Run) -> tuple[list[Stretch], list[Step]]:
    """For which time between two runs was counted, and what."""
    reads, writes = after.reads - before.reads, after.writes - before.writes
    if _is_same_counting(before, after):
        if min(reads, writes) < 0:
            # It went down without a trace: whatever it says now was used since, and perhaps more.
            return [], _step(node, before.end, after, after.reads, after.writes)
        return [(before.end, after.start)], _step(node, before.end, after, reads, writes)
    begun = max((at for at in (after.kept_since, after.reset_at) if at), default=before.end)
    if begun <= before.end:
        # A server that had counted before this one was looked at: whose uses its numbers are cannot be told.
        return [], []
    return [(begun, after.start)], _step(node, begun, after, after.reads, after.writes)


def _is_same_counting(before: Run, after: Run) -> bool:
    if before.kept_since is None:
        is_kept = after.kept_since is None or after.kept_since <= before.end
    else:
        is_kept = before.kept_since == after.kept_since
    if not is_kept:
        return False
    if before.reset_at == after.reset_at:
        return True
    # The database's mark moves when any single table is reset; what still has its last scan was not. That is
    # known from PostgreSQL 16 on.
    return after.last_read_at is not None and after.last_read_at <= before.end


def _step(node: str, start: datetime, after: Run, reads: int, writes: int) -> list[Step]:
    return [Step(node, start, after.start, reads, writes, after.last_read_at)] if reads or writes else []


def sampled(looks: Sequence[tuple[datetime, bool]], longest: timedelta) -> list[Stretch]:
    """The times in which a node was looked at often enough and counted, of its looks in their order.

    A look says when, and whether the node counted then.
    """
    return joined(
        (before, after)
        for (before, was_counting), (after, is_counting) in pairwise(looks)
        if was_counting and is_counting and after - before <= longest
    )

"""What counters say: how often an element was used on a node, and for which time that is known; pure.

Counters only go up. So between two samples of the same counting nothing can have been used that does not show
in their difference, however far apart they are. What begins the counting anew (a crash, a reset, another
server, another object) leaves a gap: from the last sample before it to the moment when counting began again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from analytics.stretches import Stretch, joined, without


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one object on one node that all say the same, from the first to the last of them.

    `kept_since` is None where it was not noted; all but the times are as in the counters. `blocks`,
    `maintenance` and `filenode` are None where nobody noted them: of an index, by an older pgattic.
    """

    start: datetime
    end: datetime
    reads: int
    writes: int
    last_read_at: datetime | None
    kept_since: datetime | None
    reset_at: datetime | None
    blocks: int | None = None
    maintenance: int | None = None
    filenode: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Uses that were counted on a node between two samples: scans, and rows written.

    `looks` is 1 where neither moved but blocks were fetched, by a read by ctid or to plan a statement: one
    use at least. `rewrites` is 1 where no row was written but the file of the rows is another one: by REFRESH
    of an empty materialized view, by TRUNCATE of an empty table.
    """

    node: str
    start: datetime
    end: datetime
    reads: int
    writes: int
    last_read_at: datetime | None = None
    looks: int = 0
    rewrites: int = 0

    @property
    def used_until(self) -> datetime:
        """When the last of the uses was, at the latest."""
        if self.writes or self.looks or self.rewrites or self.last_read_at is None:
            return self.end
        return self.last_read_at if self.start <= self.last_read_at <= self.end else self.end


@dataclass(frozen=True, slots=True)
class Counted:
    """What one node counted of one element: for which time it did, and the uses."""

    stretches: tuple[Stretch, ...] = ()
    steps: tuple[Step, ...] = ()


def count_uses(node: str, runs: Iterable[Run]) -> Counted:
    """Put the runs of one object on one node together; they are sorted by their start.

    Samples that say nothing of blocks cannot tell that nobody looked into the object, where others do.
    """
    runs = list(runs)
    is_told_by_blocks = any(run.blocks is not None for run in runs)
    stretches: list[Stretch] = []
    holes: list[Stretch] = []
    steps: list[Step] = []
    last: Run | None = None
    was_maintained = False
    for run in runs:
        begin = last.end if last else run.start
        if run.blocks is None and is_told_by_blocks and begin < run.end:
            holes.append((begin, run.end))
        stretches.append((run.start, run.end))
        if last is not None and run.start <= last.end:
            # Numbers that came back to what they were: they went down in between, and nobody knows when.
            end = max(last.end, run.end)
            holes.append((run.start, end))
            steps.append(Step(node, run.start, end, max(last.reads, run.reads), max(last.writes, run.writes)))
        elif last is not None:
            stretch, step = _between(node, last, run, was_maintained=was_maintained)
            stretches += stretch
            steps += step
            # What vacuum fetched can be counted a moment later than that it ran: in the next sample at most.
            was_maintained = _is_maintained(last, run) and run.start == run.end
        if last is None or run.end >= last.end:
            last = run
    return Counted(tuple(without(joined(stretches), holes)), tuple(steps))


def _between(node: str, before: Run, after: Run, *, was_maintained: bool) -> tuple[list[Stretch], list[Step]]:
    """For which time between two runs was counted, and what."""
    if _is_same_counting(before, after):
        if after.reads < before.reads or after.writes < before.writes:
            # It went down without a trace: whatever it says now was used since, and perhaps more.
            return [], _step(node, before.end, _begun_anew(after), after)
        step = _step(node, before.end, before, after, was_maintained=was_maintained)
        return [(before.end, after.start)] if _are_looks_known(before, after, step) else [], step
    begun = max((at for at in (after.kept_since, after.reset_at) if at), default=before.end)
    if begun <= before.end:
        # A server that had counted before this one was looked at: whose uses its numbers are cannot be told.
        return [], []
    anew = replace(_begun_anew(after), filenode=before.filenode)
    step = _step(node, begun, anew, after)
    return [(begun, after.start)] if _are_looks_known(anew, after, step) else [], step


def _begun_anew(run: Run) -> Run:
    """The same object when its counting began."""
    blocks = None if run.blocks is None else 0
    return replace(run, reads=0, writes=0, blocks=blocks, maintenance=0)


def _are_looks_known(before: Run, after: Run, steps: Sequence[Step]) -> bool:
    """Whether two runs of one counting tell if anybody fetched blocks in between, as far as they have any."""
    if before.blocks is None or after.blocks is None:
        return before.blocks is after.blocks
    # Where an index is gone, so are its blocks; and behind those of a vacuum anybody's can hide.
    return before.blocks == after.blocks or (before.blocks < after.blocks and bool(steps))


def _is_maintained(before: Run, after: Run) -> bool:
    """Whether vacuum or analyze ran between two runs."""
    return None not in (before.maintenance, after.maintenance) and before.maintenance != after.maintenance


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


def _step(node: str, start: datetime, before: Run, after: Run, *, was_maintained: bool = False) -> list[Step]:
    """What was used between two runs of one counting, if anything."""
    reads, writes = after.reads - before.reads, after.writes - before.writes
    is_rewritten = None not in (before.filenode, after.filenode) and before.filenode != after.filenode
    rewrites = int(is_rewritten and not writes)
    is_fetched = None not in (before.blocks, after.blocks) and (after.blocks or 0) > (before.blocks or 0)
    is_explained = was_maintained or _is_maintained(before, after)
    looks = int(is_fetched and not (reads or writes or rewrites or is_explained))
    if not (reads or writes or rewrites or looks):
        return []
    return [Step(node, start, after.start, reads, writes, after.last_read_at, looks, rewrites)]


def sampled(looks: Sequence[tuple[datetime, bool]], longest: timedelta) -> list[Stretch]:
    """The times in which a node was looked at often enough and counted, of its looks in their order.

    A look says when, and whether the node counted then.
    """
    return joined(
        (before, after)
        for (before, was_counting), (after, is_counting) in pairwise(looks)
        if was_counting and is_counting and after - before <= longest
    )

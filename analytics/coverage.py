"""For which part of a time the logs were read, so that a use could have been seen."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.store import Evidence
from ingest.schemas import Source

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which nothing was read."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of `start` to `end` was read of the logs of every node known; `fraction` is 0 to 1."""

    source: Source
    start: datetime
    end: datetime
    covered_seconds: float
    fraction: float
    gaps: tuple[Gap, ...]


def coverage(evidence: Evidence, source: Source, since: datetime, until: datetime) -> Coverage:
    """What was read of a source from `since` to `until`.

    A moment counts only where every node that was ever read was read then: a use on a replica that nobody
    looked at is a use unseen. Nor does it count where lines of a node's log are lost.
    """
    by_node: dict[str, list[Stretch]] = {}
    if since < until:
        rows = evidence.query("coverage", source=source.value, since=since, until=until).to_pylist()
        for row in rows:
            stretches = by_node.setdefault(row["node"], [])
            if row["covered_from"] is not None:
                stretches.append((row["covered_from"], row["covered_to"]))
        lost: dict[str, list[Stretch]] = {}
        for row in evidence.query("lost", since=since, until=until).to_pylist():
            lost.setdefault(row["node"], []).append((row["lost_from"], row["lost_to"]))
        by_node = {node: _without(stretches, lost.get(node, [])) for node, stretches in by_node.items()}
    return summarise(source, since, until, list(by_node.values()))


def summarise(source: Source, since: datetime, until: datetime, nodes: list[list[Stretch]]) -> Coverage:
    """Put together what was read of each node; stretches are sorted, disjoint and within the window."""
    covered = nodes[0] if nodes else []
    for stretches in nodes[1:]:
        covered = _both(covered, stretches)
    seconds = sum(((end - start) for start, end in covered), timedelta()).total_seconds()
    window = (until - since).total_seconds()
    return Coverage(
        source,
        since,
        until,
        seconds,
        min(1.0, seconds / window) if window > 0 else 0.0,
        _gaps(since, until, covered),
    )


def _without(stretches: list[Stretch], lost: list[Stretch]) -> list[Stretch]:
    """Cut times out of stretches; both are sorted, what is lost may overlap."""
    found: list[Stretch] = []
    place = 0
    for start, end in stretches:
        position = start
        while place < len(lost) and lost[place][0] < end:
            if lost[place][0] > position:
                found.append((position, lost[place][0]))
            position = max(position, lost[place][1])
            if position >= end:
                # It may reach into the next stretch, too.
                break
            place += 1
        if position == start or position < end:
            found.append((position, end))
    return found


def _both(left: list[Stretch], right: list[Stretch]) -> list[Stretch]:
    found: list[Stretch] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            found.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return found


def _gaps(since: datetime, until: datetime, covered: list[Stretch]) -> tuple[Gap, ...]:
    gaps: list[Gap] = []
    position = since
    for start, end in covered:
        if position < start:
            gaps.append(Gap(position, start))
        position = max(position, end)
    if position < until:
        gaps.append(Gap(position, until))
    return tuple(gaps)

"""Coverage by the day, as a line of characters: what was watched, and what was not; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean

from analytics.coverage import Watched
from analytics.periods import seen, turns
from analytics.stretches import Stretch, missing, seconds, within
from ingest.schemas import Source

_DAY = timedelta(days=1)
# From nothing to all of a day; told apart by their shape.
_SIGNS = ((1.0, "█"), (0.5, "▓"), (0.0, "░"))
_NOTHING = "·"


@dataclass(frozen=True, slots=True)
class Line:
    """When a source watched a node; `days` has the fraction of each day (UTC) of the window."""

    source: str
    node: str
    fraction: float
    days: tuple[float, ...]
    stretches: tuple[Stretch, ...]
    gaps: tuple[Stretch, ...]

    def drawn(self, days: int = 1) -> str:
        """A character for each day, or so many days: █ all of it, ▓ half or more, ░ some, · nothing."""
        parts = (self.days[first : first + days] for first in range(0, len(self.days), days))
        return "".join(_sign(fmean(part)) for part in parts)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What watched from `since` to `until`; turns of months and quarters as (seen, in the window)."""

    since: datetime
    until: datetime
    lines: tuple[Line, ...]
    month_ends: tuple[int, int]
    quarter_ends: tuple[int, int]


def timeline(watched: Watched, since: datetime, until: datetime, together: Sequence[Stretch]) -> Timeline:
    """A line for each source and node; `together` is when everything that is wanted watched every node."""
    lines = [
        _line(source.value, node, within(watched[source][node], since, until), since, until)
        for source in Source
        if source in watched
        for node in sorted(watched[source])
    ]

    def of(months: int) -> tuple[int, int]:
        return seen(together, since, until, months, 1.0), len(list(turns(since, until, months)))

    return Timeline(since, until, tuple(lines), of(1), of(3))


def _line(source: str, node: str, stretches: Sequence[Stretch], since: datetime, until: datetime) -> Line:
    window = (until - since).total_seconds()
    return Line(
        source,
        node,
        seconds(stretches) / window if window > 0 else 0.0,
        tuple(_by_day(stretches, since, until)),
        tuple(stretches),
        tuple(missing(stretches, since, until)),
    )


def _by_day(stretches: Sequence[Stretch], since: datetime, until: datetime) -> list[float]:
    found = []
    day = datetime(since.year, since.month, since.day, tzinfo=UTC)
    while day < until:
        start, end = max(day, since), min(day + _DAY, until)
        found.append(seconds(within(stretches, start, end)) / (end - start).total_seconds())
        day += _DAY
    return found


def _sign(fraction: float) -> str:
    if fraction <= 0:
        return _NOTHING
    # A second of a day more or less is no gap to be drawn.
    return next(sign for least, sign in _SIGNS if fraction >= least - 1e-4)

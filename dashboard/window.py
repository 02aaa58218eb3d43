"""Windows: the time that a page looks at, cut into steps that make bars of a readable width."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_UNITS = {_MINUTE: "minute", _HOUR: "hour", _DAY: "day"}
# Up to which length of time a step gives bars that can still be seen.
_FINEST = ((timedelta(hours=2), _MINUTE), (timedelta(days=4), _HOUR), (timedelta.max, _DAY))
# An attic that is younger would be a single fat bar.
_SHORTEST = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Window:
    """What a chart shows: whole steps from `start` to `end`."""

    start: datetime
    end: datetime
    step: timedelta

    @property
    def unit(self) -> str:
        """The length of a step in a word."""
        return _UNITS[self.step]


def window(since: datetime, until: datetime) -> Window:
    """Choose the steps for a time, and widen it to whole ones."""
    start = min(since, until - _SHORTEST)
    step = next(step for longest, step in _FINEST if until - start <= longest)
    return Window(_floor(start, step), _floor(until, step) + step, step)


def _floor(moment: datetime, step: timedelta) -> datetime:
    origin = datetime(1970, 1, 1, tzinfo=UTC)
    return origin + (moment - origin) // step * step

"""Ends of months and quarters: when jobs run that run at no other time; pure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from analytics.stretches import Stretch, seconds, within

# A turn of the month with the day before and the day after: it comes at another moment in each time zone, and
# jobs for it run on the last day of the old month or the first one of the new.
_AROUND = timedelta(days=1)


def turns(start: datetime, end: datetime, months: int) -> Iterator[Stretch]:
    """The times around each turn of a period of that many months (1 or 3) that lie whole within a window."""
    year, month = start.year, start.month
    while True:
        turn = datetime(year, month, 1, tzinfo=UTC)
        if turn + _AROUND > end:
            return
        if turn - _AROUND >= start and (month - 1) % months == 0:
            yield turn - _AROUND, turn + _AROUND
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)


def seen(stretches: Sequence[Stretch], start: datetime, end: datetime, months: int, wanted: float) -> int:
    """How many turns of such a period were watched, each for at least that part (0 to 1) of it."""
    length = (2 * _AROUND).total_seconds()
    found = (within(stretches, *turn) for turn in turns(start, end, months))
    return sum(bool(part) and seconds(part) >= wanted * length for part in found)


def next_turns(after: datetime, months: int, number: int) -> datetime:
    """When that many more turns of such a period have passed after a moment; the moment itself where 0."""
    moment = after
    far = after + timedelta(days=31 * months * (number + 2))
    for count, turn in enumerate(turns(after, far, months), start=1):
        if count <= number:
            moment = turn[1]
    return moment

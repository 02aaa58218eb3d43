"""Figures as people read them, for findings and reports."""

from collections.abc import Sequence
from datetime import timedelta

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def count(number: int, unit: str) -> str:
    """A number with its unit: `1 use`, `12,000 uses`."""
    if number == 1:
        return f"1 {unit}"
    first, _, rest = unit.partition(" or ")
    plural = f"{first}s or {rest}s" if rest else f"{unit}s"
    return f"{number:,} {plural}"


def duration(span: timedelta) -> str:
    """A time in its largest unit: `3 days`, `1 hour`, `0 seconds`; less than nothing reads as nothing."""
    seconds = max(span.total_seconds(), 0)
    for length, unit in _UNITS:
        # From two units on, so that 36 hours do not read as one day.
        if seconds >= 2 * length or (seconds >= length and seconds % length == 0):
            return count(int(seconds // length), unit)
    return count(int(seconds), "second")


def percent(fraction: float) -> str:
    """A share, rounded down: 0.99999 is not 100 %."""
    return f"{int(fraction * 1000) / 10:g} %"


def listed(items: Sequence[str], at_most: int) -> str:
    """Items in a row, with how many are left out."""
    shown = ", ".join(items[:at_most])
    left_out = len(items) - at_most
    return f"{shown} and {left_out:,} more" if left_out > 0 else shown

"""Stretches of time: what two sets of them have in common, what is missing; pure.

A set of stretches is sorted, its stretches are disjoint and none is empty.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Stretch = tuple[datetime, datetime]


def joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Any stretches as a set: those that overlap or touch become one."""
    found: list[Stretch] = []
    for start, end in sorted(stretches):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def both(left: Sequence[Stretch], right: Sequence[Stretch]) -> list[Stretch]:
    """What lies in both sets."""
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


def within(stretches: Sequence[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """What of a set lies between two moments."""
    found = ((max(first, start), min(last, end)) for first, last in stretches)
    return [stretch for stretch in found if stretch[0] < stretch[1]]


def missing(stretches: Sequence[Stretch], start: datetime, end: datetime) -> list[Stretch]:
    """What of the time between two moments is not in a set that lies within it."""
    found: list[Stretch] = []
    position = start
    for first, last in stretches:
        if position < first:
            found.append((position, first))
        position = max(position, last)
    if position < end:
        found.append((position, end))
    return found


def without(stretches: Sequence[Stretch], holes: Iterable[Stretch]) -> list[Stretch]:
    """A set without some times; a hole that is a moment divides, and takes nothing away."""
    found = list(stretches)
    for start, end in joined(holes):
        found = [
            part
            for first, last in found
            for part in ((first, min(last, start)), (max(first, end), last))
            if part[0] < part[1]
        ]
    return found


def seconds(stretches: Iterable[Stretch]) -> float:
    """How long all stretches of a set are together."""
    return sum((end - start for start, end in stretches), timedelta()).total_seconds()

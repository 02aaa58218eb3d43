"""Batches: which steps share a transaction, as the server has room for so many locks at a time."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby

from migrations.steps import Step


class Batch(StrEnum):
    """ONE transaction for the whole plan, or one for each TABLE (type, view, sequence) with its parts."""

    ONE = "one"
    TABLE = "table"


def batches_of(steps: Sequence[Step], batch: Batch, most_locks: int) -> tuple[tuple[Step, ...], ...]:
    """The steps in their order, in as few transactions as wanted and as many as the locks need."""
    parts = [
        part
        for _, group in groupby(steps, key=lambda step: step.group)
        for part in _parts(tuple(group), most_locks)
    ]
    return tuple(_split(parts, most_locks)) if batch is Batch.ONE else tuple(parts)


def _parts(group: tuple[Step, ...], most_locks: int) -> Iterator[tuple[Step, ...]]:
    """What belongs together stays together, unless it alone is too much; a shim's steps always do."""
    if any(step.shim for step in group):
        return iter([group])
    return _split([(step,) for step in group], most_locks)


def _split(parts: Iterable[tuple[Step, ...]], most_locks: int) -> Iterator[tuple[Step, ...]]:
    taken: list[Step] = []
    locks = 0
    for part in parts:
        wanted = sum(step.locks for step in part)
        if taken and locks + wanted > most_locks:
            yield tuple(taken)
            taken, locks = [], 0
        taken.extend(part)
        locks += wanted
    if taken:
        yield tuple(taken)

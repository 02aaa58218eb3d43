"""Counters: what is known for which time, whatever happened to the server in between."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.counting import Run, Step, count_uses, sampled
from analytics.stretches import joined
from tests.analytics.evidence import DAY, NOW

HOUR = timedelta(hours=1)
BEGUN = NOW - 100 * DAY


def at(hours: float) -> datetime:
    return NOW + hours * HOUR


def run(hours: float, reads: int, writes: int = 0, **given: object) -> Run:
    found = Run(at(hours), at(hours), reads, writes, None, BEGUN, None)
    return replace(found, **given)  # type: ignore[arg-type]


def counted(*runs: Run) -> tuple[list[tuple[float, float]], list[tuple[float, float, int, int]]]:
    """Stretches and steps of uses, in hours."""
    found = count_uses("primary", runs)
    return (
        [(hours(start), hours(end)) for start, end in found.stretches],
        [(hours(step.start), hours(step.end), step.reads, step.writes) for step in found.steps],
    )


def hours(moment: datetime) -> float:
    return (moment - NOW) / HOUR


@pytest.mark.parametrize(
    ("runs", "stretches", "steps"),
    [
        pytest.param((), [], [], id="never looked at"),
        pytest.param((run(0, 7),), [], [], id="one look says nothing"),
        pytest.param((run(0, 7), run(5, 7)), [(0, 5)], [], id="nothing counted"),
        pytest.param((run(0, 7), run(5, 9, 4)), [(0, 5)], [(0, 5, 2, 4)], id="uses"),
        pytest.param((run(0, 7), replace(run(1, 7), end=at(5))), [(0, 5)], [], id="looks that say the same"),
        pytest.param(
            (run(0, 7), run(5, 0, kept_since=at(2))), [(2, 5)], [], id="a crash leaves a gap before it"
        ),
        pytest.param(
            (run(0, 7), run(5, 7, kept_since=at(2))),
            [(2, 5)],
            [(2, 5, 7, 0)],
            id="as many uses after a crash as before it",
        ),
        pytest.param((run(0, 0), run(5, 0, reset_at=at(3))), [(3, 5)], [], id="a reset"),
        pytest.param(
            (run(0, 7), run(5, 9, reset_at=at(3))), [(3, 5)], [(3, 5, 9, 0)], id="a reset with uses"
        ),
        pytest.param(
            (run(0, 7), run(5, 7, reset_at=at(3), last_read_at=at(-9))),
            [(0, 5)],
            [],
            id="a reset of another table: this one still has its last scan",
        ),
        pytest.param(
            (run(0, 7), run(5, 2, reset_at=at(3), last_read_at=at(4))),
            [(3, 5)],
            [(3, 5, 2, 0)],
            id="a reset, then a use",
        ),
        pytest.param(
            (run(0, 7), run(5, 30, kept_since=BEGUN - DAY)),
            [],
            [],
            id="another server that counted before: whose uses nobody knows",
        ),
        pytest.param((run(0, 7), run(5, 3)), [], [(0, 5, 3, 0)], id="it went down without a trace"),
        pytest.param(
            (replace(run(0, 7), end=at(9)), run(4, 3), run(12, 8)),
            [(0, 4), (9, 12)],
            [(4, 9, 7, 0), (9, 12, 1, 0)],
            id="it went down and came back",
        ),
        pytest.param(
            (run(0, 7, kept_since=None), run(5, 7, kept_since=at(-1))),
            [(0, 5)],
            [],
            id="the registry notes no beginning, but it was before",
        ),
        pytest.param(
            (run(0, 7, kept_since=None), run(5, 7, kept_since=at(1))),
            [(1, 5)],
            [(1, 5, 7, 0)],
            id="the registry notes no beginning, and it was after",
        ),
    ],
)
def test_what_is_known_for_which_time(
    runs: tuple[Run, ...], stretches: list[tuple[float, float]], steps: list[tuple[float, float, int, int]]
) -> None:
    assert counted(*runs) == (stretches, steps)


@pytest.mark.parametrize(
    ("step", "until"),
    [
        (Step("n", at(0), at(5), 1, 0), 5),
        (Step("n", at(0), at(5), 1, 0, at(2)), 2),
        pytest.param(Step("n", at(0), at(5), 1, 1, at(2)), 5, id="nobody knows when a row was written"),
        pytest.param(Step("n", at(0), at(5), 1, 0, at(-2)), 5, id="a scan before the step is no news"),
        pytest.param(Step("n", at(0), at(5), 1, 0, at(7)), 5, id="clocks that differ"),
    ],
)
def test_the_last_use_is_as_late_as_it_can_have_been(step: Step, until: float) -> None:
    assert step.used_until == at(until)


def test_looks_too_far_apart_leave_a_gap() -> None:
    looks = [(at(hours), True) for hours in (0, 1, 30, 31)]
    assert sampled(looks, 2 * HOUR) == [(at(0), at(1)), (at(30), at(31))]
    assert sampled(looks, 29 * HOUR) == [(at(0), at(31))]
    assert sampled([], HOUR) == []


def test_a_time_in_which_counting_was_off_is_a_gap() -> None:
    looks = [(at(0), True), (at(1), False), (at(2), True), (at(3), True)]
    assert sampled(looks, 2 * HOUR) == [(at(2), at(3))]


# Blocks that are fetched without a scan, and the files of rows.


def told(hours: float, blocks: int, maintenance: int = 0, **given: object) -> Run:
    return run(hours, given.pop("reads", 7), blocks=blocks, maintenance=maintenance, filenode=1, **given)  # type: ignore[arg-type]


def looked(*runs: Run) -> tuple[list[tuple[float, float]], list[tuple[float, float, int, int]]]:
    """Stretches, and steps with looks and rewrites, in hours."""
    found = count_uses("primary", runs)
    return (
        [(hours(start), hours(end)) for start, end in found.stretches],
        [(hours(step.start), hours(step.end), step.looks, step.rewrites) for step in found.steps],
    )


@pytest.mark.parametrize(
    ("runs", "stretches", "steps"),
    [
        pytest.param((told(0, 4), told(5, 4)), [(0, 5)], [], id="nothing fetched"),
        pytest.param((told(0, 4), told(5, 9)), [(0, 5)], [(0, 5, 1, 0)], id="at least one look"),
        pytest.param(
            (told(0, 4), told(5, 9, reads=8)), [(0, 5)], [(0, 5, 0, 0)], id="a scan fetches blocks, too"
        ),
        pytest.param((told(0, 4), told(5, 9, 1)), [], [], id="vacuum, behind which anybody can hide"),
        pytest.param(
            (told(0, 4), told(5, 4, 1), told(6, 9, 1)), [(0, 5)], [], id="vacuum just before, counted late"
        ),
        pytest.param(
            (told(0, 4), told(5, 9, 1, reads=8)), [(0, 5)], [(0, 5, 0, 0)], id="vacuum hides no scan"
        ),
        pytest.param(
            (told(0, 4), replace(told(5, 4, 1), end=at(6)), told(7, 9, 1)),
            [(0, 7)],
            [(6, 7, 1, 0)],
            id="vacuum long before",
        ),
        pytest.param(
            (told(0, 4), told(5, 9), told(6, 9, 1)), [(0, 6)], [(0, 5, 1, 0)], id="vacuum afterwards"
        ),
        pytest.param((told(0, 4), told(5, 3)), [], [], id="an index is gone: nobody knows"),
        pytest.param(
            (told(0, 4), told(5, 3, kept_since=at(2), reads=0)),
            [(2, 5)],
            [(2, 5, 1, 0)],
            id="after a crash they begin at 0",
        ),
        pytest.param((told(0, 4), told(5, 3, 2, kept_since=at(2), reads=0)), [], [], id="and so does vacuum"),
        pytest.param((run(0, 7), told(5, 9)), [], [], id="the registry of an older pgattic notes none"),
        pytest.param(
            (run(0, 7), run(1, 7), told(5, 9), told(6, 9)), [(5, 6)], [], id="samples of an older pgattic"
        ),
        pytest.param(
            (run(0, 7), told(5, 9, 3), told(6, 10, 3)),
            [(5, 6)],
            [(5, 6, 1, 0)],
            id="nobody knows whether vacuum ran",
        ),
        pytest.param((told(0, 4), run(5, 7), told(6, 9)), [], [], id="an older pgattic in between"),
        pytest.param((run(0, 7), run(5, 7)), [(0, 5)], [], id="an index has none"),
        pytest.param(
            (told(0, 4), replace(told(5, 4), filenode=2)), [(0, 5)], [(0, 5, 0, 1)], id="another file"
        ),
        pytest.param(
            (told(0, 4), replace(told(5, 9), filenode=2)),
            [(0, 5)],
            [(0, 5, 0, 1)],
            id="another file, and blocks",
        ),
        pytest.param(
            (told(0, 4), replace(told(5, 9, writes=3), filenode=2)),
            [(0, 5)],
            [(0, 5, 0, 0)],
            id="rows written into another file",
        ),
        pytest.param(
            (told(0, 4), replace(told(5, 0, kept_since=at(2), reads=0), filenode=2)),
            [(2, 5)],
            [(2, 5, 0, 1)],
            id="another file, and a crash",
        ),
        pytest.param(
            (told(0, 4), replace(told(5, 4), filenode=None), told(6, 4)), [(0, 6)], [], id="a standby"
        ),
    ],
)
def test_looks_and_rewrites(
    runs: tuple[Run, ...], stretches: list[tuple[float, float]], steps: list[tuple[float, float, int, int]]
) -> None:
    assert looked(*runs) == (stretches, steps)


EVENTS = st.frozensets(st.sampled_from(("look", "scan", "write", "rewrite", "vacuum", "late vacuum")))


def samples(intervals: Sequence[frozenset[str]]) -> list[Run]:
    """One sample an hour; the blocks of a late vacuum are counted an hour after it."""
    found, late = [told(0, 0, reads=0)], False
    for hour, events in enumerate(intervals, 1):
        last = found[-1]
        fetched = sum(event in events for event in ("look", "scan", "write", "vacuum")) + late
        late = "late vacuum" in events
        found.append(
            replace(
                last,
                start=at(hour),
                end=at(hour),
                reads=last.reads + ("scan" in events),
                writes=last.writes + ("write" in events),
                blocks=(last.blocks or 0) + fetched,
                maintenance=(last.maintenance or 0) + ("vacuum" in events) + late,
                filenode=(last.filenode or 0) + ("rewrite" in events),
            )
        )
    return found


def in_runs(found: Sequence[Run]) -> list[Run]:
    """Samples that say the same, in one run, as the evidence is asked for them."""
    return [
        replace(first, end=rest[-1].end if rest else first.end)
        for _, (first, *rest) in groupby(found, lambda run: replace(run, start=NOW, end=NOW))
    ]


@given(st.lists(EVENTS, max_size=8))
@example([frozenset({"vacuum"}), frozenset({"look"}), frozenset({"look"})])
@example([frozenset({"late vacuum"}), frozenset(), frozenset({"look"})])
def test_a_look_is_told_or_nobody_knows_whether_there_was_one(intervals: list[frozenset[str]]) -> None:
    runs = samples(intervals)
    expected, known = [], []
    for hour, events in enumerate(intervals, 1):
        before = intervals[hour - 2] if hour > 1 else frozenset()
        explained = {"vacuum", "late vacuum"} & (events | before)
        fetched = {"look", "scan", "write", "vacuum"} & events or "late vacuum" in before
        used = {"scan", "write", "rewrite"} & events
        if used or ("look" in events and not explained):
            is_rewritten = "rewrite" in events and "write" not in events
            expected.append((hour - 1.0, float(hour), int(not used), int(is_rewritten)))
            known.append((at(hour - 1), at(hour)))
        elif not fetched:
            # Otherwise a look may be among the blocks of a vacuum.
            known.append((at(hour - 1), at(hour)))
    stretches = [(hours(start), hours(end)) for start, end in joined(known)]
    assert looked(*runs) == (stretches, expected)
    # It is the same however the samples are put together.
    found = count_uses("primary", in_runs(runs))
    assert list(found.stretches) == list(count_uses("primary", runs).stretches)
    assert [(step.end, step.looks, step.rewrites) for step in found.steps] == [
        (at(end), looks, rewrites) for _, end, looks, rewrites in expected
    ]

"""Counters: what is known for which time, whatever happened to the server in between."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from analytics.counting import Run, Step, count_uses, sampled
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

"""A window shows all of its time in bars that can be seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.window import window

NOW = datetime(2026, 11, 23, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "unit", "bars"),
    [
        (timedelta(), "minute", 11),
        (timedelta(minutes=3), "minute", 11),
        (timedelta(minutes=90), "minute", 91),
        (timedelta(hours=3), "hour", 4),
        (timedelta(days=4), "hour", 97),
        (timedelta(days=46), "day", 47),
    ],
)
def test_steps_grow_with_the_time(age: timedelta, unit: str, bars: int) -> None:
    shown = window(NOW - age, NOW)
    assert shown.unit == unit
    assert (shown.end - shown.start) / shown.step == bars


@given(st.timedeltas(timedelta(), timedelta(days=400)))
def test_the_whole_time_is_shown_in_whole_steps(age: timedelta) -> None:
    shown = window(NOW - age, NOW)
    assert shown.start <= NOW - age
    assert shown.end > NOW
    assert (shown.end - shown.start) % shown.step == timedelta()

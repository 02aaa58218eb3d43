"""Calls between looks: what was called since a rename, and for which time that is known."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.calls import CalledStep, CallLook, Calls, Run, called, used
from analytics.reconciliation import KnownScans
from analytics.store import Evidence
from analytics.takeovers import ServerLook
from analytics.usage import CallGroup, calls_of
from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.policy import PolicySettings
from tests.analytics.evidence import write

START = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
RENAME = START + HOUR / 2
USERS = Element.parse("table:public.users")


def at(hours: float) -> datetime:
    return START + hours * HOUR


def look(hours: float, **given: Any) -> CallLook:
    known = {
        "at": at(hours), "read_at": at(hours), "reset_at": at(-100), "evicted": 0, "entries": 10,
        "calls": 100, "began_at": at(-100), "settings_since": at(-100), "tells_all": True,
        "server": ServerLook(at(hours), at(-100), at(-100)), "registry_at": None,
    }  # fmt: skip
    return CallLook(**{**known, **given})


LOOKS = [look(hours) for hours in (1, 2, 3, 4)]


def steps(
    *runs: Run, looks: list[CallLook] = LOOKS, only_old: bool = False
) -> list[tuple[float, float, int]]:
    found = called(looks, runs, RENAME, only_old=only_old)
    return [((start - START) / HOUR, (end - START) / HOUR, calls) for start, end, calls in found]


def test_the_first_look_is_what_later_ones_are_held_against() -> None:
    assert steps(Run(at(1), at(4), 7, 4)) == []
    assert steps(Run(at(1), at(2), 7, 2), Run(at(3), at(4), 9, 2)) == [(2, 3, 2)]


def test_what_says_the_new_name_was_all_called_after_the_rename() -> None:
    assert steps(Run(at(1), at(4), 7, 4, after_rename=True)) == [(0.5, 1, 7)]


def test_what_was_counted_from_nothing_since_the_rename_was_all_called_after_it() -> None:
    looks = [look(hours, began_at=at(0.75), reset_at=at(0.75)) for hours in (1, 2)]
    assert steps(Run(at(1), at(2), 7, 2), looks=looks) == [(0.5, 1, 7)]


def test_a_new_statement_was_called_since_the_look_before() -> None:
    assert steps(Run(at(3), at(4), 5, 2)) == [(2, 3, 5)]
    # A name that nothing has can hide a use only in a text that was there before.
    assert steps(Run(at(3), at(4), 5, 2), only_old=True) == []
    assert steps(Run(at(2), at(3), 5, 2), Run(at(4), at(4), 6, 1), only_old=True) == [(3, 4, 1)]


def test_a_number_that_went_down_was_all_called_since() -> None:
    assert steps(Run(at(1), at(2), 7, 2), Run(at(3), at(4), 3, 2)) == [(2, 3, 3)]


def test_what_was_gone_in_between_was_called_again() -> None:
    # At three of four looks alone there was such a number.
    assert steps(Run(at(1), at(4), 7, 3)) == [(1, 4, 7)]


def test_the_same_number_after_a_reset_was_called_again() -> None:
    looks = [look(1), look(2), look(3, reset_at=at(2.5), began_at=at(2.5))]
    assert steps(Run(at(1), at(2), 7, 2), Run(at(3), at(3), 7, 1), looks=looks) == [(2, 3, 7)]


def test_dumps_by_known_readers_and_noted_ones_are_no_use() -> None:
    step = CalledStep("primary", at(1), at(2), 3, "s1", "backup", "read", is_dump=True)
    assert used([step], [], ["backup"]) == replace(used([], [], []), ignored=(("backup", 3),))
    assert used([replace(step, is_dump=False)], [], ["backup"]).calls == 3
    # A backup by pgattic makes one COPY of a table, and notes two scans.
    noted = KnownScans("primary", at(1.5), 2, "pgattic")
    found = used([step], [noted], [])
    assert (found.calls, found.ignored) == (2, (("pgattic", 1),))
    assert used([replace(step, is_dump=False)], [noted], []).calls == 3
    assert used([step], [replace(noted, node="replica")], []).calls == 3


@pytest.mark.parametrize("order", [1, -1])
def test_dumps_explain_as_many_calls_as_they_can_in_whatever_order_they_are_known(order: int) -> None:
    first = CalledStep("primary", at(1), at(2), 1, "s1", "backup", "read", is_dump=True)
    # The dump at half past midnight is too long ago for this one.
    second = replace(first, start=at(25), end=at(26))
    dumps = [KnownScans("primary", at(hours), 1, "pg_dump") for hours in (0.5, 1.5)]
    found = used([first, second], dumps[::order], [])
    assert (found.calls, found.ignored) == (0, (("pg_dump", 2),))


def sample(hours: float, **given: Any) -> dict[str, Any]:
    known = {
        "sampled_at": at(hours), "statements_read_at": at(hours + 0.01), "statements_reset_at": at(-100),
        "statements_evicted": 0, "statements_entries": 10, "statements_calls": 100,
        "server_started_at": at(-90), "kept_since": at(-100), "settings_since": at(-90),
        "sources": ["error", "statements"],
    }  # fmt: skip
    return {**known, **given}


def doubt(hours: float, element: str | None, calls: int) -> dict[str, Any]:
    return {"node": "primary", "sampled_at": at(hours), "element": element, "calls": calls}


def watched(path: Path, samples: list[dict[str, Any]], *doubts: dict[str, Any]) -> list[float]:
    """From when to when all was counted, in hours, one after the other."""
    write(path, "sample", *samples)
    if doubts:
        write(path, "statement_counter", *doubts)
    with Evidence.open(path) as evidence:
        _, found = Calls(evidence, PolicySettings(), ["primary"], [USERS], RENAME).of([USERS], RENAME)
    return [(moment - START) / HOUR for stretch in found["primary"] for moment in stretch]


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        ({}, [1.01, 3]),
        # What is lost is lost until counting began again.
        ({"statements_reset_at": at(2.5)}, [1.01, 2, 2.5, 3]),
        ({"statements_reset_at": at(2.5), "statements_evicted": 1}, [1.01, 2]),
        ({"kept_since": at(2.5)}, [1.01, 2, 2.5, 3]),
        # Another server took over the name: it may have counted before it did.
        ({"server_started_at": at(2.5), "settings_since": at(2.5), "kept_since": at(2.5)}, [1.01, 2]),
        ({"server_started_at": at(2.5), "settings_since": at(2.5)}, [1.01, 2, 2.5, 3]),
        ({"server_started_at": at(2.5), "settings_since": at(2.5), "statements_calls": 9}, [1.01, 2]),
        ({"statements_evicted": 1}, [1.01, 2]),
        ({"statements_entries": 9}, [1.01, 2]),
        ({"statements_calls": 99}, [1.01, 2]),
        ({"sources": ["error"]}, [1.01, 2]),
        # What held before the configuration was read again, nobody can tell.
        ({"settings_since": at(2.25)}, [1.01, 2, 2.25, 3]),
    ],
)  # fmt: skip
def test_what_a_look_shows_says_for_which_time_all_was_counted(
    tmp_path: Path, third: dict[str, Any], expected: list[float]
) -> None:
    assert watched(tmp_path, [sample(1), sample(2), sample(3, **third)]) == pytest.approx(expected)


def test_looks_too_far_apart_leave_a_gap(tmp_path: Path) -> None:
    assert watched(tmp_path, [sample(1), sample(2), sample(60)]) == pytest.approx([1.01, 2])


@pytest.mark.parametrize("element", [str(USERS), None])
def test_what_may_have_used_it_takes_its_time_away(tmp_path: Path, element: str | None) -> None:
    doubts = [doubt(hours, element, calls) for hours, calls in ((1, 5), (2, 5), (3, 6))]
    assert watched(tmp_path, [sample(1), sample(2), sample(3)], *doubts) == pytest.approx([1.01, 2])


def test_what_may_have_used_another_takes_nothing_away(tmp_path: Path) -> None:
    doubts = [doubt(hours, "table:public.other", calls) for hours, calls in ((1, 5), (3, 6))]
    assert watched(tmp_path, [sample(1), sample(2), sample(3)], *doubts) == pytest.approx([1.01, 3])


def test_usage_tells_the_statements_with_their_calls_and_roles(tmp_path: Path) -> None:
    def row(hours: float, calls: int, **given: Any) -> dict[str, Any]:
        known = {"operation": "read", "role": "app", "statement_id": "s1", "after_rename": True}
        return {**doubt(hours, str(USERS), calls), **known, **given}

    write(tmp_path, "sample", sample(1), sample(2))
    # One statement that uses it in two ways was called once for both.
    counted = row(1, 2), row(1, 2, total_ms=9.0, via="view:public.v"), row(2, 5, total_ms=10.0)
    # Durations of all nodes count, each as of its newest look.
    write(tmp_path, "statement_counter", *counted, row(1, 15, total_ms=50.0, node="replica"))
    write(tmp_path, "statement", {"statement_id": "s1", "text": "SELECT 1", "first_seen_at": at(1)})
    entry = AtticEntry(USERS, "users_new", "m1", "unused", 1, None, RENAME, None, None)
    with Evidence.open(tmp_path) as evidence:
        (found,) = calls_of(evidence, PolicySettings(), ["primary"], entry)
    assert found == CallGroup("app", "SELECT 1", "read", 5, at(2), mean_ms=3.0)


@pytest.mark.parametrize(("operation", "calls"), [("read", 0), ("write", 3)])
def test_a_copy_that_writes_is_no_dump(tmp_path: Path, operation: str, calls: int) -> None:
    counted = {"operation": operation, "role": "pg_dump", "statement_id": "s1", "after_rename": True}
    write(tmp_path, "sample", sample(1))
    write(tmp_path, "statement_counter", {**doubt(1, str(USERS), 3), **counted})
    text = "COPY (DELETE FROM users RETURNING *) TO STDOUT"
    write(tmp_path, "statement", {"statement_id": "s1", "text": text, "first_seen_at": at(1)})
    with Evidence.open(tmp_path) as evidence:
        found, _ = Calls(evidence, PolicySettings(), ["primary"], [USERS], RENAME).of([USERS], RENAME)
    assert found is not None
    assert (found.calls, found.ignored) == (calls, () if calls else (("pg_dump", 3),))

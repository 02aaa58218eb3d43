"""Coverage: for which part of a time a use could have been seen."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.coverage import Gap, coverage, summarise, watched
from analytics.logged import SettingsLook, Told, shown
from analytics.periods import next_turns, seen, turns
from analytics.store import Evidence
from analytics.stretches import Stretch, both, joined, missing, without
from analytics.timelines import timeline
from catalog.policy import PolicySettings
from ingest.schemas import Source
from tests.analytics.evidence import DAY, NOW, covered, write

HOUR = timedelta(hours=1)
QUARTERS = ["2026-04-01", "2026-07-01", "2026-10-01"]


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def at(hours: float) -> datetime:
    return NOW + hours * HOUR


@pytest.mark.parametrize(
    ("stretches", "fraction", "gaps"),
    [
        pytest.param([], 0.0, [(0, 10)], id="nothing read"),
        pytest.param([(0, 10)], 1.0, [], id="all read"),
        pytest.param([(-5, 15)], 1.0, [], id="more than asked for"),
        pytest.param([(0, 4), (4, 10)], 1.0, [], id="stretches that touch"),
        pytest.param([(0, 6), (4, 10), (1, 2)], 1.0, [], id="stretches that overlap"),
        pytest.param([(0, 4), (6, 10)], 0.8, [(4, 6)], id="a gap inside"),
        pytest.param([(2, 5)], 0.3, [(0, 2), (5, 10)], id="gaps at both ends"),
        pytest.param([(-5, -1), (11, 12)], 0.0, [(0, 10)], id="only other times"),
        pytest.param([(3, 3)], 0.0, [(0, 10)], id="a moment covers nothing"),
    ],
)
def test_fraction_and_gaps(
    tmp_path: Path, stretches: list[tuple[float, float]], fraction: float, gaps: list[tuple[float, float]]
) -> None:
    if stretches:
        write(tmp_path, "coverage", *(covered(at(start), at(end)) for start, end in stretches))
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(0), at(10))
    assert found.fraction == pytest.approx(fraction)
    assert found.covered_seconds == pytest.approx(fraction * 36_000)
    assert sum(gap.seconds for gap in found.gaps) == pytest.approx((1 - fraction) * 36_000)
    assert found.gaps == tuple(Gap(at(start), at(end)) for start, end in gaps)


def test_only_the_source_asked_for_counts(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)), covered(at(0), at(5), Source.ERROR, Source.LOG))
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.LOG, at(0), at(10)).fraction == 0.5


def test_a_time_counts_only_where_every_node_was_read(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)), covered(at(2), at(4), node="replica"))
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(10)).fraction == pytest.approx(0.2)
        assert coverage(evidence, Source.ERROR, at(5), at(10)).fraction == 0


@pytest.mark.parametrize("hours", [0, -1])
def test_no_time_is_not_covered(tmp_path: Path, hours: float) -> None:
    write(tmp_path, "coverage", covered(at(-5), at(5)))
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(0), at(hours))
    assert (found.fraction, found.covered_seconds) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("gaps", "covered_hours"),
    [
        pytest.param([(2, 3)], 9, id="lines lost"),
        pytest.param([(2, 4), (3, 5)], 7, id="gaps that overlap"),
        pytest.param([(-5, 1), (9, 20)], 8, id="gaps over the ends"),
        pytest.param([(4, 4)], 10, id="a moment"),
    ],
)
def test_times_of_which_lines_are_lost_are_not_covered(
    tmp_path: Path, gaps: list[tuple[float, float]], covered_hours: float
) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)))
    write(
        tmp_path,
        "gap",
        *({"node": "primary", "gap_from": at(a), "gap_to": at(b), "reason": "lines"} for a, b in gaps),
        {"node": "another", "gap_from": at(0), "gap_to": at(10), "reason": "lines"},
    )
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(10)).covered_seconds == covered_hours * 3600


def test_lines_that_nobody_understands_may_be_statements_but_no_failed_ones(tmp_path: Path) -> None:
    both = (Source.ERROR, Source.LOG)
    write(tmp_path, "coverage", {**covered(at(0), at(5), *both), "unrecognised": 1})
    write(tmp_path, "coverage", covered(at(5), at(10), *both))
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(10)).fraction == 1
        assert coverage(evidence, Source.LOG, at(0), at(10)).fraction == 0.5


def test_a_node_that_is_configured_and_was_never_read_covers_nothing(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)))
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(0), at(10), ("primary", "replica"))
        retiring = PolicySettings(retired_nodes=("replica",))
        retired = watched(evidence, at(0), at(10), ("primary", "replica"), retiring)
    assert (found.fraction, dict(found.by_node)) == (0, {"primary": 1.0, "replica": 0.0})
    assert list(retired[Source.ERROR]) == ["primary"]


def look(hours: float, since: float, *, shows: bool = True) -> SettingsLook:
    return SettingsLook(at(hours), at(since), shows)


@pytest.mark.parametrize(
    ("looks", "trusted", "expected"),
    [
        pytest.param([], 0, [], id="nobody looked"),
        pytest.param([look(5, 1)], 0, [(1, 5)], id="since the configuration was read"),
        pytest.param([look(5, 1), look(9, 1)], 0, [(1, 9)], id="not read anew in between"),
        pytest.param(
            [look(5, 1), look(9, 7)], 0, [(1, 5), (7, 9)], id="read anew: changed and changed back?"
        ),
        pytest.param([look(5, 1), look(9, 7)], 2, [(1, 9)], id="taken for unchanged for so long"),
        pytest.param([look(5, 1), look(9, 8)], 2, [(1, 5), (8, 9)], id="too long"),
        pytest.param([look(5, 1), look(9, 6, shows=False)], 9, [(1, 5)], id="turned off"),
        pytest.param([look(5, 1, shows=False), look(9, 6)], 9, [(6, 9)], id="turned on"),
        pytest.param(
            [look(5, 1, shows=False), look(9, 1, shows=True)], 9, [(1, 9)], id="a role's own, lifted"
        ),
    ],
)
def test_what_looks_at_the_settings_prove(
    looks: list[SettingsLook], trusted: float, expected: list[tuple[float, float]]
) -> None:
    assert shown(looks, trusted * HOUR) == [(at(start), at(end)) for start, end in expected]


READ = [(at(0), at(24))]
SECOND = 1 / 3600


@pytest.mark.parametrize(
    ("told", "started", "proved_to"),
    [
        pytest.param(Told(READ, [at(7)], []), 0, 7, id="a reload that changed nothing"),
        pytest.param(Told(READ, [at(6), at(7)], []), 0, 7, id="several"),
        pytest.param(Told(READ, [at(6), at(7)], [at(6)]), 0, 6, id="changed, and changed back"),
        pytest.param(Told(READ, [at(6), at(7)], [at(7)]), 0, 6, id="changed back: who knows since when"),
        pytest.param(Told(READ, [at(7)], [at(7)]), 0, 7, id="changed by the reload that was seen"),
        pytest.param(Told(READ, [at(4), at(7)], [at(4)]), 0, 5, id="the first look had not noticed a reload"),
        pytest.param(Told(READ, [at(1), at(7)], [at(1)]), 0, 7, id="what the first look saw"),
        pytest.param(Told(READ, [at(6)], []), 0, 5, id="the reload is not told of"),
        pytest.param(Told([(at(5), at(24))], [at(7)], []), 0, 5, id="read from the look on only"),
        pytest.param(Told([(at(0), at(7))], [at(7)], []), 0, 5, id="nothing read behind the reload"),
        pytest.param(
            Told([(at(0), at(6)), (at(6.1), at(24))], [at(7)], []), 0, 5, id="lines lost in between"
        ),
        pytest.param(Told(READ, [at(7)], []), 7 - SECOND, 5, id="restarted"),
        pytest.param(Told(READ, [at(7)], []), None, 5, id="started nobody knows when"),
        pytest.param(Told(), 0, 5, id="read by an earlier version"),
    ],
)
def test_what_the_log_tells_of_its_settings(told: Told, started: float | None, proved_to: float) -> None:
    start = None if started is None else at(started)
    looks = [SettingsLook(at(5), at(1), True, start), SettingsLook(at(9), at(7), True, start)]
    assert shown(looks, 0 * HOUR, told) == joined([(at(1), at(5)), (at(5), at(proved_to)), (at(7), at(9))])


def test_nobody_is_trusted_against_the_log() -> None:
    looks = [look(5, 1), look(9, 7)]
    assert shown(looks, 9 * HOUR, Told()) == [(at(1), at(9))]
    assert shown(looks, 9 * HOUR, Told(changes=[at(6)])) == [(at(1), at(5)), (at(7), at(9))]


def test_a_reload_each_day_costs_nothing_where_the_log_tells_of_it(tmp_path: Path) -> None:
    told = {"reloads": [at(6), at(30)], "setting_changes": [at(30)]}
    write(tmp_path, "coverage", {**covered(at(-1), at(50)), "sources": [], **told})
    looks = [
        {
            "sampled_at": at(hour),
            "settings_since": at(hour - (hour - 6) % 24),
            "sources": ["error"],
            "server_started_at": at(-99),
        }
        for hour in (0, 5, 7, 17, 29, 31, 47)
    ]
    write(tmp_path, "sample", *looks)
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(1), at(47))
    assert found.fraction == 1


def test_a_reload_each_day_costs_little_coverage_where_settings_were_sampled(tmp_path: Path) -> None:
    # A daily ingest claims nothing before the reload at 6 o'clock, but it has read it all.
    for start in range(0, 240, 24):
        unclaimed = {**covered(at(start), at(start + 6)), "sources": []}
        write(tmp_path, "coverage", unclaimed, covered(at(start + 6), at(start + 24)))
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(240)).fraction == 0.75
    looks = [
        {"sampled_at": at(hour), "settings_since": at(hour - (hour - 6) % 24), "sources": ["error"]}
        for hour in range(-1, 241)
    ]
    write(tmp_path, "sample", *looks)
    trusting = PolicySettings(same_settings_minutes=60)
    with Evidence.open(tmp_path) as evidence:
        strict = coverage(evidence, Source.ERROR, at(0), at(240))
        by_node = watched(evidence, at(0), at(240), policy=trusting)[Source.ERROR]
    # From the look at 5 o'clock to the reload at 6 nobody knows.
    assert strict.fraction == pytest.approx(23 / 24)
    assert summarise(Source.ERROR, at(0), at(240), by_node).fraction == 1.0


@pytest.mark.parametrize(
    ("start", "end", "months", "quarters"),
    [
        ("2026-10-01", "2026-10-30", [], []),
        ("2026-10-01", "2026-11-30", ["2026-11-01"], []),
        pytest.param("2026-10-31", "2026-11-02", ["2026-11-01"], [], id="just so"),
        pytest.param("2026-11-01", "2026-12-01", [], [], id="a month without the days around its end"),
        ("2026-11-20", "2027-02-20", ["2026-12-01", "2027-01-01", "2027-02-01"], ["2027-01-01"]),
        ("2026-03-01", "2026-10-02", [f"2026-{month:02}-01" for month in range(4, 11)], QUARTERS),
    ],
)
def test_ends_of_months_and_quarters(start: str, end: str, months: list[str], quarters: list[str]) -> None:
    window = day(start), day(end)
    for length, expected in ((1, months), (3, quarters)):
        found = list(turns(*window, length))
        assert [f"{first + DAY:%Y-%m-%d}" for first, _ in found] == expected
        assert all(window[0] <= first and last <= window[1] for first, last in found)
        assert seen([window], *window, length, 1.0) == len(expected)
        assert seen([], *window, length, 0.0) == 0


def test_a_month_end_counts_as_seen_only_where_enough_of_it_was_watched() -> None:
    window = day("2026-10-15"), day("2026-11-15")
    for hours, wanted, expected in ((48, 1.0, 1), (47, 1.0, 0), (47, 0.95, 1), (24, 0.95, 0)):
        stretch = (day("2026-10-31"), day("2026-10-31") + hours * HOUR)
        assert seen([stretch], *window, 1, wanted) == expected


def test_when_enough_ends_will_have_passed() -> None:
    after = day("2026-11-10")
    assert next_turns(after, 1, 0) == after
    assert next_turns(after, 1, 2) == day("2027-01-02")
    assert next_turns(after, 3, 1) == day("2027-01-02")
    # Today's turn has begun unseen.
    assert next_turns(day("2026-11-30") + HOUR, 1, 1) == day("2027-01-02")


sets = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8).map(
    lambda pairs: joined((at(a), at(b)) for a, b in pairs)
)


def hours_of(stretches: list[Stretch]) -> set[int]:
    return {h for h in range(-1, 61) if any(a <= at(h) and at(h + 1) <= b for a, b in stretches)}


@given(sets, sets)
def test_sets_of_stretches_are_sets_of_hours(left: list[Stretch], right: list[Stretch]) -> None:
    a, b = hours_of(left), hours_of(right)
    assert hours_of(both(left, right)) == a & b
    assert hours_of(without(left, right)) == a - b
    assert hours_of(joined([*left, *right])) == a | b
    assert hours_of(missing(left, at(0), at(60))) == set(range(60)) - a
    for found in (both(left, right), without(left, right), joined([*left, *right])):
        assert all(start < end for start, end in found)
        assert all(one[1] < two[0] for one, two in pairwise(found)) or found == without(left, right)


def test_a_timeline_draws_each_day() -> None:
    since = day("2026-11-01")
    hours = {0: 24, 1: 12, 2: 3, 4: 24}
    stretches = joined((since + d * DAY, since + d * DAY + h * HOUR) for d, h in hours.items())
    found = timeline({Source.ERROR: {"primary": stretches}}, since, since + 5 * DAY, stretches)
    (line,) = found.lines
    assert line.drawn() == "█▓░·█"
    # Two days a character: all of both, or less.
    assert line.drawn(2) == "▓░█"
    assert line.fraction == pytest.approx(63 / 120)
    assert (found.month_ends, found.quarter_ends) == ((0, 0), (0, 0))


def _stretches(bounds: list[int]) -> list[tuple[datetime, datetime]]:
    points = sorted(set(bounds))
    return [(at(start), at(end)) for start, end in zip(points[::2], points[1::2], strict=False)]


node = st.lists(st.integers(0, 100), max_size=12).map(_stretches)


@given(st.lists(node, min_size=1, max_size=4))
def test_coverage_of_nodes_is_what_a_clock_would_count(
    nodes: list[list[tuple[datetime, datetime]]],
) -> None:
    found = summarise(Source.ERROR, at(0), at(100), {str(n): one for n, one in enumerate(nodes)})
    hours = sum(
        all(any(start <= at(hour) and at(hour + 1) <= end for start, end in stretches) for stretches in nodes)
        for hour in range(100)
    )
    assert found.covered_seconds == hours * 3600
    assert sum(gap.seconds for gap in found.gaps) + found.covered_seconds == 360_000


@pytest.mark.parametrize(
    ("lost", "gaps"),
    [
        pytest.param([(2, 3)], [(2, 3), (4, 6)], id="within a stretch"),
        pytest.param([(-1, 1)], [(0, 1), (4, 6)], id="at the beginning"),
        pytest.param([(3, 7)], [(3, 7)], id="over two stretches"),
        pytest.param([(1, 9), (2, 3)], [(1, 9)], id="one within another"),
        pytest.param([(1, 3), (2, 4)], [(1, 6)], id="overlapping"),
        pytest.param([(-9, -5), (20, 30)], [(4, 6)], id="at other times"),
        pytest.param([(5, 5)], [(4, 6)], id="no time at all"),
    ],
)
def test_lost_lines_are_not_covered(
    tmp_path: Path, lost: list[tuple[float, float]], gaps: list[tuple[float, float]]
) -> None:
    write(tmp_path, "coverage", covered(at(0), at(4)), covered(at(6), at(10)))
    rows = [{"gap_from": at(start), "gap_to": at(end)} for start, end in lost]
    write(tmp_path, "gap", *rows)
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(0), at(10))
    assert found.gaps == tuple(Gap(at(start), at(end)) for start, end in gaps)


def test_a_line_lost_on_one_node_is_lost_for_all(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)), covered(at(0), at(10), node="replica"))
    write(tmp_path, "gap", {"node": "replica", "gap_from": at(1), "gap_to": at(2)})
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(10)).fraction == pytest.approx(0.9)


def test_what_the_log_tells_of_settings_is_told_with_all_that_was_read_around_it(tmp_path: Path) -> None:
    def batch(begin: float, end: float, **lines: list[datetime]) -> dict[str, Any]:
        told: dict[str, list[datetime]] = {"reloads": [], "setting_changes": []}
        return {**covered(at(begin), at(end)), **told, **lines}

    write(
        tmp_path, "coverage",
        batch(3, 4), batch(0, 2), batch(1, 3), batch(6, 7), batch(8, 9), batch(5, 5.5), batch(0.5, 1),
        batch(4, 5, reloads=[at(4.25), at(4.5)], setting_changes=[at(4.5)]), covered(at(9), at(10)),
    )  # fmt: skip
    with Evidence.open(tmp_path) as evidence:
        rows = evidence.query("setting_lines", since=NOW).to_pylist()
    found = {
        (row["covered_from"], row["covered_to"]): (row["reloads"], row["setting_changes"]) for row in rows
    }
    # What older versions read tells nothing; of what says nothing, that which touches is one.
    assert found == {
        (at(0), at(4)): ([], []),
        (at(4), at(5)): ([at(4.25), at(4.5)], [at(4.5)]),
        (at(5), at(5.5)): ([], []),
        (at(6), at(7)): ([], []),
        (at(8), at(9)): ([], []),
    }

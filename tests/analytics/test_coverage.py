"""Coverage: for which part of a time a use could have been seen."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.coverage import Gap, coverage, summarise
from analytics.store import Evidence
from ingest.schemas import Source
from tests.analytics.evidence import NOW, covered, write

HOUR = timedelta(hours=1)


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
        pytest.param([(3, 3)], 0.0, [(0, 3), (3, 10)], id="a moment covers nothing"),
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


def _stretches(bounds: list[int]) -> list[tuple[datetime, datetime]]:
    points = sorted(set(bounds))
    return [(at(start), at(end)) for start, end in zip(points[::2], points[1::2], strict=False)]


node = st.lists(st.integers(0, 100), max_size=12).map(_stretches)


@given(st.lists(node, min_size=1, max_size=4))
def test_coverage_of_nodes_is_what_a_clock_would_count(
    nodes: list[list[tuple[datetime, datetime]]],
) -> None:
    found = summarise(Source.ERROR, at(0), at(100), nodes)
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
    rows = [{"node": "main", "gap_from": at(start), "gap_to": at(end)} for start, end in lost]
    write(tmp_path, "gap", *rows)
    with Evidence.open(tmp_path) as evidence:
        found = coverage(evidence, Source.ERROR, at(0), at(10))
    assert found.gaps == tuple(Gap(at(start), at(end)) for start, end in gaps)


def test_a_line_lost_on_one_node_is_lost_for_all(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(at(0), at(10)), covered(at(0), at(10), node="replica"))
    write(tmp_path, "gap", {"node": "replica", "gap_from": at(1), "gap_to": at(2)})
    with Evidence.open(tmp_path) as evidence:
        assert coverage(evidence, Source.ERROR, at(0), at(10)).fraction == pytest.approx(0.9)

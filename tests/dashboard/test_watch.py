"""Of all sources those are shown that watched, and those that were wanted and did not."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from analytics.coverage import Watched
from dashboard.watch import Watch, watch
from ingest.schemas import Source

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=10)
ALL, NOTHING = [(SINCE, NOW)], list[tuple[datetime, datetime]]()


def lines(watched: Watched, wanted: Iterable[str]) -> dict[str, float]:
    found = watch(watched, SINCE, NOW, wanted)
    return {found.name(line): line.fraction for line in found.lines}


def test_source_that_nobody_wanted_and_that_saw_nothing_is_left_out() -> None:
    watched = {Source.ERROR: {"primary": ALL}, Source.AUDIT: {"primary": NOTHING}}
    assert lines(watched, ["error"]) == {"failed statements": 1.0}


def test_source_that_was_wanted_is_shown_though_it_saw_nothing() -> None:
    watched = {Source.ERROR: {"primary": NOTHING}, Source.COUNTER: {"primary": ALL}}
    assert lines(watched, ["error"]) == {"failed statements": 0.0, "counters": 1.0}


@pytest.mark.parametrize(
    ("audit", "counter", "shown"),
    [
        (ALL, NOTHING, {"audit lines"}),
        (NOTHING, ALL, {"counters"}),
        (NOTHING, NOTHING, {"audit lines", "counters"}),
    ],
)
def test_of_two_sources_one_is_enough(
    audit: list[tuple[datetime, datetime]], counter: list[tuple[datetime, datetime]], shown: set[str]
) -> None:
    watched = {Source.AUDIT: {"primary": audit}, Source.COUNTER: {"primary": counter}}
    assert lines(watched, ["counter|audit"]).keys() == shown


def test_server_that_nobody_watched_is_shown_beside_the_one_that_was() -> None:
    watched = {Source.ERROR: {"primary": ALL, "replica1": NOTHING}}
    assert lines(watched, []) == {"failed statements on primary": 1.0, "failed statements on replica1": 0.0}


def test_log_counts_as_read_where_that_of_every_server_was() -> None:
    half = [(SINCE, NOW - timedelta(days=5))]
    found: Watch = watch({Source.ERROR: {"primary": ALL, "replica1": half}}, SINCE, NOW, [])
    assert found.log.fraction == 0.5
    assert found.sources == {Source.ERROR}

"""What a server's log can show."""

from datetime import UTC, datetime, timedelta
from time import monotonic, sleep

import pytest

from catalog.database import identifier
from ingest.coverage import LogSettings, Stretch, coverage_rows, sources_seen
from ingest.knowledge import read_log_settings
from ingest.schemas import Source
from tests.fix_server import FreshDatabase

_DEFAULTS = {
    "log_destination": "stderr,csvlog",
    "logging_collector": "on",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "lc_messages": "C.UTF-8",
    "log_timezone": "UTC",
}


@pytest.mark.parametrize(
    ("changes", "sources"),
    [
        ({}, ["error"]),
        ({"log_statement": "all"}, ["error", "log"]),
        ({"log_min_duration_statement": "0"}, ["error", "log"]),
        ({"log_min_duration_statement": "250"}, ["error"]),
        ({"log_statement": "mod"}, ["error"]),
        ({"log_min_messages": "log"}, []),
        ({"log_min_messages": "fatal", "log_statement": "all"}, []),
        ({"log_min_messages": "warning,checkpointer:debug1"}, []),
        ({"log_min_error_statement": "panic"}, []),
        ({"log_statement": "all", "lc_messages": "de_DE.UTF-8"}, ["error", "log"]),
        ({"log_statement": "all", "lc_messages": "tr_TR.UTF-8"}, ["error"]),
        ({"log_statement": "all", "lc_messages": "en_GB.UTF-8"}, ["error", "log"]),
        ({"log_destination": "stderr"}, []),
        ({"logging_collector": "off"}, []),
    ],
)
def test_settings_decide_what_a_use_would_show_up_as(changes: dict[str, str], sources: list[str]) -> None:
    assert sources_seen(LogSettings.of(_DEFAULTS | changes)) == tuple(sources)


def test_unknown_settings_show_nothing() -> None:
    assert sources_seen(None) == ()


@pytest.mark.parametrize(
    ("overridden", "sources"),
    [("log_statement", ("error",)), ("log_min_messages", ()), ("log_min_error_statement", ("log",))],
)
def test_what_a_role_may_hide_is_not_seen(overridden: str, sources: tuple[str, ...]) -> None:
    settings = LogSettings.of(_DEFAULTS | {"log_statement": "all"}, [overridden])
    assert sources_seen(settings) == sources


def test_a_database_s_own_setting_is_noticed(database: FreshDatabase) -> None:
    assert read_log_settings(database.db).overridden == frozenset()
    database.db.execute(f"ALTER DATABASE {identifier(database.name)} SET log_statement = 'none'")
    assert read_log_settings(database.db).overridden == {"log_statement"}


@pytest.mark.parametrize(
    ("since", "claimed"),
    [
        (None, [(0, 60, True)]),
        (-5, [(0, 60, True)]),
        (20, [(0, 20, False), (20, 60, True)]),
        (90, [(0, 60, False), (60, 60, True)]),
    ],
)
def test_nothing_is_claimed_of_the_time_before_the_settings_were_in_force(
    since: int | None, claimed: list[tuple[int, int, bool]]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def moment(minutes: int) -> datetime:
        return start + timedelta(minutes=minutes)

    settings = LogSettings.of(_DEFAULTS, since=None if since is None else moment(since))
    rows = coverage_rows(
        Stretch("origin", "a.csv", 100, 900, 2, first_at=moment(0), last_at=moment(60)),
        node="primary",
        covered_from=None,
        reached_end_at=None,
        read_at=moment(61),
        sources=sources_seen(settings),
        since=settings.since,
    ).to_pylist()
    assert [(row["covered_from"], row["covered_to"], bool(row["sources"])) for row in rows] == [
        (moment(first), moment(last), is_claimed) for first, last, is_claimed in claimed
    ]
    assert [row["end_offset"] for row in rows][-1] == 900
    assert sum(row["records"] for row in rows) == 2


@pytest.mark.parametrize(
    ("destination", "collector", "formats"),
    [
        ("jsonlog", "on", {"jsonlog"}),
        ("stderr,csvlog", "on", {"stderr", "csvlog"}),
        ("stderr,csvlog", "off", {"stderr"}),
        ("syslog", "on", set()),
    ],
)
def test_a_log_counts_when_the_server_writes_its_format(
    destination: str, collector: str, formats: set[str]
) -> None:
    settings = LogSettings.of(_DEFAULTS | {"log_destination": destination, "logging_collector": collector})
    found = {each for each in ("csvlog", "jsonlog", "stderr") if sources_seen(settings, each)}
    assert found == formats


def test_statements_are_not_claimed_beside_a_line_that_was_not_understood() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    (row,) = coverage_rows(
        Stretch("origin", "a.csv", 0, 9, 3, unrecognised=1, first_at=noon, last_at=noon),
        node="primary",
        covered_from=None,
        reached_end_at=None,
        read_at=noon,
        sources=(Source.ERROR, Source.LOG),
    ).to_pylist()
    assert (row["sources"], row["unrecognised"]) == (["error"], 1)


def test_a_server_says_when_it_read_its_settings(database: FreshDatabase) -> None:
    loaded = read_log_settings(database.db).since
    assert loaded is not None
    database.db.execute("SELECT pg_reload_conf()")
    deadline = monotonic() + 10
    while read_log_settings(database.db).since == loaded and monotonic() < deadline:
        sleep(0.01)
    assert (read_log_settings(database.db).since or loaded) > loaded

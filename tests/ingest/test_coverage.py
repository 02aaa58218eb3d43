"""What a server's log can show."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.database import Database, identifier
from catalog.throwaway import ThrowawayServer
from ingest.coverage import LogSettings, Stretch, coverage_rows, sources_seen
from ingest.knowledge import read_log_settings
from ingest.schemas import Source
from tests.fix_server import FreshDatabase
from tests.waiting import times_logged, until, until_logged

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


_AUDITED = {"pgaudit.role": "auditor", "pgaudit.log_client": "off", "pgaudit.log_level": "log"}
_EXPLAINED = {
    "shared_preload_libraries": "pgaudit, auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.sample_rate": "1",
    "auto_explain.log_level": "log",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
}
_LESS = (
    ("log_min_duration", "1"),
    ("sample_rate", "0.99"),
    ("log_level", "debug1"),
    ("log_nested_statements", "off"),
    ("log_verbose", "off"),
)


@pytest.mark.parametrize(
    ("changes", "sources"),
    [
        ({}, ["error", "sensor"]),
        ({"log_statement": "all"}, ["error", "log", "sensor"]),
        ({"log_min_duration_statement": "0"}, ["error", "log", "sensor"]),
        ({"log_min_duration_statement": "250"}, ["error", "sensor"]),
        ({"log_statement": "mod"}, ["error", "sensor"]),
        ({"log_min_messages": "error"}, ["error", "sensor"]),
        ({"log_min_messages": "log"}, ["sensor"]),
        ({"log_min_messages": "fatal", "log_statement": "all"} | _AUDITED | _EXPLAINED, []),
        ({"log_min_messages": "warning,checkpointer:debug1"} | _AUDITED, []),
        ({"log_min_error_statement": "panic"} | _AUDITED, ["sensor", "audit"]),
        ({"log_statement": "all", "lc_messages": "de_DE.UTF-8"}, ["error", "log", "sensor"]),
        (
            {"log_statement": "all", "lc_messages": "tr_TR.UTF-8"} | _AUDITED | _EXPLAINED,
            ["error", "sensor", "audit"],
        ),
        ({"log_statement": "all", "lc_messages": "en_GB.UTF-8"}, ["error", "log", "sensor"]),
        (_AUDITED, ["error", "sensor", "audit"]),
        (_AUDITED | {"pgaudit.role": ""}, ["error", "sensor"]),
        (_AUDITED | {"pgaudit.log_client": "on"}, ["error", "sensor", "audit"]),
        (_AUDITED | {"pgaudit.log_level": "notice"}, ["error", "sensor", "audit"]),
        (_AUDITED | {"pgaudit.log_level": "notice", "pgaudit.log_client": "on"}, ["error", "sensor"]),
        (_EXPLAINED, ["error", "sensor", "plan"]),
        (_EXPLAINED | {"shared_preload_libraries": "pgaudit"}, ["error", "sensor"]),
        *((_EXPLAINED | {f"auto_explain.{name}": value}, ["error", "sensor"]) for name, value in _LESS),
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
    [
        ("log_statement", ("error", "sensor", "audit", "plan")),
        ("log_min_messages", ()),
        ("log_min_error_statement", ("log", "sensor", "audit", "plan")),
        ("pgaudit.role", ("error", "log", "sensor", "plan")),
        ("pgaudit.log_client", ("error", "log", "sensor", "plan")),
        ("pgaudit.log_level", ("error", "log", "sensor", "plan")),
        ("auto_explain.sample_rate", ("error", "log", "sensor", "audit")),
    ],
)
def test_what_a_role_may_hide_is_not_seen(overridden: str, sources: tuple[str, ...]) -> None:
    settings = LogSettings.of(_DEFAULTS | {"log_statement": "all"} | _AUDITED | _EXPLAINED, [overridden])
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
    until(lambda: (read_log_settings(database.db).since or loaded) > loaded)


def _shown_by(server: ThrowawayServer, user: str = "postgres") -> set[Source]:
    with Database.connect(server.dsn(user=user)) as db:
        return {*sources_seen(read_log_settings(db))}


def test_what_real_servers_show(
    server18: ThrowawayServer,
    talkative18: ThrowawayServer,
    talkative15: ThrowawayServer,
    auditing_server: ThrowawayServer,
) -> None:
    """Settings of libraries as PostgreSQL tells them, where they are loaded and where not."""
    assert _shown_by(server18) == {Source.ERROR, Source.SENSOR}
    assert _shown_by(talkative18) == {Source.ERROR, Source.LOG, Source.SENSOR, Source.PLAN}
    # Its pgaudit has no role.
    assert _shown_by(talkative15) == {Source.ERROR, Source.LOG, Source.SENSOR, Source.PLAN}
    assert _shown_by(auditing_server) == {Source.ERROR, Source.SENSOR, Source.AUDIT}
    # Which libraries are loaded is not told to everybody; pgaudit's settings are.
    for server in (talkative18, auditing_server):
        with Database.connect(server.dsn()) as db:
            db.execute("CREATE ROLE nobody_special LOGIN")
    try:
        assert Source.PLAN not in _shown_by(talkative18, "nobody_special")
        assert Source.AUDIT in _shown_by(auditing_server, "nobody_special")
    finally:
        for server in (talkative18, auditing_server):
            with Database.connect(server.dsn()) as db:
                db.execute("DROP ROLE nobody_special")


@pytest.mark.parametrize("level", ["error", "log", "fatal", "panic"])
def test_lines_of_sensors_are_shown_where_it_is_claimed(database: FreshDatabase, level: str) -> None:
    """LOG ranks between ERROR and FATAL in the server's log."""
    database.db.execute(f"ALTER DATABASE {identifier(database.name)} SET log_min_messages = {level}")
    mark = f"mark of {database.name} at {level}"
    with Database.connect(database.dsn()) as db:
        db.execute(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")
        settings = replace(read_log_settings(db), overridden=frozenset())
        db.execute("SET log_min_messages = warning")
        db.execute(f"DO $$ BEGIN RAISE WARNING 'end of {mark}'; END $$")
    until_logged(database.server, f"end of {mark}")
    is_shown = times_logged(database.server, f',"{mark}",') > 0
    assert is_shown is (Source.SENSOR in sources_seen(settings))

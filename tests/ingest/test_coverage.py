"""What a server's log can show."""

import pytest

from catalog.database import identifier
from ingest.coverage import LogSettings, sources_seen
from ingest.knowledge import read_log_settings
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
        ({"log_statement": "all", "lc_messages": "de_DE.UTF-8"}, ["error"]),
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

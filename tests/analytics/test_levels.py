"""The level of a server, as its settings and what is armed make it; what is on really lets a use be seen."""

from datetime import UTC, datetime

import pytest

from analytics.health.armed import Armed
from analytics.health.check import Check, Facts
from analytics.levels import COSTS, Level, level_checks, level_of
from catalog.attic import AtticEntry
from catalog.elements import Element

QUIET: Facts = {
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "overridden": "",
    "track_counts": "on",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_statement_sample_rate": "1",
    "log_transaction_sample_rate": "0",
    "statements_overridden": "",
}
AUDITED = {
    "pgaudit.role": "auditor",
    "pgaudit.log": "none",
    "pgaudit.log_level": "log",
    "pgaudit.log_client": "off",
}
EXPLAINED = {
    "auto_explain.log_min_duration": "0",
    "auto_explain.sample_rate": "0.01",
    "auto_explain.log_nested_statements": "off",
}


def entry(element: str, *sensors: str, shim: int | None = None, restored: bool = False) -> AtticEntry:
    """Something in the attic."""
    then = datetime(2026, 11, 1, tzinfo=UTC)
    return AtticEntry(
        Element.parse(element), "x_deprecated_20261101_unused", "m1", "unused", 1, None, then,
        then if restored else None, None, shim, sensors, then if sensors else None,
    )  # fmt: skip


def checks(facts: Facts, *entries: AtticEntry, wants_sensors: bool = True) -> dict[str, Check]:
    return {
        check.name: check for check in level_checks(facts, Armed.of(entries), wants_sensors=wants_sensors)
    }


@pytest.mark.parametrize(
    ("changed", "level"),
    [
        ({}, Level.SENSORS),
        ({"log_min_messages": "fatal"}, Level.BLIND),
        ({"log_min_error_statement": "panic"}, Level.BLIND),
        ({"overridden": "app: log_min_messages=panic"}, Level.BLIND),
        ({"track_counts": "off"}, Level.BLIND),
        ({"log_min_duration_sample": "0", "log_statement_sample_rate": "0.01"}, Level.SAMPLED),
        ({"log_min_duration_sample": "0", "log_statement_sample_rate": "0"}, Level.SENSORS),
        ({"log_transaction_sample_rate": "0.1"}, Level.SAMPLED),
        ({"log_min_duration_statement": "250"}, Level.SENSORS),
        ({"log_statement": "mod"}, Level.SENSORS),
        ({"log_statement": "all"}, Level.FULL),
        ({"log_min_duration_statement": "0"}, Level.FULL),
        # Somebody's statements stay out of it: no better than a sample.
        ({"log_statement": "all", "statements_overridden": "app: log_statement=none"}, Level.SAMPLED),
        ({"log_statement": "all", "log_min_messages": "panic"}, Level.BLIND),
    ],
)
def test_the_level_follows_from_the_settings(changed: dict[str, str], level: Level) -> None:
    assert level_of({**QUIET, **changed}, Armed(()), wants_sensors=True) is level


@pytest.mark.parametrize(
    ("entries", "wanted", "level"),
    [
        ([], True, Level.SENSORS),
        ([], False, Level.MINIMAL),
        ([entry("table:public.t")], True, Level.MINIMAL),
        ([entry("table:public.t", "trigger")], False, Level.SENSORS),
        ([entry("index:public.i")], True, Level.SENSORS),
        ([entry("index:public.i")], False, Level.MINIMAL),
        ([entry("view:public.v", shim=9)], True, Level.MINIMAL),
        ([entry("table:public.t", restored=True)], True, Level.SENSORS),
    ],
)
def test_sensors_count_where_they_are_armed(entries: list[AtticEntry], wanted: bool, level: Level) -> None:
    assert level_of(QUIET, Armed.of(entries), wants_sensors=wanted) is level


def test_elements_without_a_sensor_are_named() -> None:
    bare = [entry(f"table:public.t{number}") for number in range(5)]
    found = checks(QUIET, entry("table:public.a", "grant", "trigger"), *bare)["source sensor"]
    assert found.ok is None
    assert "5 elements without: table:public.t0, table:public.t1, table:public.t2 and 2 more" in found.finding
    assert "grant on 1 element, trigger on 1 element" in found.finding
    assert found.todo == "Run `pgattic arm`"


@pytest.mark.parametrize(
    ("more", "source", "ok", "says"),
    [
        ({}, "source audit", None, "pgaudit is not loaded"),
        ({**AUDITED, "pgaudit.role": ""}, "source audit", None, "names no role"),
        (
            {**AUDITED, "pgaudit.log_level": "debug1", "pgaudit.log_client": "on"},
            "source audit",
            None,
            "lines may be lost",
        ),
        ({**AUDITED, "pgaudit.log_level": "debug1"}, "source audit", True, "granted to auditor"),
        (
            {**AUDITED, "audit_overridden": "ann: pgaudit.role=x"},
            "source audit",
            None,
            "not for all sessions",
        ),
        (AUDITED, "source audit", True, "not TRUNCATE"),
        ({}, "source plan", None, "off"),
        (EXPLAINED, "source plan", True, "a part of 0.01 of all statements, but not within functions"),
        ({}, "source counter", True, "on: sees that a table, an index or a sequence"),
        ({}, "source statements", None, "pg_stat_statements is not loaded"),
        ({"pg_stat_statements.track": "all"}, "source statements", True, "on: sees every call"),
        ({"pg_stat_statements.track": "top"}, "source statements", None, "where functions put statements"),
        (
            {"pg_stat_statements.track": "all", "statements_extension": "false"},
            "source statements",
            None,
            "no views in this database",
        ),
        (
            {"pg_stat_statements.track": "all", "sees_texts": "false"},
            "source statements",
            None,
            "hidden from this role",
        ),
        (
            {"pg_stat_statements.track": "none", "compute_query_id": "off"},
            "source statements",
            None,
            "not every statement is counted: pg_stat_statements.track = none, compute_query_id = off",
        ),
        (
            {"pg_stat_statements.track": "all", "calls_not_counted": "app: pg_stat_statements.track=none"},
            "source statements",
            None,
            "app: pg_stat_statements.track=none",
        ),
        ({"track_counts": "off"}, "source counter", None, "off"),
        ({"log_min_messages": "fatal"}, "source error", None, "off"),
        ({"log_min_duration_statement": "250"}, "statement log", None, "slow statements only (250 ms)"),
    ],
)
def test_each_source_says_what_it_sees(more: dict[str, str], source: str, ok: bool | None, says: str) -> None:
    found = checks({**QUIET, **more})[source]
    assert found.ok is ok
    assert says in found.finding
    # Whatever is not on says how to turn it on.
    assert (found.todo is None) is (ok is True)


def test_each_level_says_how_to_get_to_the_next_and_what_that_costs() -> None:
    for level, facts, wanted, says in (
        (Level.MINIMAL, QUIET, False, "no restart"),
        (Level.SENSORS, QUIET, True, "log_statement_sample_rate = 0.01;\nSELECT pg_reload_conf();"),
        (Level.SAMPLED, {**QUIET, "log_transaction_sample_rate": "0.1"}, True, "log_statement = 'all'"),
    ):
        found = checks(facts, wants_sensors=wanted)["level"]
        after = list(Level)[list(Level).index(level) + 1]
        assert found.finding.startswith(f"{level}: ")
        assert COSTS[level] in found.finding
        assert (found.todo or "").startswith(f"For {after}")
        assert says in "\n".join([found.todo or "", *found.lines])
        assert COSTS[after] in (found.todo or "")
    assert checks({**QUIET, "log_statement": "all"})["level"].todo is None

"""Evidence of use, how much was looked at, and how old the elements are."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.schemas import Source
from tests.analytics.evidence import covered, write
from tests.migrations.checks.conftest import LEGACY, USERS, Bench

DAY = timedelta(days=1)


def hourly(element: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "element": element,
        "hour": at,
        "first_at": at,
        "last_at": at,
        "day": at.date(),
        "uses": 3,
        **more,
    }


def test_no_use_is_no_finding(bench18: Bench) -> None:
    assert not bench18.findings("use-logged", USERS)


@pytest.mark.parametrize("source", list(Source))
def test_a_use_of_any_source_blocks_as_long_as_it_is_in_the_window(bench18: Bench, source: Source) -> None:
    now = datetime.now(UTC)
    write(
        bench18.folder / "data",
        "usage_hourly",
        hourly(USERS, now - DAY, source=source.value),
        hourly(LEGACY, now - 90 * DAY, source=source.value),
    )
    (said,) = bench18.blocked_by("use-logged", USERS, LEGACY)
    assert said.startswith(f"{USERS} 3 uses in the logs")


def test_a_use_while_it_was_in_the_attic_before_blocks(bench18: Bench) -> None:
    now = datetime.now(UTC)
    row = {"element": USERS, "occurred_at": now - DAY, "day": (now - DAY).date(), "application": "report-job"}
    write(bench18.folder / "data", "access", row)
    (said,) = bench18.blocked_by("use-logged", USERS)
    assert "while it was watched" in said
    assert "report-job" in said


def test_our_own_use_is_none(bench18: Bench) -> None:
    row = hourly(USERS, datetime.now(UTC) - DAY, application="pgattic", outcome="ok")
    write(bench18.folder / "data", "usage_hourly", row)
    assert not bench18.findings("use-logged", USERS)


def test_reads_of_a_sequence_are_counted_without_those_of_our_own_backups(bench18: Bench) -> None:
    numbers = "sequence:public.numbers"
    bench18.db.execute("CREATE SEQUENCE numbers")
    bench18.db.fetch("SELECT pg_stat_force_next_flush()")
    assert not bench18.findings("use-counted", numbers)
    # As the dump of a backup does, and notes it.
    bench18.db.fetch("SELECT pg_stat_force_next_flush(), last_value FROM numbers")
    (finding,) = bench18.findings("use-counted", numbers)
    assert finding.severity == "warn"
    assert finding.message.startswith("1 read (a dump's among them) counted since ")
    bench18.db.execute("INSERT INTO pgattic.own_scan (relation, scans) VALUES ('numbers'::regclass, 1)")
    assert not bench18.findings("use-counted", numbers)


def test_unknown_coverage_warns_and_by_policy_blocks(bench18: Bench) -> None:
    (finding,) = bench18.findings("coverage", USERS)
    assert finding.severity == "warn"
    assert "0 % of the last 30 days" in finding.message
    (said,) = bench18.blocked_by("coverage", USERS, coverage_required=0.5)
    assert "requires 50 %" in said


def test_full_coverage_is_no_finding(bench18: Bench) -> None:
    now = datetime.now(UTC)
    write(bench18.folder / "data", "coverage", covered(now - 60 * DAY, now + DAY, Source.LOG, Source.ERROR))
    assert not bench18.findings("coverage", USERS, coverage_required=1)


def test_a_young_element_blocks_where_the_server_knows(logical_bench: Bench) -> None:
    elements = (
        USERS,
        LEGACY,
        "index:public.orders_total_idx",
        "enum:public.colour",
        "constraint:public.orders.total_check",
    )
    said = logical_bench.blocked_by("fresh", *elements)
    assert {text.partition(" ")[0] for text in said} == set(elements)
    assert not logical_bench.findings("fresh", *elements, min_age_days=0)
    assert not logical_bench.findings("age-unknown", *elements)


def test_an_age_that_nobody_knows_is_told_of_once(bench: Bench) -> None:
    (finding,) = bench.findings("age-unknown", USERS, LEGACY, "enum:public.colour")
    assert finding.severity == "info"
    assert f"{USERS}, {LEGACY}" in finding.message
    assert not bench.findings("fresh", USERS)


def test_a_file_written_long_ago_proves_an_age(bench18: Bench) -> None:
    bench18.db.execute("CHECKPOINT")
    path = bench18.database.server.data_directory / bench18.db.fetch_value(
        "SELECT pg_relation_filepath('users_old')"
    )
    long_ago = datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    os.utime(path, (long_ago, long_ago))
    assert not bench18.findings("age-unknown", USERS)

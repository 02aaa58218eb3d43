"""What no log tells: time that was not read, a name that is back, uses that only the server counted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.alerting.check import check_conditions
from analytics.alerting.conditions import ElementState, State, condition_alerts
from analytics.alerting.worker import Worker
from analytics.reconciliation import Reconciled
from analytics.store import Evidence
from catalog.alert_settings import AlertSettings, BreakerRule, ElementStateRule, LateRule
from catalog.database import Database
from catalog.elements import Element
from catalog.settings import DatabaseSettings, DataSettings, Settings
from catalog.span import span
from ingest.schemas import GAP
from ingest.store import Store
from migrations import registry
from tests.analytics.evidence import NOW, covered, write
from tests.analytics.world import SCRIPT, Attic, run
from tests.fix_server import FreshDatabase
from tests.waiting import until

HOUR = timedelta(hours=1)
LAG = LateRule(name="behind", when="lag", longer_than=span("15m"))
HOLE = LateRule(name="hole", when="gap", longer_than=span("15m"))


def said(directory: Path, rule: Any, now: Any = NOW, **state: Any) -> list[dict[str, Any]]:
    """The alerts of a rule, committed."""
    with Evidence.open(directory) as evidence:
        found = condition_alerts(
            [rule], State.of(evidence, state.get("attic", ()), state.get("breaker"), now)
        )
    if len(found):
        Store(directory).append("alert", found, transaction=None)
    return found.to_pylist()


def test_a_log_that_is_not_read_any_more_alarms_once_a_day(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(NOW - HOUR, NOW - timedelta(minutes=10)))
    assert said(tmp_path, LAG) == []
    (alert,) = said(tmp_path, LAG, NOW + HOUR)
    assert alert["message"] == "the log of primary was last read up to 2026-11-22 11:50, 70 minutes ago"
    assert (alert["element"], alert["node"], alert["occurred_at"]) == (
        None,
        "primary",
        NOW - timedelta(minutes=10),
    )
    assert said(tmp_path, LAG, NOW + 2 * HOUR) == []
    assert len(said(tmp_path, LAG, NOW + 26 * HOUR)) == 1
    elsewhere = LateRule(name="elsewhere", when="lag", nodes=("replica*",))
    assert said(tmp_path, elsewhere, NOW + 26 * HOUR) == []


def test_a_time_that_nobody_read_alarms_once(tmp_path: Path) -> None:
    write(tmp_path, "coverage", covered(NOW - 5 * HOUR, NOW - 4 * HOUR))
    write(tmp_path, "coverage", covered(NOW - 4 * HOUR, NOW - 3 * HOUR), covered(NOW - HOUR, NOW))
    write(tmp_path, "coverage", covered(NOW - 5 * HOUR, NOW, node="replica"))
    (alert,) = said(tmp_path, HOLE)
    assert alert["message"] == (
        "the log of primary was not read whole from 2026-11-22 09:00 to 2026-11-22 11:00"
    )
    assert said(tmp_path, HOLE, NOW + 48 * HOUR) == []


def test_lost_lines_alarm_however_short_the_time(tmp_path: Path) -> None:
    row = dict.fromkeys(GAP.names) | {
        "node": "main",
        "gap_from": NOW - HOUR,
        "gap_to": NOW - HOUR + timedelta(seconds=1),
        "lines": 3,
        "day": NOW.date(),
    }
    Store(tmp_path).append("gap", GAP.empty_table().from_pylist([row], schema=GAP), transaction=None)
    (alert,) = said(tmp_path, HOLE)
    assert alert["message"].endswith(", 3 lines are lost")


def test_an_open_breaker_alarms_once_for_each_time(tmp_path: Path) -> None:
    rule = BreakerRule(name="breaker", when="breaker")
    opened = {"opened_at": NOW, "reason": "locks"}
    (alert,) = said(tmp_path, rule, breaker=opened)
    assert (alert["severity"], alert["message"]) == ("critical", "the circuit breaker opened: locks")
    assert said(tmp_path, rule, NOW + 48 * HOUR, breaker=opened) == []
    assert len(said(tmp_path, rule, NOW + 48 * HOUR, breaker=opened | {"opened_at": NOW + HOUR})) == 1


def test_the_counters_of_its_table_are_no_unexplained_use_of_a_column(tmp_path: Path) -> None:
    rule = ElementStateRule(name="unexplained", when="unexplained")
    counted = Reconciled(reads=7, last_at=NOW, nodes=("primary",), unexplained=7)
    attic = [
        ElementState(Element.parse(text), None, counted)
        for text in ("column:public.customers.note", "table:public.users_old")
    ]
    (alert,) = said(tmp_path, rule, attic=attic)
    assert alert["element"] == "table:public.users_old"
    assert "7 uses counted on primary" in alert["message"]


def test_a_name_that_is_back_and_uses_that_no_log_tells_alarm(
    database18: FreshDatabase, tmp_path: Path
) -> None:
    db = database18.db
    run(db, SCRIPT)
    renamed = Attic(db).put("table:public.users_old", NOW)
    db.execute("CREATE TABLE users_old (id int)")
    db.execute(f"SELECT count(*) FROM {renamed}")
    db.fetch("SELECT pg_stat_force_next_flush()")
    db.execute("INSERT INTO pgattic.breaker (reason) VALUES ('a test')")
    settings = Settings(
        database=DatabaseSettings(dsn=database18.dsn()), data=DataSettings(directory=tmp_path)
    )
    connect = lambda: Database.connect(database18.dsn())  # noqa: E731
    found = {row["rule"]: row for row in check_conditions(settings, connect, NOW + HOUR).to_pylist()}
    assert found.keys() == {"former name exists again", "unexplained use", "circuit breaker open"}
    assert found["former name exists again"]["element"] == "table:public.users_old"
    assert "counted" in found["unexplained use"]["message"]
    assert len(check_conditions(settings, connect, NOW + 2 * HOUR)) == 0

    only = Settings.model_validate(
        settings.model_dump()
        | {"alerts": {"rules": [{"name": "x", "when": "reappeared", "elements": ["table:other.*"]}]}}
    )
    assert len(check_conditions(only, connect, NOW + HOUR)) == 0
    assert isinstance(only.alerts.rules[0], ElementStateRule)


def test_what_is_found_beside_ingest_is_told_there(
    database18: FreshDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry.install(database18.db)
    database18.db.execute("INSERT INTO pgattic.breaker (reason) VALUES ('a test')")
    settings = Settings(
        database=DatabaseSettings(dsn=database18.dsn()),
        data=DataSettings(directory=tmp_path),
        alerts=AlertSettings(check_every=span("1s")),
    )
    with Worker(settings, lambda: Database.connect(database18.dsn()), lambda: datetime.now(UTC)):
        until(lambda: "the circuit breaker opened: a test" in caplog.text)
    assert "critical: the circuit breaker opened: a test" in caplog.text

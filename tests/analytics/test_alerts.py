"""Alerts: one for each way a batch used an element in the attic."""

from datetime import timedelta
from typing import Any

import pytest

from analytics.alerts import describe
from ingest.schemas import ALERT
from tests.analytics.evidence import NOW, access, alerts_for, rows

LATER = NOW + timedelta(seconds=2)


def test_no_access_no_alert() -> None:
    found = alerts_for(rows("access"), NOW)
    assert (found.num_rows, found.schema) == (0, ALERT)


def test_a_failed_use_is_critical_and_says_who_from_where() -> None:
    (alert,) = alerts_for(rows("access", access(log_offset=77)), LATER).to_pylist()
    assert alert["message"] == (
        "table:public.users_old is in use: report_job (monthly_report, 127.0.0.1) failed with 42P01"
    )
    assert (alert["severity"], alert["rule"]) == ("critical", "former name used")
    assert (alert["occurred_at"], alert["raised_at"], alert["day"]) == (NOW, LATER, NOW.date())
    assert (alert["origin"], alert["log_offset"]) == ("o1", 77)
    assert describe(alert) == f"2026-11-22 12:00:00 critical: {alert['message']}"


def test_alike_uses_are_one_alert_with_the_first_time() -> None:
    batch = rows(
        "access", access(LATER, log_offset=9), access(log_offset=5), access(LATER, statement_id="s2")
    )
    first, second = alerts_for(batch, LATER).to_pylist()
    assert (first["occurred_at"], first["log_offset"]) == (NOW, 5)
    assert first["message"].endswith("failed with 42P01, 2 times")
    assert second["statement_id"] == "s2"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"operation": "read"}, "report_job (monthly_report, 127.0.0.1) read it"),
        ({"operation": "write", "via": "view:public.v"}, "wrote to it through view:public.v"),
        (
            {"operation": "ddl", "role": None, "application": None},
            "somebody (127.0.0.1) changed its definition",
        ),
        (
            {"application": None, "client": None, "ambiguous": True},
            "report_job read it (its name could also mean",
        ),
    ],
)
def test_a_use_that_works_is_a_warning(changed: dict[str, Any], says: str) -> None:
    (alert,) = alerts_for(
        rows("access", access(outcome="ok", sqlstate=None, source="log", **changed)), NOW
    ).to_pylist()
    assert alert["severity"] == "warning"
    assert says in alert["message"]


def test_what_pgattic_does_itself_raises_no_alert_unless_it_fails() -> None:
    own = access(application="pgattic", outcome="ok", sqlstate=None)
    assert alerts_for(rows("access", own), NOW).num_rows == 0
    assert alerts_for(rows("access", access(application="pgattic")), NOW).num_rows == 1

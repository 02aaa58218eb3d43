"""Rules: which uses alarm, once for what, and what is said again after a crash."""

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.alerting.acknowledgements import Acknowledgement, Acknowledgements
from analytics.alerts import Alerts
from catalog.alert_settings import AlertSettings, BurstRule, ThresholdRule, UseRule, Window
from catalog.elements import Kind
from catalog.span import span
from ingest.store import Store
from tests.analytics.evidence import DAY, NOW, access, rows
from tests.ingest.fix_ingest import NOON, Workplace, missing

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ANY = UseRule(name="any use", when="use")
NEW = UseRule(name="new source", when="new_source", cool_down=span("0s"))
BURST = BurstRule(name="burst", when="burst", uses=3, within=span("10s"))
MANY = ThresholdRule(name="many", when="threshold", uses=4)


class Batches:
    """Batches of a log as ingest gives them: alerted, then committed."""

    def __init__(self, directory: Path, *rules: Any, **more: Any) -> None:
        self.directory = directory
        self.settings = AlertSettings(rules=rules, **more)
        self.alerts = Alerts(self.settings, directory)
        self.offset = 0

    def restart(self) -> None:
        self.alerts = Alerts(self.settings, self.directory)

    def read(self, *given: dict[str, Any]) -> pa.Table:
        found = [{"log_offset": self.offset + number, **row} for number, row in enumerate(given)]
        self.offset += len(given)
        return rows("access", *found)

    def __call__(self, *given: dict[str, Any]) -> list[dict[str, Any]]:
        batch = self.read(*given)
        found = self.alerts(batch, NOW)
        Store(self.directory).append("access", batch, transaction=None)
        if len(found):
            Store(self.directory).append("alert", found, transaction=None)
        return found.to_pylist()


def test_a_rule_speaks_again_only_after_its_cool_down(tmp_path: Path) -> None:
    batches = Batches(tmp_path, ANY)
    assert len(batches(access(), access(NOW + SECOND, statement_id="s2"))) == 1
    assert batches(access(NOW + 5 * MINUTE)) == []
    assert len(batches(access(NOW + MINUTE, role="somebody_else"))) == 1
    late, again = access(NOW + 9 * MINUTE), access(NOW + 11 * MINUTE)
    (alert,) = batches(late, again)
    assert alert["occurred_at"] == NOW + 11 * MINUTE
    batches.restart()
    assert batches(access(NOW + 12 * MINUTE)) == []


def test_a_source_is_new_once_over_restarts(tmp_path: Path) -> None:
    batches = Batches(tmp_path, NEW)
    (alert,) = batches(access(), access())
    assert (
        "never before: report_job (monthly_report, 127.0.0.1) failed with 42P01, 2 times" in alert["message"]
    )
    assert batches(access(NOW + DAY)) == []
    batches.restart()
    assert batches(access(NOW + DAY)) == []
    assert len(batches(access(NOW + DAY, client="10.0.0.8"))) == 1
    assert len(batches(access(element="table:public.other"))) == 1


def test_a_burst_is_counted_over_batches_and_restarts(tmp_path: Path) -> None:
    batches = Batches(tmp_path, BURST)
    assert batches(access(), access(NOW + SECOND)) == []
    batches.restart()
    (alert,) = batches(access(NOW + 2 * SECOND))
    assert alert["message"].startswith("table:public.users_old is in use: 3 uses within 10 seconds, the last")
    assert alert["occurred_at"] == NOW + 2 * SECOND
    slow = [access(NOW + DAY + 6 * number * SECOND) for number in range(5)]
    assert batches(*slow) == []


def test_a_burst_is_not_made_of_one_use_that_several_lines_tell(tmp_path: Path) -> None:
    told = [access(source=source, outcome="ok") for source in ("log", "audit", "sensor")]
    assert Batches(tmp_path, BURST)(*told) == []


def test_a_threshold_alarms_once_a_day_when_it_is_reached(tmp_path: Path) -> None:
    batches = Batches(tmp_path, MANY)
    assert batches(*(access(NOW + number * MINUTE) for number in range(3))) == []
    batches.restart()
    (alert,) = batches(access(NOW + 4 * MINUTE), access(NOW + 5 * MINUTE))
    assert alert["occurred_at"] == NOW + 4 * MINUTE
    assert "5 uses on one day" in alert["message"]
    assert batches(access(NOW + 6 * MINUTE)) == []
    assert len(batches(*(access(NOW + DAY + number * MINUTE) for number in range(4)))) == 1


def test_what_was_counted_is_forgotten_and_found_again(tmp_path: Path) -> None:
    batches = Batches(tmp_path, MANY, BURST)
    for day in range(10):
        batches(access(NOW + day * DAY), access(NOW + day * DAY + HOUR))
    memory = batches.alerts._memory
    assert memory is not None
    assert (len(memory.days), len(memory.recent)) == (2, 1)
    # A file that is a week late: its day has two uses already.
    assert len(batches(access(NOW + 2 * HOUR), access(NOW + 3 * HOUR))) == 1


@pytest.mark.parametrize(
    ("limits", "alarms"),
    [
        ({"elements": ("table:public.users_*",)}, True),
        ({"elements": ("table:public.orders*",)}, False),
        ({"kinds": (Kind.COLUMN,)}, False),
        ({"kinds": (Kind.TABLE,), "roles": ("report_*",), "applications": ("monthly*",)}, True),
        ({"clients": ("10.*",)}, False),
    ],
)
def test_a_rule_can_be_limited_to_elements_and_sources(
    tmp_path: Path, limits: dict[str, Any], alarms: bool
) -> None:
    rule = UseRule(name="some", when="use", **limits)
    assert bool(Batches(tmp_path, rule)(access())) is alarms


@pytest.mark.parametrize(
    ("window", "timezone", "alarms"),
    [
        (Window(start=time(11), end=time(13)), "UTC", False),
        (Window(start=time(11), end=time(13)), "Asia/Tokyo", True),
        (Window(start=time(20), end=time(22)), "Asia/Tokyo", False),
        (Window(days=("sun",), start=time(11), end=time(13)), "UTC", False),
        (Window(days=("mon",), start=time(11), end=time(13)), "UTC", True),
        (Window(days=("sat",), start=time(13), end=time(12, 30)), "UTC", False),
        (Window(since=NOW - DAY, until=NOW + SECOND), "UTC", False),
        (Window(since=NOW - DAY, until=NOW), "UTC", True),
        (Window(start=time(11), end=time(13), roles=("somebody",)), "UTC", True),
    ],
)
def test_a_maintenance_window_is_quiet(tmp_path: Path, window: Window, timezone: str, alarms: bool) -> None:
    # NOW is a Sunday, 12:00 UTC.
    batches = Batches(tmp_path, ANY, windows=(window,), timezone=timezone)
    assert bool(batches(access())) is alarms


def test_what_is_acknowledged_alarms_nobody_until_then(tmp_path: Path) -> None:
    known = Acknowledgements(tmp_path)
    known.add(
        Acknowledgement(
            ("table:public.users_*",), (), ("monthly*",), (), "ticket", "ann", NOW, NOW + 2 * MINUTE
        )
    )
    batches = Batches(tmp_path, ANY)
    assert batches(access()) == []
    assert len(batches(access(application="other"))) == 1
    assert len(batches(access(NOW + 3 * MINUTE))) == 1
    assert Acknowledgements(tmp_path).withdraw("table:public.users_*", NOW + SECOND) == 1
    assert known.all()[0].withdrawn_at == NOW + SECOND
    assert len(batches(access(NOW + MINUTE, role="third"))) == 1


def test_the_same_batch_makes_the_same_alerts_whatever_of_it_was_committed(tmp_path: Path) -> None:
    batches = Batches(tmp_path, ANY, NEW, BURST, MANY)
    batches(access(), access(NOW + SECOND))
    batch = batches.read(*(access(NOW + number * SECOND, role=f"r{number % 2}") for number in range(2, 9)))
    first = batches.alerts(batch, NOW)
    assert {alert["rule"] for alert in first.to_pylist()} == {"any use", "new source", "burst", "many"}
    assert batches.alerts(batch, NOW) == first
    Store(tmp_path).append("access", batch, transaction=None)
    batches.restart()
    assert batches.alerts(batch, NOW) == first
    Store(tmp_path).append("alert", first, transaction=None)
    batches.restart()
    assert batches.alerts(batch, NOW) == first


def test_what_a_known_reader_reads_alarms_nobody(tmp_path: Path) -> None:
    alerts = Alerts(AlertSettings(rules=(ANY,)), tmp_path, known_readers=("pg_dump",))
    dump: dict[str, Any] = {"application": "pg_dump", "outcome": "ok", "operation": "read", "source": "audit"}
    batch = [
        access(**dump),
        access(NOW + SECOND, **dump | {"operation": "write", "statement_id": "s2"}),
        access(NOW + 2 * SECOND, **dump | {"outcome": "error", "statement_id": "s3"}),
        access(NOW + 3 * SECOND, **dump | {"application": "psql"}),
    ]
    found = [alerts(rows("access", {"log_offset": n, **row}), NOW).num_rows for n, row in enumerate(batch)]
    # What it writes and what it fails at are told once together: they have one source.
    assert found == [0, 1, 0, 1]


class FailingStore(Store):
    """Dies before the alerts are committed, as a process does that is killed there."""

    def append(self, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        if name == "alert":
            raise OSError("killed")
        super().append(name, rows, transaction=transaction)


def test_alerts_of_a_crashed_batch_come_with_the_next_run(tmp_path: Path) -> None:
    alerts: Callable[[], Alerts] = lambda: Alerts(AlertSettings(rules=(NEW,)), tmp_path)  # noqa: E731
    logs = tmp_path / "logs"
    logs.mkdir()
    place = Workplace(logs, tmp_path, alerting=alerts())
    place.write("a.csv", missing("users_old", "SELECT * FROM users_old", at=NOON))
    pipeline = place.pipeline()
    pipeline.store = FailingStore(tmp_path)
    with pytest.raises(OSError, match="killed"):
        list(pipeline.run())
    assert len(place.rows("access", "element")) == 1

    place.alerting = alerts()
    list(place.pipeline().run())
    assert [row["rule"] for row in place.rows("alert", "rule")] == ["new source"]
    assert len(place.rows("access", "element")) == 1

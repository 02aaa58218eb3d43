"""The guard tells people as other alerts do: a webhook, a file, figures; and waits for none of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from analytics.alerting import urgent, worker
from analytics.alerting.delivery import Delivery, waiting
from analytics.alerting.urgent import UrgentAlerts
from analytics.alerting.worker import receivers, take_turn
from analytics.store import Evidence
from catalog.alert_settings import AlertSettings
from catalog.database import Database
from catalog.settings import Settings
from catalog.span import span
from ingest.store import Store
from migrations.guard import Action, Outcome
from tests.analytics.fix_webhook import Webhook, webhook
from tests.command_line import CommandLine
from tests.migrations.fix_guard import Watch, fails, guarding, readable, settings_of
from tests.migrations.fix_house import USERS, House
from tests.waiting import PATIENCE_SECONDS, until

__all__ = ["webhook"]

TABLE = str(USERS)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the guard alerted is committed and delivered, however busy the machine is."""
    monkeypatch.setattr(urgent, "_LAST_COMMIT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(worker, "_LAST_ROUND_SECONDS", PATIENCE_SECONDS)


def configured(house: House, tmp_path: Path, webhook: Webhook, **alerts: Any) -> Settings:
    told = AlertSettings(
        urls=SecretStr(webhook.url), digest=span("0s"), json_file=tmp_path / "alerts.jsonl", **alerts
    )
    return settings_of(house, tmp_path).model_copy(update={"alerts": told})


@contextmanager
def told(house: House, settings: Settings, tmp_path: Path, action: Action, *elements: str) -> Iterator[Watch]:
    """A guard whose alerts are delivered; both end with the block, the guard first."""
    connect = lambda: Database.connect(house.database.dsn())  # noqa: E731 (a session each time)
    telling = UrgentAlerts(settings, connect, lambda: datetime.now(UTC))
    plan = house.plan(*(elements or (TABLE,)))
    with (
        telling as alerts,
        guarding(house, plan, tmp_path, action, settings=settings, alert=alerts.give) as watch,
    ):
        yield watch


def lines(tmp_path: Path) -> list[dict[str, str]]:
    path = tmp_path / "alerts.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    # Those of several commits come in any order.
    return sorted(found, key=lambda row: row["raised_at"])


def test_a_failing_client_and_its_rollback_reach_webhook_file_and_figures(
    house18: House, tmp_path: Path, webhook: Webhook
) -> None:
    settings = configured(house18, tmp_path, webhook)
    with told(house18, settings, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        with Database.connect(house18.database.dsn(), application_name="shop") as app:
            assert not readable(app, "users_old WHERE name <> 'secret'")
            until(lambda: readable(app, "users_old"))
        watch.wait()
        until(lambda: len(lines(tmp_path)) == 2)
    first, back = lines(tmp_path)
    assert (first["rule"], first["severity"], first["element"]) == ("guard", "critical", TABLE)
    assert (first["application"], first["role"]) == ("shop", "postgres")
    assert f"{TABLE} is in use: postgres (shop, " in first["message"]
    assert "failed on primary with 42P01; the guard brings back" in first["message"]
    assert "has its name back" in back["message"]
    assert "circuit breaker is open" in back["message"]
    text = "\n".join(webhook.texts)
    assert "failed on primary with 42P01" in text
    assert "has its name back" in text
    assert "secret" not in text + str(lines(tmp_path))
    assert {one.alerts for one in waiting(settings.data.directory)} == {0}
    with Evidence.open(settings.data.directory) as evidence:
        assert evidence.query("metrics_alerts").to_pylist() == [
            {"severity": "critical", "rule": "guard", "alerts": 2}
        ]


def test_a_webhook_that_hangs_holds_no_rollback_up(house18: House, tmp_path: Path, webhook: Webhook) -> None:
    webhook.hangs = True
    settings = configured(house18, tmp_path, webhook)
    with told(house18, settings, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        fails(house18, "SELECT * FROM users_old")
        assert webhook.called.wait(PATIENCE_SECONDS)
        report = watch.wait()
        assert report.seen[0].outcome is Outcome.BROUGHT_BACK
        assert house18.in_attic() == []
        assert not webhook.release.is_set()
        webhook.hangs = False
        webhook.release.set()


def test_where_nothing_can_be_committed_the_guard_acts_all_the_same(
    house18: House, tmp_path: Path, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    settings = configured(house18, tmp_path, webhook)
    settings.data.directory.write_text("no folder")
    with told(house18, settings, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        fails(house18, "SELECT * FROM users_old")
        assert watch.wait().seen[0].outcome is Outcome.BROUGHT_BACK
    assert house18.in_attic() == []
    assert any("alerts: " in line for line in caplog.messages)


def test_who_delivers_already_delivers_those_of_the_guard(
    house18: House, tmp_path: Path, webhook: Webhook
) -> None:
    settings = configured(house18, tmp_path, webhook)
    data = settings.data.directory
    # An ingest that follows the log has the turn.
    turn = take_turn(data)
    assert turn
    ingest = Delivery(data, receivers(settings), timedelta(0))
    with told(house18, settings, tmp_path, Action.ALERT) as watch:
        fails(house18, "SELECT * FROM users_old")
        until(lambda: bool(watch.told))
    assert (webhook.calls, lines(tmp_path)) == ([], [])
    ingest.round(datetime.now(UTC))
    turn.close()
    (text,) = webhook.texts
    assert "nothing is done: the guard only tells" in text


def test_what_can_mean_something_else_is_a_warning(house18: House, tmp_path: Path, webhook: Webhook) -> None:
    house18.db.execute("CREATE SCHEMA other; CREATE TABLE twice (id int); CREATE TABLE other.twice (id int)")
    settings = configured(house18, tmp_path, webhook)
    twice = ("table:other.twice", "table:public.twice")
    with told(house18, settings, tmp_path, Action.ROLLBACK_ELEMENT, *twice) as watch:
        fails(house18, "SELECT * FROM twice")
        until(lambda: len(watch.told) == 2)
    found = lines(tmp_path)
    assert [(row["severity"], "something else" in row["message"]) for row in found] == [("warning", True)] * 2


def test_a_whole_migration_is_one_message(house18: House, tmp_path: Path, webhook: Webhook) -> None:
    settings = configured(house18, tmp_path, webhook)
    both = (TABLE, "sequence:public.numbers")
    with told(house18, settings, tmp_path, Action.ROLLBACK_MIGRATION, *both) as watch:
        fails(house18, "SELECT * FROM users_old")
        watch.wait()
    _, back = lines(tmp_path)
    assert "with it 1 other element;" in back["message"]


def test_without_rules_nothing_is_alarming(house18: House, tmp_path: Path, webhook: Webhook) -> None:
    settings = configured(house18, tmp_path, webhook, rules=())
    with told(house18, settings, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        fails(house18, "SELECT * FROM users_old")
        watch.wait()
    assert (webhook.calls, lines(tmp_path)) == ([], [])
    assert not Store(settings.data.directory).files("alert")


def test_a_wrong_address_ends_the_commands_before_anything_is_renamed(
    house18: House, command: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command.config.open("a") as file:
        file.write(f'[logs]\ndirectory = "{house18.database.server.log_directory}"\n')
    monkeypatch.setenv("PGATTIC_POLICY__MIN_AGE_DAYS", "0")
    house18.db.execute("CREATE SEQUENCE unused")
    assert command("plan", "sequence:public.unused").code == 0
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", "nonsense")
    ended = command("apply", "plan.json", "--yes", "--guard", "10m")
    assert (ended.code, "none that apprise knows" in ended.err) == (2, True)
    assert house18.in_attic() == []

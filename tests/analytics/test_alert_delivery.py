"""Delivery: at least once to everybody, whatever fails or hangs, and never in ingest's way."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Thread

import pytest
from deltalake import DeltaTable, write_deltalake
from pydantic import SecretStr

from analytics.alerting import worker
from analytics.alerting.delivery import Delivery, JsonLines, Receiver, waiting
from analytics.alerting.worker import Worker
from analytics.notify import addresses
from catalog.alert_settings import AlertSettings
from catalog.settings import DataSettings, Settings
from catalog.span import span
from ingest.schemas import ALERT
from ingest.store import Store
from tests.analytics.evidence import NOW, access, alerts_for, rows
from tests.analytics.fix_webhook import Webhook, webhook
from tests.waiting import PATIENCE_SECONDS, until

__all__ = ["webhook"]

SECOND = timedelta(seconds=1)
DIGEST = span("30s")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was raised is delivered before the end, however busy the machine is."""
    monkeypatch.setattr(worker, "_LAST_ROUND_SECONDS", PATIENCE_SECONDS)


def raise_alert(directory: Path, number: int) -> None:
    batch = rows("access", access(NOW + number * SECOND, element=f"table:public.t{number}"))
    Store(directory).append("alert", alerts_for(batch, NOW + number * SECOND), transaction=("o1", number))


def to(webhook: Webhook) -> Sequence[Receiver]:
    return addresses(AlertSettings(urls=SecretStr(webhook.url)))


def settings(directory: Path, webhook: Webhook) -> Settings:
    return Settings(
        data=DataSettings(directory=directory),
        alerts=AlertSettings(urls=SecretStr(webhook.url), digest=span("0s")),
    )


def no_database() -> None:
    raise AssertionError("nothing is asked of the database")


def test_what_was_committed_is_delivered_once_in_one_message(tmp_path: Path, webhook: Webhook) -> None:
    raise_alert(tmp_path, 1)
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    assert delivery.round(NOW), "what was raised before there was an address is history"
    raise_alert(tmp_path, 2)
    raise_alert(tmp_path, 3)
    assert delivery.round(NOW)
    assert delivery.round(NOW + SECOND)
    (call,) = webhook.calls
    assert call["title"] == "pgattic: 2 alerts (2 critical)"
    assert call["type"] == "failure"
    assert [line.split()[3] for line in call["message"].splitlines()] == [
        "table:public.t2",
        "table:public.t3",
    ]


def test_what_comes_soon_after_a_message_waits_for_the_next(tmp_path: Path, webhook: Webhook) -> None:
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 1)
    assert delivery.round(NOW)
    raise_alert(tmp_path, 2)
    assert not delivery.round(NOW + 10 * SECOND)
    raise_alert(tmp_path, 3)
    assert delivery.round(NOW + 31 * SECOND)
    assert [len(text.splitlines()) for text in webhook.texts] == [1, 2]


def test_a_failed_delivery_is_tried_again_ever_later_and_is_visible(tmp_path: Path, webhook: Webhook) -> None:
    webhook.status = 503
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 1)
    tries = [second for second in range(20) if tried(delivery, webhook, second)]
    assert tries == [0, 1, 3, 7, 15]
    (left,) = waiting(tmp_path)
    assert (left.alerts, left.progress.attempts, left.progress.problem) == (1, 5, "HTTP status 503")
    assert left.progress.failing_since == NOW
    assert left.progress.label == "json 1"

    webhook.status = 200
    again = Delivery(tmp_path, to(webhook), DIGEST)
    assert not again.round(NOW + 20 * SECOND), "a restart does not knock more often"
    assert again.round(NOW + 40 * SECOND)
    assert [one.alerts for one in waiting(tmp_path)] == [0]
    assert len(webhook.texts) == 1


def tried(delivery: Delivery, webhook: Webhook, second: int) -> bool:
    before = len(webhook.calls)
    delivery.round(NOW + second * SECOND)
    return len(webhook.calls) > before


def test_one_that_hangs_is_given_up_for_now_and_tried_again(tmp_path: Path, webhook: Webhook) -> None:
    webhook.hangs, webhook.url = True, webhook.impatient_url
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 1)
    assert not delivery.round(NOW)
    assert waiting(tmp_path)[0].progress.problem == "no connection, or no answer in time"
    webhook.hangs = False
    webhook.release.set()
    assert delivery.round(NOW + SECOND)
    assert len(webhook.texts) == 2


def test_one_that_fails_keeps_nobody_else_waiting(tmp_path: Path, webhook: Webhook) -> None:
    webhook.status = 500
    file = tmp_path / "out" / "alerts.jsonl"
    delivery = Delivery(tmp_path, [*to(webhook), JsonLines(file)], DIGEST)
    for number in range(3):
        raise_alert(tmp_path, number)
        assert not delivery.round(NOW)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["element"] for line in lines] == [f"table:public.t{number}" for number in range(3)]
    assert lines[0]["severity"] == "critical"


def test_a_new_address_does_not_get_what_another_missed(tmp_path: Path, webhook: Webhook) -> None:
    webhook.status = 500
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 1)
    delivery.round(NOW)
    webhook.status = 200
    file = JsonLines(tmp_path / "alerts.jsonl")
    assert Delivery(tmp_path, [*to(webhook), file], DIGEST).round(NOW + 60 * SECOND)
    assert len(webhook.texts) == 1
    assert not file.path.exists()


def test_alerts_survive_compaction_of_the_table(tmp_path: Path, webhook: Webhook) -> None:
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    for number in range(24):
        raise_alert(tmp_path, number)
    DeltaTable(tmp_path / "alert").optimize.compact()
    raise_alert(tmp_path, 24)
    assert delivery.round(NOW)
    (call,) = webhook.calls
    assert call["title"] == "pgattic: 25 alerts (25 critical)"
    assert call["message"].splitlines()[-1] == "… and 5 alerts more: `pgattic alerts list`"


def test_alerts_that_are_cleaned_up_or_written_anew_are_not_told_again(
    tmp_path: Path, webhook: Webhook
) -> None:
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 0)
    raise_alert(tmp_path, 1)
    assert delivery.round(NOW)
    raise_alert(tmp_path, 2)
    table = DeltaTable(tmp_path / "alert")
    every = table.to_pyarrow_table().cast(ALERT)
    write_deltalake(table, every, mode="overwrite", partition_by=["day"], predicate=f"day = '{NOW:%Y-%m-%d}'")
    DeltaTable(tmp_path / "alert").delete("day < '2100-01-01'")
    raise_alert(tmp_path, 3)
    assert delivery.round(NOW + 60 * SECOND)
    elements = [line.split()[3] for line in webhook.texts[1].splitlines()]
    assert elements == ["table:public.t2", "table:public.t3"]


def test_where_old_files_are_gone_everything_since_the_last_message_is_told(
    tmp_path: Path, webhook: Webhook
) -> None:
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 1)
    assert delivery.round(NOW)
    raise_alert(tmp_path, 2)
    raise_alert(tmp_path, 3)
    table = DeltaTable(tmp_path / "alert")
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    raise_alert(tmp_path, 4)
    assert delivery.round(NOW + 60 * SECOND)
    # The first one comes twice: rather so than that one of the others is missing.
    assert [len(text.splitlines()) for text in webhook.texts] == [1, 4]


def test_ingest_waits_for_nobody(tmp_path: Path, webhook: Webhook) -> None:
    """While an address hangs, ingest goes on."""
    webhook.hangs = True
    raise_alert(tmp_path, 0)
    with Worker(settings(tmp_path, webhook), no_database, lambda: NOW):  # type: ignore[arg-type]
        raise_alert(tmp_path, 1)
        assert webhook.called.wait(PATIENCE_SECONDS)
        raise_alert(tmp_path, 2)
        assert not webhook.answers
        webhook.hangs = False
        webhook.release.set()
    assert "table:public.t2" in "".join(webhook.texts)


def test_what_was_raised_last_is_delivered_before_the_end(tmp_path: Path, webhook: Webhook) -> None:
    with Worker(settings(tmp_path, webhook), no_database, lambda: NOW):  # type: ignore[arg-type]
        raise_alert(tmp_path, 1)
    assert len(webhook.texts) == 1


def test_others_may_commit_alerts_while_ingest_does(tmp_path: Path, webhook: Webhook) -> None:
    delivery = Delivery(tmp_path, to(webhook), DIGEST)
    raise_alert(tmp_path, 0)

    def conditions() -> None:
        for number in range(100, 108):
            batch = rows("access", access(NOW, element=f"table:public.t{number}"))
            Store(tmp_path).append("alert", alerts_for(batch, NOW), transaction=None)

    other = Thread(target=conditions)
    other.start()
    for number in range(1, 9):
        raise_alert(tmp_path, number)
    other.join()
    assert delivery.round(NOW)
    assert webhook.calls[0]["title"] == "pgattic: 17 alerts (17 critical)"


def test_two_processes_deliver_once(tmp_path: Path, webhook: Webhook) -> None:
    found = settings(tmp_path, webhook)
    with Worker(found, no_database, lambda: NOW), Worker(found, no_database, lambda: NOW):  # type: ignore[arg-type]
        raise_alert(tmp_path, 1)
        until(lambda: webhook.texts)
    assert len(webhook.texts) == 1

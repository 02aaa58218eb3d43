"""The commands about alerts, as a user runs them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.alerting.acknowledgements import Acknowledgements
from analytics.alerting.delivery import Delivery
from analytics.alerting.worker import take_turn
from analytics.notify import addresses
from catalog.settings import load_settings
from catalog.terminal import console
from ingest.store import Store
from tests.analytics.evidence import access, alerts_for, covered, rows, write
from tests.analytics.fix_webhook import Webhook, webhook
from tests.command_line import CommandLine

__all__ = ["webhook"]

NOW = datetime.now(UTC).replace(microsecond=0)
ELEMENT = "table:public.users_old"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    config = tmp_path / "pgattic.toml"
    config.write_text(
        f'[data]\ndirectory = "{data}"\n[[alerts.rules]]\nname = "behind"\nwhen = "lag"\nlonger_than = "1h"\n'
    )
    monkeypatch.setattr(console, "_width", 200)
    return CommandLine(config, capsys, monkeypatch)


def raise_alerts(data: Path) -> None:
    batch = rows("access", access(NOW), access(NOW - timedelta(days=9), element="table:public.other"))
    Store(data).append("alert", alerts_for(batch, NOW), transaction=None)


def test_nothing_alarmed_yet(run: CommandLine) -> None:
    ended = run("alerts", "list")
    assert (ended.code, ended.out.strip()) == (0, "No alert was raised.")


def test_alerts_are_listed_the_newest_last(run: CommandLine, data: Path) -> None:
    raise_alerts(data)
    old, new = run("alerts", "list").out.splitlines()
    assert "table:public.other is in use" in old
    who = "report_job (monthly_report, 127.0.0.1)"
    assert new.endswith(f"critical: {ELEMENT} is in use: {who} failed with 42P01 (former name used)")
    assert len(run("alerts", "list", "--since", "7d").out.splitlines()) == 1
    assert len(run("alerts", "list", "--since", f"{NOW - timedelta(days=1):%Y-%m-%d}").out.splitlines()) == 1
    assert len(run("alerts", "list", "table:public.o*").out.splitlines()) == 1
    found = json.loads(run("alerts", "list", "--json").out)
    assert [row["element"] for row in found["alerts"]] == [ELEMENT, "table:public.other"]


def test_an_acknowledgement_is_kept_listed_and_taken_back(run: CommandLine, data: Path) -> None:
    ended = run("alerts", "ack", ELEMENT, "--source", "application=night*,role=etl", "--because", "ticket 42")
    assert (ended.code, f"{ELEMENT} alarms nobody until" in ended.out) == (0, True)
    (known,) = Acknowledgements(data).all()
    assert (known.applications, known.roles, known.clients) == (("night*",), ("etl",), ())
    assert known.until - known.made_at == timedelta(days=7)
    assert "ticket 42" in run("alerts", "list").out
    assert run("alerts", "unack", ELEMENT).code == 0
    assert "ticket 42" not in run("alerts", "list").out
    assert run("alerts", "unack", ELEMENT).code == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("users_old", "--because", "x"),
        (ELEMENT, "--because", " "),
        (ELEMENT,),
        (ELEMENT, "--because", "x", "--until", "2020-01-01"),
        (ELEMENT, "--because", "x", "--until", "soon"),
        (ELEMENT, "--because", "x", "--source", "host=a"),
    ],
)
def test_what_makes_no_acknowledgement_is_wrong_use(
    run: CommandLine, data: Path, wrong: tuple[str, ...]
) -> None:
    assert run("alerts", "ack", *wrong).code == 2
    assert Acknowledgements(data).all() == ()


def test_check_says_what_is_due_and_delivers_it(
    run: CommandLine, data: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", webhook.url)
    write(data, "coverage", covered(NOW - timedelta(hours=5), NOW - timedelta(hours=3)))
    ended = run("alerts", "check")
    assert (ended.code, "1 alert raised" in ended.out) == (0, True)
    assert "the log of primary was last read" in webhook.texts[0]
    assert json.loads(run("alerts", "check", "--json").out) == {"raised": [], "undelivered": []}


def test_a_database_that_does_not_answer_keeps_no_message_waiting(
    run: CommandLine, data: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", webhook.url)
    monkeypatch.setenv("PGATTIC_DATABASE__DSN", "host=127.0.0.1 port=1 connect_timeout=1")
    run.config.write_text(run.config.read_text() + '[[alerts.rules]]\nname = "open"\nwhen = "breaker"\n')
    write(data, "coverage", covered(NOW - timedelta(hours=5), NOW - timedelta(hours=3)))
    ended = run("alerts", "check")
    assert (ended.code, "connection to host=127.0.0.1" in ended.err) == (2, True)
    assert "the log of primary was last read" in webhook.texts[0]


def test_what_is_not_delivered_is_a_finding_and_listed(
    run: CommandLine, data: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.status = 500
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", webhook.url)
    assert run("alerts", "check").code == 0
    raise_alerts(data)
    ended = run("alerts", "check")
    assert (ended.code, "2 alerts not delivered to json 1" in ended.out) == (1, True)
    listed = run("alerts", "list").out
    assert "1 attempt: HTTP status 500" in listed
    assert "secret" not in listed


def test_a_second_one_that_delivers_is_refused(run: CommandLine, data: Path, webhook: Webhook) -> None:
    lock = take_turn(data)
    assert lock is not None
    with lock:
        ended = run("alerts", "check")
    assert (ended.code, "another process" in ended.err) == (1, True)


def test_a_test_message_is_sent_to_everybody(
    run: CommandLine, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = run("alerts", "test")
    assert (ended.code, "no address is configured" in ended.err) == (2, True)
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", f"{webhook.url} json://127.0.0.1:1/x")
    ended = run("alerts", "test", "--json")
    assert ended.code == 1
    assert json.loads(ended.out) == [
        {"address": "json 1", "problem": None},
        {"address": "json 2", "problem": "no connection, or no answer in time"},
    ]
    assert webhook.calls[0]["title"] == "pgattic: a test"


def test_ingest_delivers_what_it_commits(
    run: CommandLine, data: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery that is left over from another run goes out with the next, too."""
    monkeypatch.setenv("PGATTIC_ALERTS__URLS", webhook.url)
    settings = load_settings(run.config)
    Delivery(data, addresses(settings.alerts), settings.alerts.digest)
    raise_alerts(data)
    # There is no log to read here; what was raised before is delivered all the same.
    assert run("ingest", "--once").code == 2
    assert len(webhook.texts) == 1

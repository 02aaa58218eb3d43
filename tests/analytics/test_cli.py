"""The commands, run as a user runs them, on a real server and real evidence."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import analytics.cli
from analytics.errors import EvidenceError, UnknownElementError
from catalog.errors import ConnectionFailedError, ElementSyntaxError, PgatticError
from catalog.terminal import Invocation, console
from ingest.schemas import Source
from tests.analytics.evidence import DAY, access, covered, write
from tests.analytics.world import SCRIPT, Attic, run
from tests.fix_server import FreshDatabase

Command = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def command(
    database18: FreshDatabase, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command on a fresh database; what it prints is 100 columns wide."""
    config = tmp_path / "pgattic.toml"
    config.write_text(
        f'[database]\ndsn = "{database18.dsn()}"\n[data]\ndirectory = "{data}"\n'
        f'[logs]\ndirectory = "{database18.server.log_directory}"\n'
        "[policy]\nobserved_days = 0\nmin_index_bytes = 0\ncooling_off_days = 0\nmonth_ends = 0\n"
    )
    monkeypatch.setattr(console, "_width", 100)
    app = typer.Typer()
    analytics.cli.register(app)

    @app.callback()
    def _configured(ctx: typer.Context) -> None:
        ctx.obj = Invocation(config)

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, PgatticError):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def attic(database18: FreshDatabase) -> Attic:
    run(database18.db, SCRIPT)
    return Attic(database18.db)


@pytest.fixture
def used(attic: Attic, data: Path) -> Attic:
    """One table in the attic, that a report job still asks for."""
    at = datetime.now(UTC)
    attic.put("table:public.users_old", at)
    attic.put("enum:public.mood", at)
    write(data, "coverage", covered(at - DAY, at + DAY, Source.ERROR, Source.LOG))
    write(data, "access", access(at + timedelta(milliseconds=1)))
    write(data, "statement", {"statement_id": "s1", "first_seen_at": at})
    return attic


@pytest.mark.parametrize("arguments", [("usage",), ("readiness",), ("readiness", "--require-ready")])
def test_an_empty_attic_is_said(command: Command, arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert (result.exit_code, result.output.strip()) == (0, "Nothing is in the attic of this database.")


def test_scan_prints_candidates_with_evidence_and_what_was_not_judged(command: Command, attic: Attic) -> None:
    result = command("scan")
    assert result.exit_code == 0
    assert "enum:public.mood  no column or function has its type" in result.output
    assert "Not judged:" in result.output
    found = json.loads(command("scan", "--json").output)
    assert "enum:public.mood" in [one["element"] for one in found["candidates"]]


def test_usage_lists_the_attic_and_says_where_nothing_was_seen(command: Command, used: Attic) -> None:
    output = command("usage").output
    assert "table:public.users_old  1 use, 1 failed" in output
    assert "by report_job" in output
    assert "enum:public.mood  no use seen" in output
    found = json.loads(command("usage", "--json").output)
    assert {one["element"]: (one["usage"] or {}).get("uses") for one in found} == {
        "table:public.users_old": 1,
        "enum:public.mood": None,
    }


def test_usage_of_one_element_shows_who_and_with_which_statement(command: Command, used: Attic) -> None:
    output = command("usage", "table:public.users_old").output
    assert "report_job (monthly_report, 127.0.0.1, shop): read, failed with 42P01, once at" in output
    assert "SELECT count(*) FROM users_old" in output
    (found,) = json.loads(command("usage", "table:public.users_old", "--json").output)["uses"]
    assert (found["role"], found["uses"]) == ("report_job", 1)


def test_usage_of_an_element_without_uses_says_so(command: Command, used: Attic) -> None:
    assert "no use seen" in command("usage", "table:public.orders").output


@pytest.mark.parametrize(
    ("text", "error"),
    [("users_old", ElementSyntaxError), ("table:public.nowhere", UnknownElementError)],
)
def test_what_is_no_element_is_one_error_of_wrong_use(
    command: Command, attic: Attic, text: str, error: type[PgatticError]
) -> None:
    with pytest.raises(error) as raised:
        command("usage", text)
    assert raised.value.exit_code == 2


def test_readiness_prints_verdicts_with_reasons(command: Command, used: Attic) -> None:
    result = command("readiness")
    assert result.exit_code == 0
    assert "table:public.users_old  not ready" in result.output
    assert "✗ 1 use seen since the rename by monthly_report" in result.output
    assert "enum:public.mood  ready" in result.output
    assert "\n1 ready, 1 not ready" in result.output
    found = {one["element"]: one for one in json.loads(command("readiness", "--json").output)}
    assert found["table:public.users_old"]["verdict"] == "not ready"
    assert found["table:public.users_old"]["reasons"][0].startswith("1 use seen")
    assert command("readiness", "--require-ready").exit_code == 1
    (one,) = json.loads(command("readiness", "table:public.users_old", "--json").output)
    assert (one["element"], one["verdict"]) == ("table:public.users_old", "not ready")
    with pytest.raises(UnknownElementError, match="not in the attic"):
        command("readiness", "table:public.users_old", "table:public.orders")
    assert command("readiness", "--since-last", "table:public.users_old").exit_code == 2


def test_since_last_tells_only_what_changed(command: Command, used: Attic, data: Path) -> None:
    first = command("readiness", "--since-last")
    assert first.exit_code == 0
    assert "table:public.users_old  new → not ready" in first.output
    assert "enum:public.mood  new → ready" in first.output
    assert command("readiness", "--since-last").output == ""
    write(data, "access", access(datetime.now(UTC), element="enum:public.mood"))
    worse = command("readiness", "--since-last", "--json")
    (news,) = json.loads(worse.output)
    assert (worse.exit_code, news["element"], news["before"], news["after"], news["is_worse"]) == (
        1,
        "enum:public.mood",
        "ready",
        "not ready",
        True,
    )
    assert "1 use seen since the rename" in news["reasons"][0]
    assert command("readiness", "--since-last").exit_code == 0
    used.db.execute("UPDATE pgattic.element SET restored_at = now() WHERE kind = 'enum'")
    gone = command("readiness", "--since-last")
    assert (gone.exit_code, gone.output.strip()) == (0, "enum:public.mood  not ready → not in the attic")


def test_a_state_that_cannot_be_read_is_one_clear_error(command: Command, used: Attic, data: Path) -> None:
    (data / "readiness.json").write_text("{")
    with pytest.raises(EvidenceError, match="verdicts of the last run"):
        command("readiness", "--since-last")


def test_coverage_is_drawn_by_day_source_and_server(command: Command, used: Attic) -> None:
    output = command("coverage", "--days", "3").output
    assert "error primary   ··" in output
    assert "counter primary ····" in output
    assert re.search(r"month-ends: (none in this time|0 of 1 watched)$", output, re.MULTILINE)
    output = command("coverage", "table:public.users_old").output
    assert "error primary   █ 100 %" in output
    found = json.loads(command("coverage", "table:public.users_old", "--json").output)
    by_source = {line["source"]: line for line in found["lines"]}
    assert by_source["error"]["fraction"] == 1.0
    assert by_source["counter"]["fraction"] > 0
    assert by_source["audit"]["stretches"] == []


def test_coverage_of_what_is_not_in_the_attic_is_an_error(command: Command, used: Attic) -> None:
    with pytest.raises(UnknownElementError, match="not in the attic"):
        command("coverage", "table:public.orders")


@pytest.fixture
def away(used: Attic, command: Command, tmp_path: Path) -> None:
    """The server of the configuration does not answer; the evidence is here."""
    assert command("usage").exit_code == 0
    config = tmp_path / "pgattic.toml"
    config.write_text(re.sub("dsn = .*", 'dsn = "host=127.0.0.1 port=1 dbname=shop"', config.read_text()))


@pytest.mark.usefixtures("away")
def test_usage_without_the_database_is_what_the_evidence_knows(command: Command) -> None:
    for arguments in (("usage",), ("usage", "table:public.users_old")):
        result = command(*arguments)
        assert result.exit_code == 0
        assert "table:public.users_old" in result.stdout
        assert "report_job" in result.stdout
        assert "the catalog was not asked" in result.stderr
    found = json.loads(command("usage", "table:public.users_old", "--json").stdout)
    assert (len(found["uses"]), found["calls"]) == (1, None)


@pytest.mark.usefixtures("away")
def test_without_the_database_nobody_says_that_something_unseen_is_unused(command: Command) -> None:
    with pytest.raises(ConnectionFailedError):
        command("usage", "enum:public.mood")


@pytest.mark.usefixtures("away")
def test_doctor_looks_at_the_rest_where_the_database_does_not_answer(command: Command) -> None:
    result = command("doctor")
    assert result.exit_code == 1
    assert "✗ connection: connection to host=127.0.0.1 port=1 dbname=shop: " in result.output
    result = command("doctor", "--json")
    assert result.exit_code == 1
    found = {check["name"]: check for check in json.loads(result.stdout)}
    assert (found["connection"]["ok"], found["data directory"]["ok"]) == (False, True)
    assert "log can be read; which file" in found["log folder"]["finding"]
    assert {"ingest", "node primary", "alerts", "disk space"} <= set(found)


def test_in_a_terminal_prose_is_wrapped_and_statements_are_not(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = command("doctor").output.splitlines()
    monkeypatch.setattr(console, "_force_terminal", True)
    monkeypatch.setattr(console, "_width", 80)
    wrapped = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in command("doctor").output.splitlines()]
    copied = [line for line in piped if line.startswith("      ")]
    assert "      ALTER SYSTEM SET log_statement_sample_rate = 0.01;" in copied
    assert [line for line in wrapped if line.startswith("      ")] == copied
    assert all(len(line) <= 80 for line in wrapped if line not in copied)
    # A check begins with its sign; what goes on stands below its words.
    assert {line[:2] for line in wrapped} == {"✓ ", "✗ ", "? ", "  "}
    # A path that is longer than a line goes on in the next one.
    assert "".join("".join(wrapped).split()) == "".join("".join(piped).split())


def test_report_is_written_where_asked(command: Command, used: Attic, tmp_path: Path) -> None:
    for name in ("report.html", "report.md"):
        result = command("report", "--out", str(tmp_path / name))
        assert result.exit_code == 0
        assert "2 elements in the attic: 1 ready, 1 not ready." in result.output
        assert "127.0.0.1" in (tmp_path / name).read_text()


def test_doctor_ends_with_1_where_something_must_be_done(command: Command, database18: FreshDatabase) -> None:
    result = command("doctor")
    assert result.exit_code == 1
    assert "→ Run `pgattic init`" in result.output
    Attic(database18.db)
    assert command("doctor").exit_code == 0
    assert {check["name"] for check in json.loads(command("doctor", "--json").output)} >= {
        "log format",
        "level",
        "clock",
    }


@pytest.mark.parametrize("name", ["scan", "usage", "readiness", "coverage", "report", "doctor"])
def test_help_ends_with_an_example(command: Command, name: str) -> None:
    assert f"Example: pgattic {name}" in command(name, "--help").output

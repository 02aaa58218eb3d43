"""Usage as questions: each use counts once, whoever told of it, and the views are for everybody."""

import csv
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import duckdb
import pyarrow.parquet
import pytest

from analytics.commands.usage import how_often
from analytics.store import Evidence
from analytics.usage import usage_by_element, uses_of
from analytics.usage_profile import Frequency, Question, answer, profile
from analytics.usage_script import script
from catalog.elements import Element
from catalog.terminal import console
from ingest.store import Store
from ingest.upkeep import tidy
from tests.analytics.evidence import DAY, NOW, access, hourly, rows, write
from tests.command_line import CommandLine

USERS = Element.parse("table:public.users_old")
ORDERS = Element.parse("table:public.orders")
SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)


def ok(source: str = "log", at: datetime = NOW, **more: Any) -> dict[str, Any]:
    return access(at, outcome="ok", source=source, sqlstate=None, **more)


def uses(directory: Path, *given: dict[str, Any]) -> int:
    write(directory, "access", *given)
    with Evidence.open(directory) as evidence:
        return sum(found.uses for found in usage_by_element(evidence))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # One statement that the log, pgaudit and a sensor tell of.
        ([ok("log"), ok("audit", NOW + MS), ok("sensor", NOW + 2 * MS)], 1),
        # The statement's line, and the error it ended with.
        ([ok("log", log_offset=1), access(NOW + MS, log_offset=2)], 1),
        # One statement worked and one failed, both with a line of their own.
        ([ok("log", log_offset=1), ok("log", log_offset=2, statement_id="s2"), access(log_offset=3)], 2),
        # Twice the same in one second, each failed.
        ([ok(log_offset=1), access(log_offset=2), ok(log_offset=3), access(log_offset=4)], 2),
        # pgaudit sees two in a function, the log one statement.
        ([ok("log", statement_id="outer"), ok("audit", log_offset=1), ok("audit", log_offset=2)], 2),
        # A line that says how long it took is of one that worked.
        ([ok(log_offset=1, duration_ms=0.5), access(log_offset=2)], 2),
        ([ok(log_offset=1, duration_ms=0.5), ok(log_offset=2), access(log_offset=3)], 2),
        # Other sessions, seconds, nodes and elements are other uses.
        ([ok("log"), ok("audit", session_id="other")], 2),
        ([ok("log"), ok("audit", NOW + SECOND)], 2),
        ([ok("log"), ok("audit", node="replica")], 2),
        ([ok("log"), ok("audit", element=str(ORDERS))], 2),
        # Without a session nothing can be told to be the same.
        ([ok("log", session_id=None), ok("audit", session_id=None)], 2),
        ([ok("log", application="pgattic")], 0),
    ],
)
def test_a_use_counts_once(tmp_path: Path, given: list[dict[str, Any]], expected: int) -> None:
    assert uses(tmp_path, *given) == expected


def test_the_failure_is_what_is_kept_of_a_statement_that_failed(tmp_path: Path) -> None:
    write(tmp_path, "access", ok("log"), access(NOW + MS))
    with Evidence.open(tmp_path) as evidence:
        (found,) = uses_of(evidence, USERS)
    assert (found.outcome, found.uses) == ("error", 1)


def test_hourly_counts_take_the_kind_of_line_that_tells_most(tmp_path: Path) -> None:
    users = str(USERS)
    write(
        tmp_path,
        "usage_hourly",
        hourly(users, source="log", uses=3),
        hourly(users, source="log", uses=2, operation="write"),
        hourly(users, source="audit", uses=7),
        hourly(users, source="error", outcome="error", uses=1),
        hourly(users, NOW + DAY, source="log", uses=4, application="other"),
    )
    with Evidence.open(tmp_path) as evidence:
        found = profile(evidence, USERS)
    assert found.frequency
    # Of web's hour, one of the log's five lines is the failure; pgaudit's seven are more than the rest.
    assert (found.frequency.uses, found.frequency.errors) == (7 + 1 + 4, 1)
    assert (found.frequency.days_used, found.frequency.callers) == (2, 2)
    assert [(hour.weekday, hour.hour_of_day, hour.uses) for hour in found.timing] == [(1, 12, 4), (7, 12, 8)]
    assert [(day.used_on, day.uses) for day in found.daily] == [(NOW.date(), 8), ((NOW + DAY).date(), 4)]
    # Today is one of the last seven days.
    assert found.trend((NOW + 7 * DAY).date()) == (4, 8)
    assert found.trend((NOW + DAY).date()) == (12, 0)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Each statement has a line of its own, and four an error besides.
        ([{"uses": 10, "timed": 0}], 10),
        # Lines say how long it took: what failed has none.
        ([{"uses": 10, "timed": 10}], 14),
        # Three of the failures had a line of their own, the setting was changed then.
        ([{"uses": 7, "timed": 7}, {"uses": 3, "timed": 0}], 11),
        # As an earlier pgattic counted.
        ([{"uses": 10, "timed": None}], 10),
        ([{"uses": 5, "timed": None}, {"uses": 5, "timed": 5}], 10),
    ],
)
def test_a_line_that_says_how_long_it_took_is_of_a_statement_that_worked(
    tmp_path: Path, lines: list[dict[str, Any]], expected: int
) -> None:
    users = str(USERS)
    write(
        tmp_path,
        "usage_hourly",
        *(hourly(users, **line) for line in lines),
        hourly(users, source="error", outcome="error", uses=4),
    )
    with Evidence.open(tmp_path) as evidence:
        found = profile(evidence, USERS)
    assert found.frequency
    assert (found.frequency.uses, found.frequency.errors) == (expected, 4)


def test_a_caller_is_broken_until_it_succeeds(tmp_path: Path) -> None:
    write(
        tmp_path,
        "access",
        ok(at=NOW - DAY),
        access(NOW),
        access(NOW + SECOND),
        access(NOW, role="healed", session_id="two"),
        ok(at=NOW + SECOND, role="healed", session_id="two"),
        ok(role="fine", session_id="three"),
    )
    with Evidence.open(tmp_path) as evidence:
        (broken,) = profile(evidence, USERS).broken
    assert (broken.role, broken.failures) == ("report_job", 2)
    assert (broken.last_worked_at, broken.failing_since) == (NOW - DAY, NOW)
    assert broken.last_failed_at == NOW + SECOND


def test_durations_are_those_that_the_log_tells(tmp_path: Path) -> None:
    told = [ok(log_offset=number, duration_ms=float(number)) for number in range(1, 101)]
    write(tmp_path, "access", *told, told[0], ok(log_offset=200))
    with Evidence.open(tmp_path) as evidence:
        took = profile(evidence, USERS).duration
    assert took
    assert (took.statements, took.median_ms, took.longest_ms) == (100, 50.5, 100.0)
    assert 90 <= took.p90_ms <= 91 < took.p99_ms < 100


def test_nothing_is_known_of_an_element_that_no_log_named(tmp_path: Path) -> None:
    with Evidence.open(tmp_path / "none") as evidence:
        found = profile(evidence, USERS)
        assert all(len(answer(evidence, question)) == 0 for question in Question)
    assert (found.frequency, found.duration, found.timing, found.broken) == (None, None, (), ())


def test_tables_without_the_newest_columns_are_read(tmp_path: Path) -> None:
    """As an older pgattic left them: no duration, no count of lines with one yet."""
    counted = rows("usage_hourly", hourly(str(USERS), uses=3)).drop_columns("timed")
    deltalake.write_deltalake(tmp_path / "usage_hourly", counted, partition_by=["day"])
    batch = rows("access", ok()).drop_columns("duration_ms")
    deltalake.write_deltalake(tmp_path / "access", batch, partition_by=["day"])
    with Evidence.open(tmp_path) as evidence:
        assert profile(evidence, USERS).duration is None
        assert len(uses_of(evidence, USERS)) == 1
        frequency = profile(evidence, USERS).frequency
        assert frequency
        assert frequency.uses == 3
    # New rows go beside them, and all are added up.
    write(tmp_path, "usage_hourly", hourly(str(USERS), uses=2, timed=2))
    tidy(Store(tmp_path), None, NOW)
    (added,) = Store(tmp_path).rows("usage_hourly", ["uses", "timed"]).to_pylist()
    assert added == {"uses": 5, "timed": 2}
    with duckdb.connect() as shell:
        shell.execute(script(tmp_path, NOW, follows=False))
        assert shell.sql("SELECT uses FROM usage_sources").fetchall() == [(1,)]


@pytest.fixture
def known(tmp_path: Path) -> Path:
    write(tmp_path, "access", ok(), access(NOW + SECOND), ok("audit", via="view:public.v"))
    write(tmp_path, "usage_hourly", hourly(str(USERS)), hourly(str(ORDERS)))
    write(tmp_path, "statement", {"statement_id": "s1", "first_seen_at": NOW})
    return tmp_path


def test_the_script_makes_the_same_views_in_a_duckdb_of_its_own(known: Path) -> None:
    with duckdb.connect() as shell, Evidence.open(known) as evidence:
        shell.execute(script(known, NOW, follows=False))
        for question in Question:
            there = shell.sql(f"SELECT * FROM {question.view} ORDER BY ALL").to_arrow_table()
            assert there.to_pylist() == answer(evidence, question).to_pylist()
            assert question.view == "broken_caller" or len(there) or question is Question.DURATION


def test_the_script_can_follow_the_tables(known: Path) -> None:
    text = script(known, NOW, follows=True)
    assert f"delta_scan('{known}/access')" in text
    assert "CREATE TABLE gap (" in text


def test_the_script_that_follows_sees_what_comes_later(known: Path) -> None:
    with duckdb.connect() as shell:
        try:
            shell.execute("LOAD delta")
        except duckdb.Error:
            pytest.skip("DuckDB's extension delta is not installed: INSTALL delta")
        shell.execute(script(known, NOW, follows=True).replace("INSTALL delta;", ""))
        for question in Question:
            shell.execute(f"SELECT * FROM {question.view}")
        assert shell.sql("SELECT count(*) FROM use").fetchall() == [(2,)]
        write(known, "access", access(NOW + 5 * SECOND, application="later"))
        Store(known).compact("access", is_thorough=True)
        assert shell.sql("SELECT count(*) FROM use").fetchall() == [(3,)]


@pytest.fixture
def run(known: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    config = known / "pgattic.toml"
    config.write_text(f'[data]\ndirectory = "{known}"\n')
    monkeypatch.setattr(console, "_width", 200)
    return CommandLine(config, capsys, monkeypatch)


def test_a_single_use_is_told_with_its_moment_alone() -> None:
    once = Frequency(1, 1, 0, NOW, NOW, 1, 1)
    assert how_often(once) == f"1 use, [red]failed[/], at {NOW:%Y-%m-%d %H:%M:%S} UTC"
    assert " from " in how_often(Frequency(2, 0, 1, NOW, NOW, 1, 1))


def test_question_without_an_answer_says_what_next(run: CommandLine) -> None:
    ended = run("usage", "table:public.nothing", "--what", "frequency")
    assert ended.code == 0
    assert "nothing in the evidence yet; `pgattic ingest` reads the logs" in ended.err
    assert "`pgattic ingest`" not in run("usage", "--what", "frequency").err


@pytest.mark.parametrize("question", Question)
def test_each_question_can_be_asked_without_a_database(run: CommandLine, question: Question) -> None:
    assert run("usage", "--what", question.value).code == 0
    found = json.loads(run("usage", "--what", question.value, "--json").out)
    only = json.loads(run("usage", str(ORDERS), "--what", question.value, "--json").out)
    assert only == [row for row in found if row["element"] == str(ORDERS)]


def test_answers_are_written_as_csv_and_parquet(run: CommandLine, tmp_path: Path) -> None:
    names = tmp_path / "s.csv", tmp_path / "s.parquet"
    ended = run("usage", "--what", "sources", "--csv", str(names[0]), "--parquet", str(names[1]))
    assert (ended.code, ended.out) == (0, "")
    with names[0].open(newline="") as file:
        lines = list(csv.DictReader(file))
    table = pyarrow.parquet.read_table(names[1])
    assert [line["uses"] for line in lines] == [str(found) for found in table["uses"].to_pylist()]
    assert table.column_names[0] == "element"
    assert run("usage", "--what", "sources", "--csv", str(names[0] / "under a file")).code == 2


@pytest.mark.parametrize("wrong", [("--csv", "x.csv"), ("--delta",), ("--what", "nothing")])
def test_options_that_do_not_go_together_are_refused(run: CommandLine, wrong: tuple[str, ...]) -> None:
    assert run("usage", *wrong).code == 2


def test_the_script_is_printed(run: CommandLine) -> None:
    with duckdb.connect() as shell:
        shell.execute(run("usage", "--sql").out)
        assert shell.sql("SELECT count(*) FROM use").fetchall() == [(2,)]

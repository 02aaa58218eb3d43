"""The guard hears what fails on a streaming standby, and no standby keeps it from hearing the others."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.terminal import Invocation
from catalog.throwaway import ThrowawayServer
from migrations import audit, breaker, registry
from migrations.commands.guard import listen
from migrations.guard import Outcome
from migrations.guard import ears as ears_module
from migrations.guard.failures import Heard
from migrations.guard.servers import Blind
from migrations.plan import Plan
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase, fresh_database
from tests.migrations.fix_guard import (
    Watch,
    fails_on,
    figure,
    guarding_as_configured,
    readable,
    started,
)
from tests.migrations.fix_house import SCHEMA, USERS, House
from tests.waiting import PATIENCE_SECONDS, times_logged, until, until_logged

TABLE, LEGACY = str(USERS), "column:public.orders.legacy"
_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})( UTC,.*)$", re.MULTILINE)
# Longer than what can be in doubt of a clock.
MINUTE = timedelta(minutes=1)
_MILLISECONDS = -3


@dataclass
class Pair:
    """A small schema on a primary, its standby, and a configuration that knows both."""

    house: House
    standby: ThrowawayServer
    folder: Path

    @property
    def dsn(self) -> str:
        """The database as the standby has it."""
        return self.standby.dsn(self.house.database.name)

    @property
    def config(self) -> Path:
        return self.folder / "pgattic.toml"

    def configure(self, logs: Path | None, dsn: str | None = None, more: str = "") -> None:
        """Write the configuration; `logs` are the standby's, None where they are not configured."""
        database = self.house.database
        self.config.write_text(
            f'[database]\ndsn = "{database.dsn()}"\nenvironment = "development"\n'
            f'[logs]\ndirectory = "{database.server.log_directory}"\npoll_seconds = 0.1\n{more}'
            f'[[nodes]]\nname = "replica1"\ndsn = "{dsn or self.dsn}"\n'
            + (f'logs = "{logs}"\n' if logs else "")
        )

    @contextmanager
    def guarding(self, plan: Plan | None = None) -> Iterator[Watch]:
        """A guard of a plan that is applied, or by default of the table, from before its rename on."""
        with guarding_as_configured(self.house, plan or self.house.plan(TABLE), self.config) as watch:
            yield watch

    def catch_up(self) -> None:
        """Wait until the standby has replayed all of the primary."""
        with Database.connect(self.standby.dsn()) as there:
            # What was committed without waiting for the disk goes there with it.
            flush = "SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', '')"
            self.house.db.execute(flush)
            here = self.house.db.fetch_value("SELECT pg_current_wal_flush_lsn()::text")
            until(lambda: there.fetch_value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [here]))

    def replays(self, *, is_wanted: bool) -> None:
        """Stop the standby from replaying, or let it go on."""
        with Database.connect(self.standby.dsn()) as there:
            there.execute(f"SELECT pg_wal_replay_{'resume' if is_wanted else 'pause'}()")
            state = "not paused" if is_wanted else "paused"
            until(lambda: there.fetch_value("SELECT pg_get_wal_replay_pause_state()") == state)

    def fails_there(self, statement: str = "SELECT * FROM users_old") -> None:
        """A statement that fails on the standby, whose log has it when this returns."""
        before = times_logged(self.standby, statement)
        fails_on(self.dsn, statement, "report")
        until_logged(self.standby, statement, before + 1)

    def fails_here(self, statement: str = "SELECT * FROM users_old") -> None:
        fails_on(self.house.database.dsn(), statement, "report")

    def copy_log(self, to: Path, ahead: timedelta = timedelta(), earlier: str | None = None) -> Path:
        """The standby's log as another machine gets it, as if its clock were ahead.

        Lines that hold a text can be told as if they were a minute older.
        """

        def told(line: re.Match[str]) -> str:
            at = datetime.fromisoformat(line[1]) + ahead
            if earlier and earlier in line[2]:
                at -= MINUTE
            return f"{at:%F %T.%f}"[:_MILLISECONDS] + line[2]

        to.mkdir(exist_ok=True)
        for path in self.standby.log_directory.glob("*.csv"):
            (to / "new").write_text(_LINE.sub(told, path.read_text()))
            (to / "new").replace(to / path.name)
        return to


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ThrowawayServer, ThrowawayServer]]:
    with ThrowawayServer() as primary, ThrowawayServer(standby_of=primary) as standby:
        with Database.connect(primary.dsn()) as db:
            count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
            until(lambda: db.fetch_value(count) == 1)
        yield primary, standby


@pytest.fixture
def pair(
    servers: tuple[ThrowawayServer, ThrowawayServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pair]:
    # Who is slow on a busy machine does answer.
    monkeypatch.setattr(ears_module, "_FIRST_LOOK_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(ears_module, "_SILENT_SECONDS", PATIENCE_SECONDS)
    primary, standby = servers
    for database in fresh_database(primary):
        made = Pair(_house(database), standby, tmp_path)
        made.configure(standby.log_directory)
        made.catch_up()
        yield made


def _house(database: FreshDatabase) -> House:
    database.db.execute(SCHEMA)
    registry.install(database.db)
    return House(database)


def test_what_fails_on_a_standby_is_brought_back(pair: Pair) -> None:
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers")) as watch:
        pair.catch_up()
        with Database.connect(pair.dsn, application_name="report") as app:
            failed_at = time.monotonic()
            assert not readable(app, "users_old WHERE name <> 'secret'")
            until(lambda: readable(app, "users_old"))
            figure("a client of the standby that tries again", failed_at)
        report = watch.end()
    (seen,) = report.seen
    assert (seen.outcome, seen.first.element, seen.first.node) == (Outcome.BROUGHT_BACK, USERS, "replica1")
    assert (seen.first.sqlstate, seen.first.application) == ("42P01", "report")
    assert [str(element) for element in report.still_in_attic] == ["sequence:public.numbers"]
    assert report.blind == ()
    assert any(f"failed on {TABLE} 42P01 on replica1 by report" in line for line in watch.told)
    assert {row["node"] for row in watch.alerts} == {"replica1"}
    assert "failed on replica1 with 42P01; the guard brings back" in watch.alerts[0]["message"]
    rows = {row.content["event"]: row.content["detail"] for row in audit.read(pair.house.db)}
    assert (rows["guard"]["node"], rows["guard"]["outcome"]) == ("replica1", "rolled back")
    assert breaker.state(pair.house.db).is_open
    assert "secret" not in str(report) + str(rows) + str(watch.alerts) + str(watch.told)


def test_until_a_standby_has_replayed_the_rename_nothing_fails_there(pair: Pair) -> None:
    pair.replays(is_wanted=False)
    try:
        with pair.guarding() as watch:
            with Database.connect(pair.dsn, application_name="report") as app:
                assert readable(app, "users_old")
                time.sleep(0.5)
                assert pair.house.in_attic() == [TABLE]
                pair.replays(is_wanted=True)
                until(lambda: not readable(app, "users_old"))
            assert [seen.first.node for seen in watch.wait().seen] == ["replica1"]
    finally:
        pair.replays(is_wanted=True)
    assert pair.house.in_attic() == []


def test_of_failures_on_both_servers_the_first_is_acted_upon_and_the_other_counted(pair: Pair) -> None:
    with pair.guarding(pair.house.plan(TABLE, LEGACY)) as watch:
        pair.catch_up()
        pair.fails_here()
        pair.fails_there("SELECT legacy FROM orders")
        report = watch.wait()
    nodes = {str(seen.first.element): seen.first.node for seen in report.seen}
    assert nodes == {TABLE: "primary", LEGACY: "replica1"}
    assert report.still_in_attic == ()


def test_what_somebody_else_brought_back_is_no_failed_rollback(pair: Pair) -> None:
    plan = pair.house.plan(TABLE, "sequence:public.numbers")
    try:
        with pair.guarding(plan) as watch:
            pair.catch_up()
            pair.replays(is_wanted=False)
            pair.house.back(plan)
            # The standby has not heard of that yet.
            pair.fails_there()
            until(lambda: watch.has_told("already, by somebody else"))
            report = watch.end()
    finally:
        pair.replays(is_wanted=True)
    assert [(seen.outcome, seen.why) for seen in report.seen] == [(Outcome.BROUGHT_BACK, "by somebody else")]
    assert not breaker.state(pair.house.db).is_open
    assert "guard" not in {row.content["event"] for row in audit.read(pair.house.db)}


def test_a_standby_without_logs_is_a_blind_spot_that_is_said(pair: Pair) -> None:
    pair.configure(None)
    with pair.guarding() as watch:
        pair.catch_up()
        pair.fails_there()
        pair.fails_here()
        report = watch.wait()
    assert [(one.node, one.why) for one in report.blind] == [
        ("replica1", "its log is not configured (nodes.logs)")
    ]
    assert [seen.first.node for seen in report.seen] == ["primary"]


def test_a_standby_that_nobody_configured_is_one_too(pair: Pair) -> None:
    text = pair.config.read_text()
    pair.config.write_text(text[: text.index("[[nodes]]")])
    with listen(Invocation(pair.config)) as ears:
        (blind,) = ears.blind
    assert str(blind).startswith("node primary: 1 standby server of it without [[nodes]]")
    with pair.config.open("a") as file:
        file.write("[policy]\nunread_standbys = 1\n")
    with listen(Invocation(pair.config)) as ears:
        assert ears.blind == ()


def test_another_server_is_no_replica(pair: Pair, database18: FreshDatabase) -> None:
    pair.configure(pair.standby.log_directory, dsn=database18.dsn())
    with listen(Invocation(pair.config)) as ears:
        (blind,) = ears.blind
    assert "no replica of the primary: its system identifier is" in blind.why


def test_a_log_that_cannot_be_read_yet_is_said_tried_again_and_read_from_the_rename_on(pair: Pair) -> None:
    logs = pair.folder / "mounted"
    pair.configure(logs)
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers", LEGACY)) as watch:
        pair.catch_up()
        pair.fails_there()
        # The primary is heard all the while.
        pair.fails_here("SELECT nextval('numbers')")
        until(lambda: set(pair.house.in_attic()) == {TABLE, LEGACY})
        logs.symlink_to(pair.standby.log_directory)
        until(lambda: pair.house.in_attic() == [LEGACY])
        until(lambda: watch.has_told("node replica1 is heard again"))
        report = watch.end()
    assert {seen.first.node for seen in report.seen} == {"primary", "replica1"}
    (blind,) = report.blind
    assert (blind.node, "no such file or folder" in blind.why) == ("replica1", True)
    assert blind.until is not None
    assert "node replica1 is heard again, from where its log was left" in watch.told


def test_a_replica_that_does_not_answer_is_read_when_it_does(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ears_module, "_ASK_AFTER_SECONDS", 0.2)
    service = pair.folder / "services"
    service.write_text(f"[replica1]\n{_lines(pair.standby.dsn())}".replace(str(pair.standby.port), "1"))
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    pair.configure(pair.standby.log_directory, dsn="service=replica1")
    with pair.guarding() as watch:
        pair.catch_up()
        pair.fails_there()
        time.sleep(0.5)
        assert pair.house.in_attic() == [TABLE]
        right = pair.folder / "right"
        right.write_text(f"[replica1]\n{_lines(pair.standby.dsn())}")
        right.replace(service)
        report = watch.wait()
    assert [seen.first.node for seen in report.seen] == ["replica1"]
    (blind,) = report.blind
    assert "service=replica1" in blind.why


def _lines(dsn: str) -> str:
    return "\n".join(dsn.split()) + "\n"


def test_a_log_that_goes_away_is_told_and_keeps_no_other_from_being_heard(pair: Pair) -> None:
    logs = pair.folder / "mounted"
    logs.symlink_to(pair.standby.log_directory)
    pair.configure(logs)
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers", LEGACY)) as watch:
        pair.catch_up()
        logs.unlink()
        until(lambda: watch.has_told("blind: node replica1"))
        pair.fails_there()
        pair.fails_here("SELECT nextval('numbers')")
        until(lambda: set(pair.house.in_attic()) == {TABLE, LEGACY})
        logs.symlink_to(pair.standby.log_directory)
        until(lambda: pair.house.in_attic() == [LEGACY])
        until(lambda: watch.has_told("node replica1 is heard again"))
        report = watch.end()
    assert {seen.first.node for seen in report.seen} == {"primary", "replica1"}
    assert sum(line.startswith("blind: ") for line in watch.told) == 1
    assert [blind.until is None for blind in report.blind] == [False]
    warned = [row for row in watch.alerts if row["severity"] == "warning"]
    assert [(row["node"], "is blind: node replica1" in row["message"]) for row in warned] == [
        ("replica1", True)
    ]


@pytest.mark.parametrize("hangs_from", ["the beginning", "later"])
def test_a_file_system_that_hangs_keeps_nobody_waiting(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, hangs_from: str
) -> None:
    monkeypatch.setattr(ears_module, "_FIRST_LOOK_SECONDS", 0.5)
    monkeypatch.setattr(ears_module, "_SILENT_SECONDS", 0.5)
    logs, pipe = pair.folder / "mounted", pair.folder / "pipe"
    # Whoever opens it waits for a writer.
    os.mkfifo(pipe)
    logs.symlink_to(pair.standby.log_directory if hangs_from == "later" else pipe)
    pair.configure(logs)
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers")) as watch:
        pair.catch_up()
        if hangs_from == "later":
            _swap(logs, pipe)
            until(lambda: watch.has_told("does not answer"))
        pair.fails_there()
        pair.fails_here("SELECT nextval('numbers')")
        until(lambda: pair.house.in_attic() == [TABLE])
        _swap(logs, pair.standby.log_directory)
        # Lets go who waits; opened for both, it waits itself for nobody.
        os.close(os.open(pipe, os.O_RDWR))
        report = watch.wait()
    assert {seen.first.node for seen in report.seen} == {"primary", "replica1"}
    assert [(blind.node, blind.why) for blind in report.blind][:1] == [("replica1", "it does not answer")]


def _swap(link: Path, target: Path) -> None:
    new = link.with_name("swapped")
    new.symlink_to(target)
    new.replace(link)


def test_a_standby_that_tells_very_much_leaves_time_for_the_others(pair: Pair) -> None:
    copied = pair.copy_log(pair.folder / "copied")
    pair.configure(copied)
    pair.fails_there("SELECT * FROM nowhere_to_be_found")
    with listen(Invocation(pair.config)) as ears:
        ears.begin()
        pair.copy_log(copied)
        (log,) = (path for path in copied.glob("*.csv") if b"nowhere_to_be_found" in path.read_bytes())
        lines = log.read_bytes().splitlines(keepends=True)
        (line,) = (line for line in lines if b"nowhere_to_be_found" in line)
        with log.open("ab") as file:
            file.write(line * 3000)
        told: list[int] = []

        def has_heard_all() -> bool:
            told.append(sum(map(_rows, ears.hear())))
            return sum(told) >= 3001

        until(has_heard_all)
    assert sum(told) == 3001
    assert max(told) <= 800, "at a time"


def _rows(heard: Heard | Blind) -> int:
    """How many lines the standby told."""
    return len(heard.rows) if isinstance(heard, Heard) and heard.node == "replica1" else 0


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_clock_that_is_wrong_neither_hides_what_fails_nor_invents_it(pair: Pair, minutes: int) -> None:
    ahead = timedelta(minutes=minutes)
    pair.house.db.execute(
        "CREATE SCHEMA other; CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE"
        f" AS $$ SELECT pg_catalog.clock_timestamp() + interval '{minutes} min' $$"
    )
    pair.catch_up()
    copied = pair.copy_log(pair.folder / "copied", ahead)
    pair.configure(copied, dsn=f"{pair.dsn} options='-c search_path=public,pg_catalog'")
    # From before the rename, whatever the clock said: it comes with a later copy.
    before = "SET search_path = other; SELECT * FROM users_old"
    pair.fails_there(before)
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers")) as watch:
        pair.catch_up()
        pair.copy_log(copied, ahead, before)
        pair.fails_there("SELECT nextval('numbers')")
        pair.copy_log(copied, ahead, before)
        until(lambda: pair.house.in_attic() == [TABLE])
        report = watch.end()
    assert pair.house.in_attic() == [TABLE]
    (seen,) = report.seen
    assert str(seen.first.element) == "sequence:public.numbers"
    assert seen.seconds is not None
    assert abs(seen.seconds) < abs(ahead.total_seconds()) - 60, "by the clock of the primary"


def test_a_clock_that_is_set_back_meanwhile_hides_nothing(pair: Pair) -> None:
    def set_back(minutes: int) -> None:
        pair.house.db.execute(
            "CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE"
            f" AS $$ SELECT pg_catalog.clock_timestamp() - interval '{minutes} min' $$"
        )
        pair.catch_up()

    set_back(0)
    copied = pair.copy_log(pair.folder / "copied")
    pair.configure(copied, dsn=f"{pair.dsn} options='-c search_path=public,pg_catalog'")
    with pair.guarding() as watch:
        pair.catch_up()
        set_back(60)
        pair.fails_there()
        pair.copy_log(copied, -timedelta(minutes=60))
        (seen,) = watch.wait().seen
    assert (seen.outcome, pair.house.in_attic()) == (Outcome.BROUGHT_BACK, [])


def test_what_failed_in_an_earlier_time_in_the_attic_is_over(pair: Pair) -> None:
    copied = pair.copy_log(pair.folder / "copied")
    pair.configure(copied)
    earlier = pair.house.deprecate(TABLE)
    pair.catch_up()
    pair.fails_there()
    pair.house.back(earlier)
    pair.house.db.execute(
        "UPDATE pgattic.element SET deprecated_at = deprecated_at - interval '1 min',"
        " restored_at = restored_at - interval '1 min'"
    )
    with pair.guarding(pair.house.plan(TABLE, "sequence:public.numbers")) as watch:
        pair.catch_up()
        # Only now comes the line of then, and one of now behind it.
        pair.fails_there("SELECT nextval('numbers')")
        pair.copy_log(copied, earlier="SELECT * FROM users_old")
        until(lambda: pair.house.in_attic() == [TABLE])
        assert [str(seen.first.element) for seen in watch.end().seen] == ["sequence:public.numbers"]


def test_the_commands_say_on_which_node(
    pair: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pair.folder)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("PGATTIC_POLICY__MIN_AGE_DAYS", "0")
    command = CommandLine(pair.config, capsys, monkeypatch)
    with pair.config.open("a") as file:
        file.write('[[nodes]]\nname = "replica2"\ndsn = "service=nowhere"\n')
    pair.house.db.execute("CREATE TABLE unread (id int); CREATE SEQUENCE unused")
    made = command("plan", "table:public.unread", "sequence:public.unused")
    assert made.code == 0, made
    process = started(command, "apply", str(Path("plan.json").resolve()), "--yes", "--guard", "10m")
    with Database.connect(pair.dsn, application_name="report") as app:
        until(lambda: app.fetch_value("SELECT to_regclass('unread') IS NULL"))
        assert not readable(app)
        failed_at = time.monotonic()
        until(lambda: readable(app))
        figure("after apply, on the standby", failed_at)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (1, "")
    assert out.count("blind node replica2: its log is not configured (nodes.logs)") == 2
    assert out.index("blind node replica2") < out.index("renamed 2 elements")
    assert "failed on table:public.unread 42P01 on replica1 by report" in out
    assert re.search(r"brought back after .* failing statements?, the first on replica1", out)
    told = json.loads(command("guard", "--for", "1s", "--on-failure", "alert", "--json").out)
    assert [(one["node"], one["why"], one["until"]) for one in told["blind"]] == [
        ("replica2", "its log is not configured (nodes.logs)", None)
    ]
    assert "nothing failed on a former name where the logs were heard" in command("guard", "--for", "1s").out

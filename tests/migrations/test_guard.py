"""The guard: a real client fails, and has its table back within seconds; nobody else sets it off."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database
from catalog.errors import ConnectionFailedError, StatementFailedError
from catalog.settings import BackupSettings, DatabaseSettings, DataSettings, LogsSettings, Settings
from ingest.logs.tail import Logs
from migrations import audit, breaker
from migrations.apply import apply
from migrations.commands.guard import guarded_time
from migrations.errors import NothingInAtticError
from migrations.guard import Action, Guard, Outcome, Report
from migrations.guard.ears import Ears
from migrations.guard.log import GuardedLog
from migrations.plan import Plan
from tests.command_line import CommandLine
from tests.migrations.fix_house import USERS, House

COLUMN = "column:public.orders.legacy"
TABLE = str(USERS)
# Far above what is promised (3 s) and measured, as machines for tests are busy.
PATIENCE_SECONDS = 10
ROOT = Path(__file__).parent.parent.parent


@dataclass
class Watch:
    """A guard that runs in a thread; `report` is there when it has ended."""

    thread: threading.Thread
    ended: threading.Event
    told: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def end(self) -> Report:
        """Let it end, and return what it saw."""
        self.ended.set()
        self.thread.join(60)
        return self.reports[0]

    def wait(self) -> Report:
        """What it saw, when it has ended by itself."""
        self.thread.join(60)
        return self.reports[0]


def settings_of(house: House, tmp_path: Path) -> Settings:
    return Settings(
        database=DatabaseSettings(dsn=house.database.dsn(), environment="development"),
        logs=LogsSettings(directory=house.database.server.log_directory),
        data=DataSettings(directory=tmp_path / "data"),
        backup=BackupSettings(directory=tmp_path / "backups"),
    )


def ears_of(house: House, settings: Settings) -> Ears:
    """Ears for the primary's log alone, from now on."""
    logs = Logs(settings.logs.directory, settings.logs.pattern, settings.logs.node)
    ears = Ears("primary", GuardedLog(logs, house.database.name, "UTC"))
    ears.begin()
    return ears


@contextmanager
def guarding(
    house: House,
    plan: Plan,
    tmp_path: Path,
    action: Action,
    *,
    settings: Settings | None = None,
    alert: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> Iterator[Watch]:
    """A guard from before the apply of a plan on."""
    settings = settings or settings_of(house, tmp_path)
    ears = ears_of(house, settings)
    apply(house.db, plan)
    ended = threading.Event()

    def connect() -> Database:
        return Database.connect(house.database.dsn())

    def run() -> None:
        guard = Guard(connect, settings, ears, plan.id, action, tell=watch.told.append, alert=alert)
        watch.reports.append(guard.run(lambda: not ended.wait(0.05)))

    watch = Watch(threading.Thread(target=run), ended)
    watch.thread.start()
    try:
        yield watch
    finally:
        ended.set()
        watch.thread.join(60)


def fails(house: House, statement: str) -> None:
    with (
        Database.connect(house.database.dsn(), application_name="shop") as app,
        pytest.raises(StatementFailedError),
    ):
        app.execute(statement)


def test_a_client_has_its_table_back_within_seconds(house: House, tmp_path: Path) -> None:
    plan = house.plan(TABLE)
    with guarding(house, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        with Database.connect(house.database.dsn(), application_name="shop") as app:
            failed_at = time.monotonic()
            assert not readable(app, "users_old WHERE name <> 'secret'")
            until(lambda: readable(app, "users_old WHERE name <> 'secret'"), PATIENCE_SECONDS)
            figure("a client that tries again", failed_at)
        report = watch.wait()
    (seen,) = report.seen
    assert (seen.outcome, seen.first.element) == (Outcome.BROUGHT_BACK, USERS)
    assert (seen.first.sqlstate, seen.first.application) == ("42P01", "shop")
    assert seen.failures >= 1
    assert report.still_in_attic == ()
    assert report.ended == "nothing was left to guard"
    assert "secret" not in str(report)
    now = breaker.state(house.db)
    assert now.is_open
    assert "the guard brought back" in (now.reason or "")
    rows = {row.content["event"]: row.content["detail"] for row in audit.read(house.db)}
    assert rows["rollback_outcome"]["outcome"] == "rolled back"
    assert rows["guard"]["application"] == "shop"
    assert "secret" not in json.dumps(rows)


def test_every_element_that_fails_comes_back_and_the_others_stay(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE, COLUMN, "enum:public.colour", "sequence:public.numbers")
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        fails(house18, "SELECT * FROM public.users_old")
        fails(house18, "UPDATE orders SET legacy = 'x'")
        fails(house18, "DO $$ BEGIN PERFORM 'red'::colour; END $$")
        until(lambda: house18.in_attic() == ["sequence:public.numbers"])
        report = watch.end()
    assert {str(seen.first.element): seen.outcome for seen in report.seen} == {
        TABLE: Outcome.BROUGHT_BACK,
        COLUMN: Outcome.BROUGHT_BACK,
        "enum:public.colour": Outcome.BROUGHT_BACK,
    }
    assert [str(element) for element in report.still_in_attic] == ["sequence:public.numbers"]


def test_a_whole_migration_comes_back_at_once(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE, COLUMN, "sequence:public.numbers")
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_MIGRATION) as watch:
        fails(house18, "SELECT legacy FROM orders")
        report = watch.wait()
    assert [str(seen.first.element) for seen in report.seen] == [COLUMN]
    assert not house18.in_attic()
    assert any("with the whole migration" in line for line in watch.told)


def test_to_alert_changes_nothing(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE)
    with guarding(house18, plan, tmp_path, Action.ALERT) as watch:
        fails(house18, "SELECT * FROM users_old")
        fails(house18, "SELECT * FROM users_old")
        until(lambda: bool(watch.told))
        report = watch.end()
    assert [(seen.outcome, seen.failures) for seen in report.seen] == [(Outcome.TOLD, 2)]
    assert house18.in_attic() == [TABLE]
    assert not breaker.state(house18.db).is_open


def test_what_is_not_proved_is_told_at_most(house18: House, tmp_path: Path) -> None:
    house18.db.execute("CREATE SCHEMA other; CREATE TABLE twice (id int); CREATE TABLE other.twice (id int)")
    twice = ("table:other.twice", "table:public.twice")
    plan = house18.plan(TABLE, COLUMN, "enum:public.colour", "constraint:public.orders.total_check", *twice)
    (colour,) = (step.deprecated_name for step in plan.steps if str(step.element) == "enum:public.colour")
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        for statement in (
            # It can mean either.
            "SELECT * FROM twice",
            # A type that refuses a value does so under any name.
            f"SELECT 'bogus'::{colour}",
            # Nothing of the attic.
            "SELECT * FROM nowhere.users_old",
            "SELECT nothing FROM orders",
            "INSERT INTO orders (id, total) VALUES (1, -1)",
            "SELECT 'users_old'::int",
            "SELECT users_old.id FROM orders",
        ):
            fails(house18, statement)
        # One of pgattic's own.
        with pytest.raises(StatementFailedError):
            house18.db.execute("SELECT * FROM users_old")
        # What comes last has been read when it was acted upon.
        fails(house18, "SELECT * FROM users_old")
        until(lambda: TABLE not in house18.in_attic())
        report = watch.end()
    acted = {str(seen.first.element) for seen in report.seen if seen.outcome is not Outcome.TOLD}
    assert acted == {TABLE}
    told = {str(seen.first.element): seen.why for seen in report.seen if seen.outcome is Outcome.TOLD}
    assert told == dict.fromkeys((*twice, "enum:public.colour"), "it can have meant something else")
    assert {seen.failures for seen in report.seen} == {1}


def test_errors_from_before_and_of_other_databases_are_nobodys(house18: House, tmp_path: Path) -> None:
    fails(house18, "SELECT * FROM gone")
    house18.db.execute("CREATE TABLE gone (id int)")
    plan = house18.plan("table:public.gone", TABLE)
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        with (
            Database.connect(house18.database.server.dsn(), application_name="shop") as other,
            pytest.raises(StatementFailedError),
        ):
            other.execute("SELECT * FROM users_old")
        fails(house18, "SELECT count(*) FROM users_old")
        until(lambda: house18.in_attic() == ["table:public.gone"])
        report = watch.end()
    assert [str(seen.first.element) for seen in report.seen] == [TABLE]


def test_a_refused_rollback_is_told_and_not_tried_again(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE)
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        # The table's row type would have the name, too.
        house18.db.execute("CREATE TYPE users_old AS ENUM ('new')")
        fails(house18, "SELECT * FROM users_old")
        until(lambda: any("could not bring back" in line for line in watch.told))
        fails(house18, "SELECT * FROM users_old")
        until(lambda: breaker.state(house18.db).is_open)
        time.sleep(0.3)
        report = watch.end()
    (seen,) = report.seen
    assert (seen.outcome, seen.failures) == (Outcome.FAILED, 2)
    assert "taken again, by a type" in (seen.why or "")
    assert sum("could not bring back" in line for line in watch.told) == 1
    assert house18.in_attic() == [TABLE]
    last = [row.content for row in audit.read(house18.db) if row.content["event"] == "guard"]
    assert [entry["detail"]["outcome"] for entry in last] == ["failed"]


def test_a_rollback_that_waits_for_a_lock_is_tried_again(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE)
    now = plan.steps[0].deprecated_name
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        with (
            Database.connect(house18.database.dsn(), application_name="report") as reader,
            reader.transaction(),
        ):
            reader.execute(f"SELECT * FROM {now}")
            fails(house18, "SELECT * FROM users_old")
            until(lambda: any("could not bring back" in line for line in watch.told))
        report = watch.wait()
    assert report.seen[0].outcome is Outcome.BROUGHT_BACK
    assert report.seen[0].why is None


def test_of_several_that_fail_at_once_one_that_waits_keeps_no_other_back(
    house18: House, tmp_path: Path
) -> None:
    house18.db.execute("CREATE TABLE second (id int); CREATE TABLE third (id int)")
    names = ("users_old", "second", "third")
    plan = house18.plan(*(f"table:public.{name}" for name in names))
    now = next(step.deprecated_name for step in plan.steps if step.element == USERS)
    together = threading.Barrier(len(names))

    def use(name: str) -> None:
        with Database.connect(house18.database.dsn(), application_name="shop") as app:
            together.wait(30)
            assert not readable(app, name)

    with guarding(house18, plan, tmp_path, Action.ROLLBACK_ELEMENT) as watch:
        with (
            Database.connect(house18.database.dsn(), application_name="report") as reader,
            reader.transaction(),
        ):
            reader.execute(f"SELECT * FROM {now}")
            clients = [threading.Thread(target=use, args=(name,)) for name in names]
            for client in clients:
                client.start()
            for client in clients:
                client.join(60)
            # The others come back while somebody holds the lock on the first.
            until(lambda: house18.in_attic() == [TABLE])
        report = watch.wait()
    assert {str(seen.first.element): seen.outcome for seen in report.seen} == {
        f"table:public.{name}": Outcome.BROUGHT_BACK for name in names
    }
    assert house18.in_attic() == []


def test_where_locks_are_held_longer_than_the_guard_lasts_the_breaker_opens_and_it_is_told(
    house18: House, tmp_path: Path
) -> None:
    plan = house18.plan(TABLE)
    now = plan.steps[0].deprecated_name
    alerts: list[Mapping[str, Any]] = []
    settings = settings_of(house18, tmp_path)
    # Not one of the failures to get a lock, but the end of the guard opens it.
    patient = settings.policy.model_copy(update={"lock_failures_allowed": 1000})
    settings = settings.model_copy(update={"policy": patient})
    with (
        guarding(
            house18, plan, tmp_path, Action.ROLLBACK_ELEMENT, settings=settings, alert=alerts.append
        ) as watch,
        Database.connect(house18.database.dsn(), application_name="report") as reader,
        reader.transaction(),
    ):
        reader.execute(f"SELECT * FROM {now}")
        fails(house18, "SELECT * FROM users_old WHERE name = 'secret'")
        until(lambda: any("could not bring back" in line for line in watch.told))
        assert not breaker.state(house18.db).is_open
        report = watch.end()
    assert report.still_in_attic == (USERS,)
    assert report.seen[0].outcome is Outcome.FAILED
    assert "report" in (report.seen[0].why or ""), "who held the lock"
    state = breaker.state(house18.db)
    assert (state.is_open, "the guard could not bring back" in (state.reason or "")) == (True, True)
    assert [row["severity"] for row in alerts] == ["critical"] * 3
    first, failed, ended = (row["message"] for row in alerts)
    assert f"the guard brings back {plan.id}" in first
    assert "could not bring back" in failed
    assert "it is tried again" in failed
    assert "is not back" in ended
    assert "pgattic rollback" in ended
    assert "secret" not in str(alerts)
    outcomes = [row.content["detail"] for row in audit.read(house18.db) if row.content["event"] == "guard"]
    assert [detail["outcome"] for detail in outcomes] == ["failed"]


def test_a_server_that_is_away_for_a_moment_is_waited_for(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE)
    settings = settings_of(house18, tmp_path)
    ears = ears_of(house18, settings)
    apply(house18.db, plan)
    calls: list[int] = []

    def connect() -> Database:
        calls.append(1)
        if len(calls) in (2, 3):
            raise ConnectionFailedError("it is being restarted")
        return Database.connect(house18.database.dsn())

    fails(house18, "SELECT * FROM users_old")
    told: list[str] = []
    guard = Guard(connect, settings, ears, plan.id, Action.ROLLBACK_ELEMENT, tell=told.append)
    report = guard.run(lambda: not time.sleep(0.05))
    assert report.seen[0].outcome is Outcome.BROUGHT_BACK
    assert sum("it is being restarted" in line for line in told) == 1


def test_what_is_not_in_the_attic_cannot_be_guarded(house18: House, tmp_path: Path) -> None:
    settings = settings_of(house18, tmp_path)
    ears = ears_of(house18, settings)
    guard = Guard(lambda: Database.connect(house18.database.dsn()), settings, ears, "m1", Action.ALERT)
    with pytest.raises(NothingInAtticError, match="nothing of it is in the attic"):
        guard.run(lambda: False)


def until(is_so: object, seconds: float = 30) -> None:
    """Wait until something is so."""
    assert callable(is_so)
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900), ("1d12h", 129_600), (" 2s ", 2)])
def test_times_to_watch_are_read(text: str, seconds: int) -> None:
    assert guarded_time(text).total_seconds() == seconds


@pytest.fixture
def guardable(house18: House, command: CommandLine) -> CommandLine:
    """The command line with the server's log in its configuration."""
    with command.config.open("a") as file:
        file.write(f'[logs]\ndirectory = "{house18.database.server.log_directory}"\npoll_seconds = 0.1\n')
    return command


def started(command: CommandLine, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own, as only such a one can be sent a signal."""
    program = [sys.executable, "-c", "import pgattic; pgattic.run()", "--config", str(command.config)]
    return subprocess.Popen(
        [*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def test_the_command_says_what_it_saw(house18: House, guardable: CommandLine) -> None:
    ended = guardable("guard")
    assert (ended.code, "nothing is in the attic" in ended.err) == (2, True)
    house18.deprecate(TABLE)
    found = json.loads(guardable("guard", "--for", "1s", "--on-failure", "alert", "--json").out)
    assert (found["action"], found["seen"], found["still_in_attic"]) == ("alert", [], [TABLE])
    assert guardable("guard", "--for", "soon").code == 2
    ended = guardable("guard", "--on-failure", "off")
    assert (ended.code, "off" in ended.err) == (1, True)


def test_apply_guards_from_its_rename_on_and_a_signal_ends_that(
    house18: House, guardable: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGATTIC_POLICY__MIN_AGE_DAYS", "0")
    house18.db.execute("CREATE TABLE unread (id int); CREATE SEQUENCE unused")
    made = guardable("plan", "table:public.unread", "sequence:public.unused")
    assert made.code == 0, made
    process = started(
        guardable, "apply", str(Path("plan.json").resolve()), "--yes", "--guard", "10m", "--json"
    )
    with Database.connect(house18.database.dsn(), application_name="shop") as app:
        until(lambda: app.fetch_value("SELECT to_regclass('unread') IS NULL"), 120)
        assert not readable(app)
        failed_at = time.monotonic()
        until(lambda: readable(app), PATIENCE_SECONDS)
        figure("after apply", failed_at)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")
    report = json.loads(out)["guard"]
    assert [seen["outcome"] for seen in report["seen"]] == ["brought back"]
    assert report["still_in_attic"] == ["sequence:public.unused"] == house18.in_attic()


def figure(who: str, failed_at: float) -> None:
    """Write the figure for whoever measures; a test asserts no more than its patience."""
    sys.stdout.write(f"{who}: back {time.monotonic() - failed_at:.2f} s after the first failing statement\n")


def readable(app: Database, what: str = "unread") -> bool:
    """Whether a table can be read under its former name."""
    try:
        app.execute(f"SELECT FROM {what}")
    except StatementFailedError:
        return False
    return True

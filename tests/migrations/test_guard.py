"""The guard: a real client fails, and has its table back; nobody else sets it off."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.errors import ConnectionFailedError, StatementFailedError
from migrations import audit, breaker
from migrations.apply import apply
from migrations.commands.guard import guarded_time
from migrations.errors import NothingInAtticError
from migrations.guard import Action, Guard, Outcome
from tests.command_line import CommandLine
from tests.migrations.fix_guard import (
    ears_of,
    fails,
    figure,
    guarding,
    readable,
    settings_of,
    started,
)
from tests.migrations.fix_house import USERS, House
from tests.waiting import PATIENCE_SECONDS, until

COLUMN = "column:public.orders.legacy"
TABLE = str(USERS)
SEQUENCE = "sequence:public.numbers"


def test_a_client_has_its_table_back(house: House, tmp_path: Path) -> None:
    plan = house.plan(TABLE)
    with guarding(house, plan, tmp_path) as watch:
        with Database.connect(house.database.dsn(), application_name="shop") as app:
            failed_at = time.monotonic()
            assert not readable(app, "users_old WHERE name <> 'secret'")
            until(lambda: readable(app, "users_old WHERE name <> 'secret'"))
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
    plan = house18.plan(TABLE, COLUMN, "enum:public.colour", SEQUENCE)
    with guarding(house18, plan, tmp_path) as watch:
        fails(house18, "SELECT * FROM public.users_old")
        fails(house18, "UPDATE orders SET legacy = 'x'")
        fails(house18, "DO $$ BEGIN PERFORM 'red'::colour; END $$")
        until(lambda: house18.in_attic() == [SEQUENCE])
        report = watch.end()
    assert {str(seen.first.element): seen.outcome for seen in report.seen} == {
        TABLE: Outcome.BROUGHT_BACK,
        COLUMN: Outcome.BROUGHT_BACK,
        "enum:public.colour": Outcome.BROUGHT_BACK,
    }
    assert [str(element) for element in report.still_in_attic] == [SEQUENCE]


def test_a_whole_migration_comes_back_at_once(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE, COLUMN, SEQUENCE)
    with guarding(house18, plan, tmp_path, Action.ROLLBACK_MIGRATION) as watch:
        fails(house18, "SELECT legacy FROM orders")
        report = watch.wait()
    assert [str(seen.first.element) for seen in report.seen] == [COLUMN]
    assert not house18.in_attic()
    assert any("with the whole migration" in line for line in watch.told)


def test_to_alert_changes_nothing(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE, SEQUENCE)
    with guarding(house18, plan, tmp_path, Action.ALERT) as watch:
        fails(house18, "SELECT * FROM users_old")
        fails(house18, "SELECT * FROM users_old")
        # What comes last has been read when it is told, and what came before it.
        fails(house18, "SELECT nextval('numbers')")
        until(lambda: watch.has_told(SEQUENCE))
        report = watch.end()
    assert [(seen.outcome, seen.failures) for seen in report.seen] == [(Outcome.TOLD, 2), (Outcome.TOLD, 1)]
    assert set(house18.in_attic()) == {TABLE, SEQUENCE}
    assert not breaker.state(house18.db).is_open


def test_what_is_not_proved_is_told_at_most(house18: House, tmp_path: Path) -> None:
    house18.db.execute("CREATE SCHEMA other; CREATE TABLE twice (id int); CREATE TABLE other.twice (id int)")
    twice = ("table:other.twice", "table:public.twice")
    plan = house18.plan(TABLE, COLUMN, "enum:public.colour", "constraint:public.orders.total_check", *twice)
    (colour,) = (step.deprecated_name for step in plan.steps if str(step.element) == "enum:public.colour")
    with guarding(house18, plan, tmp_path) as watch:
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
    with guarding(house18, plan, tmp_path) as watch:
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
    plan = house18.plan(TABLE, SEQUENCE)
    with guarding(house18, plan, tmp_path) as watch:
        # The table's row type would have the name, too.
        house18.db.execute("CREATE TYPE users_old AS ENUM ('new')")
        fails(house18, "SELECT * FROM users_old")
        until(lambda: watch.has_told("could not bring back"))
        until(lambda: breaker.state(house18.db).is_open)
        fails(house18, "SELECT * FROM users_old")
        # When this one is back, what came before it has been read.
        fails(house18, "SELECT nextval('numbers')")
        until(lambda: house18.in_attic() == [TABLE])
        report = watch.end()
    seen, _ = report.seen
    assert (seen.outcome, seen.failures) == (Outcome.FAILED, 2)
    assert "taken again, by a type" in (seen.why or "")
    assert sum("could not bring back" in line for line in watch.told) == 1
    assert house18.in_attic() == [TABLE]
    last = [row.content for row in audit.read(house18.db) if row.content["event"] == "guard"]
    assert [entry["detail"]["outcome"] for entry in last] == ["failed", "rolled back"]


def test_a_rollback_that_waits_for_a_lock_is_tried_again(house18: House, tmp_path: Path) -> None:
    plan = house18.plan(TABLE)
    now = plan.steps[0].deprecated_name
    with guarding(house18, plan, tmp_path) as watch:
        with (
            Database.connect(house18.database.dsn(), application_name="report") as reader,
            reader.transaction(),
        ):
            reader.execute(f"SELECT * FROM {now}")
            fails(house18, "SELECT * FROM users_old")
            until(lambda: watch.has_told("could not bring back"))
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
            together.wait(PATIENCE_SECONDS)
            assert not readable(app, name)

    with guarding(house18, plan, tmp_path) as watch:
        with (
            Database.connect(house18.database.dsn(), application_name="report") as reader,
            reader.transaction(),
        ):
            reader.execute(f"SELECT * FROM {now}")
            clients = [threading.Thread(target=use, args=(name,)) for name in names]
            for client in clients:
                client.start()
            for client in clients:
                client.join(PATIENCE_SECONDS)
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
    settings = settings_of(house18, tmp_path)
    # Not one of the failures to get a lock, but the end of the guard opens it.
    patient = settings.policy.model_copy(update={"lock_failures_allowed": 1000})
    settings = settings.model_copy(update={"policy": patient})
    with (
        guarding(house18, plan, tmp_path, settings=settings) as watch,
        Database.connect(house18.database.dsn(), application_name="report") as reader,
        reader.transaction(),
    ):
        reader.execute(f"SELECT * FROM {now}")
        fails(house18, "SELECT * FROM users_old WHERE name = 'secret'")
        until(lambda: watch.has_told("could not bring back"))
        assert not breaker.state(house18.db).is_open
        report = watch.end()
    assert report.still_in_attic == (USERS,)
    assert report.seen[0].outcome is Outcome.FAILED
    assert "report" in (report.seen[0].why or ""), "who held the lock"
    state = breaker.state(house18.db)
    assert (state.is_open, "the guard could not bring back" in (state.reason or "")) == (True, True)
    assert [row["severity"] for row in watch.alerts] == ["critical"] * 3
    first, failed, ended = (row["message"] for row in watch.alerts)
    assert f"the guard brings back {plan.id}" in first
    assert "could not bring back" in failed
    assert "it is tried again" in failed
    assert "is not back" in ended
    assert "pgattic rollback" in ended
    assert "secret" not in str(watch.alerts)
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
    report = guard.run(lambda: not threading.Event().wait(0.05))
    assert report.seen[0].outcome is Outcome.BROUGHT_BACK
    assert sum("it is being restarted" in line for line in told) == 1


def test_what_is_not_in_the_attic_cannot_be_guarded(house18: House, tmp_path: Path) -> None:
    settings = settings_of(house18, tmp_path)
    ears = ears_of(house18, settings)
    guard = Guard(lambda: Database.connect(house18.database.dsn()), settings, ears, "m1", Action.ALERT)
    with pytest.raises(NothingInAtticError, match="nothing of it is in the attic"):
        guard.run(lambda: False)


@pytest.mark.parametrize(("text", "seconds"), [("15m", 900), ("1d12h", 129_600), (" 2s ", 2)])
def test_times_to_watch_are_read(text: str, seconds: int) -> None:
    assert guarded_time(text).total_seconds() == seconds


@pytest.fixture
def guardable(house18: House, command: CommandLine) -> CommandLine:
    """The command line with the server's log in its configuration."""
    with command.config.open("a") as file:
        file.write(f'[logs]\ndirectory = "{house18.database.server.log_directory}"\npoll_seconds = 0.1\n')
    return command


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
        until(lambda: app.fetch_value("SELECT to_regclass('unread') IS NULL"))
        assert not readable(app)
        failed_at = time.monotonic()
        until(lambda: readable(app))
        figure("after apply", failed_at)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (1, "")
    report = json.loads(out)["guard"]
    assert [seen["outcome"] for seen in report["seen"]] == ["brought back"]
    assert report["still_in_attic"] == ["sequence:public.unused"] == house18.in_attic()

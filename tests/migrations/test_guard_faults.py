"""The guard when things go wrong around it: logs that rotate or go away, sessions that end, a signal."""

import gzip
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from catalog.database import Database
from catalog.terminal import Invocation
from catalog.throwaway import ThrowawayServer
from ingest.logs.tail import Logs
from ingest.store import Store
from migrations import audit, breaker, registry
from migrations.commands.guard import listen
from migrations.guard import Outcome
from migrations.guard.log import GuardedLog
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase, fresh_database
from tests.migrations.fix_guard import Watch, fails, guarding_as_configured, readable, started
from tests.migrations.fix_house import SCHEMA, USERS, House
from tests.waiting import PATIENCE_SECONDS, until

TABLE = str(USERS)
_GOOD_PREFIX = "%m [%p] %q%u@%d %e %a "


@pytest.fixture(scope="module")
def alone() -> Iterator[ThrowawayServer]:
    """A server whose log is not shared with other tests, as its settings are changed here."""
    with ThrowawayServer() as server:
        yield server


@pytest.fixture
def house(alone: ThrowawayServer) -> Iterator[House]:
    for database in fresh_database(alone):
        database.db.execute(SCHEMA)
        registry.install(database.db)
        house = House(database)
        yield house
        reset_log(house)


def reset_log(house: House) -> None:
    """Take changes of settings back, if there are any."""
    changed = "SELECT count(*) FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'"
    if house.db.fetch_value(changed):
        house.db.execute("ALTER SYSTEM RESET ALL")
        house.db.execute("SELECT pg_reload_conf()")
        until(lambda: house.db.fetch_value("SHOW log_destination") == "csvlog")
        log_reaches(house, "csv")


def configured(house: House, tmp_path: Path, logs: Path | None = None, more: str = "") -> Path:
    config = tmp_path / "pgattic.toml"
    config.write_text(
        f'[database]\ndsn = "{house.database.dsn()}"\nenvironment = "development"\n{more}'
        f'[logs]\ndirectory = "{logs or house.database.server.log_directory}"\npoll_seconds = 0.1\n'
    )
    return config


@contextmanager
def guarding(house: House, config: Path, *elements: str) -> Iterator[Watch]:
    """A guard as the commands make it, by default of the table."""
    with guarding_as_configured(house, house.plan(*(elements or (TABLE,))), config) as watch:
        yield watch


def set_log(house: House, **settings: str) -> None:
    """Change settings of the log, and wait until a file of the new format is there."""
    for name, value in settings.items():
        house.db.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    # A file of the same second would have the same name, and seem to tell again what the other one tells.
    time.sleep(1.1)
    house.db.execute("SELECT pg_reload_conf()")
    shown = house.db.fetch_value
    until(lambda: all(shown(f"SHOW {name}") == value for name, value in settings.items()))
    log_reaches(house, {"jsonlog": "json", "stderr": "log"}.get(settings.get("log_destination", ""), "csv"))


def log_reaches(house: House, suffix: str) -> None:
    """Wait until a line of a format is there: before that nobody can tell the format.

    Until the collector has opened the file of a format, it writes its lines elsewhere.
    """
    folder = house.database.server.log_directory
    mark = f"mark_{uuid4().hex}"

    def is_there() -> bool:
        fails(house, f"SELECT * FROM {mark}")
        return any(mark in path.read_text() for path in folder.glob(f"*.{suffix}"))

    until(is_there)


@pytest.mark.parametrize("log_destination", ["csvlog", "jsonlog", "stderr"])
def test_logs_of_every_format_are_heard(house: House, tmp_path: Path, log_destination: str) -> None:
    set_log(house, log_destination=log_destination, log_line_prefix=_GOOD_PREFIX)
    with guarding(house, configured(house, tmp_path)) as watch:
        fails(house, "SELECT * FROM users_old WHERE name = 'secret'")
        report = watch.wait()
    (seen,) = report.seen
    assert (seen.outcome, seen.first.sqlstate, seen.first.application) == (
        Outcome.BROUGHT_BACK,
        "42P01",
        "shop",
    )
    assert report.blind == ()
    assert "secret" not in str(report) + str(watch.told)


def test_a_stderr_log_that_proves_nothing_is_a_blind_spot(house: House, tmp_path: Path) -> None:
    set_log(house, log_destination="stderr", log_line_prefix="%m [%p] ")
    with guarding(house, configured(house, tmp_path)) as watch:
        fails(house, "SELECT * FROM users_old")
        until(lambda: bool(watch.told))
        report = watch.end()
    (blind,) = report.blind
    assert "no %e (SQLSTATE) and no %d (database)" in blind.why
    assert report.seen[0].why == "it can have meant something else"
    assert house.in_attic() == [TABLE]


def test_settings_that_hide_failed_statements_are_a_blind_spot(house: House, tmp_path: Path) -> None:
    set_log(house, log_min_error_statement="error")
    house.db.execute("ALTER SYSTEM SET log_min_error_statement = 'panic'")
    house.db.execute("SELECT pg_reload_conf()")
    until(lambda: house.db.fetch_value("SHOW log_min_error_statement") == "panic")
    with listen(Invocation(configured(house, tmp_path))) as ears:
        (blind,) = ears.blind
    assert "keep failed statements out of this csvlog" in blind.why


def test_a_log_that_the_server_rotates_is_heard_on(house: House, tmp_path: Path) -> None:
    with guarding(house, configured(house, tmp_path), TABLE, "sequence:public.numbers") as watch:
        fails(house, "SELECT * FROM users_old")
        until(lambda: house.in_attic() == ["sequence:public.numbers"])
        folder = house.database.server.log_directory
        before = set(folder.glob("*.csv"))
        # The file's name has the second in it.
        until(lambda: _rotated(house) and set(folder.glob("*.csv")) > before)
        fails(house, "SELECT nextval('numbers')")
        report = watch.wait()
    assert {seen.outcome for seen in report.seen} == {Outcome.BROUGHT_BACK}


def _rotated(house: House) -> bool:
    house.db.execute("SELECT pg_rotate_logfile()")
    time.sleep(1.1)
    return True


@pytest.mark.parametrize("how", ["renamed", "compressed", "copied and emptied"])
def test_what_was_not_read_before_a_rotation_is_read_after_it(house: House, tmp_path: Path, how: str) -> None:
    source = max(house.database.server.log_directory.glob("*.csv"), key=lambda path: path.stat().st_mtime)
    folder = tmp_path / "log"
    folder.mkdir()
    log = folder / "postgresql.csv"
    shutil.copy(source, log)
    old = folder / "of-yesterday.csv.gz"
    old.write_bytes(gzip.compress(b"".join(source.read_bytes().splitlines(keepends=True)[1:])))
    heard = GuardedLog(Logs(folder, None, "primary"), house.database.name, "UTC")
    heard.go_on_from(heard.ends())
    assert _told(heard) == []
    fails(house, "SELECT * FROM gone_by_now")
    until(lambda: b"gone_by_now" in source.read_bytes()[log.stat().st_size :])
    shutil.copy(source, log)
    match how:
        case "renamed":
            log.rename(folder / "postgresql.1.csv")
        case "compressed":
            (folder / "postgresql.1.csv.gz").write_bytes(gzip.compress(log.read_bytes()))
            log.unlink()
        case _:
            shutil.copy(log, folder / "postgresql.1.csv")
            log.write_bytes(b"")
    assert _told(heard) == ["SELECT * FROM gone_by_now"]
    assert _told(heard) == []


def _told(log: GuardedLog) -> list[str]:
    return [row["sql"].decode() for rows in log.errors() for row in rows]


def test_the_primary_s_log_that_goes_away_is_told_and_read_on_when_it_is_back(
    house: House, tmp_path: Path
) -> None:
    logs = tmp_path / "mounted"
    logs.symlink_to(house.database.server.log_directory)
    with guarding(house, configured(house, tmp_path, logs)) as watch:
        logs.unlink()
        until(lambda: watch.has_told("blind: node primary"))
        fails(house, "SELECT * FROM users_old")
        time.sleep(0.3)
        assert house.in_attic() == [TABLE]
        logs.symlink_to(house.database.server.log_directory)
        report = watch.wait()
    assert [seen.outcome for seen in report.seen] == [Outcome.BROUGHT_BACK]
    assert [(one.node, one.until is None) for one in report.blind] == [("primary", False)]
    assert sum("is blind: node primary" in row["message"] for row in watch.alerts) == 1


def waiting_for_a_lock(house: House) -> list[int]:
    """The sessions of pgattic that wait for one."""
    rows = house.db.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgattic' AND wait_event_type = 'Lock'"
        " AND datname = current_database()"
    )
    return [row["pid"] for row in rows]


def test_a_session_that_ends_within_a_rollback_changes_nothing_and_it_is_tried_again(
    house: House, tmp_path: Path
) -> None:
    config = configured(house, tmp_path, more="lock_timeout_ms = 600000\n")
    with guarding(house, config) as watch:
        with holding_the_table(house):
            fails(house, "SELECT * FROM users_old")
            until(lambda: waiting_for_a_lock(house))
            (pid,) = waiting_for_a_lock(house)
            house.db.execute("SELECT pg_terminate_backend(%s)", [pid])
            until(lambda: watch.has_told("could not bring back"))
            assert house.in_attic() == [TABLE]
        report = watch.wait()
    assert [(seen.outcome, seen.why) for seen in report.seen] == [(Outcome.BROUGHT_BACK, None)]
    events = [row.content["event"] for row in audit.read(house.db)]
    assert events[-4:] == ["rollback_intent", "rollback_outcome", "guard", "breaker_opened"]
    assert events.count("rollback_intent") == 2


@contextmanager
def holding_the_table(house: House) -> Iterator[None]:
    (now,) = (item.deprecated_name for item in registry.in_attic(house.db))
    with (
        Database.connect(house.database.dsn(), application_name="report") as reader,
        reader.transaction(),
    ):
        reader.execute(f"SELECT FROM {now}")
        yield


@pytest.mark.parametrize("lock_comes", [True, False])
def test_a_signal_in_the_middle_of_a_rollback_leaves_nothing_half_done(
    house: House,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    lock_comes: bool,
) -> None:
    timeout = 600_000 if lock_comes else 2000
    config = configured(house, tmp_path, more=f"lock_timeout_ms = {timeout}\n")
    house.deprecate(TABLE)
    process = started(CommandLine(config, capsys, monkeypatch), "guard", "--for", "10m", "--json")
    with holding_the_table(house):
        _fail_until(house, lambda: bool(waiting_for_a_lock(house)))
        process.send_signal(signal.SIGTERM)
        if not lock_comes:
            process.wait(PATIENCE_SECONDS)
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (1, "")
    report = json.loads(out)
    last = list(audit.read(house.db))
    events = {row.content["event"]: row.content["detail"] for row in last}
    assert events["guard"]["outcome"] == ("rolled back" if lock_comes else "failed")
    assert house.in_attic() == ([] if lock_comes else [TABLE])
    assert house.exists(TABLE) is lock_comes
    assert [seen["outcome"] for seen in report["seen"]] == [
        "brought back" if lock_comes else "could not be brought back"
    ]
    assert breaker.state(house.db).is_open
    # Each intent has its outcome.
    intents = [row.content["event"] for row in last if row.content["event"].startswith("rollback")]
    assert intents == ["rollback_intent", "rollback_outcome"] * (len(intents) // 2)


def _fail_until(house: House, happened: Callable[[], bool]) -> None:
    """Use the table until something happens: nobody says when the guard of another process listens."""

    def has_happened() -> bool:
        if happened():
            return True
        _is_readable(house)
        return False

    until(has_happened)


def test_a_server_that_is_restarted_is_guarded_on(tmp_path: Path) -> None:
    with ThrowawayServer() as server:
        with Database.connect(server.dsn()) as db:
            db.execute(SCHEMA)
            registry.install(db)
            house = House(FreshDatabase(server, "postgres", db))
            with guarding(house, configured(house, tmp_path)) as watch:
                server.stop()
                time.sleep(1.1)
                server.start()
                until(lambda: _is_readable(house) or not watch.is_alive)
                report = watch.wait()
        assert [seen.outcome for seen in report.seen] == [Outcome.BROUGHT_BACK]
        with Database.connect(server.dsn()) as db:
            assert registry.in_attic(db) == []


def _is_readable(house: House) -> bool:
    with Database.connect(house.database.dsn(), application_name="shop") as app:
        return readable(app, "users_old")


def test_an_ingest_on_the_same_data_directory_and_the_guard_do_not_disturb_each_other(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    more = f'[data]\ndirectory = "{data}"\n[alerts]\njson_file = "{tmp_path / "alerts.jsonl"}"\n'
    config = configured(house, tmp_path, more=more)
    command = CommandLine(config, capsys, monkeypatch)
    house.deprecate(TABLE, "sequence:public.numbers")
    assert command("ingest", "--once").code in (0, 1)
    ingest = started(command, "ingest", "--follow")
    guard = started(command, "guard", "--for", "10m", "--json")
    try:
        _fail_until(house, lambda: house.in_attic() == ["sequence:public.numbers"])
        fails(house, "SELECT nextval('numbers')")
        until(lambda: house.in_attic() == [])
        out, err = guard.communicate(timeout=PATIENCE_SECONDS)
        until(lambda: _uses(data, "sequence:public.numbers") == 1)
        until(lambda: _alerted(tmp_path) >= {TABLE, "sequence:public.numbers"})
    finally:
        for process in (ingest, guard):
            _end(process)
    assert (guard.returncode, err) == (1, "")
    assert {seen["outcome"] for seen in json.loads(out)["seen"]} == {"brought back"}
    assert ingest.returncode == 0
    assert command("ingest", "--once").code in (0, 1)
    assert _uses(data, "sequence:public.numbers") == 1, "each use once"


def _uses(data: Path, element: str) -> int:
    rows = Store(data).rows("access", ["element", "source"]).to_pylist()
    return sum((row["element"], row["source"]) == (element, "error") for row in rows)


def _alerted(folder: Path) -> set[str]:
    """The elements of which the guard has told."""
    path = folder / "alerts.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {row["element"] for row in rows if row["rule"] == "guard" and "name back" in row["message"]}


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)

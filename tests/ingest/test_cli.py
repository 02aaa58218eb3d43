"""`pgattic ingest` on a real server's logs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner, Result

import ingest.cli
from catalog.database import Database, identifier
from catalog.errors import ConnectionFailedError, PgatticError, SnapshotError, StatementFailedError
from catalog.reading import load_snapshot, read_snapshot, to_json
from catalog.terminal import Invocation
from ingest.errors import AlreadyRunningError, LogsUnavailableError, StoreError
from ingest.lock import exclusive
from ingest.schemas import ALERT
from ingest.store import Store
from tests.fix_server import FreshDatabase
from tests.ingest.fix_ingest import NOON, missing, record, shop
from tests.ingest.fix_logs import Message, error, stderr
from tests.waiting import PATIENCE_SECONDS, times_logged, until, until_logged

_REGISTRY = Path(__file__).parents[2] / "migrations/sql/registry/0001_registry.sql"
_DEPRECATED = "users_old_deprecated_20261122_unused"
_CANARY = "kanarienvogel"


def an_alert_each(accesses: pa.Table, now: object) -> pa.Table:
    """Every access is alarming."""
    rows = [
        {key: row[key] for key in ("element", "application", "origin", "log_offset", "day", "occurred_at")}
        for row in accesses.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=ALERT)


def tell(alert: Mapping[str, Any]) -> str:
    """One line."""
    return f"ALERT {alert['element']} used by {alert['application']}"


def make_app(config: Path | None) -> typer.Typer:
    """The command line with nothing but `ingest`."""
    app = typer.Typer()

    @app.callback()
    def main(ctx: typer.Context) -> None:
        ctx.obj = Invocation(config)

    ingest.cli.register(app, alerting=lambda _job: nullcontext(an_alert_each), describe=tell)
    return app


@dataclass(frozen=True)
class Site:
    """A database with one table in the attic, and the configuration of an ingest that watches it."""

    database: FreshDatabase
    config: Path
    data: Path

    def ingest(self, *arguments: str) -> str:
        """Run the command; raise the error that it ended with, or give what it printed."""
        result = CliRunner().invoke(make_app(self.config), ["ingest", *arguments], catch_exceptions=True)
        if isinstance(result.exception, PgatticError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def fail_on_former_name(self, statement: str) -> None:
        """Send a statement that fails, as an application would; the log has it when this returns."""
        dsn = self.database.dsn("ann")
        before = times_logged(self.database.server, statement)
        with Database.connect(dsn, application_name="report-job") as db, suppress(StatementFailedError):
            db.execute(statement)
        until_logged(self.database.server, statement, before + 1)

    def accesses(self) -> list[dict[str, Any]]:
        """What the evidence says of the attic."""
        columns = ["element", "operation", "outcome", "source", "sqlstate", "role", "database", "application"]
        return Store(self.data).rows("access", [*columns, "client", "statement_id", "via"]).to_pylist()

    def ingest_until(self, count: int) -> list[dict[str, Any]]:
        """Ingest again and again until so many accesses are there: the log collector is a moment behind."""
        until(lambda: self.ingest("--once") and len(self.accesses()) >= count)
        return self.accesses()


@pytest.fixture
def site(database18: FreshDatabase, tmp_path: Path) -> Site:
    """`public.users_old` went to the attic, by hand."""
    db = database18.db
    role = "ann"
    if not db.fetch_value("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]):
        db.execute(f"CREATE ROLE {identifier(role)} LOGIN")
    db.execute("CREATE TABLE public.users_old (id int, email text)")
    db.execute("GRANT SELECT ON public.users_old TO ann")
    db.execute(
        "CREATE FUNCTION count_old() RETURNS bigint LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN (SELECT count(*) FROM users_old WHERE email <> 'x'); END $$"
    )
    db.execute("CREATE VIEW old_mails WITH (security_invoker = true) AS SELECT email FROM users_old")
    db.execute("GRANT SELECT ON old_mails TO ann")
    db.execute("CREATE SCHEMA pgattic")
    for statement in _REGISTRY.read_text().split(";\n"):
        if statement.strip():
            db.execute(statement)
    with db.transaction():
        db.execute(
            "INSERT INTO pgattic.migration VALUES ('m1', 'executed', 'deprecation', 'unused', '{}', 'h')"
        )
        db.execute(
            "INSERT INTO pgattic.element (migration_id, position, kind, schema_name, former_name,"
            " deprecated_name, object_oid, deprecated_at) VALUES ('m1', 1, 'table', 'public', 'users_old',"
            " %s, 'public.users_old'::regclass, clock_timestamp())",
            [_DEPRECATED],
        )
        db.execute(f"ALTER TABLE public.users_old RENAME TO {_DEPRECATED}")
    return Site(
        database18, configure(tmp_path, database18.dsn(), database18.server.log_directory), tmp_path / "data"
    )


def configure(folder: Path, dsn: str, logs: Path | None) -> Path:
    """Write a configuration file."""
    config = folder / "pgattic.toml"
    lines = [f'[database]\ndsn = "{dsn}"\n', '[data]\ndirectory = "data"\n']
    if logs:
        lines.append(f'[logs]\ndirectory = "{logs}"\npoll_seconds = 0.05\n')
    config.write_text("".join(lines))
    return config


def test_another_database_cannot_take_the_lines_away(site: Site) -> None:
    site.fail_on_former_name("SELECT * FROM users_old")
    with Database.connect(site.database.dsn()) as db:
        (site.data.parent / "other.json").write_bytes(to_json(replace(read_snapshot(db), database="other")))
    site.ingest("--once", "--catalog", str(site.data.parent / "other.json"))
    with pytest.raises(StoreError, match="the evidence of database other"):
        site.ingest("--once")
    (site.data / "ingest.database").unlink()
    site.ingest("--once")
    configure(site.data.parent, site.database.server.dsn(), site.database.server.log_directory)
    with pytest.raises(StoreError, match=f"the evidence of database {site.database.db.name}"):
        site.ingest("--once")


def test_a_failing_use_of_the_former_name_is_found_with_who_and_what(site: Site) -> None:
    site.fail_on_former_name(f"SELECT email FROM users_old WHERE email = '{_CANARY}' AND id = 7355608")
    (access,) = site.ingest_until(1)
    statement_id = access.pop("statement_id")
    assert access == {
        "element": "table:public.users_old",
        "operation": "read",
        "outcome": "error",
        "source": "error",
        "sqlstate": "42P01",
        "role": "ann",
        "database": site.database.name,
        "application": "report-job",
        "client": "127.0.0.1",
        "via": None,
    }
    statements = Store(site.data).rows("statement", ["statement_id", "text"]).to_pylist()
    texts = {row["statement_id"]: row["text"] for row in statements}
    assert texts[statement_id] == "SELECT email FROM users_old WHERE email = $1 AND id = $2"
    for path in site.data.rglob("*.parquet"):
        content = path.read_bytes()
        assert _CANARY.encode() not in content
        assert b"7355608" not in content
    # Of the time before the server last read its settings nothing is claimed; how much that is depends.
    read = Store(site.data).rows("coverage", ["covered_to", "sources"]).sort_by("covered_to").to_pylist()
    assert read[-1]["sources"] == ["error", "sensor"]
    assert {tuple(row["sources"]) for row in read} <= {("error", "sensor"), ()}


def test_uses_within_functions_and_by_duration_lines_are_found(site: Site) -> None:
    db = site.database.db
    with Database.connect(site.database.dsn(), application_name="nightly") as nightly:
        with suppress(StatementFailedError):
            nightly.execute("SELECT count_old()")
        nightly.execute("SET log_min_duration_statement = 0")
        nightly.execute("SELECT * FROM old_mails")
    assert db.fetch_value("SELECT 1") == 1
    found = [(a["element"], a["outcome"], a["via"]) for a in site.ingest_until(2)]
    assert found == [
        ("table:public.users_old", "error", "function:count_old"),
        ("table:public.users_old", "ok", "view:public.old_mails"),
    ]


def test_our_own_sessions_are_no_uses(site: Site) -> None:
    with suppress(StatementFailedError):
        site.database.db.execute("SELECT * FROM users_old")
    site.fail_on_former_name("TABLE users_old")
    assert [access["application"] for access in site.ingest_until(1)] == ["report-job"]


def test_once_prints_a_summary_as_text_or_json(site: Site) -> None:
    site.fail_on_former_name("SELECT 1 FROM users_old")
    assert "records" in site.ingest()
    summary = json.loads(site.ingest("--once", "--json"))
    assert set(summary) == {"files", "records", "accesses", "rejects", "gaps", "alerts", "seconds"}


def test_follow_prints_alerts_for_a_while(site: Site) -> None:
    site.fail_on_former_name("SELECT 1 FROM users_old")
    assert site.ingest("--follow", "--for", "1.5") == "ALERT table:public.users_old used by report-job\n"


def test_a_second_ingest_is_refused_and_the_first_goes_on(site: Site) -> None:
    site.data.mkdir()
    with exclusive(site.data), pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"):
        site.ingest("--once")
    assert site.ingest("--once")


_FOLLOWING = """
import sys
from pathlib import Path
from tests.ingest.test_cli import make_app
make_app(Path(sys.argv[1]))(["ingest", "--follow"])
"""


def test_sigterm_ends_following_with_success(site: Site) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _FOLLOWING, str(site.config)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        site.fail_on_former_name("SELECT 1 FROM users_old")
        assert process.stdout.readline() == "ALERT table:public.users_old used by report-job\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()
    assert len(site.accesses()) == 1


@pytest.mark.parametrize(
    ("logs", "what"), [(None, "is not set"), ("absent", "no such file or folder"), ("empty", "no log")]
)
def test_without_logs_there_is_one_clear_error(tmp_path: Path, logs: str | None, what: str) -> None:
    (tmp_path / "empty").mkdir()
    config = configure(tmp_path, "host=127.0.0.1 port=1", tmp_path / logs if logs else None)
    result = CliRunner().invoke(make_app(config), ["ingest", "--once"])
    assert isinstance(result.exception, LogsUnavailableError)
    assert what in str(result.exception)
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_is_a_file_is_one_clear_error(site: Site) -> None:
    site.data.write_text("")
    with pytest.raises(StoreError, match=r"data.directory"):
        site.ingest("--once")


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    app = make_app(configure(tmp_path, "", tmp_path))
    for arguments in (["--once", "--follow"], ["--once", "--for", "3"]):
        assert CliRunner().invoke(app, ["ingest", *arguments]).exit_code == 2


def shop_file(folder: Path) -> Path:
    """The small shop's catalog as a snapshot file."""
    path = folder / "shop.json"
    path.write_bytes(to_json(shop()))
    return path


def run_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: bytes = b"") -> Result:
    """Run a command in an empty folder, without any configuration."""
    monkeypatch.chdir(folder)
    return CliRunner().invoke(make_app(None), arguments, input=stdin, catch_exceptions=True)


@pytest.mark.parametrize("place", ["logs", "logs/*.csv", "logs/a.csv"])
def test_logs_from_elsewhere_need_no_configuration_and_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.csv").write_bytes(missing("users_old", "select 1 from users_old"))
    catalog = str(shop_file(tmp_path))
    command = ("ingest", "--once", "--logs", place, "--data", "data", "--catalog", catalog, "--json")
    result = run_in(tmp_path, monkeypatch, *command)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["accesses"] == 1
    (covered,) = Store(tmp_path / "data").rows("coverage", ["sources"])["sources"].to_pylist()
    assert covered == []
    assert json.loads(run_in(tmp_path, monkeypatch, *command).stdout)["records"] == 0


def test_names_alone_are_counted_without_any_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(record("statement: select id from public.orders"))
    result = run_in(tmp_path, monkeypatch, "ingest", "--logs", "a.csv", "--data", "data")
    assert result.exit_code == 0, result.output
    elements = Store(tmp_path / "data").rows("usage_hourly", ["element"])["element"].to_pylist()
    assert "table:public.orders" in elements


@pytest.mark.parametrize("prefix", ["%m [%p] ", "%m "])
def test_a_log_without_role_and_session_is_counted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    lines = stderr(Message("statement: select id from public.orders"), prefix)
    (tmp_path / "a.log").write_bytes(lines + stderr(error("select id from gone"), prefix))
    monkeypatch.setenv("PGATTIC_LOGS__LINE_PREFIX", prefix)
    result = run_in(tmp_path, monkeypatch, "ingest", "--logs", "a.log", "--data", "data")
    assert result.exit_code == 0, result.output
    rows = Store(tmp_path / "data").rows("usage_hourly", ["element", "role", "uses"]).to_pylist()
    assert {"element": "table:public.orders", "role": "", "uses": 1} in rows


def test_what_somebody_vouches_for_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGATTIC_LOGS__SHOWS", '["error"]')
    (tmp_path / "a.csv").write_bytes(missing("users_old", "select 1 from users_old"))
    run_in(tmp_path, monkeypatch, "ingest", "--logs", "a.csv", "--data", "data")
    (covered,) = Store(tmp_path / "data").rows("coverage", ["sources"])["sources"].to_pylist()
    assert covered == ["error"]


def test_standard_input_is_read_to_its_end(tmp_path: Path) -> None:
    lines = b"".join(
        missing("users_old", f"select {n} from users_old", at=NOON + timedelta(seconds=n)) for n in range(9)
    )
    code = (
        "from pathlib import Path; import sys; from tests.ingest.test_cli import make_app; make_app(None)("
        "['ingest', '--once', '--logs', '-', '--data', sys.argv[1], '--catalog', sys.argv[2], '--json'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "data"), str(shop_file(tmp_path))],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        input=lines,
        capture_output=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert json.loads(ran.stdout)["accesses"] == 9


def test_rejects_are_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(record("x") + b"damage\n" + record("x", line=2))
    command = ("ingest", "--logs", "a.csv", "--data", "data")
    first = run_in(tmp_path, monkeypatch, *command)
    assert (first.exit_code, "1 reject, 1 gap" in first.stdout) == (1, True)
    assert run_in(tmp_path, monkeypatch, *command).exit_code == 0


def test_an_unreachable_database_is_an_error_that_knows_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(record("x"))
    config = configure(tmp_path, "host=127.0.0.1 port=1", tmp_path)
    result = CliRunner().invoke(make_app(config), ["ingest"])
    assert isinstance(result.exception, ConnectionFailedError)
    assert "--catalog" in str(result.exception)


def test_the_status_tells_the_lag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(record("x"))
    place = ("--logs", "a.csv", "--data", "data")
    nothing_read = run_in(tmp_path, monkeypatch, "ingest", "--status", *place, "--max-lag", "1e9")
    assert (nothing_read.exit_code, "nothing read yet" in nothing_read.stdout) == (1, True)
    run_in(tmp_path, monkeypatch, "ingest", *place)
    assert run_in(tmp_path, monkeypatch, "ingest", "--status", *place, "--max-lag", "0").exit_code == 0
    late = record("x", line=2)
    with path.open("ab") as file:
        file.write(late)
    told = run_in(tmp_path, monkeypatch, "ingest", "--status", *place, "--json")
    lag = json.loads(told.stdout)
    assert (told.exit_code, lag["behind_bytes"], lag["process"]) == (0, len(late), None)
    assert lag["looked_at"]
    # The record that was read last is some time old.
    assert run_in(tmp_path, monkeypatch, "ingest", "--status", *place, "--max-lag", "0").exit_code == 1
    with exclusive(tmp_path / "data"):
        told = run_in(tmp_path, monkeypatch, "ingest", "--status", *place, "--json")
        assert json.loads(told.stdout)["process"] == os.getpid()


def test_a_snapshot_file_is_what_ingest_can_use(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "shop.json"
    app = make_app(site.config)
    told = CliRunner().invoke(app, ["snapshot", str(path), "--json"], catch_exceptions=False)
    assert json.loads(told.stdout)["in_attic"] == 1
    assert load_snapshot(path).database == site.database.name
    site.fail_on_former_name("SELECT 1 FROM users_old")
    CliRunner().invoke(app, ["ingest", "--catalog", str(path)], catch_exceptions=False)
    assert [access["application"] for access in site.accesses()] == ["report-job"]


def test_a_snapshot_that_cannot_be_written_is_one_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = make_app(site.config)
    result = CliRunner().invoke(app, ["snapshot", str(tmp_path / "file" / "shop.json")])
    assert isinstance(result.exception, SnapshotError)


class Following:
    """`pgattic ingest --follow` as a process, with what it tells."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _FOLLOWING, str(config)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "."},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        self.wait_for("Following")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def wait_for(self, what: str) -> str:
        """Read what it tells until it says something."""
        assert self.process.stderr is not None
        found = ""
        while what not in found:
            found = self.process.stderr.readline()
            assert found, f"it ended without saying {what!r}"
        return found

    def end(self) -> int:
        """End it by SIGTERM, and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def test_sighup_reads_the_configuration_anew(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log/a.csv").write_bytes(record("x"))
    config = configure(tmp_path, "", tmp_path / "log")
    good = config.read_text()
    with Following(config) as following:
        config.write_text("[logs\n")
        following.process.send_signal(signal.SIGHUP)
        assert "going on with the old configuration" in following.wait_for("configuration")
        config.write_text(good.replace("poll_seconds = 0.05", "poll_seconds = 0.07"))
        following.process.send_signal(signal.SIGHUP)
        assert "logs.poll_seconds" in following.wait_for("anew")
        following.wait_for("Following")
        assert following.end() == 0
    assert len(Store(tmp_path / "data").rows("coverage", ["records"])) >= 1


def test_standard_input_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_in(tmp_path, monkeypatch, "ingest", "--follow", "--logs", "-").exit_code == 2

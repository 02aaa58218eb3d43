"""The lines that the doctor prints, copied into psql as they stand: each works, and reaches what it says."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.doctor import examine
from analytics.health.check import RELOAD, RESTART, Check
from analytics.health.libraries import at_connection, at_start
from catalog.database import Database
from catalog.settings import DataSettings, LogsSettings, NodeSettings, Settings
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations.registry import install
from tests.fix_server import DEBIAN_15_BIN
from tests.waiting import until

# Nothing can be seen, and other libraries are loaded already.
DARK = {
    "logging_collector": "off",
    "log_destination": "syslog",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "track_counts": "off",
    "compute_query_id": "off",
    "shared_preload_libraries": "pg_prewarm, $libdir/pg_trgm",
    "session_preload_libraries": "pg_trgm",
}
OVERRIDES = (
    'CREATE ROLE "an app"',
    "ALTER ROLE \"an app\" SET log_min_messages = 'panic'",
    "ALTER ROLE \"an app\" IN DATABASE postgres SET log_statement = 'none'",
    "ALTER DATABASE postgres SET compute_query_id = 'off'",
    "ALTER ROLE ALL SET log_min_error_statement = 'panic'",
)
LOADED = "SELECT string_agg(setting, ', ') FROM pg_settings WHERE name LIKE 's%_preload_libraries'"
ROUNDS = 8
OF_REPLICA = " of replica"


@pytest.fixture(params=[EMBEDDED_BIN, DEBIAN_15_BIN], ids=["18", "15"])
def programs(request: pytest.FixtureRequest) -> Path:
    """Where a server comes from; each test changes the settings of its own."""
    found: Path = request.param
    if not (found / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {found}")
    return found


@pytest.fixture
def server(programs: Path) -> Iterator[ThrowawayServer]:
    """A server that loads another library already."""
    with ThrowawayServer(
        settings={"shared_preload_libraries": "pg_prewarm"}, bin_directory=programs
    ) as server:
        yield server


def examined(
    primary: ThrowawayServer, place: Path, *nodes: NodeSettings, user: str = "postgres"
) -> list[Check]:
    settings = Settings(
        logs=LogsSettings(directory=primary.log_directory),
        data=DataSettings(directory=place / "data"),
        nodes=nodes,
    )
    with Database.connect(primary.dsn(user=user)) as db:
        return examine(db, settings, datetime.now(UTC))


def found(name: str, checks: Sequence[Check]) -> Check:
    return next(check for check in checks if check.name == name)


def value(server: ThrowawayServer, what: str) -> str:
    with Database.connect(server.dsn()) as db:
        return str(db.fetch_value(what))


def copied(server: ThrowawayServer, lines: Sequence[str]) -> None:
    """Do what somebody does who copies the lines into psql."""
    script: list[str] = []
    for line in (*lines, None):
        if line is not None and line != RESTART:
            script.append(line)
            continue
        _run(server, script)
        script = []
        if line == RESTART:
            server.stop()
            server.start()


def _run(server: ThrowawayServer, script: Sequence[str]) -> None:
    before = value(server, "SELECT pg_conf_load_time()")
    result = subprocess.run(
        [str(server.program("psql")), "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--dbname={server.dsn()}"],
        input="\n".join(script),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, (script, result.stderr)
    if RELOAD in script:
        until(lambda: value(server, "SELECT pg_conf_load_time()") != before)


def _caught_up(standby: ThrowawayServer, here: str) -> None:
    until(lambda: value(standby, f"SELECT pg_last_wal_replay_lsn() >= '{here}'") == "True")


def test_every_line_works_on_every_server_until_there_is_none(programs: Path, tmp_path: Path) -> None:
    with ThrowawayServer(settings=DARK, bin_directory=programs) as primary:
        with Database.connect(primary.dsn()) as db:
            install(db)
            for override in OVERRIDES:
                db.execute(override)
        with ThrowawayServer(standby_of=primary, bin_directory=programs) as standby:
            replica = NodeSettings(name="replica", dsn=standby.dsn())
            assert found("level", examined(primary, tmp_path, replica)).finding.startswith("blind")
            for _ in range(ROUNDS):
                checks = examined(primary, tmp_path, replica)
                if not any(check.lines for check in checks):
                    break
                for check in checks:
                    copied(standby if check.name.endswith(OF_REPLICA) else primary, check.lines)
                # What is taken back on the primary has to arrive.
                _caught_up(standby, value(primary, "SELECT pg_current_wal_lsn()"))
            for server, of in ((primary, ""), (standby, OF_REPLICA)):
                shared = value(server, "SHOW shared_preload_libraries")
                assert shared.startswith('pg_prewarm, "$libdir/pg_trgm", pg_stat_statements'), shared
                assert value(server, "SHOW session_preload_libraries") == "pg_trgm, auto_explain"
                assert found(f"level{of}", checks).finding.startswith("full: ")
                for name in (
                    "log format",
                    "errors are logged",
                    "counters",
                    "source statements",
                    "source plan",
                ):
                    assert found(f"{name}{of}", checks).ok, found(f"{name}{of}", checks)
                audit = found(f"source audit{of}", checks)
                if programs == DEBIAN_15_BIN:
                    assert (audit.ok, shared.endswith(", pgaudit")) == (True, True)
                else:
                    # This server has no pgaudit: no line, for with such a line it would not start again.
                    assert (audit.ok, "Install pgaudit" in (audit.todo or "")) == (None, True)


def test_a_line_that_waits_for_the_restart_is_not_undone_by_the_next(
    server: ThrowawayServer, programs: Path, tmp_path: Path
) -> None:
    first = found("source statements", examined(server, tmp_path))
    copied(server, first.lines[:1])
    again = examined(server, tmp_path)
    statements, audit = found("source statements", again), found("source audit", again)
    assert statements.lines[0] == RESTART
    if programs == DEBIAN_15_BIN:
        assert audit.lines[0] == (
            "ALTER SYSTEM SET shared_preload_libraries = 'pg_prewarm', 'pg_stat_statements', 'pgaudit';"
        )
        copied(server, audit.lines)
        assert found("source audit", examined(server, tmp_path)).ok
    copied(server, statements.lines)
    assert found("source statements", examined(server, tmp_path)).ok


def test_who_may_not_see_what_is_loaded_gets_no_line_that_would_undo_it(
    server: ThrowawayServer, tmp_path: Path
) -> None:
    copied(server, ["CREATE ROLE guest LOGIN;"])
    for name in ("source statements", "source plan"):
        check = found(name, examined(server, tmp_path, user="guest"))
        assert "may not see" in (check.todo or "")
        assert check.lines == ("GRANT pg_read_all_settings TO guest;",)
    copied(server, check.lines)
    lines = found("source statements", examined(server, tmp_path, user="guest")).lines
    assert lines[0] == "ALTER SYSTEM SET shared_preload_libraries = 'pg_prewarm', 'pg_stat_statements';"


def test_the_lines_of_the_page_work_as_they_stand(server: ThrowawayServer, programs: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    copied(server, ["CREATE ROLE pgattic; CREATE SCHEMA app; CREATE TABLE app.orders (legacy int);"])
    copied(server, ["CREATE TABLE app.users_old_deprecated_20260101_unused (id int);"])
    tried = 0
    for library in ("pgaudit", "pg_stat_statements", "auto_explain"):
        (block,) = (each for each in blocks if f"_preload_libraries = '{library}';" in each)
        if library != "pgaudit" or programs == DEBIAN_15_BIN:
            copied(server, block.splitlines())
            assert library in value(server, LOADED)
            tried += 1
    assert tried >= 2


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("", "'pgaudit'"),
        ("a", "'a', 'pgaudit'"),
        ('"$libdir/a", b', "'$libdir/a', 'b', 'pgaudit'"),
        # What came of quoting a list as one name is taken apart again.
        ('"a, b"', "'a', 'b', 'pgaudit'"),
        ("it's", "'it''s', 'pgaudit'"),
    ],
)
def test_each_library_is_quoted_apart(value: str, quoted: str) -> None:
    loading = at_start({"shared_preload_libraries": value}, "pgaudit")
    assert loading.lines == (f"ALTER SYSTEM SET shared_preload_libraries = {quoted};", RESTART)


def test_what_is_loaded_by_a_path_is_loaded() -> None:
    loaded = {"session_preload_libraries": "$libdir/auto_explain"}
    assert at_connection(loaded, "auto_explain").lines == ()


def test_what_the_command_line_says_no_line_changes() -> None:
    facts = {"shared_preload_libraries": "a", "on_command_line": "port, shared_preload_libraries"}
    loading = at_start(facts, "pgaudit")
    assert loading.lines == ()
    assert "command line" in (loading.obstacle or "")

"""Through PgBouncer in transaction mode: each transaction has another session, and none is left changed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import ConnectionFailedError
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, _free_port
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.pgbouncer
PGBOUNCER = Path("/usr/sbin/pgbouncer")
SESSIONS = 3
OLD = Element.parse("table:public.users_old")
# Each transaction goes to the next session, so that whoever relies on one is found out.
CONFIGURATION = """
[databases]
pooled_shop = host=127.0.0.1 port={port} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
server_round_robin = 1
default_pool_size = {sessions}
logfile = {folder}/log
pidfile = {folder}/pid
"""


@dataclass(frozen=True)
class Pool:
    """A pool of sessions in one database, and a connection to it."""

    database: FreshDatabase
    dsn: str

    def in_each_session(self, question: str) -> set[object]:
        """The answers of all sessions of the pool, asked as an application would, without a transaction."""
        with Database.connect(self.dsn) as db:
            answers = [db._send(question, None).fetchone() for _ in range(2 * SESSIONS)]
        return {next(iter(answer.values())) for answer in answers if answer}


@pytest.fixture
def pool(database18: FreshDatabase, tmp_path: Path) -> Iterator[Pool]:
    """A pool whose sessions are all open; skips where Debian's package is absent."""
    if not PGBOUNCER.exists():
        pytest.skip(f"no {PGBOUNCER}")
    folder = Path(f"/tmp/pgattic-pgbouncer-{os.getpid()}-{database18.name}")
    folder.mkdir()
    user = "embedded_postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    listen_port = _free_port()
    (folder / "users.txt").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(
        CONFIGURATION.format(
            port=database18.server.port,
            name=database18.name,
            listen_port=listen_port,
            folder=folder,
            sessions=SESSIONS,
        )
    )
    process = subprocess.Popen(
        [str(PGBOUNCER), "--quiet", str(folder / "pgbouncer.ini")],
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
    )
    try:
        made = Pool(database18, f"host=127.0.0.1 port={listen_port} dbname=pooled_shop user=postgres")
        with ExitStack() as open_at_once:
            for _ in range(SESSIONS):
                db = open_at_once.enter_context(_connected(made.dsn))
                open_at_once.enter_context(db.transaction())
        yield made
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        shutil.rmtree(folder)


def _connected(dsn: str) -> Database:
    found: list[Database] = []

    def answers() -> bool:
        with suppress(ConnectionFailedError):
            found.append(Database.connect(dsn))
        return bool(found)

    until(answers)
    return found[0]


def test_the_pool_gives_each_transaction_another_session(pool: Pool) -> None:
    assert len(pool.in_each_session("SELECT pg_backend_pid()")) == SESSIONS
    with Database.connect(pool.dsn) as db:
        assert db.is_pooled
        assert db.name == pool.database.name
    assert not pool.database.db.is_pooled


def test_the_whole_way_there_and_back_leaves_no_trace_in_any_session(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = pool.database.db
    db.execute("CREATE TABLE users_old (id int, name text); INSERT INTO users_old VALUES (1, 'x')")
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    run = CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)
    before = pool.in_each_session("SHOW search_path")
    assert run("init", "--dsn", pool.dsn, "--environment", "development").code == 0
    assert run("plan", str(OLD)).code == 0
    refused = run("apply", "plan.json", "--yes")
    assert refused.code == 1
    assert "database.dsn leads to a pooler" in refused.out
    monkeypatch.setenv("PGATTIC_BACKUP__DSN", pool.database.dsn())
    for command in (
        ("plan", str(OLD)),
        ("apply", "plan.json", "--yes"),
        ("status",),
        ("readiness",),
        ("doctor",),
        ("rollback", "--element", str(OLD), "--yes"),
        ("scan",),
    ):
        ended = run(*command)
        assert "Traceback" not in ended.err
        assert ended.code == 0 or command == ("doctor",), (command, ended)
    assert read_snapshot(db).exists(OLD)
    assert pool.in_each_session("SHOW lock_timeout") == {"0"}
    assert pool.in_each_session("SHOW statement_timeout") == {"0"}
    assert pool.in_each_session("SHOW search_path") == before
    assert pool.in_each_session("SHOW transaction_isolation") == {"read committed"}
    assert pool.in_each_session("SELECT count(*) FROM pg_prepared_statements") == {0}
    assert pool.in_each_session("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == {0}


def test_a_failed_transaction_does_not_stick_to_the_session(pool: Pool) -> None:
    with Database.connect(pool.dsn) as db:
        for _ in range(2 * SESSIONS):
            with pytest.raises(Exception, match="42P01"):
                db.execute("SELECT * FROM nope")
    assert pool.in_each_session("SELECT 1") == {1}


def test_why_pg_dump_must_not_go_through_the_pool(pool: Pool, tmp_path: Path) -> None:
    """The fact behind backup.dsn: what it sets stays for the application."""
    command = [str(EMBEDDED_BIN / "pg_dump"), "--schema-only", f"--file={tmp_path / 'dump'}", pool.dsn]
    subprocess.run(command, check=False, capture_output=True)
    assert pool.in_each_session("SHOW search_path") != {'"$user", public'}

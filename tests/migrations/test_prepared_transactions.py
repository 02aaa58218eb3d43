"""Prepared transactions: they have no session, hold their locks until somebody ends them, and use things."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.counters import OpenUse, read_counters
from catalog.database import Database
from catalog.errors import LockTimeoutError
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations.apply import apply
from migrations.blockers import lock_holders
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase, fresh_database
from tests.migrations.checks.conftest import USERS, Bench, furnished
from tests.migrations.fix_house import House

NAME = "it's two-phase"
QUOTED = "'it''s two-phase'"


@pytest.fixture(scope="module", params=[18, pytest.param(15, marks=pytest.mark.pg15)])
def preparing(request: pytest.FixtureRequest) -> Iterator[ThrowawayServer]:
    """A server on which transactions can be prepared, of each supported version."""
    binaries = EMBEDDED_BIN if request.param == 18 else DEBIAN_15_BIN
    if not (binaries / "initdb").exists():
        pytest.skip(f"no PostgreSQL {request.param} in {binaries}")
    with ThrowawayServer(settings={"max_prepared_transactions": "5"}, bin_directory=binaries) as server:
        yield server


@pytest.fixture
def bench(preparing: ThrowawayServer, tmp_path: Path) -> Iterator[Bench]:
    """A database with a reviewer who prepares, and whose transactions are ended at last."""
    for database in fresh_database(preparing):
        database.db.execute("CREATE ROLE pgattic_twophase LOGIN")
        bench = furnished(database, tmp_path)
        database.db.execute("GRANT ALL ON users_old TO pgattic_twophase")
        yield bench
        for row in database.db.fetch("SELECT gid FROM pg_prepared_xacts"):
            end(database, row["gid"])
        database.db.execute("DROP OWNED BY pgattic_twophase; DROP ROLE pgattic_twophase")


def prepare(database: FreshDatabase, statement: str, name: str = NAME) -> None:
    with Database.connect(database.dsn("pgattic_twophase"), application_name="two") as db:
        # A transaction of ours is committed or rolled back, never prepared.
        db._connection.execute("BEGIN")
        db._connection.execute(statement.encode())
        db._connection.execute("PREPARE TRANSACTION '{}'".format(name.replace("'", "''")).encode())


def end(database: FreshDatabase, name: str = NAME) -> None:
    database.db._connection.execute("ROLLBACK PREPARED '{}'".format(name.replace("'", "''")).encode())


def test_checks_and_retries_name_who_prepared_a_transaction(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.01)
    plan = House(bench.database).plan(USERS)
    prepare(bench.database, "INSERT INTO users_old VALUES (1, 'a secret')")
    prepare(bench.database, "SELECT FROM users_old", "another")
    bench.db.execute("SELECT pg_sleep(1.1)")
    said = bench.blocked_by("open-transaction", USERS, max_transaction_seconds=1)
    assert len(said) == 2
    of_one = f"prepared transaction {QUOTED} (role pgattic_twophase, of "
    assert any(of_one in text for text in said)
    todos = [
        finding.todo or "" for finding in bench.findings("open-transaction", USERS, max_transaction_seconds=1)
    ]
    assert any(f"COMMIT PREPARED {QUOTED} or ROLLBACK PREPARED {QUOTED} ends it" in todo for todo in todos)
    with (
        Database.connect(bench.database.dsn(), lock_timeout_ms=20) as db,
        pytest.raises(LockTimeoutError) as refused,
    ):
        apply(db, plan)
    assert "blocked by prepared transaction " in str(refused.value)
    assert of_one in str(refused.value)
    end(bench.database)
    end(bench.database, "another")
    apply(bench.db, plan)


def test_it_is_named_after_a_restart_of_the_server_too(preparing: ThrowawayServer) -> None:
    with ThrowawayServer(settings={"max_prepared_transactions": "5"}, bin_directory=preparing._bin) as server:
        alone = server.dsn()
        with Database.connect(alone) as db:
            db.execute("CREATE TABLE users_old (id int)")
            oid = db.fetch_value("SELECT 'users_old'::regclass::oid::int8")
            db._connection.execute("BEGIN; INSERT INTO users_old VALUES (1)")
            db._connection.execute(b"PREPARE TRANSACTION 'first'")
            db._connection.execute("BEGIN; SELECT FROM users_old")
            db._connection.execute(b"PREPARE TRANSACTION 'second'")
        server.stop()
        server.start()
        with Database.connect(alone) as db:
            found = {(one.oid, one.pid, one.prepared_as, one.role) for one in lock_holders(db)}
            assert {(oid, None, name, "postgres") for name in ("first", "second")} <= found


def test_what_it_used_is_open_until_it_ends(bench: Bench) -> None:
    plan = House(bench.database).plan(USERS)
    apply(bench.db, plan)
    oid = plan.steps[0].object_oid
    assert read_counters(bench.db).open_uses == ()
    prepare(bench.database, f"INSERT INTO {plan.steps[0].deprecated_name} VALUES (1)")
    (found,) = read_counters(bench.db).open_uses
    assert isinstance(found, OpenUse)
    assert (found.oid, found.role, found.application) == (oid, "pgattic_twophase", None)
    assert (found.prepared_as, found.since is not None) == (NAME, True)
    end(bench.database)
    assert read_counters(bench.db).open_uses == ()

"""The connection: its manners, and what it says when something is wrong."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from catalog.database import Database, describe_target
from catalog.errors import ConnectionFailedError, LockTimeoutError, StatementFailedError
from catalog.throwaway import ThrowawayServer
from tests.fix_server import FreshDatabase


def test_a_session_says_who_it_is_and_waits_briefly(database: FreshDatabase) -> None:
    with Database.connect(database.dsn(), lock_timeout_ms=250) as db:
        assert db.fetch_value("SHOW application_name") == "pgattic"
        assert db.fetch_value("SHOW lock_timeout") == "250ms"


def test_nothing_is_left_behind_in_a_session(database18: FreshDatabase) -> None:
    db = database18.db
    with db.transaction():
        assert db.fetch_value("SHOW statement_timeout") == "1min"
    # Without a transaction around it, as the next user of a pooled session would see it.
    setting = db._send("SHOW statement_timeout", None).fetchone()
    assert setting == {"statement_timeout": "0"}


def test_times_are_in_utc_whatever_the_time_zone_of_the_session(database18: FreshDatabase) -> None:
    """A time is told without its zone, and decides on the day under which evidence is kept."""
    database18.db.execute(f"ALTER DATABASE {database18.name} SET timezone = 'America/Los_Angeles'")
    with Database.connect(database18.dsn()) as db:
        assert db.fetch_value("SHOW timezone") == "America/Los_Angeles"
        row = db.fetch_one(
            "SELECT now() AS now, ARRAY[timestamptz '2026-11-24 04:00+00'] AS some, NULL::timestamptz AS none"
        )
    assert row is not None
    assert (row["now"].utcoffset(), row["none"]) == (timedelta(), None)
    assert [at.isoformat() for at in row["some"]] == ["2026-11-24T04:00:00+00:00"]


def test_times_are_read_whatever_the_date_style_of_the_session(database18: FreshDatabase) -> None:
    database18.db.execute(f"ALTER DATABASE {database18.name} SET datestyle = 'SQL, DMY'")
    with Database.connect(database18.dsn()) as db:
        found = db.fetch_value("SELECT timestamptz '2026-11-24 04:00+00'")
        assert found.isoformat() == "2026-11-24T04:00:00+00:00"
        assert db.fetch_value("SELECT date '2026-11-24'").isoformat() == "2026-11-24"


def test_text_of_a_database_without_an_encoding_is_text(server18: ThrowawayServer) -> None:
    with Database.connect(server18.dsn()) as db:
        db.execute("CREATE DATABASE unencoded ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'")
        try:
            with Database.connect(server18.dsn("unencoded")) as there:
                assert there.fetch_value("SELECT 'Käse' AS name") == "Käse"
        finally:
            db.execute("DROP DATABASE unencoded")


def test_statements_that_want_no_transaction_run_without_one(database18: FreshDatabase) -> None:
    database18.db.execute("CREATE TABLE t (id int)")
    database18.db.execute("VACUUM t")


def test_an_error_that_was_swallowed_is_not_committed_in_silence(database18: FreshDatabase) -> None:
    db = database18.db

    def swallow() -> None:
        with db.transaction():
            db.execute("CREATE TABLE t (id int)")
            with suppress(StatementFailedError):
                db.execute("SELECT * FROM nope")

    with pytest.raises(StatementFailedError, match="nothing was committed"):
        swallow()
    assert db.fetch_value("SELECT to_regclass('t') IS NULL")


def test_a_transaction_in_another_is_a_savepoint(database18: FreshDatabase) -> None:
    db = database18.db
    with db.transaction():
        db.execute("CREATE TABLE t (id int)")
        with pytest.raises(StatementFailedError), db.transaction():
            db.execute("SELECT * FROM nope")
    assert db.fetch_value("SELECT to_regclass('t') IS NOT NULL")


def test_a_connection_that_breaks_says_so(database18: FreshDatabase) -> None:
    def work(db: Database) -> None:
        with db.transaction():
            pid = db.fetch_value("SELECT pg_backend_pid()")
            database18.db.execute("SELECT pg_terminate_backend(%s, 180000)", [pid])
            db.execute("SELECT 1")

    with (
        Database.connect(database18.dsn()) as db,
        pytest.raises(StatementFailedError, match="terminating connection"),
    ):
        work(db)


def test_a_lock_that_is_not_granted_in_time_is_worth_another_try(database18: FreshDatabase) -> None:
    database18.db.execute("CREATE TABLE t (id int)")
    with Database.connect(database18.dsn(), lock_timeout_ms=50) as db, database18.db.transaction():
        database18.db.execute("LOCK TABLE t")
        with pytest.raises(LockTimeoutError, match="Nothing was changed"):
            db.execute("ALTER TABLE t RENAME TO u")


def test_who_loses_a_deadlock_may_try_again(database18: FreshDatabase) -> None:
    database18.db.execute("CREATE TABLE t (id int); CREATE TABLE u (id int)")

    def lock_both(db: Database, first: str, second: str) -> None:
        with db.transaction():
            db.execute(f"SET LOCAL deadlock_timeout = '1h'; LOCK {first}")
            held.wait()
            db.execute(f"LOCK {second}")

    def lose(db: Database) -> None:
        with db.transaction():
            db.execute("SET LOCAL deadlock_timeout = '10ms'; LOCK u")
            held.wait()
            db.execute("LOCK t")

    held = threading.Barrier(2)
    with (
        Database.connect(database18.dsn(), lock_timeout_ms=600_000) as winner,
        Database.connect(database18.dsn(), lock_timeout_ms=600_000) as loser,
        ThreadPoolExecutor() as threads,
    ):
        won = threads.submit(lock_both, winner, "t", "u")
        with pytest.raises(LockTimeoutError, match="deadlock detected") as lost:
            lose(loser)
        won.result()
    assert lost.value.sqlstate == "40P01"


def test_a_refused_statement_carries_its_sqlstate(database18: FreshDatabase) -> None:
    with pytest.raises(StatementFailedError, match="SQLSTATE 42P01") as caught:
        database18.db.execute("SELECT * FROM nope")
    assert caught.value.sqlstate == "42P01"


def test_a_transaction_is_undone_by_any_error(database18: FreshDatabase) -> None:
    db = database18.db

    def create_and_fail() -> None:
        with db.transaction():
            db.execute("CREATE TABLE t (id int)")
            db.execute("SELECT * FROM nope")

    with pytest.raises(StatementFailedError):
        create_and_fail()
    assert db.fetch_value("SELECT to_regclass('t') IS NULL")


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("host=127.0.0.1 port=1 dbname=shop password=hunter2", "port=1 dbname=shop"),
        ("host=/nowhere dbname=shop", "host=/nowhere"),
        ("service=not_there", "service=not_there"),
    ],
)
def test_no_server_says_where_and_what_next(dsn: str, said: str) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        Database.connect(dsn)
    text = str(caught.value)
    assert said in text
    assert "pgpass" in text
    assert "hunter2" not in text


def test_a_wrong_database_is_named(database18: FreshDatabase) -> None:
    with pytest.raises(ConnectionFailedError, match="no_such_db"):
        Database.connect(database18.server.dsn("no_such_db"))


def test_the_target_is_shown_without_its_password() -> None:
    assert describe_target("postgresql://me:hunter2@db:5433/shop") == "host=db port=5433 dbname=shop user=me"


def test_what_was_committed_survives_a_crash_of_a_server_that_does_not_wait_for_its_disk() -> None:
    with ThrowawayServer(settings={"synchronous_commit": "off", "wal_writer_delay": "10s"}) as server:
        with Database.connect(server.dsn()) as db:
            assert db.fetch_value("SHOW synchronous_commit") == "local"
            db.execute("CREATE TABLE users_old (id int)")
            db.execute("CHECKPOINT")
            db.execute("ALTER TABLE users_old RENAME TO users_old_deprecated_20260101_unused")
            server.stop(immediate=True)
        server.start()
        with Database.connect(server.dsn()) as db:
            assert db.fetch_value("SELECT to_regclass('users_old_deprecated_20260101_unused') IS NOT NULL")


def test_who_waits_for_standbys_does_so_still(database18: FreshDatabase) -> None:
    database18.db.execute(f"ALTER DATABASE {database18.db.name} SET synchronous_commit = 'remote_write'")
    with Database.connect(database18.dsn()) as db:
        assert db.fetch_value("SHOW synchronous_commit") == "remote_write"

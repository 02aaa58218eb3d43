"""Who is in the way now, and how retries speak of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import pytest

from catalog.database import Database
from catalog.errors import LockTimeoutError
from migrations.blockers import Blocker, describe, in_the_way, lock_holders, naming_blockers
from migrations.retry import retrying
from tests.migrations.checks.conftest import LEGACY, USERS, Bench
from tests.waiting import PATIENCE_SECONDS, until

CHECK = "constraint:public.orders.total_check"
INDEX = "index:public.orders_total_idx"


@contextmanager
def open_transaction(bench: Bench, statement: str, seconds: float = 1.1) -> Iterator[Database]:
    with (
        Database.connect(bench.database.dsn(), application_name="report-job") as reader,
        reader.transaction(),
    ):
        reader.execute(statement)
        sleep(seconds)
        yield reader


def test_an_open_transaction_warns_with_who_and_what(bench: Bench) -> None:
    with open_transaction(bench, "SELECT count(*) FROM users_old WHERE name = 'a secret'"):
        (finding,) = bench.findings("open-transaction", USERS, LEGACY)
    assert (finding.severity, finding.subject) == ("warn", USERS)
    assert "report-job" in finding.message
    assert "idle in transaction" in finding.message
    assert "SELECT count(*) FROM users_old WHERE name = $1" in finding.message
    assert "a secret" not in str(finding)


def test_a_long_transaction_blocks_what_would_wait_for_it(bench18: Bench) -> None:
    # An enum type and an index are renamed without waiting for anybody.
    elements = (LEGACY, CHECK, INDEX, "enum:public.colour", "constraint:public.orders.orders_pkey")
    with open_transaction(bench18, "SELECT count(*) FROM orders"):
        said = bench18.blocked_by("open-transaction", *elements, max_transaction_seconds=1)
    assert {text.partition(" ")[0] for text in said} == {LEGACY, CHECK}


@contextmanager
def waiting(bench: Bench, holding: str, wanting: str) -> Iterator[None]:
    """One session holds a lock and another waits for one that conflicts, as long as the block lasts."""

    def wait_for_it() -> None:
        with Database.connect(bench.database.dsn(), lock_timeout_ms=1000 * PATIENCE_SECONDS) as session:
            session.execute(wanting)

    with open_transaction(bench, holding, seconds=0):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        until(lambda: not all(one.granted for one in lock_holders(bench.db)))
        yield
    waiter.join()


def test_a_queue_for_the_lock_blocks(bench: Bench) -> None:
    with waiting(bench, "INSERT INTO users_old VALUES (1)", "CREATE INDEX waits ON users_old (name)"):
        (said,) = bench.blocked_by("lock-queue", USERS, LEGACY)
    assert said.startswith(f"{USERS} has a queue for its lock already: pid ")
    assert "CREATE INDEX waits ON users_old (name)" in said


def test_behind_an_exclusive_queue_nothing_is_planned_and_who_began_it_is_named(bench: Bench) -> None:
    with (
        waiting(bench, "SELECT count(*) FROM users_old", "LOCK TABLE users_old; SELECT 1"),
        pytest.raises(LockTimeoutError, match=r"blocked by pid .*report-job"),
        naming_blockers(bench.db),
    ):
        bench.situation(USERS)


def test_a_quiet_database_has_no_finding(bench18: Bench) -> None:
    assert not bench18.findings("open-transaction", USERS)
    assert not bench18.findings("lock-queue", USERS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("quick")
def test_retries_say_who_blocks_and_the_last_failure_too(bench18: Bench) -> None:
    oid = bench18.db.fetch_value("SELECT 'users_old'::regclass::oid::int8")
    told: list[str] = []
    with (
        Database.connect(bench18.database.dsn(), lock_timeout_ms=20) as db,
        open_transaction(bench18, "SELECT count(*) FROM users_old WHERE id = 4711", seconds=0) as reader,
    ):
        pid = reader.fetch_value("SELECT pg_backend_pid()")

        def rename() -> None:
            for attempt in retrying(told.append, db=db, oids={oid}):
                with attempt:
                    db.execute("ALTER TABLE users_old RENAME TO x")

        with pytest.raises(LockTimeoutError) as caught:
            rename()
    assert [line.partition(":")[0] for line in told] == [f"attempt {n} of 5" for n in range(1, 5)]
    for text in (*told, str(caught.value)):
        assert f"blocked by pid {pid} (report-job, role postgres, idle in transaction" in text
        assert "4711" not in text
    assert "in 5 attempts" in str(caught.value)


@pytest.mark.usefixtures("quick")
def test_a_lock_that_comes_free_is_taken(bench18: Bench) -> None:
    dsn = bench18.database.dsn()
    with Database.connect(dsn, lock_timeout_ms=20) as db, Database.connect(dsn) as reader:
        pid = reader.fetch_value("SELECT pg_backend_pid()")
        reader._connection.execute("BEGIN; SELECT count(*) FROM users_old")

        def let_go(_: str) -> None:
            reader.close()
            is_gone = f"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = {pid}"
            until(lambda: bench18.db.fetch_value(is_gone))

        for attempt in retrying(let_go, db=db):
            with attempt:
                db.execute("ALTER TABLE users_old RENAME TO x")
    assert bench18.db.fetch_value("SELECT to_regclass('x') IS NOT NULL")


def test_what_another_role_runs_is_not_shown_to_one_without_rights(bench18: Bench) -> None:
    bench18.db.execute("CREATE ROLE pgattic_blind LOGIN")
    try:
        with (
            open_transaction(bench18, "SELECT count(*) FROM users_old", seconds=0),
            Database.connect(bench18.database.dsn("pgattic_blind")) as db,
        ):
            found = in_the_way(lock_holders(db))
        assert all(blocker.query is None for blocker in found)
    finally:
        bench18.db.execute("DROP ROLE pgattic_blind")


def test_many_blockers_are_counted() -> None:
    def blocker(pid: int) -> Blocker:
        return Blocker(1, pid, True, "", "", "active", None, None, 2.0)

    said = describe([blocker(pid) for pid in range(1, 6)])
    assert "pid 3" in said
    assert "pid 4" not in said
    assert said.endswith("and 2 more")
    assert describe([]) == "nobody holds a lock there any more"

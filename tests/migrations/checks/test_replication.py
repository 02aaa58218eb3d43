"""Publications, subscriptions, slots, lag and standbys, on real ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.database import Database, identifier
from catalog.throwaway import ThrowawayServer
from migrations import registry
from migrations.apply import apply
from migrations.checks import replication_lag
from migrations.checks.surroundings import Slot, Standby
from migrations.overrides import NOT_OVERRIDABLE
from migrations.plan import load_plan
from tests.command_line import CommandLine
from tests.fix_server import fresh_database
from tests.migrations.checks.conftest import LEGACY, USERS, Bench
from tests.waiting import until


@contextmanager
def subscribed(bench: Bench, publication: str) -> Iterator[Database]:
    """A database that reads a publication of the bench's through a slot, as long as the block lasts."""
    slot = "FROM pg_replication_slots WHERE slot_name = 's_slot'"
    bench.db.execute("SELECT pg_create_logical_replication_slot('s_slot', 'pgoutput')")
    for reader in fresh_database(bench.database.server):
        reader.db.execute("CREATE TABLE users_old (id int PRIMARY KEY, name text)")
        registry.install(reader.db)
        reader.db.execute(
            f"CREATE SUBSCRIPTION s CONNECTION '{bench.database.dsn()}' PUBLICATION {identifier(publication)}"
            " WITH (create_slot = false, slot_name = 's_slot', copy_data = false)"
        )
        try:
            until(lambda: bench.db.fetch_value(f"SELECT active {slot}"))
            yield reader.db
        finally:
            reader.db.execute("ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE)")
            reader.db.execute("DROP SUBSCRIPTION s")
            until(lambda: bench.db.fetch_value(f"SELECT NOT active {slot}"))
            bench.db.execute("SELECT pg_drop_replication_slot('s_slot')")


def test_a_publication_that_is_read_blocks_and_nobody_can_answer_for_it(logical_bench: Bench) -> None:
    logical_bench.db.execute("CREATE PUBLICATION p FOR TABLE users_old")
    (said,) = logical_bench.blocked_by("publication-paused", USERS)
    assert "is published by p; nobody reads it now" in said
    with subscribed(logical_bench, "p") as reader:
        (said,) = logical_bench.blocked_by("publication", USERS)
        assert "slot s_slot is being read" in said
        there = replace(logical_bench, database=replace(logical_bench.database, db=reader))
        (said,) = there.blocked_by("subscription", USERS)
        assert "is written by subscription s:" in said
    assert "publication" in NOT_OVERRIDABLE
    assert "publication-paused" not in NOT_OVERRIDABLE


@pytest.mark.parametrize(
    ("publication", "blocked"),
    [
        ("FOR TABLE orders (id)", set()),
        ("FOR TABLE orders (id, legacy)", {LEGACY}),
        ("FOR TABLE orders", {LEGACY}),
        ("FOR ALL TABLES", {LEGACY, USERS}),
        ("FOR TABLES IN SCHEMA public", {LEGACY, USERS}),
    ],
)
def test_only_what_is_published_blocks(bench: Bench, publication: str, blocked: set[str]) -> None:
    bench.db.execute(f"CREATE PUBLICATION p {publication}")
    said = bench.blocked_by("publication-paused", LEGACY, USERS)
    assert {text.partition(" ")[0] for text in said} == blocked


@pytest.fixture
def standby(logical_server: ThrowawayServer) -> Iterator[ThrowawayServer]:
    with ThrowawayServer(standby_of=logical_server) as server:
        yield server


def test_a_standby_is_refused_and_its_lag_is_seen_on_the_primary(
    logical_bench: Bench,
    standby: ThrowawayServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = logical_bench.database
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    run = CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)
    assert run("init", "--dsn", database.dsn(), "--environment", "development").code == 0
    override = ("--override", "fresh=made for this test")
    assert run("plan", USERS, *override).code == 0
    assert run("plan", LEGACY, "--out", "before.json", *override).code == 0
    apply(logical_bench.db, load_plan(tmp_path / "before.json"))
    config = run.config.read_text()
    logical_bench.db.execute("INSERT INTO orders VALUES (1)")
    with Database.connect(standby.dsn(database.name)) as there:
        until(lambda: there.fetch_value("SELECT count(*) = 1 FROM orders"))
        (said,) = logical_bench.blocked_by("standby", USERS, db=there)
        assert said == "database is a standby, which cannot be changed"
        assert not logical_bench.blocked_by("standby", USERS)

        run.config.write_text(config.replace(f"port={database.server.port}", f"port={standby.port}"))
        for command in (
            ("apply", "plan.json", "--yes"),
            ("rollback", "--element", LEGACY, "--yes"),
            ("init",),
        ):
            ended = run(*command)
            assert ended.code == 1, (command, ended)
            assert "standby" in ended.out + ended.err, (command, ended)
            assert "Traceback" not in ended.err
        ended = run("plan", USERS, *override)
        assert "is a standby, which cannot be changed" in ended.out + ended.err

        there.execute("SELECT pg_wal_replay_pause()")

        def lags() -> bool:
            logical_bench.db.execute("UPDATE orders SET total = 1")
            return bool(logical_bench.blocked_by("replication-lag", USERS, max_replication_lag_seconds=1))

        until(lags)
        logical_bench.db.execute(
            "CREATE ROLE pgattic_blind LOGIN; GRANT USAGE ON SCHEMA pgattic TO pgattic_blind;"
            " GRANT SELECT ON ALL TABLES IN SCHEMA pgattic TO pgattic_blind"
        )
        try:
            with Database.connect(database.dsn("pgattic_blind")) as blind:
                (finding,) = logical_bench.findings("replication-unseen", USERS, db=blind)
            assert "GRANT pg_read_all_stats TO pgattic_blind" in str(finding.todo)
        finally:
            logical_bench.db.execute("DROP OWNED BY pgattic_blind; DROP ROLE pgattic_blind")
        there.execute("SELECT pg_wal_replay_resume()")


def test_a_slot_that_nobody_reads_is_told_of(logical_bench: Bench) -> None:
    logical_bench.db.execute("SELECT pg_create_physical_replication_slot('forgotten', true)")
    try:
        (finding,) = logical_bench.findings("replication-slot", USERS)
        assert finding.severity == "warn"
        assert "forgotten is read by nobody" in finding.message
    finally:
        logical_bench.db.execute("SELECT pg_drop_replication_slot('forgotten')")


@pytest.mark.parametrize(
    ("standbys", "slots", "found"),
    [
        ((), (), []),
        ((Standby("a", True, 29, 10),), (Slot("s", "physical", True, "reserved", 10),), []),
        ((Standby("a", True, 31, 10),), (), ["replication-lag"]),
        ((Standby("a", True, 0, 2 << 30),), (), ["replication-lag"]),
        ((Standby("", False, 0, 0),), (), ["replication-unseen"]),
        ((), (Slot("s", "physical", True, "extended", 2 << 30),), ["replication-slot"]),
        ((), (Slot("s", "logical", False, "lost", 0),), ["replication-slot"]),
    ],
)
def test_the_limits_of_lag(
    bench18: Bench, standbys: tuple[Standby, ...], slots: tuple[Slot, ...], found: list[str]
) -> None:
    situation = replace(bench18.situation(USERS), standbys=standbys, slots=slots)
    assert [finding.check for finding in replication_lag.check(situation)] == found

"""Sampling of counters and settings: what is kept, and what a reset, a crash or another server looks like."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catalog.counters import read_counters
from catalog.database import Database
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.collect import Collected, Node, collect
from ingest.store import Store
from tests.analytics.world import SCRIPT, Attic, run
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase

USERS = "table:public.users_old"


def now() -> datetime:
    return datetime.now(UTC)


def rows(store: Store, name: str, *columns: str) -> list[dict[str, Any]]:
    return store.rows(name, list(columns)).sort_by(columns[0]).to_pylist()


def to(dsn: str) -> Callable[[], Database]:
    return lambda: Database.connect(dsn, lock_timeout_ms=200)


def sample(store: Store, dsn: str, **given: Any) -> Collected:
    return collect([Node("primary", to(dsn))], store, now, **given)


def of_users(store: Store) -> list[dict[str, Any]]:
    columns = ("sampled_at", "element", "oid", "reads", "writes", "kept_since", "reset_at", "bytes")
    return [row for row in rows(store, "counter", *columns) if row["element"] == USERS]


@pytest.fixture
def shop(database: FreshDatabase) -> FreshDatabase:
    run(database.db, SCRIPT)
    return database


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def test_a_sample_has_what_was_counted_and_the_settings_in_force(shop: FreshDatabase, store: Store) -> None:
    shop.db.execute("INSERT INTO users_old VALUES (1, 'x')")
    shop.db.fetch("SELECT * FROM users_old")
    shop.db.fetch("SELECT pg_stat_force_next_flush()")
    found = sample(store, shop.dsn())
    assert (found.failed, found.nodes[0].notes) == ((), ())
    (users,) = of_users(store)
    assert users["reads"] >= 1
    assert (users["writes"], users["bytes"] > 0) == (1, True)
    (head,) = rows(
        store, "sample", "sampled_at", "node", "failure", "settings", "sources", "in_recovery", "standbys"
    )
    assert (head["node"], head["failure"], head["in_recovery"], head["standbys"]) == (
        "primary",
        None,
        False,
        0,
    )
    assert "log_min_messages=warning" in head["settings"]
    assert head["sources"] == ["error", "sensor"]
    assert users["kept_since"] < users["sampled_at"]


def test_a_log_that_the_server_does_not_write_shows_nothing(shop: FreshDatabase, store: Store) -> None:
    sample(store, shop.dsn(), log_format="jsonlog")
    assert [row["sources"] for row in rows(store, "sample", "sampled_at", "sources")] == [[]]


def test_what_is_in_the_attic_keeps_its_former_name(shop: FreshDatabase, store: Store) -> None:
    Attic(shop.db).put(USERS, now())
    sample(store, shop.dsn())
    assert len(of_users(store)) == 1


def test_partitioned_tables_are_not_counted_but_their_partitions_are(
    shop: FreshDatabase, store: Store
) -> None:
    shop.db.execute("CREATE TABLE p (id int) PARTITION BY RANGE (id)")
    shop.db.execute("CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (1) TO (2)")
    sample(store, shop.dsn())
    names = {row["element"] for row in rows(store, "counter", "element")}
    assert "table:public.p_1" in names
    assert "table:public.p" not in names
    oid = shop.db.fetch_value("SELECT 'p'::regclass::oid::bigint")
    assert oid not in read_counters(shop.db).counters


def test_a_node_that_does_not_answer_is_written_down(shop: FreshDatabase, store: Store) -> None:
    nodes = [Node("primary", to(shop.dsn())), Node("replica", to("host=127.0.0.1 port=1 connect_timeout=1"))]
    found = collect(nodes, store, now)
    (missed,) = found.failed
    assert (missed.node, "refused" in (missed.failure or "")) == ("replica", True)
    heads = rows(store, "sample", "node", "failure", "system_id")
    assert [(head["node"], head["failure"] is None) for head in heads] == [
        ("primary", True),
        ("replica", False),
    ]


def test_a_locked_table_costs_the_sizes_and_nothing_else(shop: FreshDatabase, store: Store) -> None:
    with shop.db.transaction():
        shop.db.execute("LOCK TABLE users_old")
        found = sample(store, shop.dsn())
    assert not found.failed
    assert "sizes were not read" in found.nodes[0].notes[0]
    (users,) = of_users(store)
    assert (users["reads"], users["bytes"]) == (0, None)


def test_another_server_at_the_same_address_is_refused_until_it_is_named(
    server18: ThrowawayServer, server15: ThrowawayServer, store: Store
) -> None:
    sample(store, server18.dsn())
    found = sample(store, server15.dsn())
    assert "another server answers here" in (found.nodes[0].failure or "")
    assert len({row["system_id"] for row in rows(store, "sample", "system_id")} - {None}) == 1
    assert not sample(store, server15.dsn(), new_servers=["primary"]).failed
    assert not sample(store, server15.dsn()).failed


def test_a_server_that_is_no_replica_of_the_primary_is_refused(
    server18: ThrowawayServer, server15: ThrowawayServer, store: Store
) -> None:
    nodes = [Node("primary", to(server18.dsn())), Node("replica", to(server15.dsn()))]
    (refused,) = collect(nodes, store, now).failed
    assert "no replica of the primary" in (refused.failure or "")


SECRET = "s3cret-word"


def test_statements_on_the_attic_are_kept_without_constants(store: Store) -> None:
    settings = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with _server(settings=settings) as server, Database.connect(server.dsn()) as db:
        db.execute("CREATE EXTENSION pg_stat_statements")
        run(db, SCRIPT)
        new = Attic(db).put(USERS, now())
        db.fetch(f"SELECT * FROM {new} WHERE name = '{SECRET}'")
        # What pgattic's own role says so is none of it.
        db.execute(f"COMMENT ON TABLE {new} IS 'ours'")
        db.execute("CREATE ROLE app SUPERUSER")
        db.execute("SET ROLE app")
        db.execute(f"COMMENT ON TABLE {new} IS '{SECRET}'")
        db.fetch("SELECT count(*) FROM orders")
        sample(store, server.dsn())
    found = rows(store, "statement_counter", "statement_id", "element", "role", "calls", "operation")
    found = [row for row in found if row["operation"] is not None and row["element"] == USERS]
    texts = {row["statement_id"]: row["text"] for row in rows(store, "statement", "statement_id", "text")}
    said = {texts[row["statement_id"]]: row for row in found}
    (read,) = [row for text, row in said.items() if text.startswith("SELECT *")]
    assert (read["element"], read["role"], read["calls"]) == (USERS, "postgres", 1)
    assert [row["role"] for text, row in said.items() if text.startswith("COMMENT ON TABLE")] == ["app"]
    assert not [text for text in texts.values() if SECRET in text or "orders" in text]
    assert not [
        path for path in store.data_directory.rglob("*.parquet") if SECRET.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("version", ["18", pytest.param("15", marks=pytest.mark.pg15)])
def test_restart_crash_and_resets_are_told_apart(version: str, store: Store) -> None:
    """What the verdict relies on: kept_since changes with a crash alone, reset_at with any reset."""
    with _server(DEBIAN_15_BIN if version == "15" else None) as server:
        with Database.connect(server.dsn()) as db:
            run(db, SCRIPT)
            db.fetch("SELECT * FROM users_old")
        sample(store, server.dsn())
        server.stop()
        server.start()
        sample(store, server.dsn())
        with Database.connect(server.dsn()) as db:
            db.fetch("SELECT pg_stat_reset_single_table_counters('orders'::regclass)")
        sample(store, server.dsn())
        server.stop(immediate=True)
        server.start()
        sample(store, server.dsn())
    first, restarted, reset, crashed = of_users(store)
    assert first["reads"] == restarted["reads"] == reset["reads"] > crashed["reads"]
    assert first["kept_since"] == restarted["kept_since"] == reset["kept_since"] < crashed["kept_since"]
    assert first["reset_at"] is restarted["reset_at"] is None
    assert reset["reset_at"] is not None
    assert crashed["kept_since"] > reset["sampled_at"]
    assert crashed["reset_at"] is None


def test_a_replica_counts_for_itself_and_is_known_by_its_own_beginning(store: Store) -> None:
    with _server() as primary:
        with Database.connect(primary.dsn()) as db:
            run(db, SCRIPT)
        with ThrowawayServer(standby_of=primary) as standby:
            nodes = [Node("primary", to(primary.dsn())), Node("replica", to(standby.dsn()))]
            collect(nodes, store, now)
            with Database.connect(standby.dsn()) as db:
                db.fetch("SELECT * FROM users_old")
            assert not collect(nodes, store, now).failed
            # The replica is promoted: the same server goes on counting, on another timeline.
            with Database.connect(standby.dsn()) as db:
                db.fetch("SELECT pg_promote(true)")
            collect(nodes[1:], store, now)
    columns = ("sampled_at", "node", "reads", "element", "kept_since")
    users = [row for row in rows(store, "counter", *columns) if row["element"] == USERS]
    assert [row["reads"] for row in users if row["node"] == "replica"] == [0, 1, 1]
    assert len({row["reads"] for row in users if row["node"] == "primary"}) == 1
    assert len({(row["node"], row["kept_since"]) for row in users}) == 2
    heads = rows(store, "sample", "sampled_at", "node", "in_recovery", "timeline", "standbys")
    assert [(h["in_recovery"], h["timeline"]) for h in heads if h["node"] == "replica"] == [
        (True, 1),
        (True, 1),
        (False, 2),
    ]
    assert {head["standbys"] for head in heads if head["node"] == "primary"} == {1}


@contextmanager
def _server(binaries: Path | None = None, **given: Any) -> Iterator[ThrowawayServer]:
    if binaries is not None and not (binaries / "initdb").exists():
        pytest.skip(f"no PostgreSQL in {binaries}")
    with ThrowawayServer(bin_directory=binaries or EMBEDDED_BIN, **given) as server:
        yield server

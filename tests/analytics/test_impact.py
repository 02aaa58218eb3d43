"""What keeping an element costs: real sizes and counts of a real server, and what cannot be known."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from analytics.errors import UnknownElementError
from analytics.impact import Figure, Impact, impacts
from catalog.database import Database, load_sql
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from tests.analytics.world import Attic, run
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase

SCRIPT = """
CREATE TABLE orders (id int PRIMARY KEY, status text, note text, total int CHECK (total > 0))
    WITH (fillfactor = 50);
CREATE INDEX orders_status_idx ON orders (status);
CREATE INDEX orders_status_too ON orders (status, id);
CREATE INDEX orders_note_idx ON orders (note);
CREATE TABLE parts (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX parts_idx ON parts (id);
CREATE VIEW orders_view AS SELECT * FROM orders;
CREATE TYPE mood AS ENUM ('good');
INSERT INTO orders SELECT n, 'new', repeat('x', 100), 1 FROM generate_series(1, 1000) n;
INSERT INTO parts SELECT n, '2026-06-01' FROM generate_series(1, 1000) n;
UPDATE orders SET total = 2 WHERE id <= 10;
UPDATE orders SET status = 'old' WHERE id <= 20;
DELETE FROM orders WHERE id > 990;
SELECT pg_stat_force_next_flush();
ANALYZE orders;
"""


@pytest.fixture
def db(database: FreshDatabase) -> Database:
    run(database.db, SCRIPT)
    return database.db


def figures(db: Database, text: str) -> dict[str, Figure]:
    (found,) = impacts(db, read_snapshot(db), Element.parse(text))
    return {figure.name: figure for figure in found.figures}


def test_a_table_costs_space_writes_dead_rows_and_vacuum(db: Database) -> None:
    found = figures(db, "table:public.orders")
    assert found["size"].value == db.fetch_value("SELECT pg_total_relation_size('orders')")
    assert found["writes"].value == 1000 + 30 + 10
    dead = db.fetch_value("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'orders'")
    assert found["dead rows"].value == dead >= 10
    known = db.server_version >= 180000
    assert (found["vacuum time"].value is not None) is known
    assert known or "not known before PostgreSQL 18; 0 vacuums since" in found["vacuum time"].said
    assert found["cache"] == Figure(
        "cache", None, "bytes", "not known: the extension pg_buffercache is not installed", "pg_buffercache"
    )
    assert "backup" not in found


def test_an_index_costs_its_share_of_the_writes_and_hot_updates(db: Database) -> None:
    cold = db.fetch_value(
        "SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'orders'"
    )
    assert cold >= 20
    note = figures(db, "index:public.orders_note_idx")
    assert note["size"].value == db.fetch_value("SELECT pg_relation_size('orders_note_idx')")
    assert note["index entries written"].value == 1000 + cold
    assert "25 % of what the table's indexes are written (4 of them)" in note["index entries written"].said
    prevented = note["HOT updates prevented"]
    assert (prevented.value, f"at most {cold} updates" in prevented.said) == (None, True)
    assert "(note in no other index)" in prevented.said
    doubled = figures(db, "index:public.orders_status_idx")["HOT updates prevented"]
    assert (doubled.value, doubled.said) == (0, "none: each of its columns is in another index, too")


def test_an_index_of_a_table_that_nobody_updates_prevents_nothing(db: Database) -> None:
    db.execute("CREATE TABLE quiet (id int PRIMARY KEY, note text); CREATE INDEX quiet_idx ON quiet (note)")
    prevented = figures(db, "index:public.quiet_idx")["HOT updates prevented"]
    assert (prevented.value, prevented.said.startswith("none: nothing was updated")) == (0, True)


def test_what_was_counted_before_a_restart_still_counts() -> None:
    with ThrowawayServer() as server:
        with Database.connect(server.dsn()) as db:
            db.execute("CREATE TABLE kept (id int PRIMARY KEY)")
            before = [db.fetch_one(load_sql("analytics", name), {"oid": oid}) for name, oid in kept(db)]
        server.stop()
        server.start()
        with Database.connect(server.dsn()) as db:
            after = [db.fetch_one(load_sql("analytics", name), {"oid": oid}) for name, oid in kept(db)]
    assert [row and row["counting_since"] for row in after] == [
        row and row["counting_since"] for row in before
    ]


def kept(db: Database) -> list[tuple[str, int]]:
    """The queries about a table and its index."""
    found = [("impact_table", "kept"), ("impact_index", "kept_pkey")]
    return [(name, db.fetch_value(f"SELECT '{each}'::regclass::oid::bigint")) for name, each in found]


def test_a_partitioned_table_costs_what_its_partitions_do(db: Database) -> None:
    found = figures(db, "table:public.parts")
    assert found["size"].value == db.fetch_value("SELECT pg_total_relation_size('parts_1')")
    assert found["writes"].value == 1000


@pytest.mark.parametrize("text", ["view:public.orders_view", "enum:public.mood"])
def test_what_has_no_space_of_its_own_says_so(db: Database, text: str) -> None:
    assert figures(db, text)["size"].value == 0


def test_a_column_is_estimated_from_statistics_or_not_known(db: Database) -> None:
    assert 90_000 <= (figures(db, "column:public.orders.note")["size"].value or 0) <= 110_000
    unknown = figures(db, "column:public.parts_1.id")["size"]
    assert (unknown.value, "not known" in unknown.said) == (None, True)


def test_a_constraint_costs_what_its_index_does_or_the_rows_it_checks(db: Database) -> None:
    key = figures(db, "constraint:public.orders.orders_pkey")
    assert key["size"].value == db.fetch_value("SELECT pg_relation_size('orders_pkey')")
    check = figures(db, "constraint:public.orders.orders_total_check")
    assert (check["size"].value, check["rows checked"].value) == (0, 1030)


def test_the_cache_is_known_where_the_extension_is(db: Database) -> None:
    db.execute("CREATE EXTENSION pg_buffercache")
    db.fetch("SELECT count(*) FROM orders")
    held = figures(db, "table:public.orders")["cache"]
    assert (held.value or 0) >= 8192
    assert "of shared_buffers now" in held.said


def test_the_attic_is_told_the_largest_first_with_its_backup(db: Database) -> None:
    attic = Attic(db)
    now = datetime.now(UTC)
    attic.put("enum:public.mood", now)
    attic.put("table:public.orders", now, proved=False)
    assert impacts(db, read_snapshot(db))[0].element == Element.parse("table:public.orders")
    db.execute(
        "INSERT INTO pgattic.backup VALUES ('b1', 'm_table_orders', '/b', now(), NULL, '[{}, {}]', 5000)"
    )
    first: Impact = impacts(db, read_snapshot(db))[0]
    backup = first.figures[-1]
    assert (backup.name, backup.value) == ("backup", 5000)
    assert "4.9 kB for the 2 tables of its migration" in backup.said
    assert first.present.name.startswith("orders_deprecated_")


def test_what_is_no_element_is_wrong_use(db: Database) -> None:
    with pytest.raises(UnknownElementError):
        impacts(db, read_snapshot(db), Element.parse("table:public.nowhere"))


def test_the_command_tells_costs_with_their_sources(
    database18: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(database18.db, SCRIPT)
    config = tmp_path / "pgattic.toml"
    config.write_text(f'[database]\ndsn = "{database18.dsn()}"\n')
    command = CommandLine(config, capsys, monkeypatch)
    assert command("impact").out.strip() == "Nothing is in the attic of this database."
    ended = command("impact", "index:public.orders_note_idx")
    assert (ended.code, "(pg_relation_size)" in ended.out) == (0, True)
    (found,) = json.loads(command("impact", "table:public.orders", "--json").out)
    assert {figure["name"] for figure in found["figures"]} >= {"size", "writes", "vacuum time", "cache"}
    csv, parquet = tmp_path / "impact.csv", tmp_path / "impact.parquet"
    ended = command("impact", "table:public.orders", "--csv", str(csv), "--parquet", str(parquet))
    assert (ended.code, ended.out) == (0, "")
    rows = pq.read_table(parquet).to_pylist()
    assert {row["figure"]: row["value"] for row in rows} == {f["name"]: f["value"] for f in found["figures"]}
    assert pyarrow.csv.read_csv(csv).num_rows == len(rows)

"""The scan: what looks unused is found, what is used or cannot be judged is not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.counters import Counters
from analytics.grounds import Grounds
from analytics.scan import Candidate, Survey, survey
from analytics.store import Evidence
from catalog.database import Database
from catalog.settings import PolicySettings
from catalog.throwaway import ThrowawayServer
from ingest.schemas import Source
from tests.analytics.evidence import DAY, covered, hourly, write
from tests.analytics.world import Attic, observe, run
from tests.fix_server import FreshDatabase

POLICY = PolicySettings(observed_days=30, min_index_bytes=0)
UNREAD = PolicySettings(observed_days=30, min_index_bytes=0, unread_standbys=1)
RETIRED = PolicySettings(observed_days=30, min_index_bytes=0, retired_nodes=("gone",))
DEMO = PolicySettings(observed_days=0, min_index_bytes=0)

UNUSED = """
CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE, fax text);
CREATE TABLE orders (
    id int PRIMARY KEY,
    customer_id int REFERENCES customers,
    code text CONSTRAINT orders_code_key UNIQUE,
    total int CONSTRAINT orders_total_check CHECK (total >= 0),
    CONSTRAINT orders_total_again CHECK (total >= 0)
);
ALTER TABLE orders ADD CONSTRAINT orders_code_again UNIQUE (code);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE INDEX orders_total_idx ON orders (total);
CREATE INDEX orders_total_idx2 ON orders (total);
CREATE INDEX orders_expression_idx ON orders ((total * 2));
CREATE TABLE users_old (id int PRIMARY KEY, name text);
CREATE TABLE behind_view (id int);
CREATE VIEW v AS SELECT id FROM behind_view;
CREATE TABLE in_body (id int);
CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql AS 'begin return (select count(*) from In_Body); end';
CREATE TABLE published (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE published;
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (2);
CREATE INDEX parted_idx ON parted (id);
CREATE TABLE gone_deprecated_20260101_unused (id int);
CREATE TYPE lonely AS ENUM ('a');
CREATE TYPE in_column AS ENUM ('a');
CREATE TYPE in_domain AS ENUM ('a');
CREATE TYPE in_signature AS ENUM ('a');
CREATE TYPE in_text AS ENUM ('a');
CREATE DOMAIN d AS in_domain;
CREATE FUNCTION g(in_signature) RETURNS text LANGUAGE sql AS 'select ''a''::"in_text"::text';
ALTER TABLE orders ADD mood in_column;
INSERT INTO customers VALUES (1, 'a@example.org', '1');
INSERT INTO orders VALUES (1, 1, 'c', 5, 'a');
"""


@pytest.fixture
def shop(database18: FreshDatabase) -> Database:
    """A shop to change."""
    return _open_shop(database18.db)


@pytest.fixture(scope="module")
def steady_shop(server18: ThrowawayServer) -> Iterator[Database]:
    """A shop that no test changes."""
    with Database.connect(server18.dsn()) as admin:
        admin.execute("CREATE DATABASE steady_shop")
        with Database.connect(server18.dsn("steady_shop")) as db:
            yield _open_shop(db)
        admin.execute("DROP DATABASE steady_shop WITH (FORCE)")


def _open_shop(db: Database) -> Database:
    run(db, UNUSED)
    # What this session counted so far has to arrive before the reset, not after it.
    db.fetch("SELECT pg_stat_force_next_flush()")
    db.fetch("SELECT pg_stat_reset()")
    _use(db, "orders", "customers")
    return db


def _use(db: Database, *tables: str) -> None:
    for table in tables:
        db.fetch(f"SELECT * FROM {table} ORDER BY id")
    db.fetch("SELECT pg_stat_force_next_flush()")


def look(db: Database, data: Path, policy: PolicySettings = DEMO, after: timedelta = timedelta()) -> Survey:
    snapshot, counters, now = observe(db)
    with Evidence.open(data) as evidence:
        return survey(Grounds(snapshot, counters, evidence, policy, now + after))


def reasons(found: Survey) -> dict[str, str]:
    return {str(one.element): one.reason for one in found.candidates}


def the(found: Survey, element: str) -> Candidate:
    return next(one for one in found.candidates if str(one.element) == element)


def test_scan_finds_what_nothing_speaks_for_and_nothing_else(database: FreshDatabase, tmp_path: Path) -> None:
    found = look(_open_shop(database.db), tmp_path)
    constraints = {name for name in reasons(found) if name.startswith("constraint")}
    assert {name: reason for name, reason in reasons(found).items() if name not in constraints} == {
        "table:public.users_old": "never read or written",
        "index:public.orders_total_idx": "repeats another index",
        "index:public.orders_total_idx2": "never scanned",
        "enum:public.lonely": "no column or function has its type",
    }
    # Which one of two equal constraints came first is the server's choice; one of each stays.
    assert len([name for name in constraints if "total" in name]) == 1
    assert len([name for name in constraints if "code" in name]) == 1
    assert all(one.evidence and 0 < one.confidence <= 1 for one in found.candidates)


def test_a_short_observation_finds_only_what_needs_none(steady_shop: Database, tmp_path: Path) -> None:
    found = look(steady_shop, tmp_path, POLICY)
    assert {str(one.element).partition(":")[0] for one in found.candidates} == {"constraint"}
    assert "30 days wanted (policy.observed_days)" in found.unjudged[0]


def test_confidence_grows_with_the_time_observed_and_says_how_long(
    steady_shop: Database, tmp_path: Path
) -> None:
    short = the(look(steady_shop, tmp_path), "table:public.users_old")
    long = the(look(steady_shop, tmp_path, POLICY, 60 * DAY), "table:public.users_old")
    assert (short.confidence, long.confidence) == (0.4, 0.8)
    assert "0 reads and 0 writes counted in 60 days" in long.evidence[0]
    assert "no statement log was read" in long.evidence[-1]


def test_full_logs_raise_the_confidence(steady_shop: Database, tmp_path: Path) -> None:
    see_all_statements(tmp_path)
    found = the(look(steady_shop, tmp_path, POLICY, 60 * DAY), "table:public.users_old")
    assert found.confidence == 0.95
    assert "100 %" in found.evidence[-1]


@pytest.mark.parametrize(
    "use",
    [
        "SELECT * FROM users_old",
        "INSERT INTO users_old VALUES (1)",
        "SELECT 1 FROM users_old WHERE id = 3",
    ],
)
def test_a_counted_use_of_a_table_ends_its_candidacy(shop: Database, tmp_path: Path, use: str) -> None:
    shop.execute(use)
    shop.fetch("SELECT pg_stat_force_next_flush()")
    assert "table:public.users_old" not in reasons(look(shop, tmp_path))


@pytest.mark.parametrize(
    ("logged", "gone"),
    [
        ("table:public.users_old", "table:public.users_old"),
        ("column:public.users_old.name", "table:public.users_old"),
        ("enum:public.lonely", "enum:public.lonely"),
        ("index:public.orders_total_idx2", "index:public.orders_total_idx2"),
    ],
)
def test_a_logged_use_ends_a_candidacy(steady_shop: Database, tmp_path: Path, logged: str, gone: str) -> None:
    write(tmp_path, "usage_hourly", hourly(logged, datetime.now(UTC)))
    assert gone not in reasons(look(steady_shop, tmp_path))


@pytest.mark.parametrize(
    ("statement", "gone"),
    [
        ("CREATE VIEW w AS SELECT * FROM users_old", "table:public.users_old"),
        ("CREATE TABLE child (id int REFERENCES users_old)", "table:public.users_old"),
        ("CREATE TABLE holder (u users_old)", "table:public.users_old"),
        ("CREATE TABLE child () INHERITS (users_old)", "table:public.users_old"),
        ("CREATE TABLE t (m lonely[])", "enum:public.lonely"),
        ("CREATE TYPE c AS (m lonely)", "enum:public.lonely"),
        ("CREATE CAST (lonely AS int) WITH INOUT", "enum:public.lonely"),
        (
            "ALTER TABLE orders ADD FOREIGN KEY (total) REFERENCES customers NOT VALID",
            "index:public.orders_total_idx2",
        ),
        ("DROP INDEX orders_total_idx", "index:public.orders_total_idx"),
    ],
)
def test_a_dependant_ends_a_candidacy(shop: Database, tmp_path: Path, statement: str, gone: str) -> None:
    shop.execute(statement)
    assert gone not in reasons(look(shop, tmp_path))


def test_of_two_indexes_that_serve_a_foreign_key_one_stays(shop: Database, tmp_path: Path) -> None:
    shop.execute("CREATE INDEX orders_customer_total_idx ON orders (customer_id, total)")
    found = reasons(look(shop, tmp_path))
    assert len([name for name in found if name.startswith("index:public.orders_customer")]) == 1


def test_small_indexes_are_left_alone(steady_shop: Database, tmp_path: Path) -> None:
    policy = DEMO.model_copy(update={"min_index_bytes": 1_000_000})
    assert not [name for name in reasons(look(steady_shop, tmp_path, policy)) if name.startswith("index")]


def test_what_is_in_the_attic_neither_shows_up_nor_makes_another_one_a_repetition(
    shop: Database, tmp_path: Path
) -> None:
    attic = Attic(shop)
    attic.put("index:public.orders_total_idx", datetime.now(UTC))
    attic.put("constraint:public.orders.orders_total_check", datetime.now(UTC))
    attic.put("table:public.users_old", datetime.now(UTC))
    found = reasons(look(shop, tmp_path))
    assert not [name for name in found if "deprecated" in name]
    assert found["index:public.orders_total_idx2"] == "never scanned"
    assert not [name for name in found if "orders_total_again" in name]


def test_a_crash_shortens_what_was_observed_and_a_clean_restart_does_not(
    steady_shop: Database, tmp_path: Path
) -> None:
    snapshot, counters, now = observe(steady_shop)
    assert counters.reset_at is not None
    restarted = replace(counters, reset_at=now - 90 * DAY, kept_since=now - DAY)
    with Evidence.open(tmp_path) as evidence:
        found = survey(Grounds(snapshot, restarted, evidence, POLICY, now))
        kept = replace(restarted, kept_since=now - 95 * DAY, server_started_at=now - DAY)
        after_restart = survey(Grounds(snapshot, kept, evidence, POLICY, now))
    assert {one.reason for one in found.candidates} == {"repeats another constraint"}
    assert "never read or written" in {one.reason for one in after_restart.candidates}


def counted_on(data: Path, node: str, at: datetime, oid: int, reads: int, **given: Any) -> None:
    head = {"sampled_at": at, "node": node, "kept_since": datetime(2026, 1, 1, tzinfo=UTC), **given}
    write(data, "sample", {key: head[key] for key in ("sampled_at", "node", "kept_since")})
    write(data, "counter", {**head, "oid": oid, "reads": reads})


@pytest.mark.parametrize(
    ("reads", "days_ago", "is_found"),
    [
        pytest.param(0, 0.1, True, id="nobody reads it there either"),
        pytest.param(4, 0.1, False, id="read on the replica alone"),
        pytest.param(0, 5, False, id="the replica was not looked at for days"),
    ],
)
def test_reads_on_a_replica_count(
    steady_shop: Database, tmp_path: Path, reads: int, days_ago: float, is_found: bool
) -> None:
    snapshot, counters, now = observe(steady_shop)
    now += 60 * DAY
    table = snapshot.relation("public", "users_old")
    assert table is not None
    counted_on(tmp_path, "replica", now - days_ago * DAY, table.oid, reads)
    with Evidence.open(tmp_path) as evidence:
        found = survey(Grounds(snapshot, counters, evidence, POLICY, now, ("primary", "replica")))
    assert ("table:public.users_old" in reasons(found)) is is_found
    assert any("reads on replica are counted there alone" in line for line in found.unjudged) is (
        days_ago > 2
    )


def test_a_standby_that_nobody_configured_leaves_tables_and_indexes_unjudged(
    steady_shop: Database, tmp_path: Path
) -> None:
    snapshot, counters, now = observe(steady_shop)
    counters = replace(counters, standbys=1)
    with Evidence.open(tmp_path) as evidence:
        grounds = Grounds(snapshot, counters, evidence, DEMO, now)
        found = survey(grounds)
        lenient = survey(replace(grounds, policy=DEMO.model_copy(update={"unread_standbys": 1})))
    assert not [name for name in reasons(found) if name.startswith(("table", "index"))]
    assert any("1 standby that no [[nodes]] names" in line for line in found.unjudged)
    assert "table:public.users_old" in reasons(lenient)


def test_samples_show_that_what_was_used_once_is_not_used_any_more(
    steady_shop: Database, tmp_path: Path
) -> None:
    snapshot, counters, now = observe(steady_shop)
    orders = snapshot.relation("public", "orders")
    assert orders is not None
    live = counters.counters[orders.oid]
    later = now + 60 * DAY
    begun = counters.kept_since
    for day in range(61):
        same = {"kept_since": begun, "reset_at": counters.reset_at, "writes": live.writes}
        counted_on(tmp_path, "primary", now + day * DAY, orders.oid, live.reads, **same)
    # A view, a key… hold on to it in the catalog: only its counters are looked at here.
    with Evidence.open(tmp_path) as evidence:
        sample = replace(counters, taken_at=later)
        of_nodes = Counters(Grounds(snapshot, sample, evidence, POLICY, now), {orders.oid}, now)
        quiet = of_nodes.quiet(orders.oid, later)
    assert quiet is not None
    assert (quiet.was_used, later - quiet.since > 59 * DAY) == (True, True)


def see_all_statements(data: Path) -> None:
    now = datetime.now(UTC)
    write(data, "coverage", covered(now - 100 * DAY, now + 100 * DAY, Source.ERROR, Source.LOG))


def use_customers(data: Path, **email: Any) -> None:
    now = datetime.now(UTC) + DAY
    write(
        data,
        "usage_hourly",
        hourly("table:public.customers", now, uses=7),
        hourly("column:public.customers.email", now, uses=7, **email),
    )


FAX = "column:public.customers.fax"


def test_a_column_never_named_is_found_where_all_statements_were_logged(
    steady_shop: Database, tmp_path: Path
) -> None:
    see_all_statements(tmp_path)
    use_customers(tmp_path)
    found = look(steady_shop, tmp_path, POLICY, 60 * DAY)
    columns = [one for one in found.candidates if one.element.kind == "column"]
    assert [str(one.element) for one in columns] == [FAX]
    assert columns[0].confidence == 0.8
    assert "its table was used 7 times" in columns[0].evidence[0]


def test_columns_are_not_judged_without_a_full_statement_log(steady_shop: Database, tmp_path: Path) -> None:
    use_customers(tmp_path)
    found = look(steady_shop, tmp_path, POLICY, 60 * DAY)
    assert FAX not in reasons(found)
    assert "columns: statements are not logged in full, or their log was not read" in found.unjudged


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param({"is_parsed": False, "text": "<unreadable statement, 9 characters>"}, id="unreadable"),
        pytest.param({"text": "DO $1"}, id="a DO block, whose body is not kept"),
        pytest.param({"text": "SELECT $1; do language plpgsql $2"}, id="a DO block behind another statement"),
    ],
)
def test_columns_are_not_judged_when_a_statement_may_have_used_any(
    steady_shop: Database, tmp_path: Path, statement: dict[str, Any]
) -> None:
    see_all_statements(tmp_path)
    use_customers(tmp_path)
    write(tmp_path, "statement", {"statement_id": "x", "first_seen_at": datetime.now(UTC), **statement})
    found = look(steady_shop, tmp_path, POLICY, 60 * DAY)
    assert FAX not in reasons(found)
    assert any("1 statement (unreadable, or DO blocks)" in line for line in found.unjudged)


@pytest.mark.parametrize(
    ("node", "standbys", "policy", "is_found"),
    [
        pytest.param("primary", 0, POLICY, True, id="no replica"),
        pytest.param("replica", 0, POLICY, False, id="a replica whose log nobody reads"),
        pytest.param("primary", 1, POLICY, False, id="a replica that nobody knows of"),
        pytest.param("primary", 1, UNREAD, True, id="a replica that nobody uses"),
        pytest.param("gone", 0, POLICY, False, id="a server that was read once"),
        pytest.param("gone", 0, RETIRED, True, id="a server that is no more"),
    ],
)
def test_columns_are_judged_only_where_every_server_logged_all_statements(
    steady_shop: Database, tmp_path: Path, node: str, standbys: int, policy: PolicySettings, is_found: bool
) -> None:
    see_all_statements(tmp_path)
    use_customers(tmp_path)
    snapshot, counters, now = observe(steady_shop)
    if node == "gone":
        write(tmp_path, "coverage", covered(now - DAY, now, Source.LOG, node=node))
    nodes = ("primary", "replica") if node == "replica" else ("primary",)
    with Evidence.open(tmp_path) as evidence:
        counters = replace(counters, standbys=standbys)
        found = survey(Grounds(snapshot, counters, evidence, policy, now + 60 * DAY, nodes))
    assert (FAX in reasons(found)) is is_found


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"element": FAX, "implicit": True}, id="read by SELECT *"),
        pytest.param({"element": "table:public.customers", "implicit": True}, id="table used as a whole"),
    ],
)
def test_an_implicit_use_of_a_column_is_a_use(
    steady_shop: Database, tmp_path: Path, row: dict[str, Any]
) -> None:
    see_all_statements(tmp_path)
    use_customers(tmp_path)
    element = row.pop("element")
    write(tmp_path, "usage_hourly", hourly(element, datetime.now(UTC) + DAY, **row))
    assert FAX not in reasons(look(steady_shop, tmp_path, POLICY, 60 * DAY))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON customers (lower(fax))",
        "CREATE VIEW w AS SELECT fax FROM customers",
        "ALTER TABLE customers ADD CHECK (fax <> '')",
        "CREATE FUNCTION h() RETURNS text LANGUAGE plpgsql AS 'begin return new.FAX; end'",
        "CREATE FUNCTION h() RETURNS record LANGUAGE sql AS 'select * from customers limit 1'",
        "ALTER TABLE customers ADD fax2 text GENERATED ALWAYS AS (fax || 'x') STORED",
    ],
)
def test_a_column_with_dependants_is_no_candidate(shop: Database, tmp_path: Path, statement: str) -> None:
    shop.execute(statement)
    see_all_statements(tmp_path)
    use_customers(tmp_path)
    assert FAX not in reasons(look(shop, tmp_path, POLICY, 60 * DAY))

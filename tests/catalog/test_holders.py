"""Which columns can hold a value of an enum type, and whether they do: by statistics, and by their rows."""

from dataclasses import replace

import pytest

from catalog.counters import read_counters
from catalog.database import Database
from catalog.holders import Holder, look_at_rows, read_holders
from migrations import registry
from tests.fix_server import FreshDatabase

LABEL = "sad_deprecated_20261122_unused"
SCRIPT = f"""
CREATE TYPE mood AS ENUM ('ok', '{LABEL}');
CREATE DOMAIN state AS mood;
CREATE TYPE pair AS (left_one mood, right_one int);
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TABLE plain (m mood, i int);
CREATE INDEX plain_m ON plain (m);
CREATE TABLE arrays (m mood[]);
CREATE TABLE domains (m state);
CREATE TABLE pairs (m pair);
CREATE TABLE ranges (m moods);
CREATE TABLE parted (m mood) PARTITION BY LIST (m);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
CREATE MATERIALIZED VIEW shown AS SELECT 'ok'::mood AS m;
CREATE VIEW seen AS SELECT m FROM plain;
CREATE TABLE other (t text);
"""
HOLDING = {
    "plain": f"INSERT INTO plain SELECT '{LABEL}' FROM generate_series(1, 50)",
    "arrays": f"INSERT INTO arrays SELECT ARRAY['ok', '{LABEL}']::mood[] FROM generate_series(1, 50)",
    "domains": f"INSERT INTO domains SELECT '{LABEL}' FROM generate_series(1, 50)",
    "pairs": f"INSERT INTO pairs SELECT ROW('{LABEL}', 1)::pair FROM generate_series(1, 50)",
    "ranges": f"INSERT INTO ranges VALUES (moods('ok', '{LABEL}', '[]'))",
    "parted_1": f"INSERT INTO parted VALUES ('{LABEL}')",
}
# Of ranges and rows that are alone the statistics keep no common values.
COMMON = {"plain", "arrays", "domains", "pairs"}


@pytest.fixture
def db(database: FreshDatabase) -> Database:
    found = database.db
    registry.install(found)
    for statement in filter(str.strip, SCRIPT.split(";\n")):
        found.execute(statement)
    found.execute(
        "INSERT INTO pgattic.migration (id, state, reason, plan, plan_hash, applied_at)"
        " VALUES ('m', 'executed', 'unused', '{}', '', now())"
    )
    found.execute(
        "INSERT INTO pgattic.element (migration_id, position, kind, schema_name, parent_name, former_name,"
        " deprecated_name, object_oid, deprecated_at) SELECT 'm', 1, 'enum_value', 'public', 'mood', 'sad',"
        " enumlabel, oid, now() FROM pg_enum WHERE enumlabel <> 'ok'"
    )
    return found


def by_table(holders: dict[int, tuple[Holder, ...]]) -> dict[str, Holder]:
    (found,) = holders.values()
    return {holder.relation: holder for holder in found}


def test_every_column_that_can_hold_it_is_known(db: Database) -> None:
    found = by_table(read_holders(db))
    assert found.keys() == HOLDING.keys() | {"shown"}
    assert {holder.holds for holder in found.values()} == {None}
    looked = by_table(look_at_rows(db, read_holders(db)))
    assert {(holder.holds, holder.is_read) for holder in looked.values()} == {(False, True)}


@pytest.mark.parametrize("table", HOLDING)
def test_a_column_that_holds_it(db: Database, table: str) -> None:
    db.execute(HOLDING[table])
    db.execute("ANALYZE")
    assert by_table(read_holders(db))[table].holds is (True if table in COMMON else None)
    looked = by_table(look_at_rows(db, read_holders(db)))
    assert {name for name, holder in looked.items() if holder.holds} == {table}


def test_each_look_is_one_scan_that_is_noted(db: Database, database: FreshDatabase) -> None:
    db.execute(HOLDING["plain"])
    db.fetch("SELECT pg_stat_force_next_flush()")
    before = read_counters(db)
    with Database.connect(database.dsn()) as reader:
        look_at_rows(reader, before.holders)
    after = read_counters(db)
    oids = {name: db.fetch_value("SELECT %s::regclass::oid::bigint", [name]) for name in ("plain", "plain_m")}
    assert after.counters[oids["plain"]].reads == before.counters[oids["plain"]].reads + 1
    assert after.counters[oids["plain_m"]].reads == before.counters[oids["plain_m"]].reads
    noted = [scan.scans for scan in after.own_scans if scan.oid == oids["plain"]]
    assert noted == [1]


def test_rows_that_may_not_be_read_are_unknown_and_not_noted(db: Database, database: FreshDatabase) -> None:
    db.execute("ALTER TABLE plain ENABLE ROW LEVEL SECURITY")
    db.execute("CREATE POLICY nothing ON plain USING (false)")
    role = f"reader_{database.db.name}"
    db.execute(f'CREATE ROLE "{role}"')
    db.execute(f'GRANT USAGE ON SCHEMA pgattic TO "{role}"')
    db.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA pgattic TO "{role}"')
    db.execute(f'GRANT SELECT ON plain, parted_1 TO "{role}"')
    with Database.connect(database.dsn()) as reader:
        reader.execute(f'SET ROLE "{role}"')
        looked = by_table(look_at_rows(reader, read_holders(reader)))
    assert looked["parted_1"].holds is False
    assert (looked["plain"].holds, looked["arrays"].holds) == (None, None)
    assert "row-level security" in str(looked["plain"].problem)
    assert "permission denied" in str(looked["arrays"].problem)
    assert len(read_counters(db).own_scans) == 1
    db.execute(f'DROP OWNED BY "{role}"')
    db.execute(f'DROP ROLE "{role}"')


def test_a_look_that_takes_too_long_is_unknown_and_noted(db: Database, database: FreshDatabase) -> None:
    db.execute("CREATE FUNCTION slow(mood) RETURNS text LANGUAGE sql AS 'SELECT pg_sleep(60)::text'")
    db.execute("CREATE CAST (mood AS text) WITH FUNCTION slow(mood)")
    db.execute(HOLDING["plain"])
    ((oid, holders),) = read_holders(db).items()
    plain = replace(next(one for one in holders if one.relation == "plain"), is_plain=False)
    with Database.connect(database.dsn(), statement_timeout_ms=1000) as reader:
        (looked,) = look_at_rows(reader, {oid: (plain,)})[oid]
    assert looked.holds is None
    assert "statement timeout" in str(looked.problem)
    assert len(read_counters(db).own_scans) == 1

"""The snapshot: what it reads from a real catalog, and that it survives a file."""

from pathlib import Path

import pytest

from catalog.counters import read_counters
from catalog.elements import Element
from catalog.errors import SnapshotError
from catalog.objects import Grant
from catalog.reading import load_snapshot, read_snapshot, to_json
from tests.fix_server import FreshDatabase

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parent (id serial PRIMARY KEY, x int CHECK (x > 0), "Mixed Case" text DEFAULT 'q');
CREATE TABLE child (id int REFERENCES parent, moods mood[] DEFAULT '{ok}');
CREATE INDEX parent_x_idx ON parent (x);
CREATE INDEX parent_lower_idx ON parent (lower("Mixed Case"));
CREATE VIEW v AS SELECT id, x FROM parent;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM v;
CREATE FUNCTION f(m mood) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM parent; END;
"""


@pytest.fixture
def shop(database: FreshDatabase) -> FreshDatabase:
    database.db.execute(SCHEMA)
    return database


@pytest.mark.parametrize(
    "text",
    [
        "table:public.parent",
        'column:public.parent."Mixed Case"',
        "index:public.parent_pkey",
        "constraint:public.parent.parent_x_check",
        "constraint:public.child.child_id_fkey",
        "enum:public.mood",
        "enum_value:public.mood.sad",
        "view:public.v",
        "matview:public.mv",
        "sequence:public.parent_id_seq",
    ],
)
def test_every_kind_is_found_by_its_name(shop: FreshDatabase, text: str) -> None:
    snapshot = read_snapshot(shop.db)
    element = Element.parse(text)
    assert snapshot.exists(element)
    assert element in snapshot.elements()


@pytest.mark.parametrize(
    "text",
    [
        "table:public.v",
        "table:public.nope",
        "column:public.v.x",
        "index:public.parent",
        "view:public.mv",
        "matview:public.v",
        "sequence:public.parent",
        "enum_value:public.mood.happy",
        "enum_value:public.nope.sad",
    ],
)
def test_other_things_are_no_such_element(shop: FreshDatabase, text: str) -> None:
    assert not read_snapshot(shop.db).exists(Element.parse(text))


def test_stored_uses_name_columns_behind_views_of_views(shop: FreshDatabase) -> None:
    uses = {
        (use.kind, use.name, use.used_name, use.used_column) for use in read_snapshot(shop.db).stored_uses
    }
    assert ("view", "v", "parent", "x") in uses
    assert ("materialized view", "mv", "v", "id") in uses
    assert ("function", "f", "mood", None) in uses


def test_a_sequence_knows_what_it_belongs_to(shop: FreshDatabase) -> None:
    shop.db.execute("CREATE TABLE own (a serial, b int GENERATED ALWAYS AS IDENTITY); CREATE SEQUENCE free")
    snapshot = read_snapshot(shop.db)
    found = {
        relation.name: (relation.used_by_table, relation.used_by_column, relation.is_identity)
        for relation in snapshot.relations
        if relation.kind == "S"
    }
    assert found == {
        "parent_id_seq": ("parent", "id", False),
        "own_a_seq": ("own", "a", False),
        "own_b_seq": ("own", "b", True),
        "free": (None, None, False),
    }


def test_children_are_counted_all_the_way_down(shop: FreshDatabase) -> None:
    shop.db.execute("CREATE TABLE mid () INHERITS (parent); CREATE TABLE low () INHERITS (mid)")
    snapshot = read_snapshot(shop.db)
    found = {name: snapshot.relation("public", name) for name in ("parent", "mid", "low", "child")}
    assert {name: table.children for name, table in found.items() if table} == {
        "parent": 2,
        "mid": 1,
        "low": 0,
        "child": 0,
    }


def test_grants_and_defaults_are_read(shop: FreshDatabase) -> None:
    shop.db.execute(
        "GRANT SELECT ON parent TO PUBLIC; GRANT UPDATE (x) ON parent TO pg_monitor WITH GRANT OPTION"
    )
    parent = read_snapshot(shop.db).relation("public", "parent")
    assert parent is not None
    assert Grant("", "SELECT", False) in parent.grants
    columns = {column.name: column for column in parent.columns}
    assert columns["x"].grants == (Grant("pg_monitor", "UPDATE", True),)
    assert columns["id"].default == "nextval('public.parent_id_seq'::regclass)"
    assert columns["x"].default is None


def test_a_snapshot_survives_a_file(shop: FreshDatabase, tmp_path: Path) -> None:
    snapshot = read_snapshot(shop.db)
    path = tmp_path / "snapshot.json"
    path.write_bytes(to_json(snapshot))
    assert load_snapshot(path) == snapshot


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"database": 1}'])
def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(content)
    with pytest.raises(SnapshotError, match="not a snapshot"):
        load_snapshot(path)


@pytest.mark.parametrize(
    ("change", "is_drift"),
    [
        ("ALTER TABLE parent ADD COLUMN y int", True),
        ("CREATE INDEX parent_id_idx ON parent (id)", True),
        ("CREATE VIEW v2 AS SELECT x FROM parent", True),
        ("ALTER TABLE parent RENAME COLUMN x TO z", True),
        ("INSERT INTO parent (x) SELECT generate_series(1, 1000); ANALYZE parent", False),
        ("CREATE TABLE unrelated (id int)", False),
    ],
)
def test_the_fingerprint_changes_with_the_schema_of_its_elements_only(
    shop: FreshDatabase, change: str, is_drift: bool
) -> None:
    elements = (Element.parse("table:public.parent"),)
    before = read_snapshot(shop.db).fingerprint(elements)
    shop.db.execute(change)
    assert (read_snapshot(shop.db).fingerprint(elements) != before) is is_drift


def test_uses_are_counted_from_a_baseline_and_a_reset_shows(shop: FreshDatabase) -> None:
    oid = read_snapshot(shop.db).oid(Element.parse("table:public.parent"))
    assert oid is not None
    flush = "SELECT pg_stat_force_next_flush()"
    shop.db.execute(flush)
    baseline = read_counters(shop.db).baseline(oid)
    assert baseline is not None
    shop.db.execute("SELECT count(*) FROM parent")
    shop.db.execute(flush)
    after = read_counters(shop.db)
    assert (after.counters[oid].reads - baseline.reads, after.reset_at) == (1, baseline.reset_at)
    shop.db.execute("SELECT pg_stat_reset()")
    assert read_counters(shop.db).reset_at != baseline.reset_at

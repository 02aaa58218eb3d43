"""Every kind goes to the attic and comes back as it was, whatever it is called."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import names
from catalog.database import Database, identifier, literal
from catalog.elements import Element, Kind
from catalog.names import MAX_NAME_BYTES, Reason
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from migrations import registry
from migrations.apply import apply
from migrations.batches import Batch, batches_of
from migrations.errors import PlanError
from migrations.operations import operation_for
from migrations.plan import Plan, as_script, make_plan
from migrations.rollback import rollback
from migrations.steps import Step
from tests.fix_server import FreshDatabase

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NAMES = (
    "plain",
    'Mixed "Case"',
    "it's; -- 100%\n",
    "größe 表",
    "l" * MAX_NAME_BYTES,
    "表" * (MAX_NAME_BYTES // 3),
    "old_deprecated_20260101_unused",
)
# One of each, made under a name; {schema} things stand alone, the others belong to the table or type.
MAKE = {
    "table": "CREATE TABLE {name} (id int)",
    "column": "CREATE TABLE has_column (id int, {name} int)",
    "index": "CREATE TABLE has_index (id int); CREATE INDEX {name} ON has_index (id)",
    "check": "CREATE TABLE has_check (id int CONSTRAINT {name} CHECK (id > 0))",
    "primary": "CREATE TABLE has_primary (id int CONSTRAINT {name} PRIMARY KEY)",
    "unique": "CREATE TABLE has_unique (id int CONSTRAINT {name} UNIQUE)",
    "exclude": "CREATE TABLE has_exclude (id int, CONSTRAINT {name} EXCLUDE USING btree (id WITH =))",
    "foreign": "CREATE TABLE has_foreign (id int CONSTRAINT {name} REFERENCES has_primary)",
    "enum": "CREATE TYPE {name} AS ENUM ('a')",
    "enum_value": "CREATE TYPE has_value AS ENUM ({label}, 'b'); CREATE TABLE uses_value (v has_value)",
    "view": "CREATE VIEW {name} AS SELECT 1 AS id",
    "matview": "CREATE MATERIALIZED VIEW {name} AS SELECT 1 AS id",
    "sequence": "CREATE SEQUENCE {name}",
}
PARENTS = {
    "column": "has_column",
    "check": "has_check",
    "primary": "has_primary",
    "unique": "has_unique",
    "exclude": "has_exclude",
    "foreign": "has_foreign",
    "enum_value": "has_value",
}
CONSTRAINTS = ("check", "primary", "unique", "exclude", "foreign")


def short(text: str) -> str:
    return text.encode()[:MAX_NAME_BYTES].decode(errors="ignore")


def populate(db: Database, name: str) -> list[Element]:
    """One element of each sort under (almost) that name, each with a comment; return them."""
    elements = []
    for letter, (sort, statement) in zip("abcdefghijklm", MAKE.items(), strict=True):
        called = short(letter + name)
        db.execute(statement.format(name=identifier(called), label=literal(called)))
        kind = Kind.CONSTRAINT if sort in CONSTRAINTS else Kind(sort)
        element = Element(kind, "public", called, PARENTS.get(sort))
        place = operation_for(kind).locate(read_snapshot(db), element)
        assert place is not None
        comment = operation_for(kind).comment(place, called, f"it's {sort}")
        if comment:
            db.execute(comment)
        elements.append(element)
    return elements


def planned(db: Database, elements: Sequence[Element], **more: object) -> Plan:
    return make_plan(
        read_snapshot(db),
        elements,
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=NOW,
        **more,  # type: ignore[arg-type]
    )


def schema_of(snapshot: Snapshot) -> tuple[object, ...]:
    """All but the sizes, which rows change."""
    relations = tuple(replace(relation, total_bytes=0, estimated_rows=0) for relation in snapshot.relations)
    indexes = tuple(replace(index, bytes=0) for index in snapshot.indexes)
    return relations, indexes, snapshot.constraints, snapshot.enums, snapshot.stored_uses


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_goes_and_comes_back_the_same(database: FreshDatabase, name: str) -> None:
    db = database.db
    registry.install(db)
    elements = populate(db, name)
    before = read_snapshot(db)
    assert all(before.exists(element) for element in elements)
    plan = planned(db, elements)
    apply(db, plan)
    inside = read_snapshot(db)
    assert not any(inside.exists(element) for element in elements)
    for step in plan.steps:
        assert inside.exists(replace(step.element, name=step.deprecated_name)), step
        parts = names.parse(step.deprecated_name)
        assert parts is not None
        assert str(replace(parts, serial=1)) == names.deprecated_name(
            step.element.name, parts.on, parts.reason
        )
        comment = inside.comment(replace(step.element, name=step.deprecated_name))
        if step.element.kind is not Kind.ENUM_VALUE:
            assert comment is not None
            assert comment.startswith("Deprecated 2026-11-22 (unused), formerly ")
            assert plan.id in comment
    rollback(db, migration_id=plan.id)
    assert schema_of(read_snapshot(db)) == schema_of(before)


@pytest.mark.parametrize("name", NAMES[2:4])
def test_the_plan_s_own_scripts_do_the_same(database18: FreshDatabase, name: str) -> None:
    db = database18.db
    elements = populate(db, name)
    before = read_snapshot(db)
    plan = planned(db, elements)
    db.execute(as_script(plan, "up"))
    assert not any(read_snapshot(db).exists(element) for element in elements)
    db.execute(as_script(plan, "down"))
    assert schema_of(read_snapshot(db)) == schema_of(before)


def test_each_alone_comes_back_too(database18: FreshDatabase) -> None:
    db = database18.db
    registry.install(db)
    elements = populate(db, "_x")
    before = read_snapshot(db)
    for element in elements:
        apply(db, planned(db, [element]))
        found = [entry for entry in read_snapshot(db).attic if entry.is_in_attic]
        assert [entry.element for entry in found] == [element]
        rollback(db, element=element)
        assert schema_of(read_snapshot(db)) == schema_of(before)


def test_the_same_name_twice_a_day_gets_a_serial(database18: FreshDatabase) -> None:
    db = database18.db
    registry.install(db)
    old = Element.parse("table:public.old")
    plans = []
    for columns in ("first int", "second int"):
        db.execute(f"CREATE TABLE old ({columns})")
        plans.append(planned(db, [old]))
        apply(db, replace(plans[-1], id=f"m20261122-00000{len(plans)}"))
    assert [plan.steps[0].deprecated_name for plan in plans] == [
        "old_deprecated_20261122_unused",
        "old_deprecated_20261122_unused_2",
    ]
    rollback(db, migration_id="m20261122-000002")
    db.execute("DROP TABLE old")
    rollback(db, migration_id="m20261122-000001")
    assert db.fetch("SELECT first FROM old") == []


def test_deprecated_and_restored_and_deprecated_again(database18: FreshDatabase) -> None:
    db = database18.db
    registry.install(db)
    db.execute("CREATE TYPE mood AS ENUM ('a'); COMMENT ON TYPE mood IS 'as it was'")
    mood = Element.parse("enum:public.mood")
    for number in range(2):
        plan = replace(planned(db, [mood]), id=f"m20261122-00000{number}")
        apply(db, plan)
        rollback(db, migration_id=plan.id)
    assert read_snapshot(db).comment(mood) == "as it was"


DEPENDENTS = """
CREATE TABLE t (
    id serial CONSTRAINT t_pk PRIMARY KEY, g int GENERATED ALWAYS AS IDENTITY, note text NOT NULL,
    CONSTRAINT t_ck CHECK (id > 0), boss int CONSTRAINT t_fk REFERENCES t
);
CREATE INDEX t_note_idx ON t (note);
CREATE SEQUENCE unrelated;
CREATE TABLE parted (id int CONSTRAINT parted_ck CHECK (id > 0)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX parted_idx ON parted (id);
"""


def test_dependents_go_along_and_come_back(database: FreshDatabase) -> None:
    db = database.db
    db.execute(DEPENDENTS)
    registry.install(db)
    before = read_snapshot(db)
    table = Element.parse("table:public.t")
    plan = planned(db, [table], with_dependents=True)
    assert {str(element) for element in plan.elements} == {
        "constraint:public.t.t_ck",
        "constraint:public.t.t_fk",
        "constraint:public.t.t_pk",
        "index:public.t_note_idx",
        "sequence:public.t_id_seq",
        "sequence:public.t_g_seq",
        "table:public.t",
    }
    assert plan.elements[-1] == table
    assert list(planned(db, [table]).elements) == [table]
    apply(db, plan)
    new = identifier(plan.steps[-1].deprecated_name)
    assert db.fetch(f"INSERT INTO {new} (note) VALUES ('x') RETURNING id, g") == [{"id": 1, "g": 1}]
    # Every name of it is free for another table.
    db.execute("CREATE TABLE t (id serial CONSTRAINT t_pk PRIMARY KEY, note text)")
    db.execute("CREATE INDEX t_note_idx ON t (note); DROP TABLE t")
    rollback(db, migration_id=plan.id)
    assert schema_of(read_snapshot(db)) == schema_of(before)


def test_a_partitioned_table_goes_with_its_partitions(database: FreshDatabase) -> None:
    db = database.db
    db.execute(DEPENDENTS)
    registry.install(db)
    before = read_snapshot(db)
    tables = [Element.parse("table:public.parted"), Element.parse("table:public.parted_1")]
    plan = planned(db, tables, with_dependents=True)
    # The partition's check is its parent's, and is renamed there.
    assert {str(element) for element in plan.elements if element.kind is not Kind.TABLE} == {
        "constraint:public.parted.parted_ck",
        "index:public.parted_idx",
        "index:public.parted_1_id_idx",
    }
    apply(db, plan)
    new = identifier(plan.steps[-1].deprecated_name)
    db.execute(f"INSERT INTO {identifier(_new_name(plan, tables[0]))} VALUES (1)")
    assert db.fetch_value(f"SELECT count(*) FROM {new}") == 1
    rollback(db, migration_id=plan.id)
    assert schema_of(read_snapshot(db)) == schema_of(before)


def _new_name(plan: Plan, element: Element) -> str:
    return next(step.deprecated_name for step in plan.steps if step.element == element)


def test_a_step_takes_at_most_the_locks_that_it_says(database: FreshDatabase) -> None:
    db = database.db
    db.execute(DEPENDENTS)
    counted = (
        "SELECT count(DISTINCT (relation, classid, objid)) FROM pg_locks WHERE pid = pg_backend_pid()"
        " AND locktype IN ('relation', 'object') AND coalesce(relation, objid) >= 16384"
    )
    for element, locks in {
        "table:public.parted": 1,
        "column:public.parted.id": 2,
        "constraint:public.parted.parted_ck": 3,
        "constraint:public.t.t_pk": 3,
        "index:public.t_note_idx": 1,
        "sequence:public.t_id_seq": 1,
    }.items():
        step = planned(db, [Element.parse(element)]).steps[0]
        assert step.locks == locks
        with db.transaction():
            for statement in step.up:
                db.execute(statement)
            assert 1 <= db.fetch_value(counted) <= locks, step
            for statement in step.down:
                db.execute(statement)


def test_a_plan_for_each_table_is_a_batch_each(database18: FreshDatabase) -> None:
    db = database18.db
    db.execute(DEPENDENTS + "CREATE VIEW v AS SELECT 1")
    wanted = [Element.parse(text) for text in ("table:public.t", "table:public.parted_1", "view:public.v")]
    plan = planned(db, wanted, with_dependents=True, batch=Batch.TABLE)
    assert [{step.group for step in batch} for batch in plan.batches()] == [
        {"public.parted_1"},
        {"public.t"},
        {"public.v"},
    ]
    assert [step for batch in plan.batches() for step in batch] == list(plan.steps)
    script = as_script(plan, "up")
    assert (script.count("BEGIN;"), script.count("COMMIT;")) == (3, 3)


def test_no_batch_takes_more_than_half_of_the_server_s_locks(database18: FreshDatabase) -> None:
    db = database18.db
    wanted = "current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int"
    assert read_snapshot(db).max_locks == db.fetch_value(f"SELECT {wanted}")
    for number in range(9):
        db.execute(f"CREATE TABLE t{number} (id int)")
    tables = [Element(Kind.TABLE, "public", f"t{number}") for number in range(9)]
    plan = make_plan(
        replace(read_snapshot(db), max_locks=8),
        tables,
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=NOW,
    )
    assert [len(batch) for batch in plan.batches()] == [4, 4, 1]


_STEPS = st.lists(
    st.builds(
        Step,
        element=st.just(Element.parse("table:public.t")),
        deprecated_name=st.just("x"),
        object_oid=st.integers(1, 9),
        column_number=st.none(),
        lock=st.just(""),
        up=st.just(()),
        down=st.just(()),
        group=st.sampled_from("abc"),
        locks=st.integers(1, 9),
    ),
    max_size=30,
).map(lambda steps: sorted(steps, key=lambda step: step.group))


@settings(deadline=None)
@given(steps=_STEPS, batch=st.sampled_from(Batch), most_locks=st.integers(1, 40))
def test_batches_keep_order_and_limit(steps: list[Step], batch: Batch, most_locks: int) -> None:
    batches = batches_of(steps, batch, most_locks)
    assert [step for part in batches for step in part] == steps
    for part in batches:
        assert len(part) == 1 or sum(step.locks for step in part) <= most_locks
        if batch is Batch.TABLE:
            assert len({step.group for step in part}) == 1
    if batch is Batch.ONE and sum(step.locks for step in steps) <= most_locks:
        assert len(batches) == (1 if steps else 0)


def test_a_thing_of_another_kind_is_not_found(database18: FreshDatabase) -> None:
    db = database18.db
    db.execute("CREATE TYPE mood AS ENUM ('ok', 'Fine'); CREATE TABLE t (id int); CREATE VIEW v AS SELECT 1")
    assert read_snapshot(db).exists(Element.parse('enum_value:public.mood."Fine"'))
    for text, said in {
        'enum_value:public.mood."Ok"': "Did you mean enum_value:public.mood.ok",
        "view:public.t": "does not exist",
        "table:public.v": "does not exist",
        "matview:public.v": "does not exist",
        "sequence:public.t": "does not exist",
    }.items():
        with pytest.raises(PlanError) as caught:
            planned(db, [Element.parse(text)])
        assert said in str(caught.value)

"""Grants to pgaudit's role: what they make it log, and that nobody else's grants are touched."""

import pytest

from catalog.database import Database, identifier
from catalog.elements import Element
from catalog.reading import read_snapshot
from migrations import registry, sensors
from migrations.apply import apply
from migrations.sensors import Selection, SensorKind
from tests.fix_server import FreshDatabase
from tests.migrations.fix_audit import AUDITOR
from tests.migrations.fix_house import SCHEMA, USERS, House
from tests.migrations.sensed import Log
from tests.migrations.test_round_trip import dump

EVERYTHING = Selection()
COLUMN = "column:public.orders.legacy"
GRANTED = ["SELECT", "INSERT", "UPDATE", "DELETE"]


@pytest.fixture
def audited(auditing: FreshDatabase) -> House:
    """A small schema on a server with pgaudit."""
    auditing.db.execute(SCHEMA)
    registry.install(auditing.db)
    auditing.db.execute("SELECT pg_stat_force_next_flush()")
    return House(auditing)


def lines(house: House, log: Log) -> list[str]:
    """What pgaudit said: class, command and object."""
    return [",".join(line.message.split(",")[3:7]) for line in log.new("AUDIT: OBJECT")]


def test_any_use_of_a_table_is_logged_and_of_others_nothing(audited: House) -> None:
    plan = audited.plan(str(USERS))
    apply(audited.db, plan, with_sensors=True)
    now = plan.steps[0].deprecated_name
    log = Log(audited.database)
    with Database.connect(audited.database.dsn(), application_name="shop") as app:
        app.execute(f"SELECT count(*) FROM {now}")
        app.execute("SELECT count(*) FROM reader")
        app.execute(f"DELETE FROM {now} WHERE id = 1")
        app.execute("SELECT count(*) FROM orders")
    # A DELETE with a condition reads too.
    assert sorted(set(lines(audited, log))) == [
        f"READ,SELECT,TABLE,public.{now}",
        f"WRITE,DELETE,TABLE,public.{now}",
    ]
    audited.back(plan)
    with Database.connect(audited.database.dsn(), application_name="shop") as app:
        app.execute("SELECT count(*) FROM reader")
    assert lines(audited, log) == []


def test_a_grant_tells_from_its_commit_on(audited: House) -> None:
    """Whoever reads while the grant is not committed yet is not logged, and nothing may claim that he was."""
    apply(audited.db, audited.plan(str(USERS)), with_sensors=False)
    sensors.arm(audited.db, EVERYTHING)
    (row,) = audited.db.fetch(
        "SELECT max(made_at) FILTER (WHERE kind = 'grant') > max(made_at) FILTER (WHERE kind = 'trigger')"
        " AS later, count(DISTINCT xmin::text) AS transactions FROM pgattic.sensor"
    )
    # The time was written by a transaction that began after the one with the grant.
    assert (row["later"], row["transactions"]) == (True, 2)


def test_a_column_is_logged_alone_and_what_is_not_seen_is_as_documented(audited: House) -> None:
    plan = audited.plan(COLUMN)
    apply(audited.db, plan, with_sensors=True)
    now = identifier(plan.steps[0].deprecated_name)
    log = Log(audited.database)
    with Database.connect(audited.database.dsn(), application_name="shop") as app:
        app.execute("INSERT INTO orders (id, total) VALUES (1, 1)")
        app.execute("SELECT id FROM orders")
        app.execute("DELETE FROM orders WHERE id = 1")
        app.execute("TRUNCATE orders")
        assert lines(audited, log) == []
        app.execute(f"SELECT {now} FROM orders")
        app.execute("SELECT * FROM orders")
        app.execute(f"UPDATE orders SET {now} = 'x'")
        app.execute(f"INSERT INTO orders (id, {now}) VALUES (2, 'x')")
    assert [line.split(",")[1] for line in lines(audited, log)] == ["SELECT", "SELECT", "UPDATE", "INSERT"]


@pytest.mark.parametrize(
    "before",
    [
        "SELECT 1",
        f"GRANT SELECT, DELETE ON users_old TO {AUDITOR}",
        f"GRANT SELECT (id), UPDATE (name) ON users_old TO {AUDITOR}",
        f"GRANT SELECT (id) ON users_old TO {AUDITOR} WITH GRANT OPTION; GRANT INSERT ON users_old TO PUBLIC",
        f"GRANT ALL ON users_old TO {AUDITOR}",
        f"REVOKE DELETE ON users_old FROM CURRENT_USER; GRANT UPDATE ON orders TO {AUDITOR}",
    ],
)
def test_grants_that_were_there_stay_as_they_were(audited: House, before: str) -> None:
    db = audited.db
    db.execute(before)
    dumped, snapshot = dump(audited.database), read_snapshot(db)
    plan = audited.deprecate(str(USERS), COLUMN)
    inside = dump(audited.database)
    armed = sensors.arm(db, EVERYTHING)
    wanted = before.startswith("GRANT ALL")
    assert [SensorKind.GRANT in one.refused for one in armed] == [wanted, False]
    fingerprint = read_snapshot(db).relations
    sensors.disarm(db, EVERYTHING)
    assert dump(audited.database) == inside
    # Ours are nobody's grants, and so change no plan.
    assert read_snapshot(db).relations == fingerprint
    sensors.arm(db, EVERYTHING)
    restored = audited.back(plan)
    assert not [note for one in restored for note in one.notes]
    assert dump(audited.database) == dumped
    assert read_snapshot(db).relations == snapshot.relations


def test_a_table_and_its_column_keep_their_grants_apart(audited: House) -> None:
    db = audited.db
    first = audited.deprecate(COLUMN)
    sensors.arm(db, EVERYTHING)
    second = audited.deprecate("table:public.orders")
    sensors.arm(db, EVERYTHING)
    column = "SELECT attacl::text FROM pg_attribute WHERE attrelid = %s AND attnum = 2"
    oid = first.steps[0].object_oid
    held = db.fetch_value(column, [oid])
    assert AUDITOR in held
    sensors.disarm(db, Selection(elements=(Element.parse("table:public.orders"),)))
    assert db.fetch_value(column, [oid]) == held
    sensors.arm(db, EVERYTHING)
    sensors.disarm(db, EVERYTHING)
    assert db.fetch_value(column, [oid]) is None
    assert AUDITOR not in (db.fetch_value("SELECT relacl::text FROM pg_class WHERE oid = %s", [oid]) or "")
    audited.back(second)
    audited.back(first)


def test_somebody_elses_grant_in_between_is_told_and_stays(audited: House) -> None:
    plan = audited.deprecate(str(USERS))
    sensors.arm(audited.db, EVERYTHING)
    audited.db.execute(f"GRANT SELECT ON {plan.steps[0].deprecated_name} TO pg_monitor")
    (one,) = audited.back(plan)
    assert "its grants were changed since, and stay as they are now" in one.notes
    granted = audited.db.fetch_value("SELECT relacl::text FROM pg_class WHERE relname = 'users_old'")
    assert "pg_monitor" in granted
    assert AUDITOR not in granted


def test_a_role_that_is_gone_is_no_obstacle(audited: House) -> None:
    plan = audited.deprecate(str(USERS))
    sensors.arm(audited.db, EVERYTHING)
    audited.db.execute(f"DROP OWNED BY {AUDITOR}; DROP ROLE {AUDITOR}")
    assert not sensors.arm(audited.db, EVERYTHING)[0].had.count(SensorKind.GRANT)
    audited.db.execute(f"CREATE ROLE {AUDITOR}")
    assert SensorKind.GRANT in sensors.arm(audited.db, EVERYTHING)[0].made
    audited.back(plan)


def test_a_partition_in_the_attic_by_itself_and_with_its_table_keeps_what_is_left(audited: House) -> None:
    db = audited.db
    db.execute("CREATE TABLE parted (id int) PARTITION BY RANGE (id)")
    db.execute("CREATE TABLE part PARTITION OF parted DEFAULT")
    before = dump(audited.database)
    both = audited.plan("table:public.part", "table:public.parted")
    armed = apply(db, both, with_sensors=True)
    assert [one.made for one in armed] == [("trigger", "grant")] * 2
    part = next(step for step in both.steps if step.element.name == "part")
    granted = "SELECT relacl::text FROM pg_class WHERE oid = %s"
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s AND tgname LIKE 'pgattic%%'"
    assert db.fetch_value(triggers, [part.object_oid]) == 2
    for element in ("table:public.parted", "table:public.part"):
        assert AUDITOR in db.fetch_value(granted, [part.object_oid])
        sensors.disarm(db, Selection(elements=(Element.parse(element),)))
    assert AUDITOR not in db.fetch_value(granted, [part.object_oid])
    assert db.fetch_value(triggers, [part.object_oid]) == 0
    sensors.arm(db, EVERYTHING)
    restored = audited.back(both)
    assert not [note for one in restored for note in one.notes]
    assert dump(audited.database) == before

"""Partitions that come later, and sensors that somebody took away: known and told, until they are armed."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.health.armed import Armed
from catalog.attic import AtticEntry, Unwatched, read_attic
from catalog.database import Database
from catalog.elements import Element
from ingest.collect import Node, collect
from ingest.store import Store
from migrations import registry, sensors
from migrations.plan import Plan
from migrations.sensors import Selection
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.migrations.fix_audit import AUDITOR
from tests.migrations.fix_house import SCHEMA, USERS, House
from tests.migrations.sensed import Log
from tests.migrations.test_round_trip import dump

EVENTS = "table:public.events"
KIND = "column:public.events.kind"
EVERYTHING = Selection()
PARTED = """
CREATE TABLE events (id int, at int, kind text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (1) TO (2);
"""
# Attached with its columns in another order, and one that is created as a partition of a partition.
LATER = """
CREATE TABLE events_2 ({kind} text, at int, id int);
ALTER TABLE {events} ATTACH PARTITION events_2 FOR VALUES FROM (2) TO (3);
CREATE TABLE "Events 3" PARTITION OF {events} FOR VALUES FROM (3) TO (5) PARTITION BY RANGE (at);
CREATE TABLE events_3a PARTITION OF "Events 3" FOR VALUES FROM (3) TO (4);
"""
AS_NEW = ("events_2", '"Events 3"', "events_3a")


def entries(db: Database) -> dict[str, AtticEntry]:
    return {str(entry.element): entry for entry in read_attic(db) if entry.is_in_attic}


def unwatched(entry: AtticEntry) -> dict[str, tuple[str, ...]]:
    return {one.kind: one.relations for one in entry.unwatched}


def parted(database: FreshDatabase) -> House:
    database.db.execute(SCHEMA + PARTED)
    registry.install(database.db)
    database.db.execute("SELECT pg_stat_force_next_flush()")
    return House(database)


def later(house: House, plan: Plan) -> tuple[str, str]:
    """Attach what comes later; return what the table and its column are called."""
    (step,) = plan.steps
    events = step.deprecated_name if str(step.element) == EVENTS else "events"
    kind = step.deprecated_name if str(step.element) == KIND else "kind"
    house.db.execute(LATER.format(events=events, kind=kind))
    return events, kind


@pytest.mark.parametrize("element", [EVENTS, KIND])
def test_a_partition_that_comes_later_is_unwatched_until_it_is_armed(
    database: FreshDatabase, element: str
) -> None:
    house = parted(database)
    db = house.db
    before = dump(database)
    plan = house.deprecate(element)
    sensors.arm(db, EVERYTHING)
    whole = entries(db)[element]
    assert (whole.sensors, whole.unwatched, whole.to_arm) == (("trigger",), (), None)
    events, column = later(house, plan)
    part = entries(db)[element]
    assert (part.sensors, part.armed_at) == ((), None)
    assert unwatched(part) == {"trigger": ('public."Events 3"', "public.events_2", "public.events_3a")}
    assert f"`pgattic arm {element}`" in (part.to_arm or "")
    log = Log(database)
    with Database.connect(database.dsn(), application_name="shop") as app:
        app.execute(f"UPDATE events_2 SET {column} = 'x'")
        assert log.said() == []
        (done,) = sensors.arm(db, EVERYTHING)
        assert done.made == ("trigger",)
        for name in AS_NEW:
            app.execute(f"UPDATE {name} SET {column} = 'x'")
    assert log.said() == [f"write {element}"] * 3
    again = entries(db)[element]
    assert (again.sensors, again.unwatched) == (("trigger",), ())
    assert again.armed_at
    assert whole.armed_at
    assert again.armed_at > whole.armed_at
    (once_more,) = sensors.arm(db, EVERYTHING)
    assert (once_more.made, once_more.had) == ((), ("trigger",))
    # What is detached or dropped is nobody's any more, and what is left goes with the rollback.
    db.execute(f"ALTER TABLE {events} DETACH PARTITION events_2; DROP TABLE events_3a")
    assert entries(db)[element].unwatched == ()
    house.back(plan)
    assert not db.fetch_value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgattic_sensor%%'")
    db.execute('DROP TABLE events_2, "Events 3"')
    assert dump(database) == before


def test_tables_that_inherit_later_count_as_partitions_do(house18: House) -> None:
    plan = house18.deprecate(str(USERS))
    sensors.arm(house18.db, EVERYTHING)
    house18.db.execute(f"CREATE TABLE more () INHERITS ({plan.steps[0].deprecated_name})")
    assert unwatched(entries(house18.db)[str(USERS)]) == {"trigger": ("public.more",)}
    sensors.arm(house18.db, EVERYTHING)
    assert entries(house18.db)[str(USERS)].sensors == ("trigger",)


def test_what_was_never_armed_is_not_called_unwatched(database18: FreshDatabase) -> None:
    house = parted(database18)
    house.deprecate(EVENTS)
    entry = entries(house.db)[EVENTS]
    assert (entry.sensors, entry.unwatched) == ((), ())
    assert Armed.of([entry]).bare == (EVENTS,)


@pytest.mark.parametrize(
    "spoil",
    [
        "ALTER TABLE {table} DISABLE TRIGGER ALL",
        # It would be silent for those who apply with session_replication_role = replica.
        "ALTER TABLE {table} ENABLE TRIGGER {trigger}",
        "DROP TRIGGER {trigger} ON {table}",
    ],
)
def test_a_trigger_that_somebody_took_away_or_switched_off_is_known_and_made_again(
    house: House, spoil: str
) -> None:
    db = house.db
    plan = house.deprecate(str(USERS))
    sensors.arm(db, EVERYTHING)
    table, trigger = plan.steps[0].deprecated_name, f"pgattic_sensor_{plan.steps[0].object_oid}"
    db.execute(spoil.format(table=table, trigger=trigger))
    assert unwatched(entries(db)[str(USERS)]) == {"trigger": (f"public.{table}",)}
    (done,) = sensors.arm(db, EVERYTHING)
    assert (done.made, done.had) == (("trigger",), ())
    assert entries(db)[str(USERS)].sensors == ("trigger",)
    log = Log(house.database)
    with Database.connect(house.database.dsn(), application_name="shop") as app:
        app.execute(f"SET session_replication_role = replica; DELETE FROM {table} WHERE id = 1")
    assert log.said() == [f"write {USERS}"]
    db.execute(spoil.format(table=table, trigger=trigger))
    house.back(plan)
    assert "pgattic_sensor_" not in dump(house.database)


def test_a_canary_whose_view_somebody_changed_watches_no_more(house18: House) -> None:
    plan = house18.deprecate(str(USERS), soft=True)
    sensors.arm(house18.db, EVERYTHING)
    assert entries(house18.db)[str(USERS)].sensors == ("canary", "trigger")
    house18.db.execute(
        f"CREATE OR REPLACE VIEW users_old WITH (security_invoker) AS"
        f" SELECT * FROM {plan.steps[0].deprecated_name}"
    )
    entry = entries(house18.db)[str(USERS)]
    assert (entry.sensors, unwatched(entry)) == (("trigger",), {"canary": ("public.users_old",)})
    sensors.arm(house18.db, EVERYTHING)
    assert entries(house18.db)[str(USERS)].sensors == ("canary", "trigger")


@pytest.mark.parametrize("element", [EVENTS, KIND])
def test_grants_are_completed_as_triggers_are(auditing: FreshDatabase, element: str) -> None:
    house = parted(auditing)
    db = house.db
    before = dump(auditing)
    plan = house.deprecate(element)
    sensors.arm(db, EVERYTHING)
    assert entries(db)[element].sensors == ("grant", "trigger")
    _, column = later(house, plan)
    three = ('public."Events 3"', "public.events_2", "public.events_3a")
    assert unwatched(entries(db)[element]) == {"grant": three, "trigger": three}
    # Somebody takes back a part of what was granted: what is left is still ours.
    what = f"UPDATE ({column})" if element == KIND else "UPDATE"
    db.execute(f"REVOKE {what} ON events_1 FROM {AUDITOR}")
    assert "public.events_1" in unwatched(entries(db)[element])["grant"]
    (done,) = sensors.arm(db, EVERYTHING)
    assert done.made == ("trigger", "grant")
    assert (entries(db)[element].sensors, entries(db)[element].unwatched) == (("grant", "trigger"), ())
    log = Log(auditing)
    with Database.connect(auditing.dsn(), application_name="shop") as app:
        for name in ("events_1", *AS_NEW):
            app.execute(f"SELECT {column} FROM {name}")
    assert len(log.new("AUDIT: OBJECT")) == 4
    db.execute('DROP TABLE events_2; DROP TABLE "Events 3"')
    house.back(plan)
    assert dump(auditing) == before


def test_grants_to_a_role_that_pgaudit_no_longer_asks_watch_nothing(auditing: FreshDatabase) -> None:
    house = parted(auditing)
    house.deprecate(EVENTS)
    sensors.arm(house.db, EVERYTHING)
    house.db.execute(f"ALTER DATABASE {auditing.name} SET pgaudit.role = 'pg_monitor'")
    with Database.connect(auditing.dsn()) as db:
        entry = entries(db)[EVENTS]
        assert entry.sensors == ("trigger",)
        assert set(unwatched(entry)) == {"grant"}
    house.db.execute(f"ALTER DATABASE {auditing.name} SET pgaudit.role = ''")
    with Database.connect(auditing.dsn()) as db:
        # Without a role to grant to there is nothing that arming would mend.
        entry = entries(db)[EVENTS]
        assert (entry.sensors, entry.unwatched) == (("trigger",), ())


def test_the_commands_say_so_with_the_command_that_mends_it(
    house18: House, command: CommandLine, tmp_path: Path
) -> None:
    house18.db.execute(PARTED)
    plan = house18.deprecate(EVENTS)
    sensors.arm(house18.db, EVERYTHING)
    later(house18, plan)
    said = f'{EVENTS}: no trigger on public."Events 3", public.events_2, public.events_3a'
    mends = f"`pgattic arm {EVENTS}`"
    store = Store(tmp_path / "data")
    connect = lambda: Database.connect(house18.database.dsn())  # noqa: E731 (a session for each look)
    (node,) = collect([Node("primary", connect)], store, lambda: datetime.now(UTC)).nodes
    assert [note for note in node.notes if said in note and mends in note]

    ended = command("readiness")
    assert said in " ".join(ended.out.split()), ended
    assert mends in " ".join(ended.out.split())
    checks = {line.split("  ")[0]: line for line in command("doctor").out.splitlines()}
    assert any(said in line for line in checks.values()), checks
    assert command("arm", EVENTS, "--yes").code == 0
    assert said not in " ".join(command("readiness").out.split())
    (node,) = collect([Node("primary", connect)], store, lambda: datetime.now(UTC)).nodes
    assert not [note for note in node.notes if "no trigger" in note]


def test_of_many_partitions_some_are_named() -> None:
    then = datetime(2026, 11, 1, tzinfo=UTC)
    lacks = (Unwatched("grant", tuple(f"public.p_{number}" for number in range(9))),)
    element = Element.parse('table:public."it\'s"')
    entry = AtticEntry(
        element, "x", "m1", "unused", 1, None, then, None, None, sensors=("trigger",), unwatched=lacks
    )
    assert "no grant on public.p_0, public.p_1, public.p_2 and 6 more" in (entry.to_arm or "")
    (said,) = Armed.of([entry]).in_part
    assert shlex.split(said.partition("`")[2].strip("`")) == ["pgattic", "arm", str(element)]

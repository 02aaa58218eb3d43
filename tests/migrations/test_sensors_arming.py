"""Arming and disarming: all or nothing, known to all that compares catalogs, gone with a rollback."""

from typing import Any

import pytest

from catalog.attic import read_attic
from catalog.closure import dependants, present_element
from catalog.database import Database
from catalog.elements import Element
from catalog.errors import LockTimeoutError
from catalog.reading import read_snapshot
from migrations import audit, breaker, sensors
from migrations.apply import apply
from migrations.dependents import with_dependents
from migrations.errors import BreakerOpenError, NothingInAtticError, RollbackError
from migrations.rollback import Scope, preview, rollback
from migrations.sensors import Selection
from tests.migrations.fix_house import USERS, House
from tests.migrations.test_round_trip import dump

COLUMN = Element.parse("column:public.orders.legacy")
KINDS = [
    str(USERS),
    str(COLUMN),
    "index:public.orders_total_idx",
    "constraint:public.orders.total_check",
    "enum:public.colour",
    "enum_value:public.colour.red",
    "view:public.reader",
    "sequence:public.numbers",
]
EVERYTHING = Selection()


def kinds(house: House) -> dict[str, tuple[str, ...]]:
    """What is armed now, by element."""
    return {str(entry.element): entry.sensors for entry in read_attic(house.db) if entry.is_in_attic}


def of_ours(db: Database) -> int:
    """How many triggers call a function of pgattic's, its own tables' left out."""
    count: int = db.fetch_value(
        "SELECT count(*) FROM pg_trigger g JOIN pg_proc f ON f.oid = g.tgfoid"
        " JOIN pg_class c ON c.oid = g.tgrelid WHERE f.pronamespace = 'pgattic'::regnamespace"
        " AND c.relnamespace <> 'pgattic'::regnamespace"
    )
    return count


@pytest.mark.parametrize("soft", [False, True])
def test_arming_and_disarming_leave_the_dump_as_it_was(house: House, soft: bool) -> None:
    before = dump(house.database)
    house.db.execute("GRANT SELECT ON users_old TO pg_monitor WITH GRANT OPTION")
    with_grant = dump(house.database)
    plan = house.deprecate(*([str(USERS)] if soft else KINDS), soft=soft)
    inside = dump(house.database)
    armed = sensors.arm(house.db, EVERYTHING)
    assert any(one.made for one in armed)
    assert dump(house.database) != inside
    assert kinds(house)[str(USERS)] == (("canary", "trigger") if soft else ("trigger",))
    sensors.disarm(house.db, EVERYTHING)
    assert dump(house.database) == inside
    assert not any(kinds(house).values())
    sensors.arm(house.db, EVERYTHING)
    restored = house.back(plan)
    assert not [note for one in restored for note in one.notes]
    assert dump(house.database) == with_grant != before
    assert of_ours(house.db) == 0


def test_a_view_keeps_its_options_owner_grants_and_comment(house18: House) -> None:
    db = house18.db
    house18.deprecate("view:public.reader", soft=True)
    db.execute("ALTER VIEW reader SET (security_barrier = true)")
    db.execute("COMMENT ON VIEW reader IS 'mine'; GRANT SELECT ON reader TO pg_monitor")
    facts = "SELECT oid, reloptions, relowner, relacl::text, obj_description(oid) FROM pg_class"
    before = db.fetch_one(f"{facts} WHERE relname = 'reader'")
    sensors.arm(db, EVERYTHING)
    assert db.fetch_one(f"{facts} WHERE relname = 'reader'") == before
    assert kinds(house18) == {"view:public.reader": ("canary",)}
    sensors.disarm(db, EVERYTHING)
    assert db.fetch_one(f"{facts} WHERE relname = 'reader'") == before


def test_every_kind_says_why_it_can_have_no_more(house: House) -> None:
    house.deprecate(*KINDS)
    armed = {str(one.element): one for one in sensors.arm(house.db, EVERYTHING)}
    assert {name for name, one in armed.items() if one.made} == {str(USERS), str(COLUMN)}
    for one in armed.values():
        assert len(one.made) + len(one.refused) == len(sensors.SensorKind)
        assert all(one.refused.values())
    assert "view" in armed[str(USERS)].refused[sensors.SensorKind.CANARY]
    assert "pgaudit" in armed[str(USERS)].refused[sensors.SensorKind.GRANT]


def test_arming_twice_makes_nothing_twice(house18: House) -> None:
    house18.deprecate(str(USERS), soft=True)
    first = sensors.arm(house18.db, EVERYTHING)
    again = sensors.arm(house18.db, Selection(elements=(USERS,)))
    assert first[0].made == again[0].had
    assert not again[0].made
    assert of_ours(house18.db) == 1


def test_what_somebody_removed_is_made_again(house18: House) -> None:
    plan = house18.deprecate(str(USERS))
    sensors.arm(house18.db, EVERYTHING)
    house18.db.execute(
        f"DROP TRIGGER pgattic_sensor_{plan.steps[0].object_oid} ON {plan.steps[0].deprecated_name}"
    )
    (gone,) = sensors.disarm(house18.db, EVERYTHING)
    assert gone.notes == ("its statement trigger was gone already",)
    sensors.arm(house18.db, EVERYTHING)
    house18.db.execute(
        f"DROP TRIGGER pgattic_sensor_{plan.steps[0].object_oid} ON {plan.steps[0].deprecated_name}"
    )
    (made,) = sensors.arm(house18.db, EVERYTHING)
    assert made.made == ("trigger",)
    house18.db.execute(
        f"DROP TRIGGER pgattic_sensor_{plan.steps[0].object_oid} ON {plan.steps[0].deprecated_name}"
    )
    assert house18.back(plan)[0].notes == ("its statement trigger was gone already",)


def test_a_canary_that_somebody_changed_is_left_as_it_is(house18: House) -> None:
    plan = house18.deprecate(str(USERS), soft=True)
    sensors.arm(house18.db, EVERYTHING)
    house18.db.execute(
        f"CREATE OR REPLACE VIEW users_old WITH (security_invoker) AS"
        f" SELECT * FROM {plan.steps[0].deprecated_name} WHERE id > 3"
    )
    (left,) = sensors.disarm(house18.db, EVERYTHING)
    assert left.notes == ("its canary in its compatibility view was changed by somebody",)
    assert house18.db.fetch_value("SELECT count(*) FROM users_old") == 7
    (again,) = sensors.arm(house18.db, EVERYTHING)
    assert "somebody changed" in again.refused[sensors.SensorKind.CANARY]
    house18.back(plan)
    assert house18.exists(str(USERS))


def test_sensors_are_found_by_oid(house18: House) -> None:
    plan = house18.deprecate(str(USERS))
    sensors.arm(house18.db, EVERYTHING)
    house18.db.execute(f"ALTER TABLE {plan.steps[0].deprecated_name} RENAME TO elsewhere")
    assert sensors.disarm(house18.db, EVERYTHING)[0].removed == ("trigger",)
    assert of_ours(house18.db) == 0


def test_apply_arms_in_its_own_transaction_and_rollback_disarms_in_its(house: House) -> None:
    plan = house.plan(str(USERS), str(COLUMN))
    done = apply(house.db, plan, with_sensors=True)
    assert [one.made for one in done] == [("trigger",), ("trigger",)]
    assert house.db.fetch_value(
        "SELECT count(*) FROM pgattic.sensor s JOIN pgattic.migration m ON m.id = s.migration_id"
        " WHERE s.xmin = m.xmin"
    )
    house.db.execute("CREATE TABLE users_old (id int)")
    with pytest.raises(RollbackError, match="taken again"):
        house.back(plan)
    assert of_ours(house.db) == 2
    house.db.execute("ALTER TABLE users_old RENAME TO aside")
    script = house.sql(Scope(migration_id=plan.id))
    assert [text.startswith("DROP TRIGGER") for text in script[:2]] == [True, True]
    house.back(plan)
    assert of_ours(house.db) == 0
    assert not house.db.fetch_value("SELECT count(*) FROM pgattic.sensor WHERE removed_at IS NULL")
    # And again, as the second time is like the first.
    second = house.plan(str(USERS), str(COLUMN))
    apply(house.db, second, with_sensors=True)
    assert of_ours(house.db) == 2
    house.back(second)


def test_one_element_takes_only_its_own_sensors_along(house18: House) -> None:
    plan = house18.plan(str(USERS), str(COLUMN))
    apply(house18.db, plan, with_sensors=True)
    rollback(house18.db, element=COLUMN)
    assert kinds(house18) == {str(USERS): ("trigger",)}
    assert of_ours(house18.db) == 1


def test_sensors_are_nobodys_use_and_no_drift(house: House) -> None:
    db = house.db
    plan = house.deprecate(str(COLUMN))
    other = house.plan("column:public.orders.total", "index:public.orders_total_idx")
    before = read_snapshot(db)
    sensors.arm(db, EVERYTHING)
    after = read_snapshot(db)
    assert (after.triggers, after.stored_uses) == (before.triggers, before.stored_uses)
    assert after.fingerprint(other.elements) == before.fingerprint(other.elements)
    (entry,) = after.attic
    present = present_element(after, entry)
    assert present
    assert dependants(after, present) == dependants(before, present)
    apply(db, other, with_sensors=True)
    rollback(db, Scope(migration_id=other.id))
    house.back(plan)


def test_the_attic_says_what_is_armed_since_when(house18: House) -> None:
    house18.deprecate(str(USERS))
    (entry,) = read_attic(house18.db)
    assert (entry.sensors, entry.armed_at) == ((), None)
    sensors.arm(house18.db, EVERYTHING)
    (entry,) = read_attic(house18.db)
    assert entry.sensors == ("trigger",)
    assert entry.armed_at
    assert entry.armed_at >= entry.deprecated_at


def test_the_audit_trail_has_the_statements(house18: House) -> None:
    house18.deprecate(str(USERS))
    sensors.arm(house18.db, EVERYTHING)
    sensors.disarm(house18.db, Selection(elements=(USERS,)))
    found: dict[str, Any] = {row.content["event"]: row.content for row in audit.read(house18.db)}
    assert found["arm"]["detail"]["elements"] == {str(USERS): ["trigger"]}
    assert "CREATE TRIGGER" in found["arm"]["detail"]["sql"][0]
    assert found["disarm"]["subject"] == str(USERS)
    assert "DROP TRIGGER" in found["disarm"]["detail"]["sql"][0]


def test_the_breaker_is_respected(house18: House) -> None:
    house18.deprecate(str(USERS))
    sensors.arm(house18.db, EVERYTHING)
    breaker.trip(house18.db, "a test")
    for change in (sensors.arm, sensors.disarm):
        with pytest.raises(BreakerOpenError):
            change(house18.db, EVERYTHING)
    assert sensors.disarm(house18.db, EVERYTHING, despite_breaker=True)[0].removed == ("trigger",)


@pytest.mark.parametrize(
    "selection", [EVERYTHING, Selection(migrations=("m1",)), Selection(elements=(USERS,))]
)
def test_what_is_not_in_the_attic_can_have_none(house18: House, selection: Selection) -> None:
    with pytest.raises(NothingInAtticError, match="in the attic"):
        sensors.arm(house18.db, selection)


def test_a_lock_that_is_not_to_be_had_is_named_and_nothing_is_armed(
    house18: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations.retry._ATTEMPTS", 2)
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.1)
    plan = house18.deprecate(str(USERS), str(COLUMN))
    retries: list[str] = []
    with (
        Database.connect(house18.database.dsn(), application_name="writer") as other,
        other.transaction(),
    ):
        other.execute(f"INSERT INTO {plan.steps[-1].deprecated_name} VALUES (1, 'x')")
        with pytest.raises(LockTimeoutError, match="writer"):
            sensors.arm(house18.db, EVERYTHING, on_retry=retries.append)
    assert retries
    assert of_ours(house18.db) == 0
    assert breaker.state(house18.db).is_open is False
    last = list(audit.read(house18.db))[-1].content
    assert (last["event"], last["detail"]["outcome"]) == ("arm", "failed")


def test_a_preview_changes_nothing(house18: House) -> None:
    plan = house18.plan(str(USERS))
    apply(house18.db, plan, with_sensors=True)
    preview(house18.db, Scope(migration_id=plan.id))
    assert of_ours(house18.db) == 1


def test_what_is_in_the_attic_already_is_no_dependent(house18: House) -> None:
    house18.db.execute("CREATE TABLE numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)")
    first = house18.plan("sequence:public.numbered_id_seq", "constraint:public.numbered.numbered_pkey")
    apply(house18.db, first, with_sensors=True)
    elements = [Element.parse("table:public.numbered")]
    found = with_dependents(read_snapshot(house18.db), elements)
    assert not [one for one in found if one.kind.value in ("sequence", "index")]
    assert not [one for one in found if one.name.startswith("numbered_pkey")]

"""The way back: what was renamed, moved, rewritten or taken meanwhile is handled right, or refused whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import LockTimeoutError
from catalog.reading import read_snapshot
from catalog.settings import PolicySettings
from migrations import audit, breaker, checkpoints, registry
from migrations.apply import apply
from migrations.errors import (
    BreakerOpenError,
    CheckpointError,
    IntegrityError,
    NothingInAtticError,
    RollbackError,
)
from migrations.restoring import as_script
from migrations.rollback import Scope, preview, rollback, waiting
from migrations.row_proof import prove_rows
from tests.command_line import CommandLine
from tests.fix_server import beside
from tests.migrations.fix_house import USERS, House
from tests.migrations.fix_shop import Shop
from tests.migrations.test_round_trip import dump


def events(house: House) -> list[str]:
    return [json.loads(row.entry)["event"] for row in audit.read(house.db)]


def test_a_dry_run_prints_the_sql_and_neither_changes_nor_locks_anything(house: House) -> None:
    plan = house.deprecate("table:public.users_old", "column:public.orders.legacy")
    seen = events(house)
    with (
        Database.connect(house.database.dsn()) as other,
        Database.connect(house.database.dsn(), lock_timeout_ms=50) as db,
        other.transaction(),
    ):
        other.execute(f"LOCK TABLE orders, {plan.steps[-1].deprecated_name} IN ACCESS EXCLUSIVE MODE")
        registry.take_turn(other)
        other.execute("SELECT FROM pgattic.element FOR UPDATE")
        found = preview(db, Scope(migration_id=plan.id))
    assert [str(one.item.element) for one in found] == [
        "table:public.users_old",
        "column:public.orders.legacy",
    ]
    assert len(house.in_attic()) == 2
    assert events(house) == seen
    house.db.execute(as_script(found, "all of it"))
    assert house.exists("table:public.users_old", "column:public.orders.legacy")


def test_what_was_brought_back_by_hand_is_brought_back_in_the_registry(house: House) -> None:
    plan = house.deprecate("table:public.users_old")
    house.db.execute(f"ALTER TABLE {plan.steps[0].deprecated_name} RENAME TO users_old")
    (one,) = house.back(plan)
    assert any("had its former name already" in note for note in one.notes)
    assert house.db.fetch_value("SELECT obj_description('users_old'::regclass)") == "it's old"
    assert not house.in_attic()


@pytest.mark.parametrize("soft", [False, True])
def test_the_documented_way_without_pgattic_works(house18: House, soft: bool) -> None:
    page = (Path(__file__).parents[2] / "docs" / "rollback.md").read_text()
    query = page.partition("  ```sql")[2].partition("  ```")[0]
    plan = house18.deprecate("table:public.users_old", "column:public.orders.legacy", soft=soft)
    for row in house18.db.fetch(query.replace("m20261123-53f419", plan.id)):
        for statement in next(iter(row.values())):
            house18.db.execute(statement)
    assert house18.exists("table:public.users_old", "column:public.orders.legacy")
    house18.back(plan)
    assert not house18.in_attic()


def test_a_checkpoint_brings_back_what_came_after_it_and_nothing_else(house: House) -> None:
    house.deprecate("table:public.users_old")
    checkpoints.create(house.db, "clean", "before the rest")
    house.deprecate("column:public.orders.legacy")
    house.deprecate("table:public.orders")
    assert checkpoints.find(house.db, "clean").in_attic_since == 2
    done = rollback(house.db, Scope(checkpoint="clean")).restored
    assert [str(one.item.element) for one in done] == ["table:public.orders", "column:public.orders.legacy"]
    assert house.in_attic() == ["table:public.users_old"]
    with pytest.raises(
        NothingInAtticError, match="checkpoint clean: nothing that was renamed since then is in the attic"
    ):
        rollback(house.db, Scope(checkpoint="clean"))


def test_a_checkpoint_waits_for_an_apply_that_has_begun(house: House) -> None:
    plan = house.plan("table:public.users_old")
    with (
        Database.connect(house.database.dsn()) as applying,
        Database.connect(house.database.dsn(), lock_timeout_ms=20) as waiting_db,
    ):
        with applying.transaction():
            registry.record_executed(applying, plan)
            # What an apply does last: its moments are drawn, but not committed.
            applying.fetch_value("SELECT nextval('pgattic.moment')")
            with pytest.raises(LockTimeoutError), waiting_db.transaction():
                registry.take_turn(waiting_db)
        assert checkpoints.create(waiting_db, "after").moment == 2


def test_a_time_brings_back_what_came_after_it(house: House) -> None:
    house.deprecate("table:public.users_old")
    between = house.db.fetch_value("SELECT clock_timestamp()")
    house.deprecate("sequence:public.numbers")
    rollback(house.db, Scope(since=between))
    assert house.in_attic() == ["table:public.users_old"]


NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1d12h", NOW - timedelta(days=1, hours=12)),
        ("90m", NOW - timedelta(minutes=90)),
        ("45s", NOW - timedelta(seconds=45)),
        ("2026-11-23T10:00Z", NOW - timedelta(hours=2)),
        ("2026-11-23T11:00+01:00", NOW - timedelta(hours=2)),
    ],
)
def test_a_moment_is_a_time_with_its_zone_or_how_long_ago(text: str, expected: datetime) -> None:
    assert checkpoints.parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no time"),
        ("2", "is no time"),
        ("yesterday", "is no time"),
        ("2026-11-23T10:00", "has no time zone"),
        ("2026-11-24T10:00Z", "lies in the future"),
        ("9999999999d", "longer ago"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        checkpoints.parse_time(text, NOW)


@pytest.mark.parametrize("name", ["", "a b", "7", "table:public.t", "x" * 64, "a'b"])
def test_a_checkpoint_has_a_plain_name(house18: House, name: str) -> None:
    with pytest.raises(CheckpointError, match="no name for a checkpoint"):
        checkpoints.create(house18.db, name)


@pytest.mark.parametrize(
    ("element", "between", "said"),
    [
        ("column:public.orders.legacy", "ALTER TABLE orders RENAME TO bestellungen", ""),
        ("constraint:public.orders.total_check", "ALTER TABLE orders RENAME TO bestellungen", ""),
        ("constraint:public.orders.orders_pkey", "ALTER TABLE orders RENAME TO bestellungen", ""),
        ("index:public.orders_total_idx", "ALTER TABLE orders RENAME TO bestellungen", ""),
        ("enum_value:public.colour.red", "ALTER TYPE colour RENAME TO farbe", ""),
        ("column:public.orders.legacy", "ALTER SCHEMA public RENAME TO shop", "is in schema shop now"),
        ("table:public.users_old", "ALTER SCHEMA public RENAME TO shop", "is in schema shop now"),
        ("constraint:public.orders.orders_pkey", "ALTER SCHEMA public RENAME TO shop", "in schema shop now"),
        ("enum:public.colour", "ALTER SCHEMA public RENAME TO shop", "is in schema shop now"),
        ("enum_value:public.colour.red", "ALTER SCHEMA public RENAME TO shop", "is in schema shop now"),
    ],
)
def test_an_element_comes_back_where_it_is_now(house: House, element: str, between: str, said: str) -> None:
    plan = house.deprecate(element)
    house.db.execute(between)
    (one,) = house.back(plan)
    assert said in " ".join(one.notes)
    names = {known.name for known in read_snapshot(house.db).elements()}
    assert Element.parse(element).name in names
    assert plan.steps[0].deprecated_name not in names


def test_a_column_is_found_by_its_former_name_in_the_renamed_table(house18: House) -> None:
    house18.deprecate("column:public.orders.legacy")
    house18.db.execute("ALTER TABLE orders RENAME TO bestellungen")
    rollback(house18.db, element=Element.parse("column:public.bestellungen.legacy"))
    assert house18.exists("column:public.bestellungen.legacy")


@pytest.mark.parametrize(
    ("element", "taken_by", "kind"),
    [
        ("table:public.users_old", "CREATE TABLE users_old ()", "table"),
        ("table:public.users_old", "CREATE VIEW users_old AS SELECT 1", "view"),
        ("table:public.users_old", "CREATE SEQUENCE users_old", "sequence"),
        ("table:public.users_old", "CREATE INDEX users_old ON orders (id)", "index"),
        ("table:public.users_old", "CREATE TYPE users_old AS ENUM ()", "type"),
        ("table:public.users_old", "CREATE TYPE users_old AS (a int)", "type"),
        ("view:public.reader", "CREATE DOMAIN reader AS int", "type"),
        ("sequence:public.numbers", "CREATE TABLE numbers ()", "table"),
        ("index:public.orders_total_idx", "CREATE INDEX orders_total_idx ON users_old (id)", "index"),
        ("constraint:public.orders.orders_pkey", "CREATE TABLE orders_pkey ()", "table"),
        (
            "constraint:public.orders.total_check",
            "ALTER TABLE orders ADD CONSTRAINT total_check CHECK (id > 0)",
            "constraint",
        ),
        ("column:public.orders.legacy", "ALTER TABLE orders ADD legacy int", "column"),
        ("enum:public.colour", "CREATE TABLE colour ()", "type"),
        ("enum_value:public.colour.red", "ALTER TYPE colour ADD VALUE 'red'", "label"),
    ],
)
def test_a_former_name_that_was_taken_is_seen_beforehand(
    house: House, element: str, taken_by: str, kind: str
) -> None:
    plan = house.deprecate(element)
    house.db.execute(taken_by)
    with pytest.raises(RollbackError, match=f"former name is taken again, by a {kind}; nothing was changed"):
        preview(house.db, Scope(migration_id=plan.id))
    with pytest.raises(RollbackError, match="former name is taken again"):
        house.back(plan)
    assert house.in_attic() == [element]


def test_an_array_type_gets_out_of_the_way(house: House) -> None:
    house.db.execute("CREATE TYPE _colour AS ENUM ('a')")
    plan = house.deprecate("enum:public._colour")
    house.db.execute("ALTER TYPE colour RENAME TO c; ALTER TYPE c RENAME TO colour")
    assert house.db.fetch_value("SELECT typcategory = 'A' FROM pg_type WHERE typname = '_colour'")
    house.back(plan)
    assert house.exists("enum:public._colour", "enum:public.colour")


def test_a_name_taken_in_the_last_moment_stops_it_whole(
    house18: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = house18.deprecate("table:public.users_old", "sequence:public.numbers")
    found = preview(house18.db, Scope(migration_id=plan.id))
    house18.db.execute("CREATE TABLE users_old ()")
    # As when the other session commits after we looked.
    monkeypatch.setattr("migrations.rollback.restorations", lambda *_: found)
    with pytest.raises(RollbackError, match="former name is taken again"):
        house18.back(plan)
    assert len(house18.in_attic()) == 2
    assert not house18.exists("sequence:public.numbers")


def test_everything_in_the_way_is_told_at_once(house18: House) -> None:
    plan = house18.deprecate("table:public.users_old", "sequence:public.numbers", "enum:public.colour")
    house18.db.execute("CREATE TABLE users_old (); CREATE TABLE numbers ()")
    with pytest.raises(
        RollbackError, match="2 of its elements cannot go back; nothing was changed"
    ) as caught:
        house18.back(plan)
    assert {detail.partition(": ")[0] for detail in caught.value.details} == {
        "table:public.users_old",
        "sequence:public.numbers",
    }
    assert len(house18.in_attic()) == 3


@pytest.mark.parametrize(
    ("element", "anew"),
    [
        ("table:public.users_old", "DROP TABLE {name} CASCADE; CREATE TABLE {name} (id int)"),
        ("index:public.orders_total_idx", "DROP INDEX {name}; CREATE INDEX {name} ON orders (id, total)"),
    ],
)
def test_what_was_made_anew_under_the_deprecated_name_is_not_taken_for_it(
    house: House, element: str, anew: str
) -> None:
    plan = house.deprecate(element)
    house.db.execute(anew.format(name=plan.steps[0].deprecated_name))
    with pytest.raises(RollbackError, match="was removed, or made anew under another OID"):
        house.back(plan)


def test_a_name_that_two_elements_had_wants_the_migration(house18: House) -> None:
    first = house18.deprecate("table:public.users_old")
    house18.db.execute("CREATE TABLE users_old (id int)")
    second = house18.deprecate("table:public.users_old")
    with pytest.raises(RollbackError, match=rf"{second.id} .* or {first.id}"):
        rollback(house18.db, element=USERS)
    # Both at once cannot be: they had the same name.
    with pytest.raises(RollbackError, match="is also that of"):
        rollback(house18.db, Scope(since=datetime(2000, 1, 1, tzinfo=UTC)))
    rollback(house18.db, Scope(migration_id=first.id, element=USERS))
    assert house18.db.fetch_value("SELECT count(*) FROM users_old") == 10
    assert len(house18.in_attic()) == 1


def test_an_index_deprecated_after_its_constraint_comes_back_in_order(house18: House) -> None:
    first = house18.deprecate("constraint:public.orders.orders_pkey")
    second = house18.deprecate(f"index:public.{first.steps[0].deprecated_name}")
    with pytest.raises(RollbackError, match="where another migration renamed it, bring that back first"):
        house18.back(first)
    rollback(house18.db, Scope(since=datetime(2000, 1, 1, tzinfo=UTC)))
    assert house18.exists("constraint:public.orders.orders_pkey", "index:public.orders_pkey")
    assert second.id != first.id


@pytest.mark.parametrize(
    ("comment", "expected", "said"),
    [
        ("'keep me, says Bob'", "keep me, says Bob", "keeps the comment that somebody wrote"),
        ("NULL", "it's old", ""),
        ("'it''s old'", "it's old", ""),
    ],
)
def test_a_comment_written_meanwhile_is_not_lost(
    house: House, comment: str, expected: str, said: str
) -> None:
    plan = house.deprecate("table:public.users_old")
    house.db.execute(f"COMMENT ON TABLE {plan.steps[0].deprecated_name} IS {comment}")
    (one,) = house.back(plan)
    assert house.db.fetch_value("SELECT obj_description('users_old'::regclass)") == expected
    assert said in " ".join(one.notes)


@pytest.mark.parametrize(
    ("between", "said"),
    [
        ("SELECT 1", ""),
        ("VACUUM FULL {name}", "files were written anew"),
        ("TRUNCATE {name}", "files were written anew"),
        ("INSERT INTO {name} VALUES (11, 'new')", "1 rows were written since"),
        ("GRANT SELECT ON {name} TO pg_monitor", "grants were changed since"),
        ("ALTER TABLE {name} ADD extra int", ""),
    ],
)
def test_what_became_of_the_data_is_told(house: House, between: str, said: str) -> None:
    plan = house.deprecate("table:public.users_old")
    house.db.execute(between.format(name=plan.steps[0].deprecated_name))
    house.db.execute("SELECT pg_stat_force_next_flush()")
    (one,) = house.back(plan)
    notes = " ".join(one.notes)
    assert said in notes if said else not one.notes
    assert house.exists("table:public.users_old")


def test_a_column_and_its_type_come_back_together(house: House) -> None:
    house.db.execute("ALTER TABLE orders ADD shade colour, ADD shades colour[]")
    plan = house.deprecate("column:public.orders.shade", "column:public.orders.shades", "enum:public.colour")
    assert not any(one.notes for one in house.back(plan))
    plan = house.deprecate("column:public.orders.shade")
    house.db.execute(f"ALTER TABLE orders ALTER {plan.steps[0].deprecated_name} TYPE varchar(9)")
    (one,) = house.back(plan)
    assert one.notes[-1] == "its type was colour and is character varying(9) now"


def test_an_index_built_anew_concurrently_comes_back(house: House) -> None:
    house.db.execute("CREATE INDEX low ON users_old (lower(name)) WHERE id > 5")
    plan = house.deprecate("index:public.orders_total_idx", "index:public.low")
    for step in plan.steps:
        house.db.execute(f"REINDEX INDEX CONCURRENTLY {step.deprecated_name}")
    house.back(plan)
    assert house.exists("index:public.orders_total_idx", "index:public.low")


def test_a_rename_that_changes_more_than_names_is_undone_and_opens_the_breaker(house: House) -> None:
    plan = house.deprecate("table:public.users_old")
    house.db.execute(
        "CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE pg_class SET relowner = 'pg_monitor'::regrole WHERE relname = 'users_old'; END $$;"
        "CREATE EVENT TRIGGER meddle ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION meddle()"
    )
    with pytest.raises(IntegrityError, match="its owner changed within the rename"):
        house.back(plan)
    assert house.in_attic() == ["table:public.users_old"]
    assert not house.exists("table:public.users_old")
    assert events(house)[-3:] == ["rollback_intent", "rollback_outcome", "breaker_opened"]
    house.db.execute("DROP EVENT TRIGGER meddle")
    with pytest.raises(BreakerOpenError):
        house.back(plan)
    rollback(house.db, migration_id=plan.id, despite_breaker=True)
    assert house.exists("table:public.users_old")
    assert breaker.state(house.db).is_open


def test_intent_and_outcome_are_in_the_audit_trail(house18: House) -> None:
    plan = house18.deprecate("table:public.users_old")
    house18.back(plan)
    intent, outcome = [json.loads(row.entry) for row in audit.read(house18.db)][-2:]
    assert (intent["event"], outcome["event"]) == ("rollback_intent", "rollback_outcome")
    assert any("RENAME TO" in statement for statement in intent["detail"]["sql"])
    assert outcome["detail"]["elements"] == ["table:public.users_old"]


def test_locks_that_never_come_free_are_counted(house18: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.01)
    plan = house18.deprecate("table:public.users_old")
    with beside(house18.database.dsn(), "SELECT count(*) FROM reader") as db:
        policy = PolicySettings(lock_failures_allowed=1)
        with pytest.raises(LockTimeoutError):
            rollback(db, migration_id=plan.id, policy=policy)
        assert not breaker.state(house18.db).is_open
        with pytest.raises(LockTimeoutError):
            rollback(db, migration_id=plan.id, policy=policy)
    assert breaker.state(house18.db).is_open
    assert house18.in_attic() == ["table:public.users_old"]


def test_an_element_renamed_before_the_registry_kept_integrity_comes_back(house18: House) -> None:
    plan = house18.deprecate("table:public.users_old")
    house18.db.execute("UPDATE pgattic.element SET integrity = NULL")
    assert waiting(house18.db, Scope(element=USERS))[0].integrity is None
    house18.back(plan)
    assert house18.db.fetch_value("SELECT obj_description('users_old'::regclass)") == "it's old"


# Soft deprecation: the shim view.

TRIGGER = (
    "CREATE TRIGGER t INSTEAD OF UPDATE ON users_old FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
)


def test_a_shim_goes_with_the_rollback(house: House) -> None:
    plan = house.deprecate("table:public.users_old", soft=True)
    assert house.db.fetch_value("SELECT count(*) FROM users_old") == 10
    house.back(plan)
    assert house.exists("table:public.users_old")


def test_a_shim_in_use_stops_the_rollback_and_names_the_user(house: House) -> None:
    plan = house.deprecate("table:public.users_old", soft=True)
    house.db.execute("CREATE VIEW fresh AS SELECT * FROM users_old")
    with pytest.raises(RollbackError, match=r"compatibility view users_old is in use by view public\.fresh"):
        preview(house.db, Scope(migration_id=plan.id))
    house.db.execute("DROP VIEW fresh")
    house.back(plan)
    assert house.exists("table:public.users_old")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("CREATE FUNCTION f(users_old) RETURNS int LANGUAGE sql RETURN 1", "function"),
        ("CREATE FUNCTION f() RETURNS SETOF users_old LANGUAGE sql AS 'SELECT 1, $$a$$'", "function"),
        ("CREATE RULE r AS ON DELETE TO users_old DO INSTEAD NOTHING", "rule r"),
        ("CREATE TABLE kept (row users_old)", r"table column public\.kept\."),
        ("CREATE TABLE kept (row users_old[])", r"table column public\.kept\."),
        (TRIGGER, "trigger t"),
    ],
)
def test_whatever_was_built_on_a_shim_is_named(house18: House, user: str, said: str) -> None:
    plan = house18.deprecate("table:public.users_old", soft=True)
    house18.db.execute(user)
    with pytest.raises(RollbackError, match=f"is in use by .*{said}"):
        house18.back(plan)
    assert house18.in_attic() == ["table:public.users_old"]


def test_another_view_in_place_of_the_shim_is_not_dropped(house: House) -> None:
    plan = house.deprecate("table:public.users_old", soft=True)
    house.db.execute("DROP VIEW users_old; CREATE VIEW users_old AS SELECT 1 AS mine")
    with pytest.raises(RollbackError, match="former name is taken again, by a view"):
        house.back(plan)
    assert house.db.fetch_value("SELECT mine FROM users_old") == 1


def test_a_shim_that_somebody_renamed_stays(house: House) -> None:
    plan = house.deprecate("table:public.users_old", soft=True)
    house.db.execute("ALTER VIEW users_old RENAME TO users_kept")
    (one,) = house.back(plan)
    assert any("renamed by somebody to users_kept, and stays" in note for note in one.notes)
    assert house.db.fetch_value("SELECT count(*) FROM users_kept") == 10
    assert house.exists("table:public.users_old")


def test_a_shim_that_is_gone_is_no_obstacle(house: House) -> None:
    plan = house.deprecate("column:public.orders.legacy", soft=True)
    house.db.execute("DROP VIEW orders")
    (one,) = house.back(plan)
    assert any("gone already" in note for note in one.notes)
    assert house.exists("column:public.orders.legacy")


def test_grants_that_end_with_a_shim_are_told(house: House) -> None:
    plan = house.deprecate("table:public.users_old", soft=True)
    house.db.execute("GRANT SELECT ON users_old TO pg_monitor")
    (one,) = house.back(plan)
    assert any("SELECT to pg_monitor" in note for note in one.notes)


@pytest.mark.parametrize("armed", [False, True])
def test_columns_that_share_a_shim_come_back_one_by_one(house: House, armed: bool) -> None:
    before = dump(house.database)
    columns = ("column:public.orders.legacy", "column:public.orders.total")
    plan = house.plan(*columns, soft=True)
    apply(house.db, plan, with_sensors=armed)
    both = "SELECT count(legacy) + count(total) FROM orders"
    assert house.db.fetch_value(both) == 0
    (first,) = rollback(house.db, element=Element.parse(columns[0])).restored
    assert first.notes == (f"its table stays behind the compatibility view orders, which {columns[1]} needs",)
    # Whoever uses it finds it through the view, which still keeps the other one working.
    assert house.in_attic() == [columns[1]]
    house.db.execute("INSERT INTO orders (id, legacy, total) VALUES (1, 'x', 2)")
    assert house.db.fetch_value(both) == 2
    hidden = house.db.fetch_value(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'legacy'"
        " AND attrelid <> 'orders'::regclass"
    )
    assert hidden == "orders_behind_view"
    house.db.execute("DELETE FROM orders")
    house.back(plan)
    assert house.exists("table:public.orders", *columns)
    assert dump(house.database) == before


def test_a_column_leaves_the_view_to_its_table(house: House) -> None:
    before = dump(house.database)
    column, table = "column:public.orders.legacy", "table:public.orders"
    plan = house.deprecate(column, table, soft=True)
    with pytest.raises(RollbackError, match=r"also keeps column:public\.orders\.legacy working") as refused:
        rollback(house.db, element=Element.parse(table))
    assert f"`pgattic rollback {plan.id}`" in (refused.value.todo or "")
    assert f"`pgattic rollback --element {column}`" in (refused.value.todo or "")
    rollback(house.db, element=Element.parse(column))
    assert house.in_attic() == [table]
    assert house.db.fetch_value("SELECT count(legacy) FROM orders") == 0
    rollback(house.db, element=Element.parse(table))
    assert dump(house.database) == before


def test_a_soft_column_in_a_schema_that_was_renamed_comes_back(house: House) -> None:
    plan = house.deprecate("column:public.orders.legacy", soft=True)
    house.db.execute("ALTER SCHEMA public RENAME TO shop")
    house.back(plan)
    assert house.exists("column:shop.orders.legacy")


# The commands.


def test_the_command_previews_and_restores(command: CommandLine, house18: House) -> None:
    plan = house18.deprecate("table:public.users_old")
    ended = command("rollback", plan.id, "--dry-run")
    assert ended.code == 0
    assert "BEGIN;" in ended.out
    assert 'RENAME TO "users_old";' in ended.out
    shown = json.loads(command("rollback", plan.id, "--dry-run", "--json").out)
    assert shown["would_restore"] == ["table:public.users_old"]
    assert house18.in_attic()
    done = json.loads(command("rollback", plan.id, "--yes", "--json").out)
    assert done["restored"] == ["table:public.users_old"]
    assert not house18.in_attic()


def test_the_command_goes_back_to_a_checkpoint_and_to_a_time(command: CommandLine, house18: House) -> None:
    assert command("checkpoint", "list").code == 0
    assert command("checkpoint", "create", "clean", "--note", "before the rest").code == 0
    house18.deprecate("table:public.users_old")
    listed = json.loads(command("checkpoint", "list", "--json").out)
    assert [(one["name"], one["note"], one["in_attic_since"]) for one in listed] == [
        ("clean", "before the rest", 1)
    ]
    assert "clean" in command("status").out
    assert command("rollback", "--to", "clean", "--yes").code == 0
    house18.deprecate("table:public.users_old")
    assert command("rollback", "--to-time", "1h", "--yes").code == 0
    assert not house18.in_attic()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rollback", "--to", "clear"), "clear: no such checkpoint. Did you mean clean?"),
        (("rollback", "--to-time", "soon"), "is no time"),
        (("rollback", "--to", "clean", "--to-time", "2h"), "name either a migration or --element"),
        (("rollback", "m1", "--to", "clean"), "name either a migration or --element"),
        (("checkpoint", "create", "clean"), "there is a checkpoint of that name already"),
        (("checkpoint", "create", "no good"), "no name for a checkpoint"),
    ],
)
def test_wrong_use_is_said_in_one_line(command: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    assert command("checkpoint", "create", "clean").code == 0
    ended = command(*arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.strip().count("\n") == 0


def test_a_rollback_proves_that_the_rows_are_the_same(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.apply(plan)
    done = rollback(shop.db, migration_id=plan.id).restored
    (counted,) = prove_rows(shop.db, done, count_up_to_bytes=10**6, with_checksum=False)
    assert (counted.rows_then, counted.rows_now, counted.is_exact) == (500, 500, True)
    (estimated,) = prove_rows(shop.db, done, count_up_to_bytes=0, with_checksum=False)
    assert not estimated.is_exact
    (read,) = prove_rows(shop.db, done, count_up_to_bytes=0, with_checksum=True)
    assert read.same_content
    shop.db.execute("SELECT pg_stat_force_next_flush()")
    # Our own scans are nobody's use.
    findings = shop.plan("table:public.users_old").findings
    assert "use-counted" not in {finding.check for finding in findings}
    shop.db.execute("UPDATE users_old SET name = 'x' WHERE id = 1")
    (written,) = prove_rows(shop.db, done, count_up_to_bytes=0, with_checksum=True)
    assert written.same_content is False
    assert "other content" in str(written)
    assert str(replace(written, rows_now=501)).endswith("somebody wrote into it")


class _Interrupted(Database):
    """A session whose user presses Ctrl-C while the server commits the rollback."""

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            yield
            is_last = self.fetch_value("SELECT to_regclass('public.users_old') IS NOT NULL")
        if is_last and not self.__dict__.setdefault("was_interrupted", False):
            self.__dict__["was_interrupted"] = True
            raise KeyboardInterrupt


def test_what_was_committed_when_it_was_interrupted_has_not_failed(house18: House) -> None:
    plan = house18.deprecate(str(USERS))
    with _Interrupted.connect(house18.database.dsn()) as db, pytest.raises(KeyboardInterrupt):
        rollback(db, migration_id=plan.id)
    assert house18.in_attic() == []
    outcomes = [
        row.content["detail"]["outcome"]
        for row in audit.read(house18.db)
        if row.content["event"] == "rollback_outcome"
    ]
    assert outcomes == ["rolled back"]

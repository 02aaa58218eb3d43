"""Plans: what they hold, and when they no longer hold."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from migrations.errors import PlanDriftedError, PlanError
from migrations.plan import Plan, as_script, check_drift, load_plan, make_plan, save_plan
from tests.fix_server import FreshDatabase

NOW = datetime(2025, 9, 28, 12, 0, tzinfo=UTC)
SCHEMA = """
CREATE TYPE colour AS ENUM ('red');
CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int CONSTRAINT total_check CHECK (total > 0));
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE users_old (id int);
COMMENT ON TABLE users_old IS 'it''s old';
"""
ALL_FIVE = (
    "table:public.users_old",
    "column:public.orders.legacy",
    "index:public.orders_total_idx",
    "constraint:public.orders.total_check",
    "enum:public.colour",
)


def planned(database: FreshDatabase, *elements: str) -> Plan:
    return make_plan(
        read_snapshot(database.db),
        [Element.parse(text) for text in elements],
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=NOW,
    )


@pytest.fixture
def shop(database18: FreshDatabase) -> FreshDatabase:
    database18.db.execute(SCHEMA)
    return database18


def test_up_and_down_bring_back_the_same_catalog(shop: FreshDatabase) -> None:
    before = read_snapshot(shop.db)
    plan = planned(shop, *ALL_FIVE)
    shop.db.execute(as_script(plan, "up"))
    names = {str(element) for element in read_snapshot(shop.db).elements()}
    assert not names & set(ALL_FIVE)
    assert "table:public.users_old_deprecated_20250928_unused" in names
    shop.db.execute(as_script(plan, "down"))
    after = read_snapshot(shop.db)
    assert (after.relations, after.indexes, after.constraints, after.enums) == (
        before.relations,
        before.indexes,
        before.constraints,
        before.enums,
    )


def test_a_table_is_renamed_after_its_own_parts(shop: FreshDatabase) -> None:
    plan = planned(
        shop, "table:public.orders", "column:public.orders.legacy", "constraint:public.orders.total_check"
    )
    assert [element.kind for element in plan.elements] == ["constraint", "column", "table"]
    shop.db.execute(as_script(plan, "up"))
    shop.db.execute(as_script(plan, "down"))
    assert read_snapshot(shop.db).exists(Element.parse("column:public.orders.legacy"))


def test_names_that_shorten_alike_get_serials_of_their_own(shop: FreshDatabase) -> None:
    taken = "users_old_deprecated_20250928_unused"
    shop.db.execute(f"CREATE INDEX {taken} ON users_old (id)")
    assert planned(shop, "table:public.users_old").steps[0].deprecated_name == f"{taken}_2"


def test_a_plan_survives_its_file(shop: FreshDatabase, tmp_path: Path) -> None:
    plan = planned(shop, *ALL_FIVE)
    save_plan(plan, tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == plan
    assert (
        json.loads((tmp_path / "plan.json").read_text())["steps"][-1]["element"] == "table:public.users_old"
    )


def test_a_changed_file_is_refused(shop: FreshDatabase, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    save_plan(planned(shop, "table:public.users_old"), path)
    path.write_text(path.read_text().replace("RENAME TO", "RENAME  TO", 1))
    with pytest.raises(PlanDriftedError, match="changed after it was made"):
        load_plan(path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "pgattic-plan/9"}'])
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(PlanError, match="not a plan"):
        load_plan(path)


def test_a_directory_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read: is a directory"):
        load_plan(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users_old ADD COLUMN x int",
        "CREATE VIEW v AS SELECT id FROM users_old",
        "COMMENT ON TABLE users_old IS 'new'",
    ],
)
def test_a_plan_does_not_fit_a_changed_catalog(shop: FreshDatabase, change: str) -> None:
    plan = planned(shop, "table:public.users_old")
    check_drift(plan, read_snapshot(shop.db))
    shop.db.execute(change)
    with pytest.raises(PlanDriftedError, match="changed since the plan was made"):
        check_drift(plan, read_snapshot(shop.db))


def test_an_element_renamed_since_is_named(shop: FreshDatabase) -> None:
    plan = planned(shop, "table:public.users_old")
    shop.db.execute("ALTER TABLE users_old RENAME TO users_older")
    with pytest.raises(
        PlanError, match=r"table:public.users_old: does not exist .* Did you mean table:public.users_older"
    ):
        check_drift(plan, read_snapshot(shop.db))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table:public.user_old", "Did you mean table:public.users_old?"),
        ("column:public.orders.nope", "does not exist in database"),
        ("enum:public.qqqqq", "`pgattic scan` lists"),
    ],
)
def test_an_unknown_element_says_what_may_be_meant(shop: FreshDatabase, text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        planned(shop, text)
    assert text in str(caught.value)
    assert said in str(caught.value)


def test_a_plan_of_nothing_is_refused(shop: FreshDatabase) -> None:
    with pytest.raises(PlanError, match="no element to deprecate"):
        planned(shop)

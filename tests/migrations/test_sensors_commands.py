"""The commands: what they ask for, what they print, and when `apply` arms."""

import json
import re
from pathlib import Path

import pytest

from catalog.attic import read_attic
from migrations import registry
from migrations.sensors import SensorKind
from migrations.sensors.costs import TYPICAL_US, measure
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.migrations.fix_house import USERS, House
from tests.waiting import times_logged, until_logged

TABLE = str(USERS)


def armed(house: House) -> dict[str, tuple[str, ...]]:
    return {str(entry.element): entry.sensors for entry in read_attic(house.db)}


def test_arm_and_disarm_say_what_they_did(house18: House, command: CommandLine) -> None:
    plan = house18.deprecate(TABLE, "index:public.orders_total_idx")
    ended = command("arm", "--yes")
    assert ended.code == 0, ended
    assert f"✓ {TABLE}: trigger" in ended.out
    assert "no canary: it was renamed without a view" in ended.out
    assert "no sensor can be on 1 element; counters, errors and plans speak for it: index:" in ended.out
    assert f"cost: a statement that uses them: trigger +{TYPICAL_US[SensorKind.TRIGGER]} µs;" in ended.out
    assert f"✓ {TABLE}: trigger (already there)" in command("arm", plan.id, "--yes").out
    ended = command("disarm", TABLE, "--yes")
    assert ended.code == 0, ended
    assert f"✓ {TABLE}: trigger" in ended.out
    assert armed(house18)[TABLE] == ()
    assert "had no sensor" in command("disarm", "--yes").out


def test_json_has_the_reasons_and_the_costs(house18: House, command: CommandLine) -> None:
    house18.deprecate(TABLE, soft=True)
    found = json.loads(command("arm", "--yes", "--json", "--measure").out)
    (one,) = found["armed"]
    assert (one["element"], one["made"]) == (TABLE, ["canary", "trigger"])
    assert set(one["refused"]) == {"grant"}
    assert found["not_logged"] == []
    assert [cost["kind"] for cost in found["costs"]] == ["trigger", "canary"]
    assert all(min(cost["without_us"], cost["with_us"]) > 0 for cost in found["costs"])
    assert json.loads(command("disarm", "--yes", "--json").out)["disarmed"][0]["removed"] == [
        "canary",
        "trigger",
    ]


def test_measuring_leaves_nothing_behind(house18: House, command: CommandLine) -> None:
    house18.deprecate(TABLE)
    named = "SELECT array_agg(relname::text ORDER BY 1) FROM pg_class WHERE relname LIKE 'pgattic%'"
    before = house18.db.fetch_value(named)
    assert "server time, measured here" in command("arm", "--yes", "--measure").out
    assert house18.db.fetch_value(named) == before


def test_settings_that_leave_their_lines_out_are_told(house18: House, command: CommandLine) -> None:
    house18.deprecate(TABLE)
    house18.db.execute(f"ALTER DATABASE {house18.database.name} SET log_min_messages = panic")
    ended = command("arm", "--yes")
    assert "blind log_min_messages of every role in database" in ended.out
    assert "is panic: their lines are left out" in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("arm",), 1, "nobody there to confirm"),
        (("disarm",), 1, "nobody there to confirm"),
        (("arm", "table:public.nope", "--yes"), 2, "table:public.nope: not in the attic"),
        (("arm", "m1", "--yes"), 2, "m1: not in the attic"),
        (("arm", "tabel:public.x", "--yes"), 2, "unknown kind"),
    ],
)
def test_wrong_use_is_told(
    house18: House, command: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    house18.deprecate(TABLE)
    ended = command(*arguments)
    assert ended.code == code
    assert said in ended.err


@pytest.mark.parametrize(
    ("option", "level", "kinds"),
    [
        ((), "sensors", ("trigger",)),
        ((), "minimal", ()),
        (("--arm",), "minimal", ("trigger",)),
        (("--no-arm",), "sensors", ()),
    ],
)
def test_apply_arms_as_the_configuration_or_the_option_says(
    house18: House,
    command: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
    level: str,
    kinds: tuple[str, ...],
) -> None:
    monkeypatch.setenv("PGATTIC_SENSORS__LEVEL", level)
    monkeypatch.setenv("PGATTIC_POLICY__MIN_AGE_DAYS", "0")
    house18.db.execute("CREATE TABLE unread (id int)")
    made = command("plan", "table:public.unread")
    assert made.code == 0, made
    ended = command("apply", "plan.json", "--yes", *option)
    assert ended.code == 0, ended
    assert armed(house18) == {"table:public.unread": kinds}
    assert ("table:public.unread: trigger" in ended.out) is bool(kinds)
    assert ("cost: a statement that uses them: trigger +" in ended.out) is bool(kinds)


def test_a_reason_is_given_once_with_all_that_it_holds_for(house18: House, command: CommandLine) -> None:
    house18.db.execute("CREATE TABLE other (id int)")
    house18.deprecate(TABLE, "table:public.other", "column:public.orders.legacy", "enum:public.colour")
    out = command("arm", "--yes").out
    assert out.count("it was renamed without a view") == 1
    assert out.count("pgaudit is not loaded here") == 1
    assert "names no role (all of them)" in out
    assert "- no sensor can be on 1 element" in out


@pytest.mark.parametrize("arguments", [("arm", "--yes"), ("arm", "--yes", "--measure"), ("disarm", "--yes")])
def test_lines_fit_a_terminal_of_80_columns(
    house18: House, command: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    house18.deprecate(TABLE, "column:public.orders.legacy", "index:public.orders_total_idx")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    lines = command(*arguments).out.splitlines()
    assert len(lines) >= 3
    assert [line for line in lines if len(line) > 80] == []


def test_the_figures_that_are_printed_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sensors.md").read_text()
    for kind, added in TYPICAL_US.items():
        assert re.search(rf"^\|[^|]+\| {kind} \|[^|]+\|[^|]+\| {added} µs \|$", page, re.MULTILINE), kind


@pytest.mark.pg15
def test_the_grant_is_measured_where_pgaudit_is(auditing: FreshDatabase) -> None:
    registry.install(auditing.db)
    costs = measure(auditing.db)
    assert [cost.kind for cost in costs] == [SensorKind.TRIGGER, SensorKind.CANARY, SensorKind.GRANT]
    assert all(min(cost.without_us, cost.with_us) > 0 for cost in costs)
    # A line for each read of the table with the grant, none for the other.
    until_logged(auditing.server, "SELECT id FROM pgattic_granted LIMIT 1", times=600)
    # What came before that has been written, too.
    assert times_logged(auditing.server, "SELECT id FROM pgattic_granted LIMIT 1") == 600
    assert times_logged(auditing.server, "SELECT id FROM pgattic_plain") == 0
    left = "SELECT count(*) FROM pg_class WHERE relname LIKE 'pgattic%' AND relpersistence = 't'"
    assert auditing.db.fetch_value(left) == 0

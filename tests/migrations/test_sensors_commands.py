"""The commands: what they ask for, what they print, and when `apply` arms."""

import json

import pytest

from catalog.snapshot import read_attic
from tests.command_line import CommandLine
from tests.migrations.fix_house import USERS, House

TABLE = str(USERS)


def armed(house: House) -> dict[str, tuple[str, ...]]:
    return {str(entry.element): entry.sensors for entry in read_attic(house.db)}


def test_arm_and_disarm_say_what_they_did(house18: House, command: CommandLine) -> None:
    plan = house18.deprecate(TABLE, "index:public.orders_total_idx")
    ended = command("arm", "--yes")
    assert ended.code == 0, ended
    assert f"✓ {TABLE}: trigger" in ended.out
    assert "no canary: it was renamed without a view" in ended.out
    assert "- index:public.orders_total_idx: no sensor" in ended.out
    assert "Cost:" in ended.out
    assert "(before)" in command("arm", plan.id, "--yes").out
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
    assert "of server time" in command("arm", "--yes", "--measure").out
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

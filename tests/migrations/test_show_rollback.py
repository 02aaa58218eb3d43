"""A rollback of a few elements tells of each, one of many sums them up; what must be known is told of all."""

import json

import pytest

from migrations.restoring import Restoration
from migrations.rollback import Scope, preview
from migrations.row_proof import RowProof
from migrations.show_rollback import print_intended, print_restored
from tests.command_line import CommandLine
from tests.migrations.fix_house import House

MANY = 30
TABLES = [f"table:public.old_{number:02}" for number in range(MANY)]
COMMENTED = "table:public.old_05"


@pytest.fixture
def emptied(house18: House) -> str:
    """A migration of 30 tables and an index, of which somebody commented on one since; its id."""
    for table in TABLES:
        house18.db.execute(f"CREATE TABLE {table.removeprefix('table:')} (id int)")
    plan = house18.deprecate(*TABLES, "index:public.orders_total_idx")
    (step,) = (step for step in plan.steps if str(step.element) == COMMENTED)
    house18.db.execute(f"COMMENT ON TABLE {step.deprecated_name} IS 'mine'")
    return plan.id


def test_many_are_summed_up_and_notes_are_told(house18: House, command: CommandLine, emptied: str) -> None:
    ended = command("rollback", emptied, "--yes")
    lines = ended.out.splitlines()
    assert ended.code == 0, ended
    assert "  31 elements (index: 1, table: 30), the first 10:" in lines
    assert sum("has its name back" in line for line in lines) == 10
    assert "  … and 21 more" in lines
    (note,) = (line for line in lines if "note" in line)
    assert "keeps the comment that somebody wrote" in note
    assert note.endswith(f"({COMMENTED})")
    assert lines[-1].startswith("31 elements restored;")
    assert len(lines) == 14


def test_json_names_all_of_them(command: CommandLine, emptied: str) -> None:
    assert len(json.loads(command("rollback", emptied, "--yes", "--json").out)["restored"]) == MANY + 1


def test_the_question_is_on_the_screen_with_what_it_is_about(
    house18: House, capsys: pytest.CaptureFixture[str], emptied: str
) -> None:
    print_intended(preview(house18.db, Scope(emptied)))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert sum(" → " in line for line in lines) == 10
    assert lines[-1] == "  `--dry-run` prints the SQL of all of them"


def test_a_few_are_told_one_by_one(house18: House, command: CommandLine) -> None:
    plan = house18.deprecate(TABLES[0].replace("old_00", "users_old"), "index:public.orders_total_idx")
    lines = command("rollback", plan.id, "--yes").out.splitlines()
    assert lines[:2] == [
        "  ✓ table:public.users_old has its name back",
        "  ✓ index:public.orders_total_idx has its name back",
    ]


def test_tables_with_other_rows_are_named_among_many(capsys: pytest.CaptureFixture[str]) -> None:
    same = [RowProof(f"public.t{number}", 2, 2, is_exact=True) for number in range(MANY)]
    other = [RowProof("public.fewer", 2, 1, is_exact=True), RowProof("public.guessed", 2, 2, is_exact=False)]
    changed = [RowProof("public.changed", 2, 2, is_exact=True, same_content=False)]
    nothing: list[Restoration] = []
    print_restored(nothing, [*same, *other, *changed])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].strip() for line in lines[:-1]] == [
        "public.fewer",
        "public.guessed",
        "public.changed",
    ]
    assert lines[-1] == "  30 tables with as many rows as before: 60 rows"


@pytest.mark.usefixtures("emptied")
def test_sensors_of_many_are_summed_up_when_they_are_taken_off(command: CommandLine) -> None:
    assert command("arm", "--yes").code == 0
    lines = command("disarm", "--yes").out.splitlines()
    assert lines[0] == "  ✓ taken off 30 elements: 30 triggers"
    assert len(lines) == 2

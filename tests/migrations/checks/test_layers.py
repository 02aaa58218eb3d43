"""All layers together: what they cost, that each is documented, and that each stands alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.database import Database
from migrations.checks import CHECKS, run_checks
from migrations.overrides import NOT_OVERRIDABLE
from tests.migrations.checks.conftest import USERS, Bench

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "checks.md"


def checks_in_the_code() -> Iterator[str]:
    """The first argument of every Finding that the code makes."""
    for path in (ROOT / "migrations").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                for name in ast.walk(node.args[0]):
                    if isinstance(name, ast.Constant) and isinstance(name.value, str):
                        yield name.value


def documented() -> dict[str, str]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return {row.split("`")[1]: row for row in rows}


def test_every_check_is_documented_and_every_row_is_of_a_check() -> None:
    assert set(documented()) == set(checks_in_the_code()) | {"drift"}


def test_the_page_says_which_checks_nobody_can_override() -> None:
    fixed = {name for name, row in documented().items() if row.rstrip(" |").endswith("| no")}
    assert fixed == set(NOT_OVERRIDABLE)


def test_every_file_of_a_check_is_run() -> None:
    folder = ROOT / "migrations" / "checks"
    with_a_check = {
        path.stem
        for path in folder.glob("*.py")
        if any(
            isinstance(node, ast.FunctionDef) and node.name == "check"
            for node in ast.parse(path.read_text()).body
        )
    }
    assert with_a_check == {check.__module__.rpartition(".")[2] for check in CHECKS}


def test_a_plan_of_many_elements_takes_as_many_queries_as_one_of_one(
    bench18: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench18.db.execute(
        "DO $$ BEGIN FOR i IN 1 .. 200 LOOP EXECUTE format('CREATE TABLE many_%s ()', i); END LOOP; END $$"
    )
    # What a connection learns once is not counted.
    bench18.situation(USERS)
    asked: list[str] = []
    send = Database._send

    def counting(self: Database, statement: str, params: object) -> object:
        asked.append(statement)
        return send(self, statement, params)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "_send", counting)
    run_checks(bench18.situation(USERS))
    of_one = len(asked)
    asked.clear()
    found = run_checks(bench18.situation(*(f"table:public.many_{i}" for i in range(1, 201))))
    assert len(asked) == of_one
    assert len([finding for finding in found if finding.subject == "database"]) < 10

"""`plan --soft`, `--with-dependents` and `--batch` on the command line, through apply and rollback."""

import json
from pathlib import Path

import pytest

from catalog.reading import read_snapshot
from migrations.plan import load_plan
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase

SCHEMA = """
CREATE TABLE orders (id int, legacy int);
CREATE TABLE users_old (id serial PRIMARY KEY, name text);
CREATE INDEX users_old_name_idx ON users_old (name);
INSERT INTO orders VALUES (1, 7);
"""


@pytest.fixture
def run(
    database18: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    database18.db.execute(SCHEMA)
    database18.db.execute("SELECT pg_stat_force_next_flush()")
    database18.db.execute("SELECT pg_stat_reset()")
    command = CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)
    ended = command("init", "--dsn", database18.dsn(), "--environment", "development")
    assert ended.code == 0, ended.err
    return command


def test_a_soft_plan_keeps_the_name_working_until_it_is_rolled_back(
    run: CommandLine, database18: FreshDatabase, tmp_path: Path
) -> None:
    before = read_snapshot(database18.db)
    ended = run("plan", "column:public.orders.legacy", "--soft")
    assert ended.code == 0, ended.err
    assert "keeps its former name as a view" in ended.out
    plan = load_plan(tmp_path / "plan.json")
    assert plan.steps[0].shim is not None
    assert plan.steps[0].shim.is_hidden
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 0, ended.err
    assert database18.db.fetch("SELECT legacy FROM orders") == [{"legacy": 7}]
    assert read_snapshot(database18.db).relation("public", "orders_behind_view")
    assert run("rollback", plan.id, "--yes").code == 0
    after = read_snapshot(database18.db)
    assert [relation.columns for relation in after.relations] == [
        relation.columns for relation in before.relations
    ]


def test_an_index_cannot_be_soft(run: CommandLine, tmp_path: Path) -> None:
    ended = run("plan", "index:public.users_old_name_idx", "--soft")
    assert ended.code == 2
    assert "no shim can keep it working: index:public.users_old_name_idx: no statement" in ended.err
    assert not (tmp_path / "plan.json").exists()


def test_dependents_and_batches(run: CommandLine, tmp_path: Path) -> None:
    ended = run(
        "plan",
        "table:public.users_old",
        "table:public.orders",
        "--with-dependents",
        "--batch=table",
        "--json",
    )
    assert ended.code == 0, ended.err
    assert [step["element"] for step in json.loads(ended.out)["steps"]] == [
        "table:public.orders",
        "constraint:public.users_old.users_old_pkey",
        "index:public.users_old_name_idx",
        "sequence:public.users_old_id_seq",
        "table:public.users_old",
    ]
    assert [len(batch) for batch in load_plan(tmp_path / "plan.json").batches()] == [1, 4]
    # What belongs to the table is nothing that holds on to it.
    assert not [f for f in json.loads(ended.out)["findings"] if f["severity"] == "block"]
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 0, ended.err
    assert "renamed 5 elements in 2 transactions: " in ended.out

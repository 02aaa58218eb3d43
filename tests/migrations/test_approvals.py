"""Confirmation and approvals: who may put a plan into production, and how they say so."""

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import StatementFailedError
from catalog.reading import read_snapshot
from catalog.settings import PolicySettings
from migrations import approvals
from migrations.approvals import Approval, judge
from migrations.overrides import Override
from migrations.plan import Plan, load_plan, save_plan
from tests.command_line import CommandLine, Ended
from tests.fix_server import FreshDatabase

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OLD = "table:public.users_old"
HASH = "a" * 64


def approval(role: str, *, days_ago: float = 0, plan_hash: str = HASH) -> Approval:
    return Approval(plan_hash, "m1", role, NOW - timedelta(days=days_ago), None)


@pytest.mark.parametrize(
    ("given", "wanted", "counted", "said"),
    [
        ((), 1, (), ()),
        ((approval("pgattic_ann"),), 1, ("pgattic_ann",), ()),
        (
            (approval("pgattic_ann"), approval("pgattic_ann"), approval("pgattic_ann")),
            2,
            ("pgattic_ann",),
            (),
        ),
        ((approval("pgattic_ann"), approval("pgattic_bob")), 2, ("pgattic_ann", "pgattic_bob"), ()),
        ((approval("me"),), 1, (), ("me applies the plan",)),
        ((approval("pgattic_ann", days_ago=8),), 1, (), ("older than 7 days",)),
        ((approval("pgattic_ann", days_ago=8), approval("pgattic_ann", days_ago=1)), 1, ("pgattic_ann",), ()),
        ((approval("pgattic_ann", days_ago=7),), 1, ("pgattic_ann",), ()),
        ((approval("pgattic_ann", plan_hash="b" * 64),), 1, (), ()),
    ],
)
def test_approvals_count_once_a_role_lately_and_for_this_plan(
    given: tuple[Approval, ...], wanted: int, counted: tuple[str, ...], said: tuple[str, ...]
) -> None:
    policy = PolicySettings(approvals_wanted=wanted)
    standing = judge(given, plan_hash=HASH, applier="me", policy=policy, now=NOW)
    assert tuple(one.approved_by for one in standing.counted) == counted
    assert standing.is_enough is (len(counted) >= wanted)
    assert len(standing.discounted) == len(said)
    assert all(part in reason for part, reason in zip(said, standing.discounted, strict=True))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)


@pytest.fixture
def production(run: CommandLine, database18: FreshDatabase) -> Iterator[FreshDatabase]:
    """A database in production with one old table, a plan for it, and two reviewers."""
    db = database18.db
    db.execute("CREATE TABLE users_old (id int)")
    logs = str(database18.server.log_directory)
    assert run("init", "--dsn", database18.dsn(), "--logs", logs).code == 0
    for role in ("pgattic_ann", "pgattic_bob"):
        db.execute(f"CREATE ROLE {role} LOGIN")
        db.execute(f"GRANT USAGE ON SCHEMA pgattic TO {role}")
        db.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA pgattic TO {role}")
        db.execute(f"GRANT INSERT ON pgattic.approval TO {role}")
    assert run("plan", OLD).code == 0
    yield database18
    for role in ("pgattic_ann", "pgattic_bob"):
        db.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def want(run: CommandLine, count: int) -> None:
    text = run.config.read_text().replace("[policy]", f"[policy]\napprovals_wanted = {count}")
    run.config.write_text(text)


def approved(run: CommandLine, production: FreshDatabase, role: str, *more: str) -> Ended:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGATTIC_DATABASE__DSN", production.dsn(role))
        return run("approve", "plan.json", *more)


def confirmed(run: CommandLine, production: FreshDatabase, *more: str) -> Ended:
    plan_hash = load_plan(Path("plan.json")).hash
    return run("apply", "plan.json", "--confirm", plan_hash[:8], "--database", production.name, *more)


def is_renamed(database: FreshDatabase) -> bool:
    return not read_snapshot(database.db).exists(Element.parse(OLD))


def test_production_wants_hash_and_database(run: CommandLine, production: FreshDatabase) -> None:
    plan_hash = load_plan(Path("plan.json")).hash
    for flags, said in (
        (("--yes",), "--confirm with the first 8 digits"),
        (("--confirm", plan_hash[:7], "--database", production.name), "--confirm with the first 8 digits"),
        (("--confirm", plan_hash[:8]), "--database with the name of the database"),
        (("--confirm", plan_hash[:8], "--database", "other"), "--database with the name of the database"),
    ):
        ended = run("apply", "plan.json", *flags)
        assert (ended.code, said in ended.err) == (1, True), ended
    assert not is_renamed(production)
    assert confirmed(run, production).code == 0
    assert is_renamed(production)


def test_a_plan_of_production_stays_one_whatever_the_configuration_says_now(
    run: CommandLine, production: FreshDatabase
) -> None:
    run.config.write_text(run.config.read_text().replace('"production"', '"development"'))
    ended = run("apply", "plan.json", "--yes")
    assert ended.code == 1
    assert "--confirm" in ended.err


def test_another_role_must_approve_first(run: CommandLine, production: FreshDatabase) -> None:
    want(run, 1)
    ended = confirmed(run, production)
    assert ended.code == 1
    assert "the policy wants approvals by 1 other role, there are 0; nothing was changed" in ended.err
    own = run("approve", "plan.json")
    assert own.code == 0
    assert "that of postgres does not count, as postgres applies the plan" in confirmed(run, production).err
    given = approved(run, production, "pgattic_ann", "--note", "agreed")
    assert given.code == 0, given
    assert "pgattic_ann approved" in given.out
    assert not is_renamed(production)
    assert confirmed(run, production).code == 0
    assert is_renamed(production)


def test_what_blocks_a_plan_is_said_to_who_approves_it(run: CommandLine, production: FreshDatabase) -> None:
    assert approved(run, production, "pgattic_ann").out.count("blocked") == 0
    production.db.execute("CREATE VIEW reader AS SELECT id FROM users_old")
    assert run("plan", OLD).code == 0
    given = approved(run, production, "pgattic_ann")
    assert given.code == 0, given
    assert (
        "it was blocked by dependants: `apply` looks again, and refuses it where that is still so"
        in given.out
    )
    assert json.loads(approved(run, production, "pgattic_bob", "--json").out)["blocked_by"] == ["dependants"]


def test_one_role_counts_once_however_often_it_approves(run: CommandLine, production: FreshDatabase) -> None:
    want(run, 2)
    for _ in range(3):
        assert approved(run, production, "pgattic_ann").code == 0
    assert "wants approvals by 2 other roles, there are 1" in confirmed(run, production).err
    assert (
        '"roles": [\n    "pgattic_ann",\n    "pgattic_bob"\n  ]'
        in approved(run, production, "pgattic_bob", "--json").out
    )
    plan = load_plan(Path("plan.json"))
    assert [one.approved_by for one in approvals.of_plan(production.db, plan.hash)] == ["pgattic_ann"] * 3 + [
        "pgattic_bob"
    ]


def test_an_approval_is_of_one_plan(run: CommandLine, production: FreshDatabase) -> None:
    want(run, 1)
    assert approved(run, production, "pgattic_ann").code == 0
    assert run("plan", OLD, "--reason", "refactor").code == 0
    assert "there are 0" in confirmed(run, production).err


def test_an_override_that_nobody_approved_is_refused(run: CommandLine, production: FreshDatabase) -> None:
    want(run, 1)
    production.db.execute("CREATE VIEW v AS SELECT id FROM users_old")
    assert run("plan", OLD).code == 0
    assert approved(run, production, "pgattic_ann").code == 0
    ended = confirmed(run, production, "--override", "dependants=trust me")
    assert ended.code == 1
    assert "the override of dependants is not in the plan that was approved" in ended.err
    assert run("plan", OLD, "--override", "dependants=the view goes too").code == 0
    assert load_plan(Path("plan.json")).overrides == (Override("dependants", "the view goes too"),)
    assert approved(run, production, "pgattic_ann").code == 0
    assert not is_renamed(production)
    assert confirmed(run, production).code == 0
    assert is_renamed(production)


def test_staging_asks_nobody(run: CommandLine, production: FreshDatabase) -> None:
    want(run, 1)
    run.config.write_text(run.config.read_text().replace('"production"', '"staging"'))
    assert run("plan", OLD).code == 0
    # All that is missing is somebody who says yes.
    assert "nobody there to confirm" in run("apply", "plan.json").err


def test_who_may_not_approve_is_told_what_to_grant(run: CommandLine, production: FreshDatabase) -> None:
    production.db.execute("REVOKE INSERT ON pgattic.approval FROM pgattic_bob")
    ended = approved(run, production, "pgattic_bob")
    assert ended.code == 1
    assert "role pgattic_bob may not approve plans" in ended.err
    assert "GRANT SELECT, INSERT ON pgattic.approval TO pgattic_bob" in ended.err


def test_a_plan_that_no_longer_fits_cannot_be_approved(run: CommandLine, production: FreshDatabase) -> None:
    production.db.execute("ALTER TABLE users_old ADD COLUMN x int")
    ended = approved(run, production, "pgattic_ann")
    assert ended.code == 1
    assert "changed since the plan was made" in ended.err


def test_the_server_says_who_approves_and_nobody_changes_it(
    run: CommandLine, production: FreshDatabase
) -> None:
    with Database.connect(production.dsn("pgattic_ann")) as db:
        db.execute(
            "INSERT INTO pgattic.approval (plan_hash, plan_id, approved_by, approved_at)"
            " VALUES ('h', 'm', 'pgattic_bob', '2099-01-01')"
        )
    (found,) = approvals.of_plan(production.db, "h")
    assert found.approved_by == "pgattic_ann"
    assert found.approved_at < datetime.now(UTC) + timedelta(minutes=5)
    for statement in (
        "UPDATE pgattic.approval SET approved_by = 'pgattic_bob'",
        "DELETE FROM pgattic.approval",
        "TRUNCATE pgattic.approval",
        "SET session_replication_role = replica; DELETE FROM pgattic.approval",
    ):
        with pytest.raises(StatementFailedError, match="never changed or removed"):
            production.db.execute(statement)


def test_an_approval_older_than_the_policy_does_not_count(
    run: CommandLine, production: FreshDatabase
) -> None:
    want(run, 1)
    run.config.write_text(run.config.read_text() + "approval_max_age_days = 0\n")
    assert approved(run, production, "pgattic_ann").code == 0
    ended = confirmed(run, production)
    assert ended.code == 1
    assert "is older than 0 seconds" in ended.err


def test_a_person_types_both_on_a_terminal(run: CommandLine, production: FreshDatabase) -> None:
    plan: Plan = load_plan(Path("plan.json"))
    digits, name = ("digits of the plan's hash", plan.hash[:8]), "the name of the database"
    wrong, _ = at_a_terminal(run.config, plan, digits, (name, "another"))
    assert wrong == 1
    assert not is_renamed(production)
    code, shown = at_a_terminal(run.config, plan, digits, (name, production.name))
    assert code == 0, shown
    assert is_renamed(production)


def test_a_person_may_say_no_on_a_terminal(run: CommandLine, production: FreshDatabase) -> None:
    run.config.write_text(run.config.read_text().replace('"production"', '"development"'))
    assert run("plan", OLD).code == 0
    plan = load_plan(Path("plan.json"))
    code, shown = at_a_terminal(run.config, plan, ("[y/N]", "n"))
    assert code == 1
    assert "not confirmed; nothing was changed" in " ".join(shown.split())
    assert not is_renamed(production)


def at_a_terminal(config: Path, plan: Plan, *answers: tuple[str, str]) -> tuple[int, str]:
    """Run apply on a terminal of its own and answer questions as they come; its code and what it showed."""
    save_plan(plan, Path("plan.json"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pgattic", "--config", str(config), "apply", "plan.json"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    left, shown, asked = list(answers), "", 0
    deadline = time.monotonic() + 180
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                continue
            try:
                part = os.read(ours, 4096)
            except OSError:
                # Linux says so when the other end of a terminal is closed.
                break
            if not part:
                break
            shown += part.decode(errors="replace")
            question = " ".join(shown[asked:].split())
            if left and left[0][0] in question and question.endswith(":"):
                os.write(ours, f"{left.pop(0)[1]}\n".encode())
                asked = len(shown)
        return process.wait(timeout=180), shown
    finally:
        process.kill()
        process.wait()
        os.close(ours)

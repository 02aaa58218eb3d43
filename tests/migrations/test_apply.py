"""Apply writes down what it means to do and what became of it, and goes on where it stopped."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import LockTimeoutError, StatementFailedError
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.settings import PolicySettings
from migrations import audit, breaker, registry, workflow
from migrations.apply import apply
from migrations.audit.chain import AuditRow
from migrations.audit.configuration import without_secrets
from migrations.audit.verify import verify
from migrations.batches import Batch
from migrations.checks.surroundings import Standby
from migrations.errors import BreakerOpenError, PlanDriftedError, RefusedError
from migrations.plan import Plan, make_plan
from migrations.rollback import rollback
from tests.fix_server import FreshDatabase
from tests.migrations.fix_shop import Shop

TABLES = ("a_old", "b_old", "c_old")


@pytest.fixture
def old(database: FreshDatabase) -> Database:
    """Three tables that nobody uses, and the registry."""
    database.db.execute("".join(f"CREATE TABLE {name} (id int);" for name in TABLES))
    registry.install(database.db)
    return database.db


def plan_of(db: Database, *names: str, batch: Batch = Batch.TABLE) -> Plan:
    elements = [Element.parse(f"table:public.{name}") for name in names or TABLES]
    return make_plan(
        read_snapshot(db),
        elements,
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=datetime.now(UTC),
        batch=batch,
    )


def refuse(db: Database, table: str) -> None:
    """Make the server refuse the rename of one table."""
    db.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF NOT EXISTS (SELECT FROM pg_class WHERE relname = '{table}') THEN"
        " RAISE EXCEPTION 'not today'; END IF; END $$"
    )
    db.execute(
        "CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse()"
    )


def events(db: Database) -> list[tuple[str, str | None]]:
    return [
        (row.content["event"], row.content["detail"].get("outcome"))
        for row in audit.read(db)
        if row.content["event"] != "configuration"
    ]


def row_of(db: Database, plan: Plan) -> tuple[str, int]:
    row = next(row for row in registry.migrations_of(db) if row.id == plan.id)
    return row.state, row.in_attic


def test_the_intent_comes_before_the_outcome(old: Database) -> None:
    plan = plan_of(old, batch=Batch.ONE)
    apply(old, plan)
    assert events(old) == [("apply_intent", None), ("apply_outcome", "done")]
    intent = next(audit.read(old)).content
    assert intent["subject"] == plan.id
    assert intent["detail"]["elements"] == [str(element) for element in plan.elements]
    assert intent["detail"]["sql"] == [statement for step in plan.steps for statement in step.up]


def test_the_intent_is_there_before_the_first_rename(database: FreshDatabase, old: Database) -> None:
    # Another session that writes one row sees the intent committed while the renames wait for their lock.
    plan = plan_of(old, "a_old")
    seen: list[AuditRow] = []
    with Database.connect(database.dsn()) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM a_old")

        def look(_: str) -> None:
            seen.extend(audit.read(reader))
            raise KeyboardInterrupt

        with (
            Database.connect(database.dsn(), lock_timeout_ms=30) as db,
            pytest.raises(KeyboardInterrupt),
        ):
            apply(db, plan, look)
    assert [row.content["event"] for row in seen] == ["apply_intent"]
    assert events(old)[-1] == ("apply_outcome", "failed")
    assert not breaker.state(old).is_open


def test_each_batch_is_a_transaction_of_its_own(old: Database) -> None:
    plan = plan_of(old)
    assert len(plan.batches()) == 3
    apply(old, plan)
    assert events(old) == [("apply_intent", None), ("apply_outcome", "done")] * 3
    assert row_of(old, plan) == ("executed", 3)
    moments = old.fetch_value("SELECT count(DISTINCT deprecated_at) FROM pgattic.element")
    assert moments == 3
    rollback(old, migration_id=plan.id)
    assert row_of(old, plan) == ("rolled_back", 0)


def test_after_a_failed_batch_the_same_plan_goes_on_with_what_is_missing(old: Database) -> None:
    plan = plan_of(old)
    refuse(old, "b_old")
    with pytest.raises(StatementFailedError, match="not today"):
        apply(old, plan)
    assert row_of(old, plan) == ("failed", 1)
    failure = registry.migrations_of(old)[0].failure
    assert failure is not None
    assert failure.startswith("batch 2 of 3: ")
    assert [str(item.element) for item in registry.in_attic(old)] == ["table:public.a_old"]
    assert breaker.state(old).is_open
    assert events(old)[-2:] == [("apply_outcome", "failed"), ("breaker_opened", None)]
    old.execute("DROP EVENT TRIGGER refuse")
    breaker.reset(old, "the event trigger is gone")
    apply(old, plan)
    assert row_of(old, plan) == ("executed", 3)
    assert registry.migrations_of(old)[0].failure is None
    positions = old.fetch("SELECT position, former_name FROM pgattic.element ORDER BY position")
    assert [(row["position"], row["former_name"]) for row in positions] == list(enumerate(TABLES, start=1))
    assert verify(audit.read(old)).is_whole


def test_after_a_failed_batch_what_is_in_the_attic_comes_back(old: Database) -> None:
    plan = plan_of(old)
    refuse(old, "c_old")
    with pytest.raises(StatementFailedError):
        apply(old, plan)
    old.execute("DROP EVENT TRIGGER refuse")
    rollback(old, migration_id=plan.id, despite_breaker=True)
    assert row_of(old, plan) == ("rolled_back", 0)
    assert all(read_snapshot(old).exists(element) for element in plan.elements)
    breaker.reset(old, "the event trigger is gone")
    with pytest.raises(RefusedError, match="was applied and rolled back"):
        apply(old, plan)
    assert not breaker.state(old).is_open


def test_what_is_missing_must_be_what_was_planned(old: Database) -> None:
    plan = plan_of(old)
    refuse(old, "b_old")
    with pytest.raises(StatementFailedError):
        apply(old, plan)
    old.execute("DROP EVENT TRIGGER refuse")
    old.execute("DROP TABLE c_old; CREATE TABLE c_old (id int)")
    breaker.reset(old, "the event trigger is gone")
    with pytest.raises(PlanDriftedError, match=r"table:public\.c_old: is not the one"):
        apply(old, plan)
    assert row_of(old, plan) == ("failed", 1)


def test_a_plan_of_the_same_number_with_other_content_is_refused(old: Database) -> None:
    plan = plan_of(old)
    refuse(old, "b_old")
    with pytest.raises(StatementFailedError):
        apply(old, plan)
    old.execute("DROP EVENT TRIGGER refuse")
    breaker.reset(old, "the event trigger is gone")
    with pytest.raises(RefusedError, match="in the meantime"):
        apply(old, replace(plan, hash="0" * 64))
    assert row_of(old, plan) == ("failed", 1)


def test_a_refusal_changes_nothing_and_leaves_the_breaker_closed(old: Database) -> None:
    plan = plan_of(old)
    old.execute("ALTER TABLE a_old ADD COLUMN x int")
    with pytest.raises(PlanDriftedError):
        apply(old, plan)
    assert not registry.migrations_of(old)
    assert not breaker.state(old).is_open


def test_locks_that_are_not_to_be_had_open_the_breaker_past_the_policy(
    database: FreshDatabase, old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.01)
    policy = PolicySettings(lock_failures_allowed=1)
    plan, other = plan_of(old, "a_old"), plan_of(old, "b_old")
    with Database.connect(database.dsn(), lock_timeout_ms=20) as db:

        def fail() -> None:
            with Database.connect(database.dsn()) as reader, reader.transaction():
                reader.execute("SELECT count(*) FROM a_old")
                with pytest.raises(LockTimeoutError):
                    apply(db, plan, policy=policy)

        fail()
        assert not breaker.state(db).is_open
        # A change that succeeds in between shows that it was nothing lasting.
        apply(db, other, policy=policy)
        fail()
        assert not breaker.state(db).is_open
        fail()
        assert breaker.state(db).is_open
        with pytest.raises(BreakerOpenError, match="2 changes one after the other gave up waiting for locks"):
            apply(db, plan, policy=policy)


def test_a_standby_too_far_behind_stops_between_batches(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lagging = (Standby(name="replica", is_visible=True, lag_seconds=45.0, behind_bytes=1),)
    monkeypatch.setattr("migrations.apply.read_standbys", lambda db: lagging)
    plan = plan_of(old)
    with pytest.raises(BreakerOpenError, match=r"stopped after batch 1 of 3: a standby is 45 s behind"):
        apply(old, plan)
    assert row_of(old, plan) == ("failed", 1)
    assert breaker.state(old).is_open
    monkeypatch.undo()
    breaker.reset(old, "it caught up")
    apply(old, plan)
    assert row_of(old, plan) == ("executed", 3)


def test_the_whole_way_is_in_the_audit_trail(shop18: Shop) -> None:
    shop18.apply(shop18.plan("table:public.users_old"))
    assert events(shop18.db) == [
        ("plan", None),
        ("check", None),
        ("backup", "proved by a restore"),
        ("apply_intent", None),
        ("apply_outcome", "done"),
        ("arm", "done"),
    ]
    details: dict[str, Any] = {row.content["event"]: row.content["detail"] for row in audit.read(shop18.db)}
    assert details["backup"]["rows"] == {"public.users_old": 500}
    assert details["check"]["verdict"] == "passed"
    assert details["configuration"] == json.loads(json.dumps(without_secrets(shop18.settings)))
    text = "".join(row.entry for row in audit.read(shop18.db))
    # Nothing of the rows.
    assert "user 1" not in text


def test_a_refused_plan_is_in_the_audit_trail(shop18: Shop) -> None:
    shop18.db.execute("CREATE VIEW reader AS SELECT name FROM users_old")
    plan = shop18.plan("table:public.users_old")
    with pytest.raises(RefusedError):
        workflow.carry_out(shop18.db, shop18.settings, plan, datetime.now(UTC), on_step=lambda _: None)
    check = next(audit.newest(shop18.db)).content
    assert (check["event"], check["detail"]["verdict"]) == ("check", "refused")
    assert any("view public.reader" in finding for finding in check["detail"]["findings"])


def test_an_interruption_after_the_commit_is_not_a_failure(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = psycopg.Connection.commit

    def commit_and_stop(connection: "psycopg.Connection[Any]") -> None:
        commit(connection)
        if registry_says_executed(connection):
            monkeypatch.undo()
            raise KeyboardInterrupt

    def registry_says_executed(connection: "psycopg.Connection[Any]") -> bool:
        found = connection.execute(
            "SELECT count(*) AS n FROM pgattic.migration WHERE state = 'executed'"
        ).fetchone()
        return bool(found and found["n"])

    plan = plan_of(old, batch=Batch.ONE)
    monkeypatch.setattr("psycopg.Connection.commit", commit_and_stop)
    with pytest.raises(KeyboardInterrupt):
        apply(old, plan)
    assert row_of(old, plan) == ("executed", 3)
    assert events(old) == [("apply_intent", None), ("apply_outcome", "done")]


def test_another_table_under_the_name_of_a_later_batch_is_not_renamed(old: Database) -> None:
    plan = plan_of(old)

    def swap(line: str) -> None:
        if line.startswith("batch 1"):
            old.execute("ALTER TABLE c_old RENAME TO moved; CREATE TABLE c_old (id int)")

    with pytest.raises(PlanDriftedError, match=r"table:public\.c_old: was renamed, moved or removed"):
        apply(old, plan, swap)
    assert row_of(old, plan) == ("failed", 2)
    # A check that fails between batches is no refusal any more.
    assert breaker.state(old).is_open
    assert old.fetch_value("SELECT to_regclass('c_old') IS NOT NULL AND to_regclass('moved') IS NOT NULL")

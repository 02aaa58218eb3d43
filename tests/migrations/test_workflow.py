"""The whole way there and back on real servers: checked, backed up, proved, renamed, restored."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from catalog.counters import read_counters
from catalog.database import Database
from catalog.elements import Element
from catalog.errors import LockTimeoutError, RightsMissingError, StatementFailedError
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.settings import DatabaseSettings
from catalog.snapshot import Snapshot
from migrations import breaker, registry, workflow
from migrations.apply import apply
from migrations.errors import (
    NothingInAtticError,
    PlanDriftedError,
    RefusedError,
    RegistryError,
    RestoreProofError,
    RollbackError,
)
from migrations.findings import Severity
from migrations.rollback import rollback
from tests.fix_server import FreshDatabase, beside
from tests.migrations.fix_shop import Shop


def schema_of(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.relations, snapshot.indexes, snapshot.constraints, snapshot.enums, snapshot.stored_uses


def test_apply_and_rollback_give_back_the_same_catalog(shop: Shop) -> None:
    before = read_snapshot(shop.db)
    plan = shop.plan()
    shop.apply(plan)
    inside = read_snapshot(shop.db)
    assert not any(inside.exists(element) for element in shop.unused)
    assert {entry.element for entry in inside.attic if entry.is_in_attic} == set(shop.unused)
    rollback(shop.db, migration_id=plan.id)
    after = read_snapshot(shop.db)
    assert schema_of(after) == schema_of(before)
    assert not any(entry.is_in_attic for entry in after.attic)
    assert registry.migrations_of(shop.db)[0].state == "rolled_back"


def test_one_element_comes_back_and_the_others_stay(shop: Shop) -> None:
    plan = shop.plan()
    shop.apply(plan)
    rollback(shop.db, element=shop.unused[0])
    assert shop.db.fetch_value("SELECT count(*) FROM users_old") == 500
    assert shop.db.fetch_value("SELECT obj_description('users_old'::regclass)") == "it's old"
    row = registry.migrations_of(shop.db)[0]
    assert (row.state, row.elements, row.in_attic) == ("executed", 6, 5)


def test_a_column_comes_back_although_its_table_was_renamed_later(shop: Shop) -> None:
    shop.apply(shop.plan("column:public.orders.legacy"))
    shop.apply(shop.plan("table:public.orders"))
    rollback(shop.db, element=Element.parse("column:public.orders.legacy"))
    rollback(shop.db, element=Element.parse("table:public.orders"))
    assert read_snapshot(shop.db).exists(Element.parse("column:public.orders.legacy"))


def test_the_comment_says_what_happened(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.apply(plan)
    comment = shop.db.fetch_value("SELECT obj_description(%s::regclass)", [plan.steps[0].deprecated_name])
    assert comment.endswith(f"(unused), formerly users_old; pgattic migration {plan.id}")


def test_our_own_backup_is_not_counted_as_a_use(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.apply(plan)
    entry = read_snapshot(shop.db).attic[0]
    assert entry.baseline is not None
    with Database.connect(shop.database.dsn()) as db:
        assert read_counters(db).counters[entry.object_oid].reads == entry.baseline.reads


def test_a_used_table_is_refused_and_nothing_happens(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.db.execute("SELECT count(*) FROM users_old")
    shop.db.execute("SELECT pg_stat_force_next_flush()")
    if shop.db.server_version < 160_000:
        # Without last_seq_scan nobody can tell when it was: a warning that has to be read.
        findings = workflow.check(shop.db, shop.settings, plan, datetime.now(UTC))
        assert ("use-counted", Severity.WARN) in {(finding.check, finding.severity) for finding in findings}
        return
    with pytest.raises(RefusedError, match=r"block table:public\.users_old; nothing was changed"):
        shop.apply(plan)
    assert read_snapshot(shop.db).exists(shop.unused[0])
    assert not registry.backups_of(shop.db)


@pytest.mark.parametrize(
    ("setup", "element", "said"),
    [
        ("CREATE VIEW v AS SELECT name FROM users_old", "table:public.users_old", "view public.v"),
        ("CREATE VIEW v AS SELECT legacy FROM orders", "column:public.orders.legacy", "view public.v"),
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users_old'",
            "table:public.users_old",
            "function public.f",
        ),
        ("CREATE TABLE c (id int REFERENCES users_old)", "table:public.users_old", "foreign key"),
        ("CREATE TABLE c (shade colour)", "enum:public.colour", "public.c.shade"),
        ("CREATE PUBLICATION p FOR TABLE users_old", "table:public.users_old", "stop the whole subscription"),
        ("SELECT 1", "index:public.users_old_pkey", "enforces the constraint"),
        ("CREATE TABLE c () INHERITS (orders)", "column:public.c.legacy", "inherited from a parent"),
    ],
)
def test_what_refers_to_an_element_blocks_it(shop: Shop, setup: str, element: str, said: str) -> None:
    shop.db.execute(setup)
    blocks = [finding for finding in shop.plan(element).findings if finding.severity is Severity.BLOCK]
    assert any(said in f"{finding.message} {finding.subject}" for finding in blocks), blocks


def test_a_role_that_may_not_read_the_registry_is_told_what_to_grant(shop: Shop) -> None:
    shop.db.execute("CREATE ROLE pgattic_guest LOGIN")
    try:
        with (
            Database.connect(shop.database.dsn("pgattic_guest")) as db,
            pytest.raises(RightsMissingError, match="GRANT USAGE ON SCHEMA pgattic TO pgattic_guest"),
        ):
            read_snapshot(db)
    finally:
        shop.db.execute("DROP ROLE pgattic_guest")


def test_a_role_that_does_not_own_the_table_is_refused(shop: Shop) -> None:
    shop.db.execute("CREATE ROLE pgattic_stranger LOGIN")
    try:
        stranger = shop.database.dsn("pgattic_stranger")
        settings = shop.settings.model_copy(update={"database": DatabaseSettings(dsn=stranger)})
        shop.db.execute("GRANT USAGE ON SCHEMA pgattic TO pgattic_stranger")
        shop.db.execute("GRANT SELECT ON ALL TABLES IN SCHEMA pgattic TO pgattic_stranger")
        with Database.connect(stranger) as db:
            plan = workflow.prepare(db, settings, shop.unused, Reason.UNUSED, datetime.now(UTC))
        blocked = {finding.subject for finding in plan.findings if finding.check == "ownership"}
        assert blocked == {str(element) for element in shop.unused}
    finally:
        shop.db.execute("DROP OWNED BY pgattic_stranger")
        shop.db.execute("DROP ROLE pgattic_stranger")


def test_a_failure_in_the_middle_leaves_nothing_renamed_and_says_why(shop: Shop) -> None:
    plan = shop.plan()
    # A name that is taken between the check and the rename, as by another session.
    shop.db.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'not today'; END $$"
    )
    shop.db.execute(
        "CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('ALTER INDEX') EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(StatementFailedError, match="not today"):
        shop.apply(plan)
    assert all(read_snapshot(shop.db).exists(element) for element in shop.unused)
    row = registry.migrations_of(shop.db)[0]
    assert (row.state, row.in_attic) == ("failed", 0)
    assert row.failure is not None
    assert "not today" in row.failure
    shop.db.execute("DROP EVENT TRIGGER refuse")
    breaker.reset(shop.db, "the event trigger is gone")
    shop.apply(plan)
    assert registry.migrations_of(shop.db)[0].state == "executed"


def test_a_plan_is_refused_when_the_catalog_moved(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.db.execute("ALTER TABLE users_old ADD COLUMN x int")
    with pytest.raises(PlanDriftedError):
        shop.apply(plan)


def test_a_plan_runs_once(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.apply(plan)
    with pytest.raises(RefusedError.__mro__[1], match="already in the attic"):
        shop.apply(plan)


def test_a_held_lock_is_waited_for_briefly_and_tried_again(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    said: list[str] = []
    with (
        Database.connect(shop.database.dsn()) as reader,
        Database.connect(shop.database.dsn(), lock_timeout_ms=50) as db,
    ):
        with reader.transaction():
            reader.execute("SELECT count(*) FROM users_old")

            def announce(line: str) -> None:
                said.append(line)
                if len(said) == 2:
                    raise KeyboardInterrupt  # as an operator who will not wait

            with pytest.raises(KeyboardInterrupt):
                apply(db, plan, announce)
        apply(db, plan)
    assert "attempt 1 of 5" in said[0]
    assert read_snapshot(shop.db).attic[0].is_in_attic


def test_a_lock_that_never_comes_free_ends_in_an_error(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("migrations.retry._LONGEST_PAUSE_SECONDS", 0.01)
    plan = shop.plan("table:public.users_old")
    with beside(shop.database.dsn(), "SELECT count(*) FROM users_old") as db, pytest.raises(LockTimeoutError):
        apply(db, plan)
    assert registry.migrations_of(shop.db)[0].state == "failed"


def test_a_former_name_that_was_taken_stops_the_rollback_whole(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old", "enum:public.colour")
    shop.apply(plan)
    shop.db.execute("CREATE TABLE users_old (id int)")
    with pytest.raises(RollbackError, match="former name is taken again"):
        rollback(shop.db, migration_id=plan.id)
    assert registry.migrations_of(shop.db)[0].in_attic == 2
    rollback(shop.db, element=Element.parse("enum:public.colour"))


def test_an_element_renamed_by_hand_is_not_touched(shop: Shop) -> None:
    plan = shop.plan("table:public.users_old")
    shop.apply(plan)
    shop.db.execute(f"ALTER TABLE {plan.steps[0].deprecated_name} RENAME TO mine")
    with pytest.raises(RollbackError, match="is called mine now"):
        rollback(shop.db, migration_id=plan.id)


def test_the_reads_of_a_backup_whose_proof_failed_are_no_use(shop18: Shop) -> None:
    # What a restore cannot find: it has no search_path.
    shop18.db.execute(
        "CREATE TABLE allowed (id int); INSERT INTO allowed VALUES (1);"
        "CREATE FUNCTION is_allowed(int) RETURNS bool LANGUAGE sql"
        " AS 'SELECT EXISTS (SELECT FROM allowed WHERE id = $1)';"
        "CREATE TABLE picky (id int CHECK (is_allowed(id))); INSERT INTO picky VALUES (1);"
        "SELECT pg_stat_force_next_flush()"
    )
    shop18.db.execute("SELECT pg_stat_reset()")
    with pytest.raises(RestoreProofError):
        shop18.apply(shop18.plan("table:public.picky"))
    shop18.db.execute("CREATE OR REPLACE FUNCTION is_allowed(int) RETURNS bool LANGUAGE sql AS 'SELECT true'")
    again = shop18.plan("table:public.picky")
    assert "use-counted" not in {finding.check for finding in again.findings}
    done = shop18.apply(again)
    newest, failed = registry.backups_of(shop18.db)
    assert (newest.id, newest.proved_at is None, failed.proved_at is None) == (done.backup.id, False, True)


def test_rolling_back_nothing_is_an_error(shop: Shop) -> None:
    with pytest.raises(NothingInAtticError, match="m20250101-ffffff: nothing of it is in the attic"):
        rollback(shop.db, migration_id="m20250101-ffffff")


def test_without_a_registry_the_next_step_is_named(database18: FreshDatabase) -> None:
    with pytest.raises(RegistryError, match="Run `pgattic init`"):
        registry.migrations_of(database18.db)


def test_a_newer_registry_is_not_touched(database18: FreshDatabase) -> None:
    registry.install(database18.db)
    database18.db.execute("INSERT INTO pgattic.schema_version (version) VALUES (9999)")
    with pytest.raises(RegistryError, match="newer than this program"):
        registry.install(database18.db)


def test_two_first_installations_at_once_make_one_registry(database18: FreshDatabase) -> None:
    def install(_: int) -> int:
        with Database.connect(database18.dsn(), lock_timeout_ms=180_000) as db:
            return registry.install(db)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(install, range(4))) == {registry.scripts()[-1][0]}


def test_a_backup_is_recorded_with_its_proof(shop: Shop) -> None:
    applied = shop.apply(shop.plan("table:public.users_old"))
    backup = registry.backups_of(shop.db)[0]
    assert backup.proved_at is not None
    assert datetime.now(UTC) - backup.made_at < timedelta(minutes=5)
    assert backup.tables[0]["rows"] == 500
    assert (applied.backup_folder / "manifest.json").is_file()

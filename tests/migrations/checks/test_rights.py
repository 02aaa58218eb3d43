"""Whose the elements are, what the role may do, and names that tell something."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.errors import StatementFailedError
from migrations import breaker
from migrations.apply import apply
from migrations.checks import system_schema
from migrations.rollback import rollback
from tests.migrations.checks.conftest import LEGACY, USERS, Bench
from tests.migrations.fix_house import House

INDEX = "index:public.orders_total_idx"
CHECK = "constraint:public.orders.total_check"
KEY = "constraint:public.users_old.users_old_pkey"
COLOUR = "enum:public.colour"


@pytest.fixture
def owner(bench: Bench) -> Iterator[str]:
    """A role that owns everything in the database but lacks CREATE on its schema."""
    role = "pgattic_owner"
    bench.db.execute(
        f"CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
        f" ALTER TABLE orders OWNER TO {role}; ALTER TABLE users_old OWNER TO {role};"
        f" ALTER TYPE colour OWNER TO {role};"
        f" GRANT USAGE ON SCHEMA public, pgattic TO {role};"
        f" GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA pgattic TO {role};"
        f" GRANT DELETE ON pgattic.lock_failure TO {role}; GRANT USAGE ON SEQUENCE pgattic.moment TO {role}"
    )
    yield role
    bench.db.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


RENAMES = {
    USERS: "ALTER TABLE users_old RENAME TO x",
    LEGACY: "ALTER TABLE orders RENAME COLUMN legacy TO x",
    INDEX: "ALTER INDEX orders_total_idx RENAME TO x",
    CHECK: "ALTER TABLE orders RENAME CONSTRAINT total_check TO x",
    KEY: "ALTER INDEX users_old_pkey RENAME TO x",
    COLOUR: "ALTER TYPE colour RENAME TO x",
}


def test_create_on_the_schema_is_wanted_where_the_server_wants_it(bench: Bench, owner: str) -> None:
    with Database.connect(bench.database.dsn(owner)) as db:
        said = bench.blocked_by("schema-privilege", *RENAMES, db=db)
        refused = {element for element, rename in RENAMES.items() if not _succeeds(db, rename)}
        assert {text.partition(" ")[0] for text in said} == refused
        assert USERS in refused
        bench.db.execute(f"GRANT CREATE ON SCHEMA public TO {owner}")
        assert not bench.blocked_by("schema-privilege", *RENAMES, db=db)


def _succeeds(db: Database, rename: str) -> bool:
    try:
        db.execute(f"{rename}; SELECT 1 / 0")
    except StatementFailedError as error:
        # The division takes the rename back, where the server came as far.
        return error.sqlstate == "22012"
    return False


@pytest.mark.parametrize(
    "right",
    [
        "INSERT ON pgattic.element",
        "DELETE ON pgattic.lock_failure",
        "USAGE ON SEQUENCE pgattic.moment",
        "INSERT ON pgattic.breaker",
        "INSERT ON pgattic.own_scan",
        "INSERT ON pgattic.sensor",
        "UPDATE ON pgattic.backup",
    ],
)
def test_a_role_that_may_not_write_the_registry_is_told(bench: Bench, owner: str, right: str) -> None:
    with Database.connect(bench.database.dsn(owner)) as db:
        assert not bench.blocked_by("registry-rights", USERS, db=db)
        bench.db.execute(f"REVOKE {right} FROM {owner}")
        (said,) = bench.blocked_by("registry-rights", USERS, db=db)
    assert right.replace("SEQUENCE ", "") in said
    assert not bench.blocked_by("registry-rights", USERS)


def test_a_role_that_is_told_of_nothing_can_rename_and_bring_back(bench: Bench, owner: str) -> None:
    bench.db.execute(f"GRANT CREATE ON SCHEMA public TO {owner}")
    with Database.connect(bench.database.dsn(owner)) as db:
        assert not bench.blocked_by("registry-rights", USERS, db=db)
        house = House(replace(bench.database, db=db))
        plan = house.plan(USERS)
        apply(db, plan, with_sensors=True)
        breaker.trip(db, "a test")
        assert len(rollback(db, migration_id=plan.id, despite_breaker=True).restored) == 1


def test_a_role_that_owns_nothing_may_rename_nothing(bench: Bench, owner: str) -> None:
    bench.db.execute("ALTER TABLE orders OWNER TO postgres; ALTER TYPE colour OWNER TO postgres")
    with Database.connect(bench.database.dsn(owner)) as db:
        said = bench.blocked_by("ownership", *RENAMES, db=db)
    assert {text.partition(" ")[0] for text in said} == {LEGACY, INDEX, CHECK, COLOUR}


@pytest.mark.parametrize(
    "element",
    [
        "table:pg_catalog.pg_class",
        "table:information_schema.tables",
        "table:pgattic.migration",
        "table:pg_toast.t",
    ],
)
def test_system_schemas_are_never_touched(bench18: Bench, element: str) -> None:
    # The snapshot does not show them, so that no plan can name them; the layer holds without it all the same.
    situation = replace(bench18.situation(USERS), elements=(Element.parse(element),))
    (finding,) = system_schema.check(situation)
    assert (finding.check, finding.severity) == ("system-schema", "block")


def test_a_schema_that_only_looks_like_one_is_the_users(bench18: Bench) -> None:
    bench18.db.execute("CREATE SCHEMA pgarchive; CREATE TABLE pgarchive.t (id int)")
    assert not bench18.findings("system-schema", "table:pgarchive.t")


def test_what_belongs_to_an_extension_blocks_whatever_its_kind(bench: Bench) -> None:
    # An extension of our own: neither server has one with a table at hand.
    bench.db.execute(
        "CREATE TABLE ext (id int CONSTRAINT ext_check CHECK (id > 0)); CREATE INDEX ext_idx ON ext (id);"
        " INSERT INTO pg_depend SELECT 'pg_class'::regclass, 'ext'::regclass, 0, 'pg_extension'::regclass,"
        " oid, 0, 'e' FROM pg_extension WHERE extname = 'plpgsql'"
    )
    elements = [
        "table:public.ext",
        "column:public.ext.id",
        "index:public.ext_idx",
        "constraint:public.ext.ext_check",
    ]
    said = bench.blocked_by("extension-owned", USERS, *elements)
    assert [text.partition(" ")[0] for text in said] == elements


def test_a_name_that_is_deprecated_already_blocks(bench18: Bench) -> None:
    bench18.db.execute("CREATE TABLE a_deprecated_20250101_unused (id int)")
    (said,) = bench18.blocked_by("already-deprecated", USERS, "table:public.a_deprecated_20250101_unused")
    assert "a, unused since 2025-01-01" in said


def test_a_name_that_needs_quotes_is_told_of(bench18: Bench) -> None:
    bench18.db.execute('CREATE TABLE "Users Old" (id int)')
    (finding,) = bench18.findings("quoted-name", USERS, 'table:public."Users Old"')
    assert (finding.subject, finding.severity) == ('table:public."Users Old"', "info")


def test_production_is_told_of(bench18: Bench) -> None:
    assert not bench18.findings("production", USERS)
    bench18.environment = "production"
    assert [finding.severity for finding in bench18.findings("production", USERS)] == ["info"]

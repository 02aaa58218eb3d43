"""Foreign tables name what they read, and a rename does not reach them."""

import pytest

from tests.migrations.checks.conftest import USERS, Bench

FDW = (
    "CREATE EXTENSION postgres_fdw;"
    " CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{dbname}')"
)


@pytest.fixture
def fdw(bench: Bench) -> Bench:
    available = bench.db.fetch_value(
        "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'"
    )
    if not available:
        pytest.skip("this server has no postgres_fdw")
    bench.db.execute(FDW.format(dbname=bench.database.name))
    return bench


@pytest.mark.parametrize(
    "made",
    [
        "CREATE SCHEMA a; CREATE FOREIGN TABLE a.users_old (id int) SERVER s OPTIONS (schema_name 'public')",
        "CREATE FOREIGN TABLE alias (id int) SERVER s OPTIONS (table_name 'users_old')",
    ],
)
def test_a_foreign_table_that_comes_back_here_blocks(fdw: Bench, made: str) -> None:
    fdw.db.execute(made)
    (said,) = fdw.blocked_by("foreign-table", USERS)
    assert "through server s" in said


def test_a_foreign_table_of_another_database_does_not(fdw: Bench) -> None:
    fdw.db.execute(
        "ALTER SERVER s OPTIONS (SET dbname 'elsewhere');"
        " CREATE FOREIGN TABLE alias (id int) SERVER s OPTIONS (table_name 'users_old')"
    )
    assert not fdw.findings("foreign-table", USERS)


@pytest.mark.parametrize(("options", "blocks"), [("", 1), ("OPTIONS (column_name 'a')", 0)])
def test_a_column_that_a_foreign_child_asks_for_by_its_own_name_blocks(
    fdw: Bench, options: str, blocks: int
) -> None:
    fdw.db.execute(
        "CREATE TABLE parent (a int);"
        f" CREATE FOREIGN TABLE child (a int {options}) INHERITS (parent) SERVER s"
        if not options
        else "CREATE TABLE parent (a int); CREATE FOREIGN TABLE child (a int) INHERITS (parent) SERVER s;"
        f" ALTER FOREIGN TABLE child ALTER COLUMN a {options.replace('(', '(ADD ')}"
    )
    assert len(fdw.blocked_by("foreign-table", "column:public.parent.a")) == blocks


def test_foreign_readers_elsewhere_cannot_be_seen_and_that_is_said(bench18: Bench) -> None:
    (finding,) = bench18.findings("foreign-readers", USERS)
    assert finding.severity == "info"
    assert not bench18.findings("foreign-readers", "index:public.orders_total_idx")


def test_a_session_of_a_foreign_reader_is_seen(fdw: Bench) -> None:
    fdw.db.execute(
        "CREATE USER MAPPING FOR postgres SERVER s OPTIONS (user 'postgres');"
        f" ALTER SERVER s OPTIONS (ADD host '127.0.0.1', ADD port '{fdw.database.server.port}');"
        " CREATE FOREIGN TABLE alias (id int) SERVER s OPTIONS (table_name 'orders')"
    )
    fdw.db.execute("SELECT count(*) FROM alias")
    (finding,) = fdw.findings("foreign-readers", USERS)
    assert finding.severity == "warn"

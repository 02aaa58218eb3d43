"""Another thing of the former name, later in a search_path, would silently be taken for it."""

import pytest

from migrations.checks.surroundings import path_schemas
from tests.migrations.checks.conftest import USERS, Bench

APP = "table:app.t"
TWINS = "CREATE SCHEMA app; CREATE TABLE app.t (id int); CREATE TABLE public.t (id int)"


@pytest.mark.parametrize(
    ("setting", "who"),
    [
        ("ALTER DATABASE {database} SET search_path = app, public", "every role"),
        ("ALTER ROLE shadowed_reader SET search_path = 'app', public", "role shadowed_reader"),
        (
            "ALTER ROLE shadowed_reader IN DATABASE {database} SET search_path = app, public",
            "role shadowed_reader",
        ),
        (
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = app, public AS 'SELECT 1'",
            "function f()",
        ),
        ("ALTER SCHEMA app RENAME TO shadowed_reader", "every role"),
    ],
)
def test_a_twin_later_in_a_path_blocks(bench: Bench, setting: str, who: str) -> None:
    bench.db.execute("CREATE ROLE shadowed_reader")
    try:
        bench.db.execute(TWINS)
        assert not bench.blocked_by("shadowed-name", APP)
        bench.db.execute(setting.format(database=bench.database.name))
        element = "table:shadowed_reader.t" if "RENAME" in setting else APP
        (said,) = bench.blocked_by("shadowed-name", element)
        assert f"search_path of {who}" in said
        assert "public.t" in said
    finally:
        bench.db.execute("DROP ROLE shadowed_reader")


def test_the_fact_behind_it(bench: Bench) -> None:
    with bench.db.transaction():
        bench.db.execute(f"{TWINS}; INSERT INTO app.t VALUES (1); SET LOCAL search_path = app, public")
        assert bench.db.fetch_value("SELECT count(*) FROM t") == 1
        bench.db.execute("ALTER TABLE app.t RENAME TO gone")
        assert bench.db.fetch_value("SELECT count(*) FROM t") == 0


def test_a_twin_that_comes_first_or_alone_does_not_block(bench18: Bench) -> None:
    bench18.db.execute(TWINS)
    bench18.db.execute(f"ALTER DATABASE {bench18.database.name} SET search_path = public, app")
    assert not bench18.findings("shadowed-name", APP, USERS)


def test_a_twin_of_an_enum_type_blocks(bench18: Bench) -> None:
    bench18.db.execute("CREATE SCHEMA app; CREATE TYPE app.colour AS ENUM ('x')")
    bench18.db.execute(f"ALTER DATABASE {bench18.database.name} SET search_path = app, public")
    assert bench18.blocked_by("shadowed-name", "enum:app.colour")


@pytest.mark.parametrize(
    ("path", "schemas"),
    [
        ('"$user", public', ("$user", "public")),
        ("App,PUBLIC", ("app", "public")),
        ('"My, ""Schema""" , b', ('My, "Schema"', "b")),
        ("", ()),
        ('""', ("",)),
    ],
)
def test_a_path_is_read_as_postgresql_reads_it(path: str, schemas: tuple[str, ...]) -> None:
    assert path_schemas(path) == schemas

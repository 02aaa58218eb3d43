"""Bodies of functions: what names the element blocks, what surely means something else does not."""

import pytest

from tests.migrations.checks.conftest import LEGACY, USERS, Bench

CONSTRAINT = "constraint:public.orders.total_check"


def function(body: str, language: str = "plpgsql", returns: str = "int", arguments: str = "") -> str:
    return f"CREATE FUNCTION f({arguments}) RETURNS {returns} LANGUAGE {language} AS $body${body}$body$"


@pytest.mark.parametrize(
    ("element", "made"),
    [
        (USERS, function("SELECT count(*)::int FROM users_old", "sql")),
        (USERS, function("SELECT count(*)::int FROM public.users_old", "sql")),
        (USERS, function("SELECT 'users_old'::regclass::oid::int", "sql")),
        (USERS, function("BEGIN RETURN (SELECT count(*) FROM users_old); END")),
        (USERS, function("DECLARE u users_old%rowtype; BEGIN RETURN 1; END")),
        (USERS, function("DECLARE u users_old; BEGIN RETURN 1; END")),
        (USERS, function("BEGIN EXECUTE 'DELETE FROM users_old'; RETURN 1; END")),
        (USERS, function("BEGIN EXECUTE format('DELETE FROM %I', 'users_old'); RETURN 1; END")),
        (USERS, function("DECLARE n int; BEGIN n := (SELECT max(id) FROM users_old); RETURN n; END")),
        (USERS, function("BEGIN this is no language users_old END")),
        (LEGACY, function("SELECT length(legacy) FROM orders LIMIT 1", "sql")),
        (
            LEGACY,
            function("BEGIN NEW.legacy := 'x'; RETURN NEW; END", returns="trigger")
            + "; CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()",
        ),
        (LEGACY, function("SELECT length(o.legacy)", "sql", arguments="o orders")),
        (
            LEGACY,
            "CREATE FUNCTION some_orders() RETURNS SETOF orders LANGUAGE sql AS 'TABLE orders'; "
            + function("SELECT length(s.legacy) FROM some_orders() s LIMIT 1", "sql"),
        ),
        (LEGACY, function("BEGIN EXECUTE format('UPDATE %I SET legacy = 1', 'or' || 'ders'); RETURN 1; END")),
        (
            LEGACY,
            "CREATE TABLE more () INHERITS (orders); " + function("SELECT length(legacy) FROM more", "sql"),
        ),
        (
            CONSTRAINT,
            function(
                "BEGIN INSERT INTO orders VALUES (1) ON CONFLICT ON CONSTRAINT total_check"
                " DO NOTHING; RETURN 1; END"
            ),
        ),
    ],
)
def test_a_body_that_may_mean_the_element_blocks(bench18: Bench, element: str, made: str) -> None:
    bench18.db.execute("SET check_function_bodies = off")
    bench18.db.execute(made)
    blocks = bench18.blocked_by("function-body", element)
    assert any("function public.f(" in said for said in blocks), blocks


@pytest.mark.parametrize(
    ("element", "made"),
    [
        (USERS, function("SELECT 1 -- users_old is gone", "sql")),
        (USERS, function("BEGIN /* not users_old */ RETURN 1; END")),
        (USERS, function("SELECT id AS users_old FROM orders LIMIT 1", "sql")),
        (USERS, function("SELECT count(*)::int FROM other.users_old", "sql")),
        (USERS, function("WITH users_old AS (SELECT 1 AS id) SELECT id FROM users_old", "sql")),
        (USERS, function("BEGIN RETURN (SELECT count(*) FROM other.users_old); END")),
        (LEGACY, function("SELECT length(legacy) FROM other.users_old", "sql")),
        (LEGACY, function("BEGIN RETURN (SELECT length(legacy) FROM other.users_old); END")),
        (LEGACY, function("DECLARE legacy int := 1; BEGIN RETURN legacy; END")),
    ],
)
def test_a_body_that_surely_means_something_else_does_not(bench18: Bench, element: str, made: str) -> None:
    bench18.db.execute("CREATE SCHEMA other; CREATE TABLE other.users_old (id int, legacy text)")
    bench18.db.execute(made)
    assert not bench18.findings("function-body", element)


def test_an_atomic_body_counts_by_what_it_refers_to(bench: Bench) -> None:
    bench.db.execute(
        "CREATE FUNCTION reads() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM users_old; END"
    )
    bench.db.execute(
        "CREATE FUNCTION b() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT id AS users_old FROM orders; END"
    )
    assert not bench.findings("function-body", USERS)
    (said,) = bench.blocked_by("dependants", USERS)
    assert "function public.reads refers to it" in said


def test_a_trigger_of_a_live_table_is_named(bench18: Bench) -> None:
    body = "BEGIN INSERT INTO users_old VALUES (NEW.id); RETURN NEW; END"
    bench18.db.execute(function(body, returns="trigger"))
    bench18.db.execute("CREATE TRIGGER keeps AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()")
    (said,) = bench18.blocked_by("function-body", USERS)
    assert "trigger keeps on public.orders calls it" in said


@pytest.mark.parametrize(
    ("element", "body", "said"),
    [
        (USERS, "BEGIN CREATE TABLE IF NOT EXISTS users_old (id int); RETURN 1; END", "IF NOT EXISTS"),
        (USERS, "BEGIN CREATE TABLE IF NOT EXISTS public.users_old (id int); RETURN 1; END", "IF NOT EXISTS"),
        (USERS, "BEGIN DROP TABLE IF EXISTS users_old; RETURN 1; END", "IF EXISTS"),
        (
            LEGACY,
            "BEGIN ALTER TABLE orders ADD COLUMN IF NOT EXISTS legacy text; RETURN 1; END",
            "IF NOT EXISTS",
        ),
        (USERS, "BEGIN RETURN (to_regclass('public.users_old') IS NULL)::int; END", "asks the catalog"),
        (
            USERS,
            "BEGIN PERFORM 1 FROM users_old; RETURN 1; EXCEPTION WHEN undefined_table THEN RETURN 0; END",
            "handles the error",
        ),
        (
            USERS,
            "BEGIN PERFORM 1 FROM users_old; RETURN 1; EXCEPTION WHEN others THEN RETURN 0; END",
            "handles",
        ),
        (LEGACY, "BEGIN RETURN (SELECT count(to_jsonb(o)->>'legacy') FROM orders o); END", "made into JSON"),
    ],
)
def test_what_would_fail_in_silence_blocks(bench18: Bench, element: str, body: str, said: str) -> None:
    bench18.db.execute(function(body))
    assert any(said in text for text in bench18.blocked_by("silent-failure", element))


def test_an_ordinary_body_does_not_fail_in_silence(bench18: Bench) -> None:
    bench18.db.execute(
        function("BEGIN IF NOT EXISTS (SELECT FROM users_old) THEN RETURN 0; END IF; RETURN 1; END")
    )
    assert bench18.blocked_by("function-body", USERS)
    assert not bench18.findings("silent-failure", USERS)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "SELECT count(*)::int FROM people WHERE legacy IN (SELECT legacy FROM orders)",
            "inside a query of people",
        ),
        ("SELECT count(*)::int FROM people NATURAL JOIN orders", "NATURAL JOIN"),
    ],
)
def test_a_column_that_would_silently_become_another_blocks(bench18: Bench, body: str, said: str) -> None:
    bench18.db.execute("CREATE TABLE people (legacy text)")
    bench18.db.execute(function(body, "sql"))
    assert any(said in text for text in bench18.blocked_by("rebinding", LEGACY))


def test_a_column_written_with_its_table_cannot_become_another(bench18: Bench) -> None:
    bench18.db.execute("CREATE TABLE people (legacy text)")
    body = "SELECT count(*)::int FROM people p WHERE p.legacy IN (SELECT o.legacy FROM orders o)"
    bench18.db.execute(function(body, "sql"))
    assert not bench18.findings("rebinding", LEGACY)
    bench18.db.execute("SELECT f()")


def test_what_the_rename_of_a_rebinding_column_does_is_real(bench18: Bench) -> None:
    """The fact that the check stands on: no error, another result."""
    db = bench18.db
    db.execute("CREATE TABLE people AS SELECT 'x' AS legacy; INSERT INTO orders VALUES (1, 'y')")
    query = "SELECT count(*) FROM people WHERE legacy IN (SELECT legacy FROM orders)"
    assert db.fetch_value(query) == 0
    db.execute("ALTER TABLE orders RENAME COLUMN legacy TO legacy_deprecated")
    assert db.fetch_value(query) == 1


def test_languages_that_cannot_be_read_are_named(bench18: Bench) -> None:
    assert not bench18.findings("unseen-language", USERS)
    bench18.db.execute("CREATE FUNCTION compiled(float8) RETURNS float8 LANGUAGE internal AS 'dsin'")
    (finding,) = bench18.findings("unseen-language", USERS)
    assert finding.severity == "warn"
    assert "public.compiled" in finding.message
    assert "internal" in finding.message


def test_statements_made_at_run_time_are_told_of(bench18: Bench) -> None:
    bench18.db.execute(function("BEGIN EXECUTE 'SELECT ' || '1'; RETURN 1; END"))
    (finding,) = bench18.findings("dynamic-sql", USERS)
    assert finding.severity == "info"
    assert "public.f" in finding.message

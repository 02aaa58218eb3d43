"""Plans of auto_explain, as real servers write them, tell the relations, indexes and constraints in use."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from catalog.reading import read_snapshot
from ingest.evidence.languages import MessageKind
from ingest.evidence.plan_formats import read_plan
from ingest.evidence.plans import planned_sql, uses_of_plan
from ingest.evidence.statements import Statements
from ingest.meaning.resolve import Use
from ingest.meaning.world import History, World
from tests.fix_server import FreshDatabase, fresh_database
from tests.ingest.fix_log import Told, connect, message, rows_of, told

SCHEMA = """
    CREATE SCHEMA app;
    CREATE TABLE app.users (id int PRIMARY KEY, email text UNIQUE, age int);
    CREATE INDEX users_age_idx ON app.users (age);
    CREATE TABLE app.orders (
        id int CONSTRAINT "Order key" PRIMARY KEY,
        user_id int CONSTRAINT orders_user_fkey REFERENCES app.users ON DELETE CASCADE
    );
    CREATE INDEX orders_user_idx ON app.orders (user_id);
    CREATE TABLE app."odd.name ""x" (a int);
    CREATE TABLE app.events (id int, at date) PARTITION BY RANGE (at);
    CREATE TABLE app.events_2025 PARTITION OF app.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE app.events_2026 PARTITION OF app.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE INDEX events_at_idx ON app.events (at);
    CREATE VIEW app.owners AS SELECT u.email, o.id FROM app.users u JOIN app.orders o ON o.user_id = u.id;
    CREATE FUNCTION app.of_age(int) RETURNS bigint LANGUAGE plpgsql
        AS 'BEGIN RETURN (SELECT count(*) FROM app.users WHERE age = $1); END';
    CREATE SCHEMA other;
    CREATE TABLE other.users (id int);
    INSERT INTO app.users SELECT g, 'ann' || g, g % 50 FROM generate_series(1, 2000) g;
    INSERT INTO app.orders SELECT g, g FROM generate_series(1, 2000) g;
    ANALYZE app.users; ANALYZE app.orders;
"""


@dataclass
class Explained:
    """A database under auto_explain."""

    database: FreshDatabase
    world: World

    def plans(self, statement: str, settings: str) -> list[Told]:
        """The plans of a statement and of what runs within it, innermost first."""
        with connect(self.database) as session:
            session.execute(settings)
            began = len(rows_of(self.database))
            session.execute(statement)
        return [each for each in told(rows_of(self.database)[began:]) if each.kind is MessageKind.PLAN]

    def uses(self, plan: Told) -> list[Use]:
        return list(uses_of_plan(plan.message, Statements(), self.world, None))


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def explained(request: pytest.FixtureRequest) -> Iterator[Explained]:
    for database in fresh_database(request.getfixturevalue(f"talkative{request.param}")):
        database.db.execute(SCHEMA)
        snapshot = read_snapshot(database.db)
        yield Explained(database, History(snapshot).world(snapshot.taken_at))


CASES = {
    "SELECT email FROM app.users WHERE age = 7": {"read table:app.users", "read index:app.users_age_idx"},
    "SELECT id FROM app.users WHERE id = 7": {"read table:app.users", "read index:app.users_pkey"},
    "INSERT INTO app.orders VALUES (5000, 1) ON CONFLICT (id) DO NOTHING": {
        "write table:app.orders",
        'read index:app."Order key"',
        "read constraint:app.orders.orders_user_fkey",
    },
    "DELETE FROM app.users WHERE id = 1999": {
        "write table:app.users",
        "read table:app.users",
        "read index:app.users_pkey",
        "read constraint:app.orders.orders_user_fkey",
        "write table:app.orders",
        "read index:app.orders_user_idx",
    },
    "SELECT email FROM app.owners WHERE id = 3": {
        "read table:app.users",
        "read table:app.orders",
        'read index:app."Order key"',
    },
    "SELECT app.of_age(7)": {"read table:app.users", "read index:app.users_age_idx"},
    "UPDATE app.events SET id = 1 WHERE at = '2026-05-05'": {
        "write table:app.events",
        "write table:app.events_2026",
        "read table:app.events_2026",
    },
    "MERGE INTO app.users u USING (VALUES (1)) v(i) ON u.id = v.i WHEN MATCHED THEN DELETE": {
        "write table:app.users",
        "read index:app.users_pkey",
    },
    'SELECT * FROM app."odd.name ""x"': {'read table:app."odd.name ""x"'},
    "SELECT 'a\n  ->  Seq Scan on app.orders'": set(),
}
FORMATS = ["text", "json", "xml", "yaml"]


@pytest.mark.parametrize("verbose", ["on", "off"])
@pytest.mark.parametrize("form", FORMATS)
def test_plans_tell_relations_indexes_and_constraints(explained: Explained, form: str, verbose: str) -> None:
    settings = (
        f"SET auto_explain.log_format = '{form}'; SET auto_explain.log_verbose = {verbose};"
        " SET auto_explain.log_analyze = on; SET auto_explain.log_triggers = on; SET enable_seqscan = off"
    )
    with connect(explained.database) as session:
        session.execute(settings)
        began = len(rows_of(explained.database))
        for statement in CASES:
            session.execute("BEGIN")
            session.execute(statement)
            session.execute("ROLLBACK")
    found: dict[str, set[str]] = {}
    uses: dict[str, None] = {}
    for each in told(rows_of(explained.database)[began:]):
        if each.kind is MessageKind.PLAN:
            # A statement's own plan comes after those of what ran within it.
            uses |= {f"{use.operation} {use.element}": None for use in explained.uses(each)}
            sql = planned_sql(each.message.text)
            assert sql is not None
            if sql in CASES:
                found[sql] = set(uses)
                uses = {}
    assert found.keys() == CASES.keys()
    for statement, expected in CASES.items():
        assert expected <= found[statement], statement


def test_a_schema_that_is_not_told_leaves_all_candidates(explained: Explained) -> None:
    settings = "SET auto_explain.log_verbose = off; SET search_path = app"
    (plan,) = explained.plans("SELECT count(*) FROM users", settings)
    tables = {str(use.element): use.ambiguous for use in explained.uses(plan) if use.element.kind == "table"}
    assert tables == {"table:app.users": True, "table:other.users": True}


def test_a_schema_that_is_told_settles_what_the_statement_leaves_open(explained: Explained) -> None:
    settings = "SET auto_explain.log_verbose = on; SET search_path = app"
    (plan,) = explained.plans("SELECT count(*) FROM users", settings)
    tables = {str(use.element): use.ambiguous for use in explained.uses(plan) if use.element.kind == "table"}
    assert tables["table:app.users"] is False


def test_a_plan_within_a_function_says_so(explained: Explained) -> None:
    inner, outer = explained.plans("SELECT app.of_age(7)", "SET search_path = app")
    assert {use.via for use in explained.uses(inner)} == {"function:of_age"}
    assert outer.message.context == ""


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_of_a_constant_gets_into_what_is_read(explained: Explained, form: str) -> None:
    secret = "hunter2"
    settings = f"SET auto_explain.log_format = '{form}'; SET auto_explain.log_verbose = on"
    (plan,) = explained.plans(f"SELECT age FROM app.users WHERE email = '{secret}'", settings)
    assert secret in plan.message.text
    assert secret not in repr(explained.uses(plan))
    sql = planned_sql(plan.message.text)
    assert sql is not None
    assert secret not in Statements().of(sql).text


@pytest.mark.parametrize(
    ("context", "via"),
    [
        ("PL/pgSQL function app.f(integer) line 1 at SQL statement", "function:app.f"),
        ("PL/pgSQL-Funktion f() Zeile 1 bei SQL-Anweisung", "function:f"),
        ("fonction PL/pgSQL f(), ligne 1 à instruction SQL", "function:f"),
        ("PL/pgSQL関数f()の1行目 - SQLステートメント", "function:f"),
        ("PL/pgSQL function inline_code_block line 1 at PERFORM", "do block"),
        ("", None),
    ],
)
def test_the_function_is_told_in_other_languages_but_no_statement_is(
    explained: Explained, context: str, via: str | None
) -> None:
    sql = "SELECT age FROM app.users WHERE email = 'PL/pgSQL secret('"
    text = f"duration: 0.1 ms  plan:\nQuery Text: {sql}\nResult  (cost=0.00..0.01 rows=1 width=8)"
    uses = list(
        uses_of_plan(
            message(text, context=f'SQL statement "{sql}"\n{context}'), Statements(), explained.world, None
        )
    )
    assert {use.via for use in uses} == {via}


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"Plan": {}}', '{"Query Text": 7}', "[]", "<explain", "<explain/>", "Query Text: select 1",
     'Query Text: "unclosed', "Query Text: \"x\": [", "{" * 100_000, "[" * 100_000, "Planning"],
)  # fmt: skip
def test_what_is_no_plan_is_none(text: str) -> None:
    assert read_plan(text) is None


def test_odd_plans_are_read_as_far_as_they_go() -> None:
    plan = read_plan(
        '{"Query Text": "select 1", "Plan": {"Plans": [7, {"Relation Name": "t"}]}, "Triggers": 3}'
    )
    assert plan is not None
    assert [name for name, _ in plan.relations] == [(None, "t")]

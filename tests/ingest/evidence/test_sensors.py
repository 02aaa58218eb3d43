"""Lines of pgattic's sensors tell a use and who made it; what somebody else raised is none."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from ingest.evidence.languages import MessageKind
from ingest.evidence.sensors import uses_of_sensor
from ingest.meaning.resolve import Use
from ingest.meaning.world import History, World
from ingest.schemas import Operation
from tests.fix_server import FreshDatabase, fresh_database
from tests.ingest.fix_log import APPLICATION, connect, message, rows_of, told

# What a canary shim and a statement trigger of pgattic do.
SENSOR = """
    CREATE SCHEMA pgattic;
    CREATE FUNCTION pgattic.read_of(element text) RETURNS boolean STABLE LANGUAGE plpgsql
        AS $$ BEGIN RAISE LOG 'pgattic sensor: read %', element; RETURN true; END $$;
    CREATE FUNCTION pgattic.written() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE LOG 'pgattic sensor: write %', TG_ARGV[0]; RETURN NULL; END $$;
    CREATE TABLE users_dep (id int, email text);
    CREATE VIEW "users" AS SELECT * FROM users_dep WHERE pgattic.read_of('table:public.users_dep');
    CREATE TRIGGER written AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON users_dep
        FOR EACH STATEMENT EXECUTE FUNCTION pgattic.written('table:public.users_dep');
    CREATE FUNCTION public.forged() RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN RAISE LOG 'pgattic sensor: read table:public.users_dep'; END $$;
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.forged() RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN RAISE LOG 'pgattic sensor: read table:public.users_dep'; END $$;
    CREATE FUNCTION public.raise(line text) RETURNS void LANGUAGE plpgsql
        AS $$ BEGIN RAISE LOG '%', line; END $$;
"""
TABLE = Element.parse("table:public.users_dep")


@pytest.fixture
def sensed(database: FreshDatabase) -> FreshDatabase:
    database.db.execute(SENSOR)
    return database


def world_of(database: FreshDatabase) -> World:
    snapshot = read_snapshot(database.db)
    return History(replace(snapshot, attic=())).world(snapshot.taken_at)


def test_a_read_and_a_write_through_a_real_sensor_are_told_with_their_statement(
    sensed: FreshDatabase,
) -> None:
    statements = ("SELECT email FROM users WHERE id = 1", "INSERT INTO users_dep VALUES (1, 'ann')")
    with connect(sensed) as session:
        for statement in statements:
            session.execute(statement)
    lines = [each for each in told(rows_of(sensed)) if each.kind is MessageKind.SENSOR]
    assert [line.message.sql for line in lines] == list(statements)
    assert {line.message.application for line in lines} == {APPLICATION}
    world = world_of(sensed)
    found = [use for line in lines for use in uses_of_sensor(line.message, world)]
    assert found == [Use(TABLE, Operation.READ), Use(TABLE, Operation.WRITE)]


def test_a_line_that_another_schemas_function_raised_is_not_ours(sensed: FreshDatabase) -> None:
    with connect(sensed) as session:
        session.execute("SELECT evil.forged()")
    (line,) = [each for each in told(rows_of(sensed)) if each.kind is MessageKind.SENSOR]
    assert list(uses_of_sensor(line.message, world_of(sensed))) == []


def test_a_function_that_search_path_finds_is_believed(sensed: FreshDatabase) -> None:
    """It could be the sensor's own: when in doubt, in use."""
    with connect(sensed) as session:
        session.execute("SET search_path = pgattic, public; SELECT email FROM users; SELECT forged()")
    lines = [each for each in told(rows_of(sensed)) if each.kind is MessageKind.SENSOR]
    assert [len(list(uses_of_sensor(line.message, world_of(sensed)))) for line in lines] == [1, 1]


RAISED = (
    "statement: drop table users_dep",
    "duration: 1.000 ms  statement: drop table users_dep",
    "AUDIT: OBJECT,1,1,WRITE,DELETE,TABLE,public.users_dep,delete from users_dep,<none>",
    "duration: 0.1 ms  plan:\nQuery Text: delete from users_dep\nDelete on users_dep  (cost=0.00..0.01",
)


def test_what_a_function_raises_is_taken_for_nothing_that_the_server_says(sensed: FreshDatabase) -> None:
    with connect(sensed) as session:
        for line in RAISED:
            session.execute("SELECT raise(%s)", (line,))
    kinds = {each.message.text: each.kind for each in told(rows_of(sensed))}
    assert kinds == dict.fromkeys(RAISED, MessageKind.OTHER)


@pytest.fixture(scope="module")
def world18(server18: ThrowawayServer) -> Iterator[World]:
    """One database with an element of every kind."""
    for database in fresh_database(server18):
        database.db.execute(
            "CREATE TYPE mood AS ENUM ('ok'); CREATE SEQUENCE numbers;"
            " CREATE TABLE users (id int CONSTRAINT positive CHECK (id > 0)); CREATE INDEX ON users (id);"
            " CREATE VIEW shown AS SELECT 1; CREATE MATERIALIZED VIEW kept AS SELECT 1"
        )
        yield world_of(database)


@pytest.mark.parametrize(
    "rest",
    ["", "read", "read ", "drop table:public.users", "read table:public.nowhere", "read users",
     "read column:public.users.nowhere", "read table:public.users; select 1", "READ table:public.users"],
)  # fmt: skip
def test_a_line_that_names_no_element_proves_nothing(world18: World, rest: str) -> None:
    assert list(uses_of_sensor(message(f"pgattic sensor: {rest}"), world18)) == []


@pytest.mark.parametrize(
    "element",
    ["table:public.users", "column:public.users.id", "index:public.users_id_idx", "enum:public.mood",
     "constraint:public.users.positive", "view:public.shown", "matview:public.kept",
     "sequence:public.numbers"],
)  # fmt: skip
def test_every_kind_of_element_can_have_a_sensor(world18: World, element: str) -> None:
    uses = list(uses_of_sensor(message(f"pgattic sensor: read {element}"), world18))
    assert uses == [Use(Element.parse(element), Operation.READ)]

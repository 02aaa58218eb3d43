"""Lines of pgaudit, as a real server writes them, tell the object and the columns that were used."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from ingest.evidence.audit_lines import audited_sql, uses_of_audit
from ingest.evidence.languages import MessageKind
from ingest.evidence.statements import Statements
from ingest.meaning.resolve import Use
from ingest.meaning.world import World
from tests.fix_server import FreshDatabase, fresh_database
from tests.ingest.fix_log import Told, connect, message, rows_of, told

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SCHEMA = """
    CREATE SCHEMA app;
    CREATE TABLE app.users (id int PRIMARY KEY, email text, legacy_dep text);
    CREATE TABLE app.orders (id int PRIMARY KEY, user_id int REFERENCES app.users, note text);
    CREATE TABLE app."odd.name ""x" (a int);
    CREATE SCHEMA other;
    CREATE TABLE other.users (id int);
    CREATE VIEW app.legacies AS SELECT id, legacy_dep AS legacy FROM app.users;
    CREATE FUNCTION app.count_users() RETURNS bigint LANGUAGE plpgsql
        AS 'BEGIN RETURN (SELECT count(legacy_dep) FROM app.users); END';
    INSERT INTO app.users VALUES (1, 'ann', 'x'), (2, 'bob', 'y');
"""


@dataclass
class Audited:
    """A database under pgaudit, with a column in its attic."""

    database: FreshDatabase
    world: World

    def lines(self, *statements: str) -> list[Told]:
        """pgaudit's lines about some statements; `SET`s come first and are not among them."""
        with connect(self.database) as session:
            began = len(rows_of(self.database))
            for statement in statements:
                session.execute(statement)
        found = told(rows_of(self.database)[began:])
        return [each for each in found if each.kind is MessageKind.AUDIT and "MISC,SET" not in each.statement]

    def uses(self, text: str) -> set[str]:
        """What a line proves, written as `operation element [ambiguous]`."""
        return {as_text(use) for use in uses_of_audit(message(text), Statements(), self.world, None)}


def as_text(use: Use) -> str:
    return f"{use.operation} {use.element}" + (" ambiguous" if use.ambiguous else "")


def world_of(database: FreshDatabase) -> World:
    snapshot = read_snapshot(database.db)
    users = snapshot.relation("app", "users")
    assert users
    column = Element.parse("column:app.users.legacy")
    entry = AtticEntry(column, "legacy_dep", "m1", "unused", users.oid, None, LONG_AGO, None, None)
    return World(replace(snapshot, attic=(entry,)), NOW)


@pytest.fixture(scope="module")
def audited(talkative15: ThrowawayServer) -> Iterator[Audited]:
    for database in fresh_database(talkative15):
        database.db.execute(SCHEMA)
        yield Audited(database, world_of(database))


pytestmark = pytest.mark.pg15


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT email FROM app.users", {"read table:app.users", "read column:app.users.email"}),
        ("SELECT u.legacy_dep FROM app.users u", {"read table:app.users", "read column:app.users.legacy"}),
        (
            "UPDATE app.users SET legacy_dep = 'it''s, \"so\"\nthen' WHERE id = 1",
            {"write table:app.users", "write column:app.users.legacy", "read column:app.users.id"},
        ),
        (
            'SELECT a FROM app."odd.name ""x"',
            {'read table:app."odd.name ""x"', 'read column:app."odd.name ""x".a'},
        ),
        ("SELECT id FROM other.users", {"read table:other.users", "read column:other.users.id"}),
        ("SELECT count(*) FROM app.users", {"read table:app.users"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "settings",
    ["", "SET pgaudit.log_parameter = on; SET pgaudit.log_rows = on", "SET pgaudit.log_relation = off"],
    ids=["plain", "parameters and rows", "without relations"],
)
def test_a_session_line_tells_the_relation_and_its_columns(
    audited: Audited, statement: str, expected: set[str], settings: str
) -> None:
    lines = audited.lines(settings, statement) if settings else audited.lines(statement)
    assert len(lines) == 1
    assert audited_sql(lines[0].message.text) == statement
    assert audited.uses(lines[0].message.text) == expected


def test_lines_about_a_view_tell_what_is_behind_it(audited: Audited) -> None:
    lines = audited.lines("SELECT * FROM app.legacies")
    uses = set().union(*(audited.uses(line.message.text) for line in lines))
    assert uses >= {"read view:app.legacies", "read table:app.users", "read column:app.users.legacy"}


def test_lines_of_statements_within_functions_and_constraints_speak_for_themselves(audited: Audited) -> None:
    lines = audited.lines("SELECT app.count_users()", "INSERT INTO app.orders VALUES (1, 1, 'x')")
    uses = set().union(*(audited.uses(line.message.text) for line in lines))
    assert uses >= {"read column:app.users.legacy", "read table:app.users", "write table:app.orders"}


@pytest.mark.parametrize("once", ["pgaudit.log_statement_once = on", "pgaudit.log_statement = off"])
def test_a_line_without_its_statement_may_mean_every_column_in_the_attic(audited: Audited, once: str) -> None:
    lines = audited.lines(f"SET {once}", "SELECT u.email FROM app.users u JOIN other.users o USING (id)")
    untold = [line for line in lines if audited_sql(line.message.text) is None]
    assert untold
    uses = set().union(*(audited.uses(line.message.text) for line in lines))
    assert {"read table:app.users", "read table:other.users"} <= uses
    about_users = [line for line in untold if ",app.users," in line.message.text]
    for line in about_users:
        assert audited.uses(line.message.text) == {
            "read table:app.users", "read column:app.users.legacy ambiguous",
        }  # fmt: skip
    # Once is the first time: the line about the other relation is without the statement.
    assert (len(lines), len(untold)) == (2, 1 if "once" in once else 2)


def test_object_lines_of_a_granted_column_tell_its_use(audited: Audited) -> None:
    """The recommended way to watch a column: only what is granted to the auditor makes a line."""
    database = audited.database
    auditor = f"auditor_of_{database.name}"
    database.db.execute(f"CREATE ROLE {auditor}")
    grants = "SELECT (legacy_dep), INSERT (legacy_dep), UPDATE (legacy_dep)"
    database.db.execute(f"GRANT {grants} ON app.users TO {auditor}")
    settings = f"SET pgaudit.role = '{auditor}'; SET pgaudit.log = 'none'"
    read, write = "read column:app.users.legacy", "write column:app.users.legacy"
    try:
        for statement, expected in {
            "SELECT legacy_dep FROM app.users": read,
            "SELECT * FROM app.users": read,
            "SELECT legacy FROM app.legacies": read,
            # The server counts a view's columns whether they are asked for or not.
            "SELECT id FROM app.legacies": read,
            "SELECT app.count_users()": read,
            "UPDATE app.users SET legacy_dep = 'z'": write,
            "UPDATE app.users SET email = 'z' WHERE legacy_dep = 'q'": read,
            "INSERT INTO app.users VALUES (10, 'a', 'b')": write,
            "COPY app.users TO '/dev/null'": read,
            "SELECT email FROM app.users": None,
            # A statement without columns makes a line; the line proves no use of the column.
            "SELECT count(*) FROM app.users": "",
            # A whole row is no column to pgaudit: a use that only the statement itself can show.
            "SELECT u FROM app.users u": None,
        }.items():
            lines = [line for line in audited.lines(settings, statement) if "OBJECT" in line.statement]
            uses = set().union(*(audited.uses(line.message.text) for line in lines))
            assert bool(lines) is (expected is not None), statement
            columns = {use.removesuffix(" ambiguous") for use in uses if "legacy" in use}
            assert (expected in columns) if expected else not columns, statement
    finally:
        database.db.execute(f"DROP OWNED BY {auditor}; DROP ROLE {auditor}")


@pytest.mark.parametrize(
    "text",
    ["AUDIT: ", "AUDIT: OBJECT,1,1,READ", 'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,app.users,"unclosed',
     "AUDIT of app.users",
     "AUDIT: SESSION,1,1,READ,SELECT,TABLE,app.nowhere,select secret from app.nowhere,<none>"],
)  # fmt: skip
def test_what_is_no_line_of_pgaudit_proves_nothing(audited: Audited, text: str) -> None:
    assert audited.uses(text) == set()


@pytest.mark.parametrize(
    ("thing", "expected"),
    [('app.odd.name "x', {'read table:app."odd.name ""x"'}), ("app.users", {"read table:app.users"})],
)
def test_a_name_that_is_not_quoted_as_it_should_be_is_found(
    audited: Audited, thing: str, expected: set[str]
) -> None:
    quoted = '"' + thing.replace('"', '""') + '"'
    uses = audited.uses(f"AUDIT: OBJECT,1,1,READ,SELECT,TABLE,{quoted},<not logged>,<not logged>")
    assert {use for use in uses if "column" not in use} == expected


def test_a_definition_names_its_object(audited: Audited) -> None:
    text = "AUDIT: SESSION,1,1,DDL,DROP INDEX,INDEX,app.users_pkey,drop index app.users_pkey,<none>"
    assert audited.uses(text) == {"ddl index:app.users_pkey"}

"""Facts about PostgreSQL that the operations build on: what a rename locks, takes along and breaks.

Each was measured on 15 and 18; these tests hold them, so that a new version that differs is noticed.
"""

from collections.abc import Iterator

import pytest

from catalog.database import Database
from catalog.errors import LockTimeoutError, StatementFailedError
from catalog.throwaway import ThrowawayServer
from tests.fix_server import beside, undone

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE parent (
    id serial PRIMARY KEY,
    email text NOT NULL UNIQUE,
    age int CONSTRAINT age_ck CHECK (age >= 0),
    m mood DEFAULT 'ok',
    EXCLUDE USING gist (int4range(age, age, '[]') WITH &&)
);
CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY, parent_id int CONSTRAINT child_fk REFERENCES parent);
CREATE INDEX parent_age_idx ON parent (age);
CREATE VIEW v AS SELECT id, age FROM parent;
CREATE MATERIALIZED VIEW mv AS SELECT id FROM parent;
CREATE INDEX mv_idx ON mv (id);
CREATE SEQUENCE s;
CREATE TABLE parted (id int PRIMARY KEY, x int NOT NULL CONSTRAINT x_ck CHECK (x > 0))
    PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE INDEX parted_x_idx ON parted (x);
INSERT INTO parent (email, age) VALUES ('a', 1);
CREATE FUNCTION f() RETURNS bigint LANGUAGE plpgsql
    AS $$ BEGIN RETURN (SELECT count(*) FROM parent); END $$;
"""
EXCLUSIVE, SHARE_UPDATE = "AccessExclusiveLock", "ShareUpdateExclusiveLock"


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """One database for all facts: every test undoes what it did."""
    server: ThrowawayServer = request.getfixturevalue(f"server{request.param}")
    with Database.connect(server.dsn()) as admin:
        admin.execute("CREATE DATABASE facts")
        with Database.connect(server.dsn("facts")) as db:
            db.execute(SCHEMA)
        yield server.dsn("facts")
        admin.execute("DROP DATABASE facts WITH (FORCE)")


@pytest.fixture
def db(dsn: str) -> Iterator[Database]:
    with Database.connect(dsn) as db:
        yield db


def locks(db: Database) -> set[tuple[str, str]]:
    """What this session has locked of the user's things, but for plain reads of the catalog's."""
    rows = db.fetch(
        "SELECT coalesce(relation::regclass::text, classid::regclass::text) AS name, mode FROM pg_locks"
        " WHERE pid = pg_backend_pid() AND locktype IN ('relation', 'object') AND mode <> 'AccessShareLock'"
        " AND coalesce(relation, objid) >= 16384"
    )
    return {(row["name"], row["mode"]) for row in rows}


def fails(db: Database, statement: str, sqlstate: str) -> None:
    with pytest.raises(StatementFailedError) as caught, db.transaction():
        db.execute(statement)
    assert caught.value.sqlstate == sqlstate, caught.value


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER TABLE parent RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER TABLE child RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER TABLE parent RENAME COLUMN age TO x", {("parent", EXCLUSIVE)}),
        ("ALTER TABLE parted RENAME COLUMN x TO y", {("parted", EXCLUSIVE), ("parted_1", EXCLUSIVE)}),
        ("ALTER INDEX parent_age_idx RENAME TO x", {("x", SHARE_UPDATE)}),
        ("ALTER INDEX parent_pkey RENAME TO x", {("x", SHARE_UPDATE)}),
        ("ALTER TABLE parent_age_idx RENAME TO x", {("x", EXCLUSIVE)}),
        (
            "ALTER TABLE parent RENAME CONSTRAINT parent_pkey TO x",
            {("parent", EXCLUSIVE), ("x", SHARE_UPDATE)},
        ),
        ("ALTER TABLE parent RENAME CONSTRAINT age_ck TO x", {("parent", EXCLUSIVE)}),
        ("ALTER TABLE child RENAME CONSTRAINT child_fk TO x", {("child", EXCLUSIVE)}),
        (
            "ALTER TABLE parted RENAME CONSTRAINT x_ck TO y",
            {("parted", EXCLUSIVE), ("parted_1", EXCLUSIVE)},
        ),
        ("ALTER TABLE parted RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER TABLE parted_1 RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER INDEX parted_x_idx RENAME TO x", {("x", SHARE_UPDATE)}),
        ("ALTER TYPE mood RENAME TO x", set()),
        ("ALTER TYPE mood RENAME VALUE 'ok' TO 'x'", {("pg_type", "ExclusiveLock")}),
        ("ALTER VIEW v RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER MATERIALIZED VIEW mv RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER SEQUENCE s RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER SEQUENCE parent_id_seq RENAME TO x", {("x", EXCLUSIVE)}),
        ("ALTER SEQUENCE child_id_seq RENAME TO x", {("x", EXCLUSIVE)}),
        ("COMMENT ON TABLE parent IS 'x'", {("parent", SHARE_UPDATE)}),
        ("COMMENT ON COLUMN parent.age IS 'x'", {("parent", SHARE_UPDATE)}),
        ("COMMENT ON INDEX parent_age_idx IS 'x'", {("parent_age_idx", SHARE_UPDATE)}),
        ("COMMENT ON TYPE mood IS 'x'", {("pg_type", SHARE_UPDATE)}),
        ("COMMENT ON CONSTRAINT age_ck ON parent IS 'x'", {("pg_constraint", SHARE_UPDATE)}),
    ],
)
def test_a_rename_locks(db: Database, statement: str, expected: set[tuple[str, str]]) -> None:
    with undone(db):
        db.execute(statement)
        assert locks(db) == expected


def names(db: Database) -> set[tuple[str, str]]:
    """Every name that a rename could change, with the catalog that has it."""
    rows = db.fetch(
        "SELECT 'relation' AS kind, relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'constraint', conname FROM pg_constraint"
        " UNION ALL SELECT 'column ' || attrelid::regclass, attname FROM pg_attribute WHERE attrelid >= 16384"
        "   AND attnum > 0"
        " UNION ALL SELECT 'label', enumlabel FROM pg_enum"
    )
    return {(row["kind"], row["name"]) for row in rows}


@pytest.mark.parametrize(
    ("statement", "renamed"),
    [
        ("ALTER TABLE child RENAME TO x", {("relation", "x"), ("type", "x"), ("type", "_x")}),
        ("ALTER TABLE parted RENAME TO x", {("relation", "x"), ("type", "x"), ("type", "_x")}),
        ("ALTER VIEW v RENAME TO x", {("relation", "x"), ("type", "x"), ("type", "_x")}),
        ("ALTER MATERIALIZED VIEW mv RENAME TO x", {("relation", "x"), ("type", "x"), ("type", "_x")}),
        ("ALTER TABLE parent RENAME COLUMN age TO x", {("column parent", "x")}),
        ("ALTER TABLE parted RENAME COLUMN x TO y", {("column parted", "y"), ("column parted_1", "y")}),
        ("ALTER INDEX parent_age_idx RENAME TO x", {("relation", "x")}),
        ("ALTER INDEX parent_pkey RENAME TO x", {("relation", "x"), ("constraint", "x")}),
        ("ALTER INDEX parent_email_key RENAME TO x", {("relation", "x"), ("constraint", "x")}),
        ("ALTER INDEX parent_int4range_excl RENAME TO x", {("relation", "x"), ("constraint", "x")}),
        (
            "ALTER TABLE parent RENAME CONSTRAINT parent_pkey TO x",
            {("relation", "x"), ("constraint", "x")},
        ),
        ("ALTER TABLE parent RENAME CONSTRAINT age_ck TO x", {("constraint", "x")}),
        ("ALTER INDEX parted_x_idx RENAME TO x", {("relation", "x")}),
        ("ALTER INDEX parted_1_pkey RENAME TO x", {("relation", "x"), ("constraint", "x")}),
        ("ALTER TYPE mood RENAME TO x", {("type", "x"), ("type", "_x")}),
        ("ALTER TYPE mood RENAME VALUE 'ok' TO 'x'", {("label", "x")}),
        ("ALTER SEQUENCE child_id_seq RENAME TO x", {("relation", "x")}),
    ],
)
def test_a_rename_takes_along_exactly(db: Database, statement: str, renamed: set[tuple[str, str]]) -> None:
    before = names(db)
    with undone(db):
        db.execute(statement)
        # The columns of a renamed relation stand under its new name here; they kept theirs.
        found = {(kind, name) for kind, name in names(db) - before if kind != "column x"}
        assert found == renamed


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE parted_1 RENAME COLUMN x TO y",
        "ALTER TABLE ONLY parted RENAME COLUMN x TO y",
        "ALTER TABLE parted_1 RENAME CONSTRAINT x_ck TO y",
    ],
)
def test_what_is_inherited_cannot_be_renamed_alone(db: Database, statement: str) -> None:
    fails(db, statement, "42P16")


def test_not_null_is_a_constraint_with_a_name_from_18_on(db: Database) -> None:
    statement = "ALTER TABLE parent RENAME CONSTRAINT parent_email_not_null TO x"
    if db.server_version < 180_000:
        fails(db, statement, "42704")
        return
    with undone(db):
        db.execute(statement)
        assert locks(db) == {("parent", EXCLUSIVE)}
    fails(db, "ALTER TABLE parted_1 RENAME CONSTRAINT parted_x_not_null TO y", "42P16")


@pytest.mark.parametrize("work", ["SELECT * FROM parent", "UPDATE parent SET age = 2"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER INDEX parent_age_idx RENAME TO x",
        "ALTER INDEX parent_pkey RENAME TO x",
        "ALTER TYPE mood RENAME TO x",
        "ALTER TYPE mood RENAME VALUE 'ok' TO 'x'",
    ],
)
def test_these_wait_for_nobody(dsn: str, work: str, statement: str) -> None:
    with beside(dsn, work) as other, undone(other):
        other.execute(statement)


_READS = "SELECT * FROM parent"


@pytest.mark.parametrize(
    ("work", "statement"),
    [
        (_READS, "ALTER TABLE parent RENAME TO x"),
        (_READS, "ALTER TABLE parent RENAME COLUMN age TO x"),
        (_READS, "ALTER TABLE parent RENAME CONSTRAINT age_ck TO x"),
        (_READS, "ALTER TABLE parent RENAME CONSTRAINT parent_pkey TO x"),
        # A sequence waits for whoever took a value from it, a table for an INSERT into its child.
        ("INSERT INTO parent (email, age) VALUES ('c', 9)", "ALTER SEQUENCE parent_id_seq RENAME TO x"),
        ("INSERT INTO child (parent_id) VALUES (1)", "ALTER TABLE parent RENAME TO x"),
    ],
)
def test_these_wait_for_an_open_transaction(dsn: str, work: str, statement: str) -> None:
    with beside(dsn, work) as other, pytest.raises(LockTimeoutError):
        other.execute(statement)


def test_rows_show_a_renamed_label_at_once_and_its_former_name_is_refused(db: Database) -> None:
    with undone(db):
        db.execute("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'")
        assert db.fetch_value("SELECT m::text FROM parent") == "fine"
        db.execute("INSERT INTO parent (email, age) VALUES ('b', 5)")
        assert db.fetch_value("SELECT count(*) FROM parent WHERE m = 'fine'") == 2
        fails(db, "SELECT * FROM parent WHERE m = 'ok'", "22P02")


def test_defaults_and_views_follow_a_rename_and_functions_do_not(db: Database) -> None:
    with undone(db):
        assert db.fetch_value("SELECT f()") == 1
        db.execute("ALTER SEQUENCE parent_id_seq RENAME TO numbers; ALTER TABLE parent RENAME TO x")
        db.execute("INSERT INTO x (email, age) VALUES ('b', 5)")
        assert db.fetch_value("SELECT count(*) FROM v") == 2
        db.execute("REFRESH MATERIALIZED VIEW mv")
        assert db.fetch_value("SELECT count(*) FROM mv") == 2
        fails(db, "SELECT f()", "42P01")
        fails(db, "SELECT nextval('parent_id_seq')", "42P01")


@pytest.mark.parametrize(
    ("used", "renamed"),
    [
        ("SELECT * FROM parent", "ALTER TABLE parent RENAME TO x"),
        ("SELECT age FROM parent", "ALTER TABLE parent RENAME COLUMN age TO x"),
        ("SELECT * FROM v", "ALTER VIEW v RENAME TO x"),
        ("SELECT * FROM mv", "ALTER MATERIALIZED VIEW mv RENAME TO x"),
    ],
)
def test_prepared_statements_fail_at_their_next_use(db: Database, used: str, renamed: str) -> None:
    with undone(db):
        db.execute(f"PREPARE kept AS {used}")
        db.execute("EXECUTE kept")
        db.execute(renamed)
        fails(db, "EXECUTE kept", "42703" if "COLUMN" in renamed else "42P01")
        db.execute("DEALLOCATE kept")


def test_prepared_statements_with_a_label_in_them_go_on(db: Database) -> None:
    with undone(db):
        db.execute("PREPARE kept AS SELECT m::text FROM parent WHERE m = 'ok'")
        assert db.fetch("EXECUTE kept") == [{"m": "ok"}]
        db.execute("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'; ALTER TYPE mood RENAME TO x")
        assert db.fetch("EXECUTE kept") == [{"m": "fine"}]
        db.execute("DEALLOCATE kept")


def test_a_default_that_has_the_sequence_s_name_as_a_text_does_not_follow(db: Database) -> None:
    with undone(db):
        db.execute("CREATE TABLE late (id int DEFAULT nextval('s'::text), other int DEFAULT nextval('s'))")
        db.execute("ALTER SEQUENCE s RENAME TO x")
        fails(db, "INSERT INTO late DEFAULT VALUES", "42P01")
        db.execute("INSERT INTO late (id) VALUES (0)")


@pytest.mark.parametrize(
    "statement", ["REFRESH MATERIALIZED VIEW w", "SELECT nextval('w')", "REINDEX TABLE w"]
)
def test_no_view_can_stand_for_these(db: Database, statement: str) -> None:
    with undone(db):
        db.execute("CREATE VIEW w AS SELECT * FROM parent")
        fails(db, statement, "42809")


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("ALTER TABLE parent RENAME TO child", "42P07"),
        ("ALTER TABLE parent RENAME TO mood", "42710"),
        ("ALTER INDEX parent_age_idx RENAME TO v", "42P07"),
        ("ALTER TABLE parent RENAME COLUMN age TO email", "42701"),
        ("ALTER TABLE parent RENAME CONSTRAINT age_ck TO parent_pkey", "42710"),
        ("ALTER TYPE mood RENAME VALUE 'ok' TO 'sad'", "42710"),
        ("ALTER TYPE mood RENAME VALUE 'nope' TO 'x'", "22023"),
        (f"ALTER TYPE mood RENAME VALUE 'ok' TO '{'x' * 64}'", "42602"),
        ("ALTER TYPE parent RENAME TO x", "42809"),
    ],
)
def test_what_a_rename_refuses(db: Database, statement: str, sqlstate: str) -> None:
    fails(db, statement, sqlstate)


def test_a_name_of_64_bytes_is_cut_without_an_error(db: Database) -> None:
    with undone(db):
        db.execute(f"ALTER TABLE parent RENAME TO {'x' * 64}")
        found = db.fetch_value("SELECT relname FROM pg_class WHERE relname LIKE 'xxx%'")
        assert found == "x" * 63

"""What sensors make the server log: every kind of use, once, with the application's statement."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from catalog.database import Database, identifier
from catalog.elements import Element
from catalog.errors import StatementFailedError
from catalog.names import Reason
from catalog.reading import read_snapshot
from migrations import registry
from migrations.apply import apply
from migrations.plan import Plan, make_plan
from migrations.sensors import Armed
from tests.fix_server import FreshDatabase
from tests.migrations.sensed import Log

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, note text, legacy int,
    parent int REFERENCES parent ON DELETE CASCADE);
CREATE VIEW shown AS SELECT id, note FROM orders;
CREATE TABLE other (id int, note text);
CREATE FUNCTION copy_other() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN EXECUTE format('UPDATE %I SET note = $1', TG_ARGV[0]) USING NEW.note; RETURN NEW; END $$;
CREATE TABLE parted (id int, legacy int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (200);
INSERT INTO parent SELECT generate_series(1, 20);
INSERT INTO orders SELECT g, 'note', g, g % 20 + 1 FROM generate_series(1, 1000) g;
ANALYZE orders;
"""
ORDERS = "table:public.orders"
WRITE = f"write {ORDERS}"
READ = f"read {ORDERS}"


@dataclass
class Watched:
    """A database with what is armed in it, an application without rights on schema pgattic, and the log."""

    database: FreshDatabase
    app: Database
    log: Log

    @property
    def db(self) -> Database:
        return self.database.db

    def deprecate(self, *elements: str, soft: bool = False) -> tuple[Plan, tuple[Armed, ...]]:
        plan = make_plan(
            read_snapshot(self.db),
            [Element.parse(text) for text in elements],
            reason=Reason.UNUSED,
            environment="development",
            role="dba",
            now=datetime.now(UTC),
            soft=soft,
        )
        armed = apply(self.db, plan, with_sensors=True)
        self.log.new()
        return plan, armed


@pytest.fixture
def watched(database: FreshDatabase) -> Iterator[Watched]:
    """On each supported server in turn."""
    db = database.db
    db.execute(SCHEMA)
    registry.install(db)
    role = f"app_{database.name}"
    db.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    with Database.connect(database.dsn(role), application_name="shop") as app:
        yield Watched(database, app, Log(database))
    db.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


WRITES = {
    "INSERT INTO {t} VALUES (5000, 'x', 1, 1)": 1,
    "INSERT INTO {t} SELECT g, 'x', 1, 1 FROM generate_series(6001, 6100) g": 1,
    "UPDATE {t} SET note = 'y' WHERE id < 500": 1,
    "UPDATE {t} SET note = 'y' WHERE false": 1,
    "DELETE FROM {t} WHERE id = -1": 1,
    "UPDATE shown SET note = 'z' WHERE id = 7": 1,
    "DELETE FROM parent WHERE id IN (3, 4)": 1,
    "DELETE FROM parent WHERE id = -1": 0,
    "COPY {t} (id) FROM PROGRAM 'echo 9000'": 1,
    "COPY {t} TO PROGRAM 'cat > /dev/null'": 0,
    "TRUNCATE {t}": 1,
    "TRUNCATE parent CASCADE": 1,
    "INSERT INTO {t} VALUES (1, 'x', 1, 1) ON CONFLICT DO NOTHING": 1,
    # PostgreSQL counts both halves as statements.
    "INSERT INTO {t} VALUES (1, 'x', 1, 1) ON CONFLICT (id) DO UPDATE SET note = 'k'": 2,
    "MERGE INTO {t} o USING (VALUES (5)) v (i) ON o.id = v.i WHEN MATCHED THEN UPDATE SET note = 'm'": 1,
    "WITH gone AS (DELETE FROM {t} WHERE id = 9 RETURNING id) SELECT * FROM gone": 1,
    "INSERT INTO other VALUES (1, 'by a trigger')": 1,
    "SELECT count(*) FROM {t}": 0,
    "SELECT count(*) FROM shown": 0,
    "SELECT * FROM {t} WHERE id = 5 FOR UPDATE": 0,
    "ALTER TABLE {t} SET (fillfactor = 90)": 0,
    "ANALYZE {t}": 0,
}


class UndoneError(Exception):
    """Rolls a transaction back."""


def said_by(watched: Watched, statements: list[str]) -> dict[str, list[str]]:
    """What sensors say of each statement, which is then undone; the log has its text and application."""
    said: dict[str, list[str]] = {statement: [] for statement in statements}
    with Database.connect(watched.database.dsn(), application_name="shop") as app:
        for statement in statements:
            with suppress(UndoneError), app.transaction():
                app.execute(statement)
                raise UndoneError
    for line in watched.log.new():
        assert line.application == "shop"
        said[line.query].append(line.message.removeprefix("pgattic sensor: "))
    return {statement: sorted(lines) for statement, lines in said.items()}


def test_a_write_is_logged_once_with_its_statement(watched: Watched) -> None:
    plan, _ = watched.deprecate(ORDERS)
    now = plan.steps[0].deprecated_name
    watched.db.execute(
        f"CREATE TRIGGER copy BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION copy_other('{now}')"
    )
    expected = {text.format(t=identifier(now)): [WRITE] * lines for text, lines in WRITES.items()}
    assert said_by(watched, list(expected)) == expected


def test_a_write_that_fails_and_one_in_replica_mode_are_logged_too(watched: Watched) -> None:
    plan, _ = watched.deprecate(ORDERS)
    now = identifier(plan.steps[0].deprecated_name)
    with pytest.raises(StatementFailedError, match="duplicate key"):
        watched.app.execute(f"INSERT INTO {now} VALUES (1, 'x', 1, 1)")
    with watched.db.transaction():
        watched.db.execute("SET LOCAL session_replication_role = replica")
        watched.db.execute(f"UPDATE {now} SET note = 'r' WHERE id = 1")
    assert watched.log.said() == [WRITE, WRITE]


def test_whoever_may_write_writes_without_rights_on_our_schema(watched: Watched) -> None:
    plan, _ = watched.deprecate(ORDERS, soft=True)
    assert not watched.app.fetch_value("SELECT has_schema_privilege('pgattic', 'USAGE')")
    watched.db.execute("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC")
    watched.app.execute(f"UPDATE {identifier(plan.steps[0].deprecated_name)} SET note = 'x' WHERE id = 1")
    assert watched.app.fetch_value("SELECT note FROM orders WHERE id = 1") == "x"
    assert watched.log.said() == [WRITE, READ]


READS = {
    "SELECT count(*) FROM orders": [READ],
    "SELECT * FROM orders WHERE id = -1": [READ],
    "SELECT * FROM orders WHERE id = 7 FOR UPDATE": [READ],
    "SELECT (SELECT note FROM orders WHERE id = g) FROM generate_series(1, 50) g": [READ],
    "SELECT * FROM parent p WHERE EXISTS (SELECT FROM orders o WHERE o.parent = p.id)": [READ],
    "COPY (SELECT * FROM orders) TO PROGRAM 'cat > /dev/null'": [READ],
    "UPDATE orders SET note = 'x' WHERE id = 1": [READ, WRITE],
    "DELETE FROM orders WHERE id = -1": [READ, WRITE],
    "INSERT INTO orders VALUES (7000, 'x', 1, 1)": [WRITE],
    # Twice in a statement is twice in the log.
    "SELECT id FROM orders UNION ALL SELECT id FROM orders": [READ, READ],
    # What docs/sensors.md says that a canary does not see.
    "SELECT 1 FROM orders LIMIT 0": [],
    "EXPLAIN SELECT * FROM orders": [],
    "SELECT * FROM (SELECT 1 WHERE false) nothing CROSS JOIN orders": [],
}


def test_a_read_under_the_former_name_is_logged_once_with_its_statement(watched: Watched) -> None:
    watched.deprecate(ORDERS, soft=True)
    assert said_by(watched, list(READS)) == READS


def test_a_parallel_read_is_still_one_line(watched: Watched) -> None:
    watched.deprecate(ORDERS, soft=True)
    with watched.app.transaction():
        for setting in (
            "max_parallel_workers_per_gather = 2",
            "min_parallel_table_scan_size = 0",
            "parallel_setup_cost = 0",
            "parallel_tuple_cost = 0",
        ):
            watched.app.execute(f"SET LOCAL {setting}")
        statement = "SELECT count(*) FROM orders WHERE legacy > 3"
        plan = watched.app.fetch(f"EXPLAIN {statement}")
        watched.app.execute(statement)
    assert any("Gather" in row["QUERY PLAN"] for row in plan)
    assert watched.log.said() == [READ]


def test_the_client_is_told_nothing(watched: Watched) -> None:
    watched.deprecate(ORDERS, soft=True)
    heard: list[str] = []
    connection = watched.app._connection
    connection.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    with watched.app.transaction():
        watched.app.execute("SET LOCAL client_min_messages = debug1")
        watched.app.execute("UPDATE orders SET note = 'x' WHERE id = 1")
    assert not [text for text in heard if "pgattic" in text]
    assert watched.log.said() == [WRITE, READ]


def test_of_a_column_only_updates_are_logged(watched: Watched) -> None:
    _, (armed,) = watched.deprecate("column:public.orders.legacy")
    now = armed.element
    assert [kind.value for kind in armed.made] == ["trigger"]
    column = watched.db.fetch_value(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'orders'::regclass AND attname LIKE 'legacy%'"
    )
    watched.app.execute("UPDATE orders SET note = 'x'")
    watched.app.execute("INSERT INTO orders (id) VALUES (8000)")
    assert watched.log.said() == []
    watched.app.execute(f"UPDATE orders SET note = 'y', {identifier(column)} = 1 WHERE id = 1")
    assert watched.log.said() == [f"write {now}"]


def test_partitions_are_watched_too(watched: Watched) -> None:
    plan, _ = watched.deprecate("table:public.parted")
    now, said = identifier(plan.steps[0].deprecated_name), "write table:public.parted"
    watched.app.execute(f"INSERT INTO {now} VALUES (1, 1), (150, 1)")
    assert watched.log.said() == [said]
    watched.app.execute("INSERT INTO parted_2 VALUES (160, 1)")
    assert watched.log.said() == [said]
    # The table and each of its partitions.
    watched.app.execute(f"TRUNCATE {now}")
    assert watched.log.said() == [said] * 3


def test_a_column_of_partitions_is_watched_in_each(watched: Watched) -> None:
    _, (armed,) = watched.deprecate("column:public.parted.legacy")
    column = watched.db.fetch_value(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'parted'::regclass AND attname LIKE 'legacy%'"
    )
    for table in ("parted", "parted_1"):
        watched.app.execute(f"UPDATE {table} SET {identifier(column)} = 2")
        assert watched.log.said() == [f"write {armed.element}"]


@pytest.mark.parametrize("name", ['Mixed "Case"', "it's; -- \\ %s", "表é🐘"])
def test_any_name_is_said_as_people_write_it(watched: Watched, name: str) -> None:
    watched.db.execute(f"CREATE TABLE {identifier(name)} (id int)")
    watched.db.execute(f"GRANT ALL ON {identifier(name)} TO {watched.app.fetch_value('SELECT current_user')}")
    element = Element.parse("table:public.x")
    element = type(element)(element.kind, "public", name)
    watched.deprecate(str(element), soft=True)
    watched.app.execute(f"DELETE FROM {identifier(name)}")
    assert sorted(watched.log.said()) == [f"read {element}", f"write {element}"]

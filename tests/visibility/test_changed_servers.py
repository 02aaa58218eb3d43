"""Whoever changes the server, or what stands around an element, hides no use behind it.

Each test lets an element be used in a way that nobody sees, and then puts things in order again: the verdict
has to know that somebody could have used it meanwhile.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from analytics.verdict import Readiness, Verdict
from catalog.counters import read_counters
from catalog.database import Database, identifier
from catalog.errors import DatabaseError
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from ingest.schemas import Source
from migrations import registry
from tests.visibility.world import STRICT, Watch, flush
from tests.waiting import until, until_alone

USERS = "table:public.users"
LEGACY = "column:public.orders.legacy"
SCHEMA = """
    CREATE TABLE users (id int PRIMARY KEY);
    INSERT INTO users SELECT generate_series(1, 20);
    CREATE TABLE orders (id int PRIMARY KEY, legacy text);
    CREATE ROLE visitor LOGIN;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO visitor;
"""
LOUD = "ALTER ROLE visitor RESET log_min_messages"
SILENT = "ALTER ROLE visitor SET log_min_messages = 'panic'"


@pytest.fixture
def server() -> Iterator[ThrowawayServer]:
    """A server of our own: roles and settings are the whole server's."""
    with ThrowawayServer(settings={"max_prepared_transactions": "5"}) as server:
        yield server


@pytest.fixture
def watch(server: ThrowawayServer, tmp_path: Path) -> Watch:
    return begin(Watch(server, tmp_path), SCHEMA)


def begin(watch: Watch, setup: str) -> Watch:
    """A database that was looked at before anything is deprecated."""
    with watch.connect() as db:
        registry.install(db)
        db.execute(setup)
        flush(db)
    watch.look()
    return watch


def deprecate(watch: Watch, element: str) -> str:
    """Rename it; return its new name, quoted."""
    watch.deprecate([element], sensors=False)
    watch.look()
    with watch.connect() as db:
        return identifier(read_snapshot(db).attic[-1].deprecated_name)


def change(watch: Watch, *statements: str) -> None:
    with watch.connect() as db:
        for statement in statements:
            db.execute(statement)


def move_log(watch: Watch, setting: str, folder: str) -> None:
    """Have the log written into another folder, and wait until it is."""
    # Log files of one second would be one.
    time.sleep(1.2)
    change(watch, f"ALTER SYSTEM {setting}", "SELECT pg_reload_conf()")
    with watch.connect() as db:
        until(lambda: db.fetch_value("SELECT pg_current_logfile('csvlog')").startswith(f"{folder}/"))


@contextmanager
def client(watch: Watch, role: str = "visitor") -> Iterator[Database]:
    """A session of somebody else, which the server has ended at the end of the block."""
    with Database.connect(watch.server.dsn(watch.name, role), application_name="shop") as db:
        yield db
    with watch.connect() as db:
        until_alone(db)


def use(db: Database, statement: str) -> None:
    """A use, that fails or not."""
    with suppress(DatabaseError):
        db.fetch(statement)
    flush(db)


def judge(watch: Watch) -> Readiness:
    ((_, _, found),) = watch.judge(STRICT)
    return found


def test_untouched_it_is_ready(watch: Watch) -> None:
    deprecate(watch, USERS)
    watch.look()
    assert judge(watch).verdict is Verdict.READY


def test_a_role_that_was_silent_for_a_while_is_not_covered_when_it_is_loud_again(watch: Watch) -> None:
    deprecate(watch, USERS)
    change(watch, SILENT)
    watch.look()
    with client(watch) as db:
        use(db, "SELECT * FROM users")
    watch.look()
    change(watch, LOUD)
    watch.look()
    watch.look()
    assert judge(watch).verdict is not Verdict.READY


def test_a_session_keeps_the_settings_with_which_it_began(watch: Watch) -> None:
    change(watch, SILENT)
    watch.look()
    with client(watch) as old:
        change(watch, LOUD)
        watch.look()
        # Of an element that gets here now all looks say that everything is logged.
        deprecate(watch, LEGACY)
        use(old, "SELECT legacy FROM orders")
        watch.look()
        assert Verdict.READY not in {found.verdict for _, _, found in watch.judge(STRICT)}
    watch.look()
    assert Verdict.READY not in {found.verdict for _, _, found in watch.judge(STRICT)}


@pytest.mark.parametrize("written", ["off", "'OFF'", "f"])
def test_a_session_goes_on_counting_nothing(watch: Watch, written: str) -> None:
    change(watch, f"ALTER ROLE visitor SET track_counts = {written}")
    watch.look()
    with client(watch) as old:
        change(watch, "ALTER ROLE visitor RESET track_counts")
        watch.look()
        new = deprecate(watch, USERS)
        use(old, f"SELECT * FROM {new}")
        watch.look()
    watch.look()
    assert judge(watch).verdict is not Verdict.READY


def test_a_session_goes_on_without_its_calls_counted(tmp_path: Path) -> None:
    settings = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
    with ThrowawayServer(settings=settings) as server:
        watch = begin(Watch(server, tmp_path), SCHEMA + "CREATE EXTENSION pg_stat_statements;")
        change(watch, "CREATE VIEW people AS SELECT id FROM users", "GRANT SELECT ON people TO visitor")
        change(watch, "ALTER ROLE visitor SET pg_stat_statements.track = 'none'")
        watch.look()
        with client(watch) as old:
            change(watch, "ALTER ROLE visitor RESET pg_stat_statements.track")
            watch.look()
            new = deprecate(watch, "view:public.people")
            use(old, f"SELECT * FROM {new}")
            watch.look()
            ((_, facts, found),) = watch.judge(STRICT)
            assert found.verdict is not Verdict.READY
            assert not any(facts.watched[Source.STATEMENTS].values())
        # The time after it is told of.
        watch.look()
        watch.look()
        ((_, facts, _),) = watch.judge(STRICT)
        assert any(facts.watched[Source.STATEMENTS].values())


def test_the_registry_knows_whose_counters_it_noted(watch: Watch) -> None:
    deprecate(watch, USERS)
    with watch.connect() as db:
        baseline = read_snapshot(db).attic[-1].baseline
        assert baseline is not None
        # No two servers have the same: a standby that takes over has counted other uses.
        assert baseline.kept_since == read_counters(db).kept_since


@pytest.mark.parametrize("is_moved_back", [False, True])
def test_a_log_that_is_written_elsewhere_is_not_read(watch: Watch, *, is_moved_back: bool) -> None:
    deprecate(watch, USERS)
    move_log(watch, "SET log_directory = 'log2'", "log2")
    watch.look()
    with client(watch) as db:
        use(db, "SELECT * FROM users")
    watch.look()
    if is_moved_back:
        move_log(watch, "RESET log_directory", "log")
        watch.look()
    found = judge(watch)
    assert found.verdict is not Verdict.READY
    # From the look before it moved until the look after it came back.
    (coverage,) = [rule.finding for rule in found.rules if rule.name == "log coverage"]
    assert "longest gap" in coverage


def test_lines_from_before_the_database_was_renamed_are_read(server: ThrowawayServer, tmp_path: Path) -> None:
    with Database.connect(server.dsn()) as db:
        db.execute("CREATE DATABASE shop")
    watch = begin(Watch(server, tmp_path, "shop"), SCHEMA)
    deprecate(watch, USERS)
    with client(watch) as db:
        use(db, "SELECT * FROM users")
    with Database.connect(server.dsn()) as db:
        db.execute("ALTER DATABASE shop RENAME TO market")
    watch.name = "market"
    watch.look()
    found = judge(watch)
    assert found.verdict is Verdict.NOT_READY
    assert "1 use seen" in found.reasons[0]


def test_what_an_open_transaction_has_read_is_not_counted_yet(watch: Watch) -> None:
    new = deprecate(watch, USERS)
    with client(watch) as db, db.transaction():
        db.fetch(f"SELECT * FROM {new}")
        watch.look()
        found = judge(watch)
        assert found.verdict is Verdict.UNKNOWN
        assert "a transaction of visitor (shop), open since " in " ".join(found.reasons)
    with client(watch) as db:
        flush(db)
    watch.look()
    assert judge(watch).verdict is Verdict.NOT_READY


def test_what_a_prepared_transaction_has_written_is_not_counted_yet(watch: Watch) -> None:
    new = deprecate(watch, USERS)
    with client(watch) as db:
        # A transaction of ours is committed or rolled back, never prepared.
        db._connection.execute(f"BEGIN; INSERT INTO {new} VALUES (21)".encode())
        db._connection.execute(b"PREPARE TRANSACTION 'half'")
        flush(db)
    watch.look()
    found = judge(watch)
    assert found.verdict is not Verdict.READY
    (rule,) = (rule for rule in found.rules if rule.name == "no open transaction")
    assert (rule.met, "prepared transaction 'half' of visitor, open since " in rule.finding) == (None, True)
    # Whose reads do not count prepares none of them.
    ((_, _, trusting),) = watch.judge(STRICT.model_copy(update={"known_readers": ("visitor",)}))
    assert rule in trusting.rules
    with client(watch) as db:
        db._connection.execute(b"COMMIT PREPARED 'half'")
        flush(db)
    watch.look()
    found = judge(watch)
    assert found.verdict is Verdict.NOT_READY
    assert "no open transaction" not in {rule.name for rule in found.rules}
    assert "1 scan or written row" in " ".join(found.reasons)


@pytest.mark.parametrize("what", ["schema", "table"])
def test_a_former_name_in_a_place_that_was_renamed_is_not_recognised(watch: Watch, what: str) -> None:
    deprecate(watch, USERS if what == "schema" else LEGACY)
    if what == "schema":
        change(watch, "ALTER SCHEMA public RENAME TO market")
        statement = "SELECT * FROM market.users"
    else:
        change(watch, "ALTER TABLE orders RENAME TO purchases")
        statement = "SELECT legacy FROM purchases"
    watch.look()
    with client(watch) as db:
        use(db, statement)
    watch.look()
    found = judge(watch)
    assert found.verdict is Verdict.NOT_READY
    assert "its schema or table was renamed" in found.reasons[0]


def test_what_pgattic_renamed_itself_has_not_moved(watch: Watch) -> None:
    deprecate(watch, LEGACY)
    deprecate(watch, "table:public.orders")
    watch.look()
    found = {str(found.element): found for _, _, found in watch.judge(STRICT)}
    rules = {rule.name: rule.met for rule in found[LEGACY].rules}
    assert rules["in its place"]


def test_a_subscription_goes_on_writing(server: ThrowawayServer, tmp_path: Path) -> None:
    with ThrowawayServer(settings={"wal_level": "logical"}) as publisher:
        with Database.connect(publisher.dsn()) as db:
            db.execute("CREATE TABLE users (id int PRIMARY KEY)")
            db.execute("CREATE PUBLICATION users FOR TABLE users")
        watch = begin(Watch(server, tmp_path), SCHEMA)
        connection = f"CONNECTION '{publisher.dsn()}' PUBLICATION users WITH (copy_data = false)"
        change(watch, f"CREATE SUBSCRIPTION users {connection}")
        # `plan` would have refused it; somebody was sure.
        deprecate(watch, USERS)
        watch.look()
        found = judge(watch)
        change(watch, "ALTER SUBSCRIPTION users DISABLE")
        change(watch, "ALTER SUBSCRIPTION users SET (slot_name = NONE)", "DROP SUBSCRIPTION users")
        assert found.verdict is Verdict.NOT_READY
        assert "still referred to: subscription users" in " ".join(found.reasons)
        watch.look()
        assert "subscription" not in " ".join(judge(watch).reasons)

"""Which format a log is in, and the same messages of real servers in all of them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from catalog.database import Database
from catalog.errors import DatabaseError
from ingest.logs.formats import is_prefix_unknown, recognise
from ingest.logs.records import Reading
from tests.fix_server import FreshDatabase
from tests.ingest.fix_logs import FULL_PREFIX, Message, csv, error, jsonline, stderr

# What a stderr log with that prefix tells of a record: all but the number of its line.
_TOLD = (
    "occurred_at", "role", "database", "client", "session_id", "sqlstate", "message", "detail", "inner_sql",
    "inner_position", "context", "sql", "position", "application",
)  # fmt: skip


@pytest.mark.parametrize(
    ("log", "name", "start"),
    [
        (csv(Message()), "csvlog", 0),
        (jsonline(Message()), "jsonlog", 0),
        (stderr(Message(), "%m [%p] "), "stderr", 0),
        (b"rest of a record that was cut\n" + csv(error()), "csvlog", 30),
        (b"\xef\xbb\xbf" + csv(Message()), "csvlog", 0),
        (csv(Message("one\n" + stderr(Message("two"), "%m [%p] ").decode())), "csvlog", 0),
        (stderr(Message(csv(Message()).decode()), "%m [%p] "), "stderr", 0),
    ],
)
def test_a_log_is_known_by_its_first_record(log: bytes, name: str, start: int) -> None:
    found = recognise(log, None)
    assert found is not None
    assert (found.format.name, found.beginning.start) == (name, start)
    assert found.beginning.moment == "2026-11-22 12:00:00.000 UTC"


@pytest.mark.parametrize(
    "log", [b"", b"\n", b"id,name\n1,Ann\n", b'{"log":"x"}\n', b"2026-11-22 12:00:00 something happened\n"]
)
def test_what_is_no_log_is_none(log: bytes) -> None:
    assert recognise(log, None) is None
    assert not is_prefix_unknown(log)


@contextmanager
def writing_all_formats(database: FreshDatabase) -> Iterator[None]:
    """Let the server write each record three times."""
    settings = {
        "log_destination": "'csvlog,jsonlog,stderr'",
        "log_line_prefix": f"'{FULL_PREFIX}'",
        "log_statement": "'all'",
    }
    try:
        for name, value in settings.items():
            database.db.execute(f"ALTER SYSTEM SET {name} = {value}")
        database.db.execute("SELECT pg_reload_conf()")
        sleep(0.3)
        yield
    finally:
        for name in settings:
            database.db.execute(f"ALTER SYSTEM RESET {name}")
        database.db.execute("SELECT pg_reload_conf()")


def newest(folder: Path, suffix: str, application: bytes) -> tuple[bytes, Reading]:
    """The newest log of a format, when it tells that a session of this application has ended its work."""
    until = monotonic() + 20
    while monotonic() < until:
        for path in sorted(folder.glob(f"*{suffix}"), reverse=True)[:1]:
            log = path.read_bytes()
            if log.count(b"the last statement") and application in log and log.endswith(b"\n"):
                found = recognise(log, FULL_PREFIX)
                assert found is not None
                return log, found.format.read(log, is_final=True)
        sleep(0.1)
    raise AssertionError(f"nothing of {application!r} in {suffix}")


def test_all_formats_tell_the_same_of_a_real_session(database: FreshDatabase) -> None:
    application = f"reader of {database.name}"
    with writing_all_formats(database):
        with Database.connect(database.dsn()) as session:
            session.execute(f"SET application_name = '{application}'")
            for statement in (
                "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n\tRETURN (TABLE gone);END$$",
                "SELECT 'ä\n\tb,\"c\"', 1",
                "SELECT *\n  FROM gone",
                "SELECT f()",
                "SELECT 1/0",
                "SELECT 'x'::no_such_type",
                "DO $$ BEGIN RAISE WARNING 'a warning' USING HINT = 'a hint', DETAIL = 'a\ndetail'; END $$",
                "SELECT 'the last statement'",
            ):
                with suppress(DatabaseError):
                    session.execute(statement)
        folder = Path(database.server.log_directory)
        told = {}
        for suffix in (".csv", ".json", ".log"):
            log, reading = newest(folder, suffix, application.encode())
            rows = [row for row in reading.records.to_pylist() if row["application"] == application.encode()]
            # What comes after it may not have been written to each file yet.
            last = next(n for n, row in enumerate(rows, 1) if b"the last statement" in row["message"])
            told[suffix] = [{name: row[name] for name in _TOLD} for row in rows[:last]]
            # Until the new files are open, the server writes their records into the stderr log.
            strays = [log[each.offset : each.offset + each.length] for each in reading.rejects]
            assert all(each.startswith((b'{"timestamp"', b"20")) for each in strays), strays
            assert not strays or suffix == ".log"
            assert reading.length == len(log)
    assert len(told[".csv"]) >= 12
    assert told[".json"] == told[".csv"]
    assert told[".log"] == told[".csv"]
    states = [row["sqlstate"] for row in told[".csv"]]
    assert {b"42P01", b"22012", b"42704", b"01000", b"00000"} <= set(states)
    assert any(row["inner_sql"] and row["inner_position"] for row in told[".csv"])

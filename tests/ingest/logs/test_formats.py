"""Which format a log is in, and the same messages of real servers in all of them."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.errors import DatabaseError
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.logs.formats import is_prefix_unknown, recognise
from ingest.logs.records import Reading
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase, fresh_database
from tests.ingest.fix_logs import FULL_PREFIX, Message, csv, error, jsonline, stderr
from tests.waiting import until

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


@pytest.fixture(params=[EMBEDDED_BIN, DEBIAN_15_BIN], ids=["18", "15"])
def database(request: pytest.FixtureRequest) -> Iterator[FreshDatabase]:
    """A database of a server that writes each record three times, and has nothing else to write."""
    if not (request.param / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {request.param}")
    settings = {
        "log_destination": "csvlog,jsonlog,stderr",
        "log_line_prefix": FULL_PREFIX,
        "log_statement": "all",
    }
    with ThrowawayServer(settings=settings, bin_directory=request.param) as server:
        yield from fresh_database(server)


def whole(folder: Path, suffix: str) -> tuple[bytes, Reading]:
    """The log in a format, when it tells that the session has ended its work."""

    def log() -> bytes:
        (path,) = folder.glob(f"*{suffix}")
        return path.read_bytes()

    until(lambda: b"the last statement" in log() and log().endswith(b"\n"))
    found = recognise(log(), FULL_PREFIX)
    assert found is not None
    read = log()
    return read, found.format.read(read, is_final=True)


def test_all_formats_tell_the_same_of_a_real_session(database: FreshDatabase) -> None:
    application = b"reader"
    with Database.connect(database.dsn()) as session:
        session.execute("SET application_name = 'reader'")
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
    told = {}
    for suffix in (".csv", ".json", ".log"):
        log, reading = whole(database.server.log_directory, suffix)
        rows = [row for row in reading.records.to_pylist() if row["application"] == application]
        # What comes after it may not have been written to each file yet.
        last = next(n for n, row in enumerate(rows, 1) if b"the last statement" in row["message"])
        told[suffix] = [{name: row[name] for name in _TOLD} for row in rows[:last]]
        assert not reading.rejects
        assert reading.length == len(log)
    assert len(told[".csv"]) >= 12
    assert told[".json"] == told[".csv"]
    assert told[".log"] == told[".csv"]
    states = [row["sqlstate"] for row in told[".csv"]]
    assert {b"42P01", b"22012", b"42704", b"01000", b"00000"} <= set(states)
    assert any(row["inner_sql"] and row["inner_position"] for row in told[".csv"])

"""What a session sets says what its names mean; what was not seen is not known."""

from dataclasses import replace
from datetime import timedelta
from itertools import zip_longest

import pytest

from catalog.objects import SearchPath
from catalog.snapshot import Snapshot
from ingest.evidence.accesses import Reader
from ingest.evidence.sessions import MAX_SESSIONS, UNKNOWN, Session, Sessions
from ingest.gaps import lines_of
from ingest.grammar.references import SetPath, SetRole, Transaction
from ingest.logs.csvlog import read_records
from ingest.meaning.world import History
from tests.ingest.fix_ingest import NOON, entry, record, shop

EARLIER = NOON - timedelta(hours=1)
PUBLIC, ARCHIVE = "public.orders", "archive.orders"
BOTH = f"{PUBLIC}? {ARCHIVE}?"
ORDERS = "select from orders"


def snapshot() -> Snapshot:
    """The shop, with a default path that begins with the role's own schema."""
    return replace(shop(), search_paths=(SearchPath(None, is_of_database=False, setting='"$user", public'),))


def session_id(number: int = 1) -> str:
    """A session that begins at noon."""
    return f"{int(NOON.timestamp()):x}.{number:x}"


def lines(*sqls: str, first: int = 1, number: int = 1, prefix: str = "statement: ") -> list[bytes]:
    """Statements of one session."""
    return [
        record(f"{prefix}{sql}", session=session_id(number), line=line, at=NOON + timedelta(seconds=line))
        for line, sql in enumerate(sqls, first)
    ]


def tables(*batches: list[bytes], reader: Reader | None = None, sees_all: bool = True) -> list[str]:
    """For each statement that uses `orders`: which, and a question mark where it could be another one."""
    reader = reader or Reader(History(snapshot()))
    # The log has shown statements for a while.
    reader.observe(read_records(record("x", at=EARLIER)).records, sees_all=sees_all)
    found: list[str] = []
    for batch in batches:
        for line in batch:
            uses = reader.observe(read_records(line).records, sees_all=sees_all)
            names = [
                f"{each.use.element.schema}.{each.use.element.name}" + "?" * each.use.ambiguous
                for each in uses
                if each.use.element.name == "orders"
            ]
            found += [" ".join(names)] if names else []
    return found


@pytest.mark.parametrize(
    ("sqls", "expected"),
    [
        ([], [PUBLIC]),
        (["set search_path to archive"], [ARCHIVE]),
        (["set search_path to archive, public"], [ARCHIVE]),
        (["set search_path = 'public'"], [PUBLIC]),
        (["set search_path to nothing"], [BOTH]),
        (["set local search_path to archive"], [PUBLIC]),
        (["begin", "set local search_path to archive"], [ARCHIVE]),
        (["begin", "set local search_path to archive", "commit"], [PUBLIC]),
        (["begin", "set search_path to archive", "commit"], [ARCHIVE]),
        (["begin", "set search_path to archive", "rollback"], [PUBLIC]),
        (["set search_path to archive", "begin", "set search_path to public", "rollback"], [ARCHIVE]),
        (["set search_path to archive", "begin", "set local search_path to public", "commit"], [ARCHIVE]),
        (["begin", "set search_path to archive", "set local search_path to public", "commit"], [ARCHIVE]),
        (["set search_path to archive", "begin", "rollback"], [ARCHIVE]),
        (["set search_path to archive", "reset search_path"], [PUBLIC]),
        (["set search_path to archive", "reset all"], [PUBLIC]),
        (["set search_path to archive", "set search_path to default"], [PUBLIC]),
        (["select set_config('search_path', 'archive', false)"], [ARCHIVE]),
        (["begin", "select set_config('search_path', 'archive', true)", "commit"], [PUBLIC]),
        # "$user" is somebody else now, and the default may begin with it.
        (["set role somebody"], [BOTH]),
        (["set role somebody", "set search_path to archive"], [ARCHIVE]),
        (["set search_path to archive", "discard all"], [BOTH]),
        # Before or after? Nobody knows.
        (["set search_path to archive; select from orders"], [BOTH, ARCHIVE]),
    ],
)  # fmt: skip
def test_a_session_s_path_is_followed(sqls: list[str], expected: list[str]) -> None:
    assert tables(lines(*sqls, ORDERS)) == expected


def test_statements_in_one_batch_see_what_was_set_before_them() -> None:
    batch = lines(ORDERS, "set search_path to archive", ORDERS, "reset search_path", ORDERS)
    other = lines(*[ORDERS] * len(batch), number=2)
    mixed = [line for pair in zip(batch, other, strict=True) for line in pair]
    reader = Reader(History(snapshot()))
    reader.observe(read_records(record("x", at=EARLIER)).records, sees_all=True)
    uses = reader.observe(read_records(b"".join(mixed)).records, sees_all=True)
    found = [each.use.element.schema for each in uses if each.use.element.name == "orders"]
    assert found == ["public", "public", "public", "archive", "public", "public", "public", "public"]


def test_a_session_that_was_not_seen_from_its_beginning_may_have_any_path() -> None:
    assert tables(lines(ORDERS, first=7)) == [BOTH]
    assert tables(lines(ORDERS, "set search_path to archive", ORDERS, first=7)) == [BOTH, ARCHIVE]
    # A transaction may have been open.
    assert tables(lines("set search_path to archive", "rollback", ORDERS, first=7)) == [BOTH]
    assert tables(lines("set search_path to archive", "begin", "rollback", ORDERS, first=7)) == [ARCHIVE]


def test_a_session_that_began_before_the_log_showed_statements_may_have_any_path() -> None:
    reader = Reader(History(snapshot()))
    records = b"".join(lines(ORDERS)).replace(session_id().encode(), b"69000000.1")
    uses = reader.observe(read_records(records).records, sees_all=True)
    assert {each.use.element.schema for each in uses} >= {"public", "archive"}


@pytest.mark.parametrize("split", range(7))
def test_after_lost_lines_a_session_may_have_any_path(split: int) -> None:
    # Line 3 may have set any.
    log = lines(ORDERS, "set search_path to archive")
    log += lines(ORDERS, "set search_path to public", ORDERS, first=4)
    other = lines("set search_path to archive", *[ORDERS] * 5, number=2)
    mixed = [line for pair in zip_longest(log, other) for line in pair if line]
    reader = Reader(History(snapshot()))
    reader.observe(read_records(record("x", at=EARLIER)).records, sees_all=True)
    found: list[str] = []
    for batch in filter(None, (mixed[:split], mixed[split:])):
        records = read_records(b"".join(batch)).records
        holes = [hole.offset for hole in lines_of(records).holes]
        uses = [each.use for each in reader.observe(records, sees_all=True, holes=holes)]
        found += [use.element.schema + "?" * use.ambiguous for use in uses if use.element.name == "orders"]
    after_hole = ["public?", "archive?"]
    assert found == ["public", "archive", *after_hole, "archive", "archive", "public", "archive", "archive"]


def test_where_the_log_shows_only_some_statements_no_path_is_known() -> None:
    assert tables(lines(ORDERS, "set search_path to archive", ORDERS), sees_all=False) == [BOTH, BOTH]
    reader = Reader(History(snapshot()))
    assert tables(lines(ORDERS), reader=reader) == [PUBLIC]
    assert tables(lines(ORDERS, first=2), reader=reader, sees_all=False) == [BOTH]
    assert tables(lines(ORDERS, first=3), reader=reader) == [BOTH]


def test_what_a_failed_statement_set_is_not_set() -> None:
    sql = "set search_path to archive; select 1/0"
    failed = record("division by zero", sqlstate="22012", sql=sql, session=session_id(), line=2)
    assert tables([*lines(sql), failed, *lines(ORDERS, first=3)]) == [BOTH]
    assert tables([failed.replace(b",2,", b",1,"), *lines(ORDERS, first=3)]) == [PUBLIC]


def test_a_commit_after_an_error_is_a_rollback() -> None:
    error = record("x", sqlstate="22012", sql="select 1/0", session=session_id(), line=3)
    batch = [*lines("begin", "set search_path to archive"), error, *lines("commit", ORDERS, first=4)]
    assert tables(batch) == [PUBLIC]


@pytest.mark.parametrize(
    ("sqls", "expected"),
    [
        (["prepare q as select from archive.orders where id = 7", "execute q"], [ARCHIVE, ARCHIVE]),
        (["prepare q as select from archive.orders", "deallocate q", "execute q"], [ARCHIVE]),
        (["prepare q as select from archive.orders", "deallocate all", "execute q"], [ARCHIVE]),
        (["declare c cursor for select from archive.orders", "fetch 2 from c", "close c", "fetch c"],
         [ARCHIVE, ARCHIVE]),
        (["declare c cursor for select from archive.orders for update",
          "update orders set total = 1 where current of c"], [ARCHIVE, f"{PUBLIC} {ARCHIVE}"]),
    ],
)  # fmt: skip
def test_what_a_session_keeps_by_name_is_used_by_name(sqls: list[str], expected: list[str]) -> None:
    assert tables(lines(*sqls)) == expected


def test_what_is_known_of_sessions_is_stored_without_constants_and_read_again() -> None:
    reader = Reader(History(snapshot()))
    tables(lines("set search_path to archive", "prepare q as select from public.orders where id = 'secret'"),
           lines("begin", number=2), reader=reader)  # fmt: skip
    stored = reader.sessions.dump()
    assert b"secret" not in stored
    again = Sessions.load(stored)
    assert again.dump() == stored
    after = Reader(History(snapshot()), sessions=again)
    assert tables(lines(ORDERS, "execute q", first=3), reader=after) == [ARCHIVE, PUBLIC]
    assert tables(lines(ORDERS, first=9, number=3), reader=after) == [BOTH]


@pytest.mark.parametrize("stored", [b"", b"{}", b'{"format": 99}'])
def test_what_another_release_stored_is_not_known(stored: bytes) -> None:
    assert len(Sessions.load(stored)) == 0


def test_sessions_are_bounded() -> None:
    sessions = Sessions()
    for number in range(MAX_SESSIONS + 500):
        sessions.of(f"1.{number:x}", 1)
    sessions.forget_old()
    assert len(sessions) == MAX_SESSIONS


def test_a_path_is_as_long_known_as_what_it_depends_on() -> None:
    session = Session()
    assert session.path("ann", ("public",)) == ("public",)
    session.apply(SetPath(("$user", "archive")))
    assert session.path("ann", None) == ("ann", "archive")
    session.apply(Transaction("begin"))
    session.apply(SetPath(UNKNOWN))
    assert session.path("ann", None) is None
    session.apply(Transaction("rollback"))
    session.apply(SetRole())
    assert session.path("ann", None) is None


@pytest.mark.parametrize(
    ("sqls", "expected"),
    [
        # A client may have named archive when it connected, which is in no log.
        ([], [f"{PUBLIC} {ARCHIVE}?"]),
        (["set search_path to public"], [PUBLIC]),
        (["set search_path to archive"], [ARCHIVE]),
    ],
)
def test_a_default_path_is_no_proof_for_the_attic_of_another_schema(
    sqls: list[str], expected: list[str]
) -> None:
    known = snapshot()
    renamed = (*known.attic, entry("table:archive.orders", "orders", 6, since=NOON + timedelta(days=-1)))
    reader = Reader(History(replace(known, attic=renamed)))
    assert tables(lines(*sqls, ORDERS), reader=reader) == expected

"""The stderr reader: lines of any log_line_prefix and language become messages."""

# ruff: noqa: RUF001 (Russian looks like English in places)

from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.logs.line_prefix import COMMON, line_prefix, prefixes_of
from ingest.logs.records import UNKNOWN_STATE, Reading
from ingest.logs.severities import words
from ingest.logs.stderrlog import Stderrlog
from tests.ingest.fix_logs import FULL_PREFIX, Message, after, error, stderr


def reader(prefix: str = FULL_PREFIX) -> Stderrlog:
    """The reader of logs with one prefix."""
    found = line_prefix(prefix)
    assert found is not None
    return Stderrlog((found,))


def read(log: bytes, prefix: str = FULL_PREFIX) -> Reading:
    """What a whole log with one prefix says."""
    return reader(prefix).read(log, is_final=True)


def rows(log: bytes, prefix: str = FULL_PREFIX) -> list[dict[str, Any]]:
    """The records of a whole log without damage."""
    reading = read(log, prefix)
    assert reading.rejects == ()
    assert reading.length == len(log)
    return reading.records.to_pylist()


def test_the_lines_of_a_message_are_one_record() -> None:
    message = error(
        detail="a\ndetail", context="PL/pgSQL function f()\nand another", sql="select *\n\tfrom gone"
    )
    (row,) = rows(stderr(message))
    assert row == {
        "occurred_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "role": b"ann",
        "database": b"shop",
        "client": b"10.0.0.7:34862",
        "session_id": message.session.encode(),
        "session_line": None,
        "sqlstate": b"42P01",
        "message": b'relation "gone" does not exist',
        "detail": b"a\ndetail",
        "inner_sql": b"",
        "inner_position": None,
        "context": b"PL/pgSQL function f()\nand another",
        "sql": b"select *\n\tfrom gone",
        "position": 15,
        "application": b"billing",
        "log_offset": 0,
    }


def test_a_position_within_a_function_is_one_of_the_inner_statement() -> None:
    message = error(sql="select f()", inner_sql="select * from gone", inner_position=15)
    (row,) = rows(stderr(message))
    assert (row["inner_sql"], row["inner_position"], row["position"]) == (b"select * from gone", 15, None)


def test_only_errors_tell_a_position_at_their_end() -> None:
    (row,) = rows(stderr(Message("statement: select 'look at character 5")))
    assert row["message"] == b"statement: select 'look at character 5"


def test_lines_of_others_may_come_between_those_of_a_message() -> None:
    first, second = error(process=1, sql="select 1\nfrom gone"), error(process=2, sql="select 2 from gone")
    (one_head, one_goes_on), (two_head, two_goes_on) = (
        stderr(each).split(b"\n", 1) for each in (first, second)
    )
    log = b"\n".join((one_head, two_head, one_goes_on + two_goes_on))
    assert [row["sql"] for row in rows(log)] == [first.sql.encode(), second.sql.encode()]


def test_a_part_far_from_its_message_is_set_aside() -> None:
    head, part = stderr(error(process=1)).split(b"\n", 1)
    others = b"".join(stderr(Message(process=2)) for _ in range(20))
    reading = read(head + b"\n" + others + part)
    assert [reject.length for reject in reading.rejects] == [len(part)]
    assert len(reading.records) == 21


def test_what_is_no_line_of_the_server_is_set_aside_with_its_place() -> None:
    good, noise = stderr(error()), b"rsync: connection refused\nrsync: gave up\n"
    reading = read(good + noise + good)
    assert [(each.offset, each.length) for each in reading.rejects] == [(len(good), len(noise))]
    assert reading.records["log_offset"].to_pylist() == [0, len(good + noise)]


def test_a_message_waits_for_what_may_still_belong_to_it() -> None:
    whole = stderr(error(process=1))
    head = whole[: whole.index(b"\n") + 1]
    assert reader().read(head).length == 0
    assert reader().read(whole).length == 0
    later = stderr(Message(process=2, at=after(1500)))
    reading = reader().read(whole + later)
    assert (reading.length, reading.records["sql"].to_pylist()) == (len(whole), [b"select * from gone"])


def test_a_line_without_an_end_is_set_aside_when_nothing_will_follow() -> None:
    good = stderr(Message())
    reading = read(good + good[:70])
    assert [(each.offset, each.length) for each in reading.rejects] == [(len(good), 70)]


def test_what_the_prefix_does_not_tell_is_unknown() -> None:
    (row,) = rows(stderr(error(), "%m [%p] "), "%m [%p] ")
    assert [row[name] for name in ("role", "database", "application", "client")] == [None] * 4
    assert row["sqlstate"] == UNKNOWN_STATE
    assert row["session_id"] == b"4242"


def test_what_a_process_has_none_of_is_empty() -> None:
    """Processes that are no session stop at %q, and a client that has not said who it is is [unknown]."""
    background = b"2026-11-22 12:00:00.000 UTC [7] LOG:  checkpoint starting: time\n"
    unknown = b"2026-11-22 12:00:00.000 UTC [8] [unknown]@[unknown] LOG:  incomplete startup packet\n"
    prefix = "%m [%p] %q%u@%d "
    assert [(row["role"], row["database"]) for row in rows(background + unknown, prefix)] == [(b"", b"")] * 2


@pytest.mark.parametrize(
    ("severity", "sqlstate"),
    [
        ("LOG", b"00000"),
        ("NOTICE", b"00000"),
        ("DEBUG", b"00000"),
        ("WARNING", b"01000"),
        ("FATAL", b"?????"),
    ],
)
def test_without_a_sqlstate_the_severity_tells_what_it_can(severity: str, sqlstate: bytes) -> None:
    (row,) = rows(stderr(Message("x", severity), "%m [%p] "), "%m [%p] ")
    assert row["sqlstate"] == sqlstate


def test_verbose_messages_tell_their_sqlstate() -> None:
    head = b"2026-11-22 12:00:00.000 UTC [7] "
    log = (
        head + b'ERROR:  42P01: relation "t" does not exist at character 15\n'
        + head + b"LOCATION:  parserOpenTable, parse_relation.c:1498\n"
        + head + b"STATEMENT:  select * from t\n"
        + head + b"LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,select 1,<none>\n"
    )  # fmt: skip
    failed, audit = rows(log, "%m [%p] ")
    assert (failed["sqlstate"], failed["message"]) == (b"42P01", b'relation "t" does not exist')
    assert (audit["sqlstate"], audit["message"][:5]) == (b"00000", b"AUDIT")


def test_a_session_is_put_together_as_the_server_does() -> None:
    prefix = "%m %s [%p] "
    (row,) = rows(stderr(Message(), prefix), prefix)
    assert row["session_id"] == Message().session.encode()


@pytest.mark.parametrize(
    "prefix",
    [
        FULL_PREFIX,
        "%n %-10p|%20u|%-20d|",
        "%t:%r:%u@%d:[%p]:",
        "%% %m %p 100%% %c-%l ",
        "db=%d,user=%u %t [%p]: ",
        "%m [%p]%Z ",
        *COMMON,
    ],
)
def test_any_prefix_is_understood(prefix: str) -> None:
    values = {
        "%-10p": "4242      ",
        "%20u": f"{'ann':>20}",
        "%-20d": f"{'shop':<20}",
        "%%": "%",
        "%Z": "",
        "%x": "0",
        "%v": "54/3",
    }
    written = prefix
    for escape, value in values.items():
        written = written.replace(escape, value)
    log = stderr(error(), written) + stderr(Message("x", at=after(1000)), written)
    first, second = rows(log, prefix)
    assert (first["sql"], first["position"], second["message"]) == (b"select * from gone", 15, b"x")
    assert first["occurred_at"] == datetime(2026, 11, 22, 12, tzinfo=UTC)
    for escape, name, told in (
        ("u", "role", b"ann"),
        ("d", "database", b"shop"),
        ("a", "application", b"billing"),
    ):
        assert first[name] == (told if f"%{escape}" in prefix or f"0{escape}" in prefix else None)


@pytest.mark.parametrize("prefix", COMMON)
def test_a_prefix_in_common_use_is_found_out(prefix: str) -> None:
    written = prefix.replace("%x", "0").replace("%v", "54/3")
    lines = stderr(error(), written).splitlines()
    found = prefixes_of(lines, None)
    assert found[0].text.rstrip(":") == prefix.rstrip(":")


def test_a_prefix_claims_no_more_than_the_lines_show() -> None:
    """No line tells a database, so the log may be one that never does."""
    lines = [b"2026-11-22 12:00:00.000 UTC [7] LOG:  checkpoint starting: time"]
    assert prefixes_of(lines, None)[0].text == "%m [%p] "


def test_lines_with_another_prefix_are_read_too() -> None:
    """The setting was changed while the file was written."""
    log = stderr(error(), "%m [%p] ") + stderr(error(), "%t:%r:%u@%d:[%p]:")
    found = Stderrlog(prefixes_of(log.splitlines(), None)).read(log, is_final=True)
    assert found.rejects == ()
    assert found.records["role"].to_pylist() == [None, b"ann"]


def test_a_prefix_without_a_time_is_none() -> None:
    assert line_prefix("[%p] %u@%d ") is None
    assert prefixes_of([b"[1] ann@shop LOG:  x"], "[%p] %u@%d ") == ()


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        ("utf-8", ("FEHLER:  x bei Zeichen 15", "ANFRAGE:  i", "ZUSAMMENHANG:  c", "ANWEISUNG:  q")),
        ("utf-8", ("ОШИБКА:  x (символ 15)", "ЗАПРОС:  i", "КОНТЕКСТ:  c", "ОПЕРАТОР:  q")),
        ("koi8_r", ("ОШИБКА:  x (символ 15)", "ЗАПРОС:  i", "КОНТЕКСТ:  c", "ОПЕРАТОР:  q")),
        ("iso8859_1", ("ERREUR:  x au caractère 15", "REQUÊTE :  i", "CONTEXTE :  c", "INSTRUCTION :  q")),
        ("utf-8", ("오류:  x 15 번째 문자 부근", "쿼리:i", "내용:  c", "명령 구문:  q")),
        ("euc_jp", ("ERROR:  x(15文字目)", "問い合わせ:  i", "文脈:  c", "文:  q")),
        ("utf-8", ("错误:  x 第 15 个字符处", "查询:  i", "上下文:  c", "语句:  q")),
    ],
)
def test_every_language_of_the_server_is_understood(encoding: str, lines: tuple[str, ...]) -> None:
    log = b"".join(b"2026-11-22 12:00:00.000 UTC [7] " + line.encode(encoding) + b"\n" for line in lines)
    (row,) = rows(log, "%m [%p] ")
    assert (row["message"], row["inner_sql"], row["inner_position"]) == (b"x", b"i", 15)
    assert (row["context"], row["sql"], row["sqlstate"]) == (b"c", b"q", UNKNOWN_STATE)


def test_a_severity_that_nobody_knows_may_be_an_error() -> None:
    (row,) = rows(b"2026-11-22 12:00:00.000 UTC [7] KLAIDA:  x\n", "%m [%p] ")
    assert (row["sqlstate"], row["message"]) == (UNKNOWN_STATE, b"x")


def test_no_word_of_a_language_means_two_things() -> None:
    assert len(words().meaning) > 150


def test_a_long_line_that_is_almost_one_takes_no_time() -> None:
    """Without bounds on the values of a prefix, the ways to read this line would have no end."""
    line = b"2026-11-22 12:00:00.000 UTC [7] " + b"a@b " * 500_000 + b"\n"
    assert len(read(line, "%m [%p] %q%u@%d %a ").rejects) == 1


def test_a_message_too_long_is_skipped_to_the_next() -> None:
    long, good = stderr(error(sql="select 1\n" * 1000)), stderr(Message())
    skipped = reader().skip(long[300:] + good, offset=5)
    assert skipped.length <= len(long) - 300
    rest = (long[300:] + good)[skipped.length :]
    assert read(rest).records["message"].to_pylist()[-1] == b"statement: select 1"

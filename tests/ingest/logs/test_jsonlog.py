"""The jsonlog reader: a line is a record, whatever bytes are in it."""

import json
from datetime import UTC, datetime

import pytest

from ingest.logs.jsonlog import JSONLOG
from tests.ingest.fix_logs import Message, after, error, jsonline


def test_a_line_comes_out_as_it_was_logged() -> None:
    message = error(
        detail="a detail", context="PL/pgSQL function f() line 1", inner_sql='select "é" from gone',
        inner_position=17, sql="select f()\n  -- two lines", line=7,
    )  # fmt: skip
    (row,) = JSONLOG.read(jsonline(message)).records.to_pylist()
    assert row == {
        "occurred_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "role": b"ann",
        "database": b"shop",
        "client": b"10.0.0.7:34862",
        "session_id": message.session.encode(),
        "session_line": 7,
        "sqlstate": b"42P01",
        "message": b'relation "gone" does not exist',
        "detail": b"a detail",
        "inner_sql": 'select "é" from gone'.encode(),
        "inner_position": 17,
        "context": b"PL/pgSQL function f() line 1",
        "sql": b"select f()\n  -- two lines",
        "position": 15,
        "application": b"billing",
        "log_offset": 0,
    }


def test_what_is_left_out_is_success_and_empty() -> None:
    line = b'{"timestamp":"2026-11-22 12:00:00.000 UTC","pid":1,"error_severity":"LOG","message":"ready"}\n'
    (row,) = JSONLOG.read(line).records.to_pylist()
    assert (row["sqlstate"], row["role"], row["client"], row["position"]) == (b"00000", b"", b"", None)


def test_a_local_client_has_no_port() -> None:
    line = jsonline(Message()).replace(
        b'"remote_host":"10.0.0.7","remote_port":34862', b'"remote_host":"[local]"'
    )
    assert JSONLOG.read(line).records["client"].to_pylist() == [b"[local]"]


@pytest.mark.parametrize("more", [b"", b"no JSON\n"])
def test_bytes_of_any_encoding_stay_as_they_are(more: bytes) -> None:
    """With a damaged line in the stretch the lines are read one by one: to the same end."""
    line = jsonline(Message("statement: select 'X'")).replace(b"X", b'caf\xe9 \\u0001\\"\xff')
    reading = JSONLOG.read(line + more)
    assert reading.records["message"].to_pylist() == [b"statement: select 'caf\xe9 \x01\"\xff'"]


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"not JSON\n",
        b'{"timestamp":5}\n',
        b'["a", "b"]\n',
        b'{"timestamp":"2026-11-22 12:00:00.000 QQQ","message":"a zone that nobody knows"}\n',
        b'{"message":"no time"}\n',
        b"[" * 100_000 + b"\n",
        b"\x00\xff\n",
        jsonline(Message())[:50] + b"\n",
    ],
)
def test_damage_is_set_aside_with_its_place(damage: bytes) -> None:
    good = jsonline(Message())
    reading = JSONLOG.read(good + damage + good, offset=1000)
    assert [(each.offset, each.length) for each in reading.rejects] == [(1000 + len(good), len(damage))]
    assert reading.records["log_offset"].to_pylist() == [1000, 1000 + len(good) + len(damage)]
    assert reading.length == len(good + damage + good)


def test_a_torn_line_does_not_cost_the_one_it_runs_into() -> None:
    good = jsonline(Message())
    reading = JSONLOG.read(good + good[:200] + good)
    assert reading.records["log_offset"].to_pylist() == [0, len(good) + 200]
    assert [(each.offset, each.length) for each in reading.rejects] == [(len(good), 200)]


def test_a_rest_waits_unless_nothing_will_follow() -> None:
    good = jsonline(Message())
    assert JSONLOG.read(good + good[:-1]).length == len(good)
    whole = JSONLOG.read(good + good[:-1], is_final=True)
    assert (whole.length, len(whole.records)) == (2 * len(good) - 1, 2)
    torn = JSONLOG.read(good + good[:100], is_final=True)
    assert [(each.offset, each.length) for each in torn.rejects] == [(len(good), 100)]


def test_many_lines_without_a_record_are_one_reject() -> None:
    assert len(JSONLOG.read(b'{"log":"x"}\n' * 10_000).rejects) == 1
    assert len(JSONLOG.read(b"x\n" * 10_000).rejects) == 1


def test_keys_that_we_do_not_know_do_no_harm() -> None:
    found = json.loads(jsonline(Message())) | {"new_in_19": {"deep": [1, None]}, "leader_pid": 3}
    assert len(JSONLOG.read(json.dumps(found, separators=(",", ":")).encode() + b"\n").records) == 1


def test_a_line_too_long_is_skipped_to_the_next() -> None:
    long, good = jsonline(Message("x" * 1000)), jsonline(Message(at=after(1)))
    skipped = JSONLOG.skip(long[200:] + good, offset=5)
    assert (skipped.length, skipped.rejects[0].offset) == (len(long) - 200, 5)


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    log = b"\xef\xbb\xbf" + jsonline(Message())
    assert len(JSONLOG.read(log).records) == 1
    assert JSONLOG.beginning(log) is not None

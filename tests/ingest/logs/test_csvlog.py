"""The csvlog reader: complete records only, and past damage to the next one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.logs.csvlog import CSVLOG, read_records
from tests.ingest.fix_ingest import NOON, record

_AWKWARD = st.text(alphabet="ab\",\n\r'é;$", max_size=12)
_RECORDS = st.lists(
    st.builds(
        lambda message, sql, minutes: record(message, sql=sql, at=NOON + timedelta(minutes=minutes)),
        _AWKWARD,
        _AWKWARD,
        st.integers(0, 500),
    ),
    min_size=1,
    max_size=5,
)


@given(_RECORDS, st.data())
def test_records_torn_at_any_byte_come_out_as_if_whole(records: list[bytes], data: st.DataObject) -> None:
    log = b"".join(records)
    cut = data.draw(st.integers(0, len(log)))
    first = read_records(log[:cut])
    second = read_records(log[first.length :], offset=first.length)
    assert not first.rejects
    assert not second.rejects
    assert second.length + first.length == len(log)
    parts = first.records.to_pylist() + second.records.to_pylist()
    assert parts == read_records(log).records.to_pylist()
    assert [row["log_offset"] for row in parts] == [
        sum(len(each) for each in records[:place]) for place in range(len(records))
    ]


@given(_AWKWARD, _AWKWARD)
def test_text_comes_out_as_it_was_logged(message: str, sql: str) -> None:
    row = read_records(record(message, sql=sql)).records.to_pylist()[0]
    assert (row["message"].decode(), row["sql"].decode()) == (message, sql)


@given(_RECORDS, _RECORDS, st.integers(1, 60))
def test_a_torn_record_within_the_log_costs_no_more_than_the_record_it_runs_into(
    before: list[bytes], after: list[bytes], kept: int
) -> None:
    torn = record("statement: select 1", application="x")[:kept]
    first, *rest = after
    reading = read_records(b"".join(before) + torn + first + b"".join(rest), is_final=True)
    found = set(reading.records["log_offset"].to_pylist())
    start = len(b"".join(before))
    at = start + len(torn) + len(first)
    for each in rest:
        assert at in found
        at += len(each)
    assert sum(reject.length for reject in reading.rejects) <= len(torn) + len(first)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"\n", "1 fields"),
        (b"not a record\n", "1 fields"),
        (record("x").replace(b"2026-11-22", b"2026-13-45"), "no time"),
        (record("x").replace(b" UTC", b" QQQ"), "no time"),
        (record("x").replace(b',"ann"', b',"an"n"'), "quotes out of place"),
        (b"\xff\x00\xfe\n", "1 fields"),
    ],
)
def test_damage_is_set_aside_with_its_place(damage: bytes, reason: str) -> None:
    good = record("statement: select 1")
    reading = read_records(good + damage + good, offset=1000)
    assert [(r.offset, r.length) for r in reading.rejects] == [(1000 + len(good), len(damage))]
    assert reading.rejects[0].reason.startswith(reason)
    assert reading.records["log_offset"].to_pylist() == [1000, 1000 + len(good) + len(damage)]


@pytest.mark.parametrize("width", [23, 24, 26])
def test_each_version_has_its_number_of_columns(width: int) -> None:
    log = b",".join(record("statement: select 1").rstrip().split(b",")[:width]) + b"\n"
    reading = read_records(log + record("statement: select 2"))
    assert [row["message"] for row in reading.records.to_pylist()] == [
        b"statement: select 1",
        b"statement: select 2",
    ]


@pytest.mark.parametrize(
    ("zone", "log_timezone", "hour"),
    [
        ("UTC", None, 12),
        ("GMT", None, 12),
        ("+02", None, 10),
        ("-0330", None, 15),
        ("CET", "Europe/Berlin", 11),
        ("EST", "America/New_York", 17),
    ],
)
def test_times_are_told_in_utc(zone: str, log_timezone: str | None, hour: int) -> None:
    log = record("x").replace(b".000 UTC", f".000 {zone}".encode())
    found = read_records(log, log_timezone=log_timezone).records["occurred_at"][0].as_py()
    assert found.astimezone(UTC).replace(minute=0) == datetime(2026, 11, 22, hour, tzinfo=UTC)


def test_the_repeated_hour_at_the_end_of_summer_time_is_told_by_its_abbreviation() -> None:
    night = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    log = b"".join(record("x", at=night).replace(b" UTC,", f" {zone},".encode()) for zone in ("CEST", "CET"))
    times = read_records(log, log_timezone="Europe/Berlin").records["occurred_at"].to_pylist()
    assert [time and time.hour for time in times] == [0, 1]


def test_a_rest_waits_unless_nothing_will_follow() -> None:
    good = record("statement: select 1")
    torn = good[:100]
    assert read_records(good + torn).length == len(good)
    final = read_records(good + torn, is_final=True)
    assert final.length == len(good + torn)
    assert [(r.offset, r.length, r.reason) for r in final.rejects] == [
        (len(good), 100, "record not complete")
    ]


def test_a_record_too_long_is_skipped_to_the_next() -> None:
    good = record("statement: select 1")
    long = record("x" * 1000)
    skipped = CSVLOG.skip(long + good[:80], offset=5)
    assert skipped.length == len(long)
    assert skipped.rejects[0].offset == 5

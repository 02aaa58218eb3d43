"""Each reader over bytes that no server writes: it never raises, loses no byte, and batches do not matter."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.logs.csvlog import CSVLOG
from ingest.logs.formats import Format, recognise
from ingest.logs.jsonlog import JSONLOG
from ingest.logs.line_prefix import line_prefix
from ingest.logs.records import Reject
from ingest.logs.stderrlog import Stderrlog
from tests.ingest.fix_logs import FULL_PREFIX, Message, after, csv, error, jsonline, stderr

_PREFIX = line_prefix(FULL_PREFIX)
assert _PREFIX is not None
READERS: dict[str, tuple[Format, Callable[[Message], bytes]]] = {
    "csvlog": (CSVLOG, csv),
    "jsonlog": (JSONLOG, jsonline),
    "stderr": (Stderrlog((_PREFIX,)), stderr),
}
_TEXTS = st.text(alphabet="ab\",\n\t\r'é:{}[] ;$\\", max_size=8)
_MESSAGES = st.lists(
    st.one_of(
        st.builds(
            lambda text, process, step: Message(text, process=process, at=after(step)),
            _TEXTS, st.integers(1, 3), st.integers(0, 1500),
        ),
        st.builds(
            lambda sql, detail, process, step: error(sql, detail=detail, process=process, at=after(step)),
            _TEXTS, _TEXTS, st.integers(1, 3), st.integers(0, 1500),
        ),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip
_NOISE = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"\n", b'"', b'""', b",", b"\r", b"\n\t", b"\0", b"{", b"}\n", b"\xef\xbb\xbf", b"\xff", b"\n2026-"]
    ),
)
# Where, how many bytes go, and what comes in their place.
_EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), _NOISE), max_size=4)
_CUTS = st.lists(st.floats(0, 1), max_size=5)


def edited(log: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    """A log with some damage."""
    for place, gone, noise in edits:
        at = int(place * len(log))
        log = log[:at] + noise + log[at + gone :]
    return log


def in_batches(reader: Format, log: bytes, cuts: list[float]) -> tuple[list[dict[str, Any]], list[Reject]]:
    """What a log says that is read as it grows."""
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    at = 0
    for stop in [*sorted(int(cut * len(log)) for cut in cuts), len(log)]:
        reading = reader.read(log[at:stop], offset=at)
        assert 0 <= reading.length <= max(stop - at, 0)
        at += reading.length
        rows += reading.records.to_pylist()
        rejects += reading.rejects
    last = reader.read(log[at:], offset=at, is_final=True)
    assert last.length == len(log) - at
    return rows + last.records.to_pylist(), [*rejects, *last.rejects]


def assert_tiled(rows: list[dict[str, Any]], rejects: list[Reject], length: int) -> None:
    """Each byte belongs to one record or one reject: they begin where the last one ended."""
    starts = {row["log_offset"] for row in rows}
    assert len(starts) == len(rows)
    assert min([*starts, *(reject.offset for reject in rejects)], default=0) == 0
    end = 0
    for reject in sorted(rejects, key=lambda reject: reject.offset):
        assert reject.offset >= end
        assert reject.length > 0
        end = reject.offset + reject.length
        assert not any(reject.offset <= start < end for start in starts)
        assert end <= length


@pytest.mark.parametrize("name", READERS)
@given(noise=st.binary(max_size=300), cuts=_CUTS)
def test_noise_is_set_aside(name: str, noise: bytes, cuts: list[float]) -> None:
    rows, rejects = in_batches(READERS[name][0], noise, cuts)
    assert rows == []
    assert sum(reject.length for reject in rejects) == len(noise)


@pytest.mark.parametrize("name", READERS)
@given(messages=_MESSAGES, edits=_EDITS, cuts=_CUTS)
def test_a_damaged_log_is_read_to_its_end_in_any_batches(
    name: str, messages: list[Message], edits: list[tuple[float, int, bytes]], cuts: list[float]
) -> None:
    reader, written = READERS[name]
    log = edited(b"".join(written(each) for each in messages), edits)
    whole = reader.read(log, is_final=True)
    assert_tiled(whole.records.to_pylist(), list(whole.rejects), len(log))
    rows, rejects = in_batches(reader, log, cuts)
    assert_tiled(rows, rejects, len(log))
    assert rows == whole.records.to_pylist()


@pytest.mark.parametrize("name", READERS)
@given(messages=_MESSAGES, cuts=_CUTS)
@example(messages=[Message("\r\r", sql="\r\r", process=1, at=after(0))], cuts=[])
def test_a_sound_log_has_no_reject_in_any_batches(
    name: str, messages: list[Message], cuts: list[float]
) -> None:
    reader, written = READERS[name]
    log = b"".join(written(each) for each in messages)
    rows, rejects = in_batches(reader, log, cuts)
    assert rejects == []
    # In a stderr log a carriage return at the end of a line is one of Windows.
    lost = b"\r" if name == "stderr" else b""
    assert [(row["message"], row["sql"]) for row in rows] == [
        (each.text.encode().removesuffix(lost), each.sql.encode().removesuffix(lost)) for each in messages
    ]


@given(messages=_MESSAGES, edits=_EDITS)
def test_whatever_a_file_holds_its_format_is_found_or_none(
    messages: list[Message], edits: list[tuple[float, int, bytes]]
) -> None:
    for reader, written in READERS.values():
        log = edited(b"".join(written(each) for each in messages), edits)
        found = recognise(log, FULL_PREFIX)
        assert found is None or 0 <= found.beginning.start < len(log)
        assert not edits or reader.skip(log).length <= len(log)
        if not edits:
            assert found is not None
            assert (found.format.name, found.beginning.start) == (reader.name, 0)

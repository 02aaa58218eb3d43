"""Reads PostgreSQL's jsonlog (15 and later): one object a line, its text in the bytes of each database.

Lines that are objects as the server writes them are read in one go; a stretch with any other is read line by
line. A line that is no object is a reject, but for a record that begins within it: that is where a torn one
ran into the next.
"""

import json
import re
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from ingest.logs.log_times import MOMENT, NO_TIME, moments
from ingest.logs.records import RECORD, Beginning, Reading, Reject, add_reject, first_record, merged, too_long

_TEXTS = {
    "role": "user",
    "database": "dbname",
    "session_id": "session_id",
    "sqlstate": "state_code",
    "message": "message",
    "detail": "detail",
    "inner_sql": "internal_query",
    "context": "context",
    "sql": "statement",
    "application": "application_name",
}
_NUMBERS = {"session_line": "line_num", "inner_position": "internal_position", "position": "cursor_position"}
_RAW = pa.schema(
    [(key, pa.binary()) for key in ("timestamp", "remote_host", *_TEXTS.values())]
    + [(key, pa.int64()) for key in ("remote_port", *_NUMBERS.values())]
)
_START = rb'\{"timestamp":"'
_BEGINNING = re.compile(rb"^(?:\xef\xbb\xbf)?" + _START + rb"(" + MOMENT + rb')"', re.MULTILINE)
_GLUED = re.compile(rb"(?s:.+)(" + _START + rb")")
_NEXT_RECORD = re.compile(rb"\n(?=" + _START + rb")")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The server leaves the SQLSTATE of success out.
_SUCCESS = b"00000"
_NO_OBJECT = "no JSON object"
_BLOCK_BYTES = 1024 * 1024
# Lines as objects take ten times their bytes.
_LINES_AT_ONCE = 50_000
_OPEN, _CLOSE, _NEWLINE = b"{}\n"

Positions = npt.NDArray[np.int64]


class Jsonlog:
    """The format jsonlog."""

    name = "jsonlog"
    is_told_by_next = False

    def beginning(self, buffer: bytes) -> Beginning | None:
        """Where the first line stands that begins like a record."""
        return first_record(buffer, _BEGINNING)

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read the complete lines of a stretch; with `is_final` the rest of it too."""
        data = np.frombuffer(buffer, np.uint8)
        ends = np.flatnonzero(data == _NEWLINE) + 1
        if is_final and len(buffer) and (not len(ends) or ends[-1] != len(buffer)):
            ends = np.append(ends, len(buffer))
        if not len(ends):
            return Reading(RECORD.empty_table(), (), 0)
        begins = np.concatenate((np.zeros(1, np.int64), ends[:-1]))
        raw = _raw(buffer, data, begins, ends)
        times = moments(raw["timestamp"].combine_chunks(), log_timezone) if raw is not None else None
        if raw is None or times is None or times.null_count:
            begins, ends = begins[:_LINES_AT_ONCE], ends[:_LINES_AT_ONCE]
            return _read_lines(buffer, begins, ends, offset, log_timezone)
        return Reading(_records(raw, times, begins + offset), (), int(ends[-1]))

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """Set a line aside that is longer than the buffer, up to where a record seems to begin."""
        return too_long(buffer, _NEXT_RECORD, offset)


JSONLOG = Jsonlog()


def _raw(buffer: bytes, data: npt.NDArray[np.uint8], begins: Positions, ends: Positions) -> pa.Table | None:
    """The columns that we use; None where not each line is one object as the server writes it."""
    is_object = (data[begins] == _OPEN) & (data[np.maximum(ends - 2, 0)] == _CLOSE)
    if not is_object.all() or data[ends[-1] - 1] != _NEWLINE:
        return None
    length = int(ends[-1])
    block_bytes = _BLOCK_BYTES if int((ends - begins).max()) < _BLOCK_BYTES else length + 1
    try:
        raw = pa_json.read_json(
            cast("IO[bytes]", pa.BufferReader(pa.py_buffer(buffer).slice(0, length))),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=block_bytes),
            parse_options=pa_json.ParseOptions(
                explicit_schema=_RAW, newlines_in_values=False, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    return raw if len(raw) == len(ends) and not raw["timestamp"].null_count else None


def _read_lines(
    buffer: bytes, begins: Positions, ends: Positions, offset: int, log_timezone: str | None
) -> Reading:
    rejects: list[Reject] = []
    rows: list[dict[str, Any]] = []
    spans: list[tuple[int, int]] = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        start = begin
        row = _row(buffer[start:end], is_first=offset + start == 0)
        if row is None and (glued := _GLUED.match(buffer, begin, end)):
            start = glued.start(1)
            row = _row(buffer[start:end])
        if row is None:
            add_reject(rejects, offset + begin, end - begin, _NO_OBJECT)
            continue
        if start > begin:
            add_reject(rejects, offset + begin, start - begin, _NO_OBJECT)
        rows.append(row)
        spans.append((start, end))
    raw = pa.Table.from_pylist(rows, schema=_RAW)
    times = moments(raw["timestamp"].combine_chunks(), log_timezone)
    is_timed = times.is_valid()
    places = np.array([start for start, _ in spans], np.int64)
    for (start, end), has_time in zip(spans, is_timed.to_pylist(), strict=True):
        if not has_time:
            rejects.append(Reject(offset + start, end - start, NO_TIME))
    records = _records(raw, times, places + offset).filter(is_timed)
    return Reading(records, merged(rejects), int(ends[-1]))


def _row(line: bytes, *, is_first: bool = False) -> dict[str, Any] | None:
    """What we use of one line, or None where it is no object."""
    if is_first:
        line = line.removeprefix(_BYTE_ORDER_MARK)
    try:
        found = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return {field.name: _value(found.get(field.name), field.type) for field in _RAW}


def _value(value: object, kind: pa.DataType) -> bytes | int | None:
    if kind == pa.int64():
        return value if isinstance(value, int) and abs(value) < 2**62 else None
    if not isinstance(value, str):
        return None
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # An escape of half a character that no server writes.
        return value.encode("utf-8", "replace")


def _records(raw: pa.Table, times: "pa.Array[Any]", offsets: Positions) -> pa.Table:
    nothing = pa.scalar(b"", pa.binary())
    columns: dict[str, Any] = {"occurred_at": times, "log_offset": pa.array(offsets, pa.int64())}
    for name, key in _TEXTS.items():
        absent = pa.scalar(_SUCCESS, pa.binary()) if name == "sqlstate" else nothing
        columns[name] = pc.fill_null(raw[key], absent)
    for name, key in _NUMBERS.items():
        columns[name] = raw[key]
    host = pc.fill_null(raw["remote_host"], nothing)
    port: Any = raw["remote_port"].cast(pa.string()).cast(pa.binary())
    with_port = pc.binary_join_element_wise(host, port, pa.scalar(b":", pa.binary()))
    columns["client"] = pc.if_else(raw["remote_port"].is_valid(), with_port, host)
    return pa.table({name: columns[name] for name in RECORD.names}, schema=RECORD)

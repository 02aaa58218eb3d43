"""Reads PostgreSQL's csvlog: complete records only, and past damage to the next one.

A record ends at a newline outside quotes. Where quotes stand as no CSV writer puts them, or a record has a
wrong number of fields or no time, that stretch is a reject and reading goes on at the next line that begins
like a record. A stretch without any of that is read in one go; the rest of this file minds the others.
"""

import re
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ingest.logs.csv_shape import NEXT_RECORD, Cut, Positions, Shape, cut, first_width, has_many_signs, shape
from ingest.logs.log_times import MOMENT, NO_TIME, moments
from ingest.logs.records import RECORD, Beginning, Reading, Reject, first_record, merged, too_long

# The columns of PostgreSQL 14 to 18; 13 ends with backend_type, 12 with application_name.
# fmt: off
COLUMNS = (
    "log_time", "user_name", "database_name", "process_id", "connection_from", "session_id",
    "session_line_num", "command_tag", "session_start_time", "virtual_transaction_id", "transaction_id",
    "error_severity", "sql_state_code", "message", "detail", "hint", "internal_query",
    "internal_query_pos", "context", "query", "query_pos", "location", "application_name",
    "backend_type", "leader_pid", "query_id",
)
# fmt: on
_WIDTHS = (26, 24, 23)
_SOURCES = {
    "role": "user_name",
    "database": "database_name",
    "client": "connection_from",
    "session_id": "session_id",
    "session_line": "session_line_num",
    "sqlstate": "sql_state_code",
    "message": "message",
    "detail": "detail",
    "inner_sql": "internal_query",
    "inner_position": "internal_query_pos",
    "context": "context",
    "sql": "query",
    "position": "query_pos",
    "application": "application_name",
}
# Blocks that stay in the processor's cache are read a quarter faster than large ones.
_BLOCK_BYTES = 1024 * 1024
# The places of all signs of so short a buffer fit into memory.
_FEW_BYTES = 8 * _BLOCK_BYTES
# A record of a log has more bytes on average.
_SHORT_RECORD = 100
_NUMBERS = ("session_line", "inner_position", "position")
# The columns that are read.
USED = ("log_time", *_SOURCES.values())
_BEGINNING = re.compile(
    rb"^(?:\xef\xbb\xbf)?(" + MOMENT + rb'),(?:"(?:[^"\n]|"")*"|),(?:"(?:[^"\n]|"")*"|),\d*,', re.MULTILINE
)


class Csvlog:
    """The format csvlog."""

    name = "csvlog"
    is_told_by_next = False

    def beginning(self, buffer: bytes) -> Beginning | None:
        """Where the first line stands that begins like a record."""
        return first_record(buffer, _BEGINNING)

    def read(
        self, buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
    ) -> Reading:
        """Read the complete records of a stretch."""
        return read_records(buffer, offset=offset, is_final=is_final, log_timezone=log_timezone)

    def skip(self, buffer: bytes, *, offset: int = 0) -> Reading:
        """Set a record aside that is longer than the buffer, up to where another one seems to begin."""
        return too_long(buffer, NEXT_RECORD, offset)


CSVLOG = Csvlog()


def read_records(
    buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
) -> Reading:
    """Read the complete records of a stretch of log that begins at `offset` of its file.

    `is_final` says that nothing will follow: an incomplete rest is then a reject. Times are given in
    the server's `log_timezone`; the abbreviations of other zones than UTC can only be told with it.
    """
    is_large = len(buffer) > _BLOCK_BYTES
    found = None if len(buffer) > _FEW_BYTES and has_many_signs(buffer) else shape(buffer)
    if found is None or (is_large and len(found.ends) * _SHORT_RECORD > len(buffer)):
        # No log has such short records: each takes many times its bytes here, so only a few at once.
        part = read_records(buffer[:_BLOCK_BYTES], offset=offset, log_timezone=log_timezone)
        if part.length:
            return part
    sound = _read_sound(buffer, found or shape(buffer), offset, is_final=is_final, log_timezone=log_timezone)
    return sound or _read_any(buffer, offset, is_final=is_final, log_timezone=log_timezone)


def _read_sound(
    buffer: bytes, found: Shape, offset: int, *, is_final: bool, log_timezone: str | None
) -> Reading | None:
    """Read a stretch in which nothing is wrong; None where something is, or may be."""
    length = int(found.ends[-1]) if len(found.ends) else 0
    if found.damage is not None or not length or (is_final and length < len(buffer)):
        return None
    begins = np.concatenate((np.zeros(1, np.int64), found.ends[:-1]))
    is_short = int((found.ends - begins).max()) < _BLOCK_BYTES
    raw = _raw(buffer, length, first_width(buffer, found), block_bytes=_BLOCK_BYTES if is_short else None)
    if raw is None or len(raw) != len(found.ends):
        return None
    times = moments(raw["log_time"].combine_chunks(), log_timezone)
    if times.null_count:
        return None
    return Reading(_records(raw, times, begins + offset), (), length)


def _read_any(buffer: bytes, offset: int, *, is_final: bool, log_timezone: str | None) -> Reading:
    """Read a stretch whatever is in it."""
    found = cut(buffer, is_final=is_final)
    rejects = found.rejects + _wrong_widths(found)
    tables = []
    for width in _WIDTHS:
        chosen = found.widths == width
        if not chosen.any():
            continue
        begins, ends = found.begins[chosen], found.ends[chosen]
        pairs = zip(begins.tolist(), ends.tolist(), strict=True)
        data = b"".join(buffer[begin:end] for begin, end in pairs)
        raw = _raw(data, len(data), width, are_numbers=False)
        assert raw is not None, "a record was taken for one of another width"
        times = moments(raw["log_time"].combine_chunks(), log_timezone)
        is_timed = times.is_valid()
        tables.append(_records(raw, times, begins + offset).filter(is_timed))
        is_bad = ~is_timed.to_numpy(zero_copy_only=False)
        rejects += [
            Reject(begin, end - begin, NO_TIME)
            for begin, end in zip(begins[is_bad].tolist(), ends[is_bad].tolist(), strict=True)
        ]
    records = pa.concat_tables(tables).combine_chunks() if tables else RECORD.empty_table()
    if len(tables) > 1:
        records = records.sort_by("log_offset")
    placed = (Reject(reject.offset + offset, reject.length, reject.reason) for reject in rejects)
    return Reading(records, merged(placed), found.length)


def _wrong_widths(found: Cut) -> list[Reject]:
    """One reject for each run of records with a wrong number of fields: a foreign file may have millions."""
    is_wrong = ~np.isin(found.widths, _WIDTHS)
    # A reject in between parts two runs.
    follows = np.concatenate((np.zeros(1, np.bool_), found.begins[1:] == found.ends[:-1]))[: len(is_wrong)]
    is_first = is_wrong & ~(np.concatenate((np.zeros(1, np.bool_), is_wrong[:-1]))[: len(is_wrong)] & follows)
    firsts = np.flatnonzero(is_first)
    runs = np.cumsum(is_first)[is_wrong]
    lasts = np.flatnonzero(is_wrong)[np.flatnonzero(np.diff(runs, append=-1))]
    return [
        Reject(
            int(found.begins[first]),
            int(found.ends[last] - found.begins[first]),
            _fields(found.widths[first]),
        )
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _fields(width: int) -> str:
    return f"{width} fields, not 23, 24 or 26" if width else "carriage return outside quotes"


def _raw(
    data: bytes, length: int, width: int, *, block_bytes: int | None = None, are_numbers: bool = True
) -> pa.Table | None:
    """The columns that we use of `length` bytes of records; None where not all have this width.

    `block_bytes` is more than the longest record takes. `are_numbers` reads numbers as such, and gives None
    where one is none.
    """
    if width not in _WIDTHS:
        return None
    types: dict[str, pa.DataType] = dict.fromkeys(USED, pa.binary())
    if are_numbers:
        types |= {_SOURCES[name]: pa.int64() for name in _NUMBERS}
    try:
        return pa_csv.read_csv(
            cast("IO[bytes]", pa.BufferReader(pa.py_buffer(data).slice(0, length))),
            read_options=pa_csv.ReadOptions(
                column_names=list(COLUMNS[:width]), block_size=block_bytes or length + 1, use_threads=False
            ),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=list(USED), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


def _records(raw: pa.Table, times: "pa.Array[Any]", offsets: Positions) -> pa.Table:
    columns: dict[str, Any] = {"occurred_at": times}
    for name, source in _SOURCES.items():
        column = raw[source]
        columns[name] = _number(column) if name in _NUMBERS and column.type == pa.binary() else column
    columns["log_offset"] = pa.array(offsets, pa.int64())
    return pa.table(columns, schema=RECORD)


def _number(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    is_number = pc.match_substring_regex(column, r"^\d{1,18}$")
    text = pc.if_else(is_number, column, pa.scalar(None, column.type)).cast(pa.string())
    number: pa.ChunkedArray[Any] = text.cast(pa.int64())
    return number

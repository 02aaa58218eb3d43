"""Reads PostgreSQL's csvlog: complete records only, and past damage to the next one.

A record ends at a newline outside quotes. Where quotes stand as no CSV writer puts them, or a record has a
wrong number of fields or no time, that stretch is a reject and reading goes on at the next line that begins
like a record.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from ingest.records import RECORD, Reading, Reject

# The columns of PostgreSQL 14 to 18; 13 ends with backend_type, 12 with application_name.
# fmt: off
_COLUMNS = (
    "log_time", "user_name", "database_name", "process_id", "connection_from", "session_id",
    "session_line_num", "command_tag", "session_start_time", "virtual_transaction_id", "transaction_id",
    "error_severity", "sql_state_code", "message", "detail", "hint", "internal_query",
    "internal_query_pos", "context", "query", "query_pos", "location", "application_name",
    "backend_type", "leader_pid", "query_id",
)
# fmt: on
_WIDTHS = (23, 24, 26)
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
_NUMBERS = ("session_line", "inner_position", "position")
_USED = ("log_time", *_SOURCES.values())

_TIME = rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (?:[A-Z]{1,6}|[+-]\d\d(?::?\d\d)?),"
_RECORD_START = re.compile(_TIME)
_NEXT_RECORD = re.compile(rb"\n(?=" + _TIME + rb")")
_NUMERIC_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)?")
_UTC_NAMES = frozenset({"UTC", "GMT", "Z", "UCT"})
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where records end, commas outside quotes stand, and quotes first go wrong."""

    ends: Positions
    commas: Positions
    damage: int | None


def split_complete(buffer: bytes) -> int:
    """The length of the complete records at the beginning of the buffer."""
    ends = _shape(buffer).ends
    return int(ends[-1]) if len(ends) else 0


def first_record(buffer: bytes) -> bytes | None:
    """The bytes of the first complete record, or None where it is not complete yet."""
    ends = _shape(buffer).ends
    return buffer[: int(ends[0])] if len(ends) else None


def read_records(
    buffer: bytes, *, offset: int = 0, is_final: bool = False, log_timezone: str | None = None
) -> Reading:
    """Read the complete records of a stretch of log that begins at `offset` of its file.

    `is_final` says that nothing will follow: an incomplete rest is then a reject. Times are given in
    the server's `log_timezone`; the abbreviations of other zones than UTC can only be told with it.
    """
    spans, commas, rejects, length = _spans(buffer, is_final=is_final)
    begins, ends = spans
    widths = np.searchsorted(commas, ends) - np.searchsorted(commas, begins) + 1
    tables = []
    for width in np.unique(widths):
        chosen = widths == width
        if int(width) not in _WIDTHS:
            rejects += [
                Reject(int(begin), int(end - begin), f"{width} fields, not {', '.join(map(str, _WIDTHS))}")
                for begin, end in zip(begins[chosen], ends[chosen], strict=True)
            ]
            continue
        table, refused = _table(buffer, begins[chosen], ends[chosen], int(width), log_timezone)
        tables.append(table)
        rejects += refused
    records = pa.concat_tables(tables) if tables else RECORD.empty_table()
    if len(tables) > 1:
        records = records.sort_by("log_offset")
    at = records.schema.get_field_index("log_offset")
    records = records.set_column(
        at, "log_offset", pc.add(records["log_offset"], pa.scalar(offset, pa.int64()))
    )
    placed = sorted((r.offset + offset, r.length, r.reason) for r in rejects)
    return Reading(records, tuple(Reject(*each) for each in placed), length)


def skip_record(buffer: bytes, *, offset: int = 0) -> Reading:
    """Set a record aside that is longer than the buffer, up to where another one seems to begin."""
    found = _NEXT_RECORD.search(buffer)
    length = found.end() if found else len(buffer)
    return Reading(RECORD.empty_table(), (Reject(offset, length, "record too long"),), length)


def _shape(buffer: bytes) -> _Shape:
    data = np.frombuffer(buffer, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    newlines = np.flatnonzero(data == _NEWLINE)
    commas = np.flatnonzero(data == _COMMA)
    # A character is outside quotes when an even number of quotes stands before it.
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0] + 1
    outside = commas[np.searchsorted(quotes, commas) % 2 == 0]
    return _Shape(ends, outside, _first_damage(data, quotes))


def _first_damage(data: npt.NDArray[np.uint8], quotes: Positions) -> int | None:
    """The first quote inside a field that is no part of a pair; None where all is well."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[opening[opening > 0] - 1]
    opens_well = np.isin(before, (_COMMA, _NEWLINE, _QUOTE))
    wrong_open = opening[opening > 0][~opens_well]
    inner = closing[closing < len(data) - 1]
    closes_well = np.isin(data[inner + 1], (_COMMA, _NEWLINE, _QUOTE, _RETURN))
    wrong_close = inner[~closes_well]
    firsts = [int(wrong[0]) for wrong in (wrong_open, wrong_close) if len(wrong)]
    return min(firsts, default=None)


def _spans(
    buffer: bytes, *, is_final: bool
) -> tuple[tuple[Positions, Positions], Positions, list[Reject], int]:
    """Cut a stretch into records and rejects; also the commas outside quotes and the length done with."""
    begins: list[Positions] = []
    ends: list[Positions] = []
    commas: list[Positions] = []
    rejects: list[Reject] = []
    position = 0
    while position < len(buffer):
        shape = _shape(buffer[position:])
        sound = shape.ends if shape.damage is None else shape.ends[shape.ends <= shape.damage]
        done = int(sound[-1]) if len(sound) else 0
        if done:
            begins.append(np.concatenate((np.zeros(1, np.int64), sound[:-1])) + position)
            ends.append(sound + position)
            commas.append(shape.commas[shape.commas < done] + position)
        position += done
        if shape.damage is None and not is_final:
            break
        if position == len(buffer):
            break
        found = _NEXT_RECORD.search(buffer, position)
        if found is None and not is_final:
            break
        reason = "quotes out of place" if shape.damage is not None else "record not complete"
        stop = found.end() if found else len(buffer)
        rejects.append(Reject(position, stop - position, reason))
        position = stop
    return (_joined(begins), _joined(ends)), _joined(commas), rejects, position


def _joined(parts: list[Positions]) -> Positions:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _table(
    buffer: bytes, begins: Positions, ends: Positions, width: int, log_timezone: str | None
) -> tuple[pa.Table, list[Reject]]:
    is_whole = int((ends - begins).sum()) == len(buffer)
    data = (
        buffer
        if is_whole
        else b"".join(buffer[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True))
    )
    names = _COLUMNS[:width]
    raw = pa_csv.read_csv(
        BytesIO(data),
        # One block: a record must not be cut, whatever its length.
        read_options=pa_csv.ReadOptions(
            column_names=list(names), block_size=len(data) + 1, use_threads=False
        ),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(_USED, pa.binary()),
            include_columns=list(_USED),
            strings_can_be_null=False,
        ),
    )
    times = _times(raw["log_time"].combine_chunks(), log_timezone)
    columns: dict[str, Any] = {"occurred_at": times}
    for name, source in _SOURCES.items():
        columns[name] = _number(raw[source]) if name in _NUMBERS else raw[source]
    columns["log_offset"] = pa.array(begins, pa.int64())
    table = pa.table(columns, schema=RECORD)
    is_bad = pc.is_null(table["occurred_at"])
    bad = np.flatnonzero(is_bad.to_numpy())
    rejects = [
        Reject(int(begins[i]), int(ends[i] - begins[i]), "no time, or one of an unknown zone") for i in bad
    ]
    return (table.filter(pc.invert(is_bad)) if rejects else table), rejects


def _number(column: "pa.ChunkedArray[Any]") -> "pa.ChunkedArray[Any]":
    text = column.cast(pa.string())
    number: pa.ChunkedArray[Any] = pc.if_else(pc.match_substring_regex(text, r"^\d{1,18}$"), text, None).cast(
        pa.int64()
    )
    return number


def _times(column: "pa.Array[Any]", log_timezone: str | None) -> "pa.Array[Any]":
    """The times in UTC, null where a text is none or its zone cannot be told."""
    is_time = pc.match_substring_regex(column, "^" + _TIME.decode().removesuffix(","))
    whole = pc.if_else(is_time, column, pa.scalar(None, column.type)).cast(pa.string())
    local = pc.utf8_slice_codeunits(whole, 0, 23)
    zones = pc.utf8_slice_codeunits(whole, 24)
    try:
        times = pc.cast(local, pa.timestamp("us"))
    except pa.ArrowInvalid:
        times = pa.array([_one_time(text) for text in local.to_pylist()], pa.timestamp("us"))
    offsets = {
        zone: _zone_offset(zone, local[i].as_py(), log_timezone) for zone, i in _first_places(zones).items()
    }
    keys = pa.array(list(offsets), pa.string())
    values = pa.array(list(offsets.values()), pa.duration("us"))
    shift = values.take(pc.index_in(zones, keys)) if len(keys) else pa.nulls(len(zones), pa.duration("us"))
    moments: pa.Array[Any] = pc.subtract(times, shift).cast(RECORD.field("occurred_at").type)
    return moments


def _first_places(zones: "pa.Array[Any]") -> dict[str, int]:
    return {zone: pc.index(zones, zone).as_py() for zone in zones.unique().to_pylist() if zone is not None}


def _one_time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _zone_offset(zone: str, local: str, log_timezone: str | None) -> timedelta | None:
    """The distance from UTC of a zone as the server writes it, or None where it cannot be told."""
    if zone in _UTC_NAMES:
        return timedelta()
    if match := _NUMERIC_ZONE.fullmatch(zone):
        sign, hours, minutes = match.groups()
        distance = timedelta(hours=int(hours), minutes=int(minutes or 0))
        return distance if sign == "+" else -distance
    moment = _one_time(local)
    if log_timezone is None or moment is None:
        return None
    try:
        region = ZoneInfo(log_timezone)
    except (KeyError, ValueError, OSError):
        return None
    # Around the end of summer time one wall clock time means two moments; the abbreviation tells which.
    for guess in (moment.replace(tzinfo=region, fold=0), moment.replace(tzinfo=region, fold=1)):
        if guess.tzname() == zone:
            return guess.utcoffset()
    return None

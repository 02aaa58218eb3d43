"""The times that logs write, in UTC: a wall clock time and a zone's name or its distance."""

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ingest.schemas import TIME

# As regular expressions of bytes; %t of a log_line_prefix has no milliseconds.
CLOCK = rb"[12]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d"
ZONE = rb"(?:[A-Z]{1,6}|[+-]\d\d(?::?\d\d)?)"
MOMENT = CLOCK + rb"\.\d{3} " + ZONE
NO_TIME = "no time, or one of an unknown zone"

_WHOLE = "^" + (CLOCK + rb"(\.\d{3})? " + ZONE).decode() + "$"
_NUMERIC_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)?")
_UTC_NAMES = frozenset({"UTC", "GMT", "Z", "UCT"})
# "2026-11-22 12:00", "2026-11-22 12:00:00.000", and the latter with a blank before the zone.
_MINUTE, _MILLISECOND, _ZONE_AT = 16, 23, 24
_SECONDS = {17: 10_000, 18: 1000, 20: 100, 21: 10, 22: 1}
_MANY = 16

Numbers = npt.NDArray[np.int64]


def moments(column: "pa.Array[Any]", log_timezone: str | None) -> "pa.Array[Any]":
    """The times of a column of bytes in UTC, null where a text is none or its zone cannot be told.

    Abbreviations of zones other than UTC can only be told with the server's `log_timezone`.
    """
    alike = _alike(column, log_timezone)
    return alike if alike is not None else _each(column, log_timezone)


def _alike(column: "pa.Array[Any]", log_timezone: str | None) -> "pa.Array[Any] | None":
    """The times where all texts are of one length and zone and most share a minute with the one before."""
    _, places, texts = column.buffers()
    if len(column) < _MANY or column.null_count or places is None or texts is None:
        return None
    offsets = np.frombuffer(memoryview(places), np.int32)[column.offset : column.offset + len(column) + 1]
    width = int(offsets[1] - offsets[0])
    if width <= _ZONE_AT or np.any(np.diff(offsets) != width):
        return None
    data = np.frombuffer(memoryview(texts), np.uint8)[offsets[0] : offsets[-1]].reshape(-1, width)
    is_same = np.all(data[1:, _MILLISECOND:] == data[0, _MILLISECOND:])
    if not is_same or data[0, _MILLISECOND] != ord(" "):
        return None
    # Sixteen characters as two numbers, which are compared faster.
    minute = np.ascontiguousarray(data[:, :_MINUTE]).view(np.int64)
    changes = np.flatnonzero((minute[1:] != minute[:-1]).any(axis=1)) + 1
    firsts = np.concatenate((np.zeros(1, np.int64), changes))
    if len(firsts) * 2 > len(column):
        return None
    # Each minute with the seconds of its first record, so that nothing is taken for a time that is none.
    minutes = _each(column.take(pa.array(firsts, pa.int64())), log_timezone)
    # What is no digit is above nine: bytes have no sign.
    digits = data[:, list(_SECONDS)] - np.uint8(ord("0"))
    is_clock = digits.max() <= 9 and digits[:, 0].max() <= 5
    values = digits @ np.array(list(_SECONDS.values()))
    marks = np.all((data[:, _MINUTE] == ord(":")) & (data[:, 19] == ord(".")))
    if minutes.null_count or not (is_clock and marks):
        return None
    begun = minutes.cast(pa.int64()).to_numpy() - values[firsts] * 1000
    counts = np.diff(np.concatenate((firsts, [len(column)])))
    return pa.array(np.repeat(begun, counts) + values * 1000, pa.int64()).cast(TIME)


def _each(column: "pa.Array[Any]", log_timezone: str | None) -> "pa.Array[Any]":
    is_time = pc.match_substring_regex(column, _WHOLE)
    whole = pc.if_else(is_time, column, pa.scalar(None, column.type)).cast(pa.string())
    local = pc.replace_substring_regex(whole, r" [^ ]*$", "")
    zones = pc.replace_substring_regex(whole, r"^.* ", "")
    try:
        times = pc.cast(local, pa.timestamp("us"))
    except pa.ArrowInvalid:
        times = pa.array([_one(text) for text in local.to_pylist()], pa.timestamp("us"))
    offsets = {
        zone: _zone_offset(zone, local[i].as_py(), log_timezone) for zone, i in _first_places(zones).items()
    }
    keys = pa.array(list(offsets), pa.string())
    values = pa.array(list(offsets.values()), pa.duration("us"))
    shift = values.take(pc.index_in(zones, keys)) if len(keys) else pa.nulls(len(zones), pa.duration("us"))
    found: pa.Array[Any] = pc.subtract(times, shift).cast(TIME)
    return found


def _first_places(zones: "pa.Array[Any]") -> dict[str, int]:
    return {zone: pc.index(zones, zone).as_py() for zone in zones.unique().to_pylist() if zone is not None}


def _one(text: str | None) -> datetime | None:
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
    moment = _one(local)
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

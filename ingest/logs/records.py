"""The shape of log records between the readers of log formats and all that follows.

A reader turns bytes into a table of RECORD and a list of rejects; nothing behind it knows the format. Text
stays bytes here: one log mixes the encodings of its databases, and most records are never looked at.

Text that a record has none of is empty. It is null where the log as it is configured never tells it: a
stderr log whose `log_line_prefix` has no %u, %d, %a, %h or %r says nothing of role, database, application or
client, so its records may be of any database. `session_line` is null there: lines are numbered, not records.
Without %c, or %s and %p, `session_id` is the number of the process (no dot in it), which another session may
have had before; without %p it is null.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from ingest.schemas import TIME

_TEXT = pa.binary()

_FIELDS: list[tuple[str, pa.DataType]] = [
    ("occurred_at", TIME),
    ("role", _TEXT),
    ("database", _TEXT),
    ("client", _TEXT),
    ("session_id", _TEXT),
    ("session_line", pa.int64()),
    ("sqlstate", _TEXT),
    ("message", _TEXT),
    ("detail", _TEXT),
    ("inner_sql", _TEXT),
    ("inner_position", pa.int64()),
    ("context", _TEXT),
    ("sql", _TEXT),
    ("position", pa.int64()),
    ("application", _TEXT),
    ("log_offset", pa.int64()),
]

RECORD = pa.schema(_FIELDS)


# The SQLSTATE of an error whose log line does not tell it.
UNKNOWN_STATE = b"?????"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first record of a buffer: its first byte, and the time it was logged at as the log writes it."""

    start: int
    moment: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A stretch of a log that is no record; its text is not kept."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stretch of log held; `length` bytes of it are done with, the rest is not complete yet."""

    records: pa.Table
    rejects: tuple[Reject, ...]
    length: int


def first_record(buffer: bytes, beginning: re.Pattern[bytes]) -> Beginning | None:
    """The first record of a buffer, by what a record begins with; its first group is the time."""
    found = beginning.search(buffer)
    return Beginning(found.start(), found[1].decode()) if found else None


def too_long(buffer: bytes, next_record: re.Pattern[bytes], offset: int) -> Reading:
    """Set a record aside that is longer than the buffer, up to where another one seems to begin."""
    found = next_record.search(buffer)
    length = found.end() if found else len(buffer)
    return Reading(RECORD.empty_table(), (Reject(offset, length, "record too long"),), length)


def merged(rejects: Iterable[Reject]) -> tuple[Reject, ...]:
    """Rejects in order of their places, those of one reason that follow each other as one."""
    found: list[Reject] = []
    for reject in sorted(rejects, key=lambda reject: reject.offset):
        add_reject(found, reject.offset, reject.length, reject.reason)
    return tuple(found)


def add_reject(rejects: list[Reject], offset: int, length: int, reason: str) -> None:
    """Add a reject, as part of the last one where it goes on with that: a file may have millions."""
    last = rejects[-1] if rejects else None
    if last and last.offset + last.length == offset and last.reason == reason:
        rejects[-1] = Reject(last.offset, last.length + length, reason)
    else:
        rejects.append(Reject(offset, length, reason))

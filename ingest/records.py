"""The shape of log records between the readers of log formats and all that follows.

A reader turns bytes into a table of RECORD and a list of rejects; nothing behind it knows the format. Text
stays bytes here: one log mixes the encodings of its databases, and most records are never looked at.
"""

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

"""Errors, many at once: those that differ in constants alone are one failure, so a storm of them is cheap."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.evidence.caches import Cache
from ingest.evidence.columns import Numbers, column, combined, encoded, numbered
from ingest.evidence.languages import MessageKind
from ingest.evidence.messages import Decode, Message, message_of
from ingest.evidence.shapes import MARK, NO_SHAPE, shapes, telling
from ingest.evidence.statements import Statement, Statements

_CACHE_BYTES = 8 * 1024 * 1024
_OVERHEAD = 1_000
# Errors about data, locks, resources and the connection; their messages hold values and prove nothing.
_SAYS_NOTHING = r"^(?:08|2[358]|40|5[3-8])"
# Of those, the ones that tell of a value of an enum.
_SAYS_VALUE = ("22P02", "22023")

_HALVES = 4
_YES_AND_NO = (pa.scalar(b"y", pa.binary()), pa.scalar(b"n", pa.binary()))

Key = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """An error; `key` stands for all that differ from it in constants alone, and is None for one alone."""

    message: Message
    statement: Statement
    key: Key | None


@dataclass(frozen=True, slots=True)
class Failures:
    """The errors of a batch, each as its place in `distinct`."""

    places: Numbers
    distinct: list[Failure]


@dataclass
class FailureReader:
    """Reads the errors of one database."""

    statements: Statements
    decode: Decode
    _known: Cache[Key, Failure] = field(default_factory=lambda: Cache(_CACHE_BYTES))

    def read(self, records: pa.Table) -> Failures:
        """The failures of a table of RECORD that has nothing but errors."""
        columns = _forms(records)
        firsts, places = numbered(combined([encoded(each)[0] for each in columns]))
        distinct: list[Failure] = []
        alone: list[int] = []
        for place, row in enumerate(firsts.tolist()):
            key = tuple(each[row].as_py() for each in columns)
            failure = self._known.get(key) or self._learn(key, records, row)
            if failure.key is None:
                alone.append(place)
            distinct.append(failure)
        rows = np.flatnonzero(np.isin(places, alone))
        for row, values in zip(rows.tolist(), records.take(rows).to_pylist(), strict=True):
            places[row] = len(distinct)
            distinct.append(self._failure(values, None))
        return Failures(places, distinct)

    def _learn(self, key: Key, records: pa.Table, row: int) -> Failure:
        found = self._failure(records.slice(row, 1).to_pylist()[0], key if _is_telling(key) else None)
        if found.key is None or not found.statement.is_told_by_shape:
            return Failure(found.message, found.statement, None)
        return self._known.keep(key, found, 2 * sum(map(len, key)) + _OVERHEAD)

    def _failure(self, values: dict[str, object], key: Key | None) -> Failure:
        message = message_of(values, MessageKind.ERROR, self.decode)
        return Failure(message, self.statements.of(message.sql or message.inner_sql), key)


def _is_telling(key: Key) -> bool:
    _, after, _, inner_after = key[:_HALVES]
    # A constant at the very place of the error is what the error is about.
    is_constant = MARK in (after[:1], inner_after[:1])
    return not is_constant and all(telling(half) is not None for half in key[:_HALVES])


def _forms(records: pa.Table) -> list["pa.Array[Any]"]:
    """What tells failures apart: the halves of each statement, cut where it failed, and what is said."""
    sqlstate = column(records, "sqlstate")
    says_nothing = pc.and_not(
        pc.match_substring_regex(sqlstate, _SAYS_NOTHING),
        pc.is_in(sqlstate, pa.array([each.encode() for each in _SAYS_VALUE], pa.binary())),
    )
    message = pc.if_else(says_nothing, pa.scalar(b"", pa.binary()), column(records, "message"))
    has_position, has_inner = (
        pc.if_else(pc.is_valid(column(records, name)), *_YES_AND_NO)
        for name in ("position", "inner_position")
    )
    return [
        *_halves(column(records, "sql"), column(records, "position")),
        *_halves(column(records, "inner_sql"), column(records, "inner_position")),
        sqlstate,
        message,
        shapes(column(records, "context")).dictionary_decode(),
        has_position,
        has_inner,
    ]


def _halves(texts: "pa.Array[Any]", positions: "pa.Array[Any]") -> tuple["pa.Array[Any]", "pa.Array[Any]"]:
    """The shapes of what stands before a position and from there on; none where characters are not bytes."""
    ends: Any
    _, ends, data = texts.buffers()
    bounds = np.frombuffer(ends, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    cuts = bounds[:-1] + np.maximum(positions.fill_null(1).to_numpy() - 1, 0)
    between = np.empty(2 * len(texts) + 1, dtype=np.int32)
    between[0::2] = bounds
    between[1::2] = np.minimum(cuts, bounds[1:])
    halves = pa.Array.from_buffers(pa.binary(), 2 * len(texts), [None, pa.py_buffer(between.tobytes()), data])
    found = shapes(halves).dictionary_decode()
    is_ascii = pc.invert(pc.match_substring_regex(texts, r"[\x80-\xff]"))
    none = pa.scalar(NO_SHAPE, pa.binary())
    before, after = (found.take(np.arange(half, 2 * len(texts), 2)) for half in (0, 1))
    return pc.if_else(is_ascii, before, none), pc.if_else(is_ascii, after, none)

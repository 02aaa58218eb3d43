"""What each record of a batch is, on its own: which kind of line, about which statement, or which failure."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.evidence.columns import Flags, Numbers, byte_lengths, column, encoded
from ingest.evidence.failures import Failure, FailureReader
from ingest.evidence.languages import SENSOR_PREFIX, MessageKind, line_kind
from ingest.evidence.lines import LineReader
from ingest.evidence.messages import Decode
from ingest.evidence.statements import Statement, Statements

# A kind of line is told as its place here.
KINDS = tuple(MessageKind)
CODES = {kind: code for code, kind in enumerate(KINDS)}
UNKNOWN = -1

_LOG_STATE = b"00000"
_NO_ERRORS = (b"00", b"01", b"02")
_IS_LOG, _IS_ERROR, _IS_NEITHER = range(3)
# Sensors, and auto_explain's plan of a statement of a function.
_MADE_BY_STATEMENTS = (SENSOR_PREFIX.encode(), b"duration: ")


@dataclass
class Batch:
    """Records, and of each its kind, its statement and (of an error) its failure.

    Those are places in KINDS, `statements` and `failures`; UNKNOWN where there is none.
    """

    records: pa.Table
    kind: Numbers
    statement: Numbers
    failure: Numbers
    statements: list[Statement] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _places: dict[Statement, int] = field(default_factory=dict)

    def place(self, statement: Statement | None) -> int:
        """The place of a statement, a new one where it has none yet."""
        if statement is None:
            return UNKNOWN
        place = self._places.setdefault(statement, len(self.statements))
        if place == len(self.statements):
            self.statements.append(statement)
        return place


class Recogniser:
    """Recognises the records of one database; knows again what it has seen."""

    def __init__(self, statements: Statements, decode: Decode) -> None:
        self._decode = decode
        self._lines = LineReader(statements, decode)
        self._failures = FailureReader(statements, decode)

    def recognise(self, records: pa.Table) -> Batch:
        """What each record is."""
        count = len(records)
        batch = Batch(
            records,
            kind=np.full(count, CODES[MessageKind.OTHER], dtype=np.int64),
            statement=np.full(count, UNKNOWN, dtype=np.int64),
            failure=np.full(count, UNKNOWN, dtype=np.int64),
        )
        states, known = encoded(column(records, "sqlstate"))
        ranks = np.array([_rank(state) for state in known], dtype=np.int64)
        rank = ranks[states] if count else states
        # The server's own lines about statements have neither: what has was written from within a statement.
        extra = byte_lengths(column(records, "sql")) + byte_lengths(column(records, "context"))
        is_within = (rank == _IS_LOG) & (extra > 0)
        self._lines_of(batch, (rank == _IS_LOG) & ~is_within)
        self._written_within(batch, np.flatnonzero(is_within))
        self._errors_of(batch, rank == _IS_ERROR)
        return batch

    def _lines_of(self, batch: Batch, chosen: Flags) -> None:
        texts = column(batch.records, "message")
        lines = self._lines.read(texts if chosen.all() else texts.filter(pa.array(chosen)))
        kinds = [UNKNOWN if line.kind is None else CODES[line.kind] for line in lines.distinct]
        statements = [batch.place(line.statement) for line in lines.distinct]
        batch.kind[chosen] = np.array(kinds, dtype=np.int64)[lines.places]
        batch.statement[chosen] = np.array(statements, dtype=np.int64)[lines.places]

    def _written_within(self, batch: Batch, rows: Numbers) -> None:
        """Lines that a statement made the server write; all but a few kinds are somebody's own."""
        texts: list[Any] = column(batch.records, "message").take(rows).to_pylist()
        wanted = rows[np.array([text.startswith(_MADE_BY_STATEMENTS) for text in texts], dtype=bool)]
        for row, values in zip(wanted, batch.records.take(wanted).to_pylist(), strict=True):
            text, sql, context = (self._decode(values[name]) for name in ("message", "sql", "context"))
            found = line_kind(text, sql=sql, context=context)
            batch.kind[row] = CODES[found[0]] if found else UNKNOWN

    def _errors_of(self, batch: Batch, chosen: Flags) -> None:
        if not chosen.any():
            return
        failures = self._failures.read(batch.records.filter(pa.array(chosen)))
        statements = [batch.place(failure.statement) for failure in failures.distinct]
        batch.kind[chosen] = CODES[MessageKind.ERROR]
        batch.statement[chosen] = np.array(statements, dtype=np.int64)[failures.places]
        batch.failure[chosen] = failures.places
        batch.failures.extend(failures.distinct)


def _rank(sqlstate: bytes) -> int:
    if sqlstate == _LOG_STATE:
        return _IS_LOG
    return _IS_NEITHER if sqlstate[:2] in _NO_ERRORS else _IS_ERROR

"""What many log lines say at once: each shape of a line is understood once, and then known by its shape.

Only lines without a telling shape, and statements whose constants name something, are read one by one.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.evidence.caches import Cache
from ingest.evidence.columns import Numbers, encoded, first_places
from ingest.evidence.languages import MessageKind, line_kind
from ingest.evidence.messages import Decode
from ingest.evidence.shapes import NO_SHAPE, shape_of, shapes, telling
from ingest.evidence.statements import Statement, Statements

_CACHE_BYTES = 16 * 1024 * 1024
_OVERHEAD = 300
# With one of these before its statement, a line's shape cannot be told apart from the statement's.
_NOT_PLAIN = (b"'", b'"', b"$", b"--", b"/*", b"\\")
_WITH_STATEMENT = frozenset(
    {MessageKind.STATEMENT, MessageKind.EXECUTE, MessageKind.PREPARE, MessageKind.DURATION}
)
_LONGEST_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class Line:
    """What a line says; `kind` is None where it is no message that we know."""

    kind: MessageKind | None
    statement: Statement | None = None


# Lines of this shape have to be read one by one.
_UNTOLD = Line(None)


@dataclass(frozen=True, slots=True)
class Lines:
    """What each line of a batch says, as its place in `distinct`."""

    places: Numbers
    distinct: list[Line]


@dataclass
class LineReader:
    """Reads the messages of severity LOG of one database."""

    statements: Statements
    decode: Decode
    _by_shape: Cache[bytes, Line] = field(default_factory=lambda: Cache(_CACHE_BYTES))
    _by_key: Cache[bytes, Statement] = field(default_factory=lambda: Cache(_CACHE_BYTES))

    def read(self, texts: "pa.Array[Any]") -> Lines:
        """What each text says; a binary array without NULLs."""
        places, found = encoded(shapes(texts))
        # One text of a shape is read for all of them.
        samples = first_places(places, len(found)).tolist()
        distinct = [
            self._by_shape.get(shape) or self._learn(shape, texts[sample].as_py())
            for shape, sample in zip(found, samples, strict=True)
        ]
        is_untold = np.fromiter((line is _UNTOLD for line in distinct), dtype=bool, count=len(distinct))
        for row in np.flatnonzero(is_untold[places]).tolist():
            places[row] = len(distinct)
            distinct.append(self._alone(texts[row].as_py()))
        return Lines(places, distinct)

    def _alone(self, text: bytes) -> Line:
        line = self.decode(text)
        found = line_kind(line)
        if found is None or found[0] not in _WITH_STATEMENT:
            return Line(found[0] if found else None)
        return Line(found[0], self.statements.of(line[found[1] :]))

    def _learn(self, shape: bytes, sample: bytes) -> Line:
        if shape == NO_SHAPE:
            return _UNTOLD
        return self._by_shape.keep(shape, self._shared(shape, sample), len(shape) + _OVERHEAD)

    def _shared(self, shape: bytes, sample: bytes) -> Line:
        """What all lines of a shape say, or that each has to be read on its own."""
        line = self.decode(sample)
        found = line_kind(line)
        if found is None or found[0] not in _WITH_STATEMENT:
            return Line(found[0] if found else None)
        kind, start = found
        before = self._encoded(sample, line[:start])
        if before is None or any(sign in before for sign in _NOT_PLAIN):
            return _UNTOLD
        key = telling(shape[len(shape_of(before)) :])
        if key is None:
            return _UNTOLD
        statement = self._by_key.get(key) or self.statements.of(line[start:])
        if not statement.is_told_by_shape:
            return _UNTOLD
        return Line(kind, self._by_key.keep(key, statement, len(key) + _OVERHEAD))

    def _encoded(self, sample: bytes, beginning: str) -> bytes | None:
        """The bytes that a line's beginning was read from."""
        lengths = range(len(beginning), _LONGEST_CHARACTER * len(beginning) + 1)
        return next((sample[:n] for n in lengths if self.decode(sample[:n]) == beginning), None)

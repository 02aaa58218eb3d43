"""Takes the next stretch of a log file: bytes in, what they say out. Commits nothing, keeps no position."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingest.evidence.accesses import EvidenceRows, Reader
from ingest.evidence.sessions import Sessions
from ingest.evidence.setting_lines import SettingLines, setting_lines
from ingest.evidence.statements import Statements
from ingest.gaps import Gap, Lines, lines_of, reject_gaps
from ingest.knowledge import Knowledge
from ingest.logs.records import Reading, Reject
from ingest.logs.tail import LogFile, read_bytes
from ingest.meaning.world import History
from ingest.schemas import Source

# Large enough that the work per batch does not show, small enough for memory and the processor's cache: what
# a batch becomes on its way to rows takes about ten times as much.
BATCH_BYTES = 8 * 1024 * 1024
# Every commit costs some 100 ms in all; what is not committed is read again after a crash.
COMMIT_BYTES = 128 * 1024 * 1024
# A statement of any length is one record; one longer than this is set aside, for memory's sake.
MAX_RECORD_BYTES = 32 * 1024 * 1024

# In a stderr log the parts of one record have numbers of their own.
_NUMBERED = ("csvlog", "jsonlog")


@dataclass(frozen=True, slots=True)
class Extract:
    """What one stretch of a file says."""

    start: int
    end: int
    is_at_end: bool
    records: int
    first_at: datetime | None
    last_at: datetime | None
    rows: EvidenceRows
    rejects: tuple[Reject, ...]
    lines: Lines
    gaps: list[Gap]
    settings: SettingLines


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a log is read at once, how long a record may be, and how much goes into one commit."""

    batch_bytes: int = BATCH_BYTES
    max_record_bytes: int = MAX_RECORD_BYTES
    commit_bytes: int = COMMIT_BYTES


class Extractor:
    """Reads files one after the other; what it learned about statements and sessions it keeps."""

    def __init__(self, node: str, limits: Limits, sessions: Sessions | None = None) -> None:
        self.known: set[str] = set()
        self.sessions = Sessions() if sessions is None else sessions
        self.node = node
        self.limits = limits
        self._reader: Reader | None = None

    def forget_sessions(self, sessions: Sessions) -> None:
        """Go on with other sessions; what is known of statements stays."""
        self.sessions = sessions
        self._reader = None

    def next(
        self,
        file: LogFile,
        start: int,
        knowledge: Callable[[], Knowledge],
        *,
        end: int | None,
        is_settled: bool = False,
    ) -> tuple[Extract, Knowledge] | None:
        """The stretch from `start`, at least one record long; None where no record is complete yet.

        It goes no further than `end` (None: where the file ends). `is_settled` says that no record goes on
        behind it. Raises LogsUnavailableError and DatabaseError.
        """
        found = self._reading(file, start, knowledge, end, is_settled=is_settled)
        if found is None:
            return None
        reading, known, is_at_end = found
        records = reading.records
        first_at, last_at = _span(records)
        reader = self._reader_for(known)
        lines = lines_of(records) if is_numbered(file.format.name) else None
        rows = reader.rows(
            records,
            node=self.node,
            origin=file.origin,
            known=self.known,
            sees_all=Source.LOG in known.sources(file.format.name),
            holes=[hole.offset for hole in lines.holes] if lines else None,
        )
        return Extract(
            start=start,
            end=start + reading.length,
            is_at_end=is_at_end,
            records=len(records),
            first_at=first_at,
            last_at=last_at,
            rows=rows,
            rejects=reading.rejects,
            lines=lines or Lines({}, ()),
            gaps=reject_gaps(reading.rejects, records),
            settings=setting_lines(records),
        ), known

    def _reading(
        self,
        file: LogFile,
        start: int,
        knowledge: Callable[[], Knowledge],
        end: int | None,
        *,
        is_settled: bool,
    ) -> tuple[Reading, Knowledge, bool] | None:
        length = self.limits.batch_bytes
        while True:
            wanted = length if end is None else min(length, end - start)
            buffer = read_bytes(file, start, wanted) if wanted > 0 else b""
            if not buffer:
                return None
            # The catalog is read after the bytes: a rename that they tell of is then in the registry.
            known = knowledge()
            is_last = len(buffer) < wanted or start + wanted == end
            # What is less than it should be has changed since it was looked at, and its end is elsewhere.
            is_whole = is_last if end is None else start + len(buffer) == end
            reading = file.format.read(
                buffer, offset=start, is_final=is_whole and is_settled, log_timezone=known.timezone
            )
            if reading.length:
                return reading, known, is_last and reading.length == len(buffer)
            if is_last:
                return None
            if len(buffer) >= self.limits.max_record_bytes:
                return file.format.skip(buffer, offset=start), known, False
            length = min(2 * len(buffer), self.limits.max_record_bytes)

    def _reader_for(self, known: Knowledge) -> Reader:
        if self._reader is None or self._reader.history.snapshot is not known.snapshot:
            statements = self._reader.statements if self._reader else Statements()
            self._reader = Reader(History(known.snapshot), statements, self.sessions)
        return self._reader


def is_numbered(log_format: str) -> bool:
    """Whether the records of a log have numbers that tell of lost ones."""
    return log_format in _NUMBERED


def _span(records: pa.Table) -> tuple[datetime | None, datetime | None]:
    if not len(records):
        return None, None
    return pc.min(records["occurred_at"]).as_py(), pc.max(records["occurred_at"]).as_py()

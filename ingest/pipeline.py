"""Connects the stages: bytes of logs in, committed evidence out, each record exactly once.

Every table remembers, in the same commit as its rows, up to which byte of which log file (origin) they go.
The coverage table commits last, so its rows tell the position that everything has reached. After a crash some
tables may be one batch further: that batch is read again, to the same byte, and committed only where it is
missing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

import pyarrow as pa

from catalog.snapshot import Snapshot
from ingest.accesses import EvidenceRows, Observed, Reader, evidence_rows
from ingest.coverage import Stretch, coverage_rows
from ingest.csvlog import read_records, skip_record
from ingest.knowledge import Knowledge
from ingest.records import RECORD, Reading
from ingest.schemas import REJECT
from ingest.store import Store
from ingest.tail import LogFile, LogFolder, read_bytes
from ingest.world import History

BATCH_BYTES = 8 * 1024 * 1024
# A statement of any length is one record; one longer than this is set aside, for memory's sake.
MAX_RECORD_BYTES = 64 * 1024 * 1024
HEARTBEAT = timedelta(seconds=60)
# A file that is not the newest any more may still be on its way here from another machine.
_SETTLED_SECONDS = 60.0
_ROW_TABLES = ("statement", "access", "usage_hourly", "reject", "alert")

Alerting = Callable[[pa.Table, datetime], pa.Table]


@dataclass(frozen=True)
class BatchResult:
    """What one committed batch held."""

    origin: str
    records: int
    rejects: int
    access: pa.Table
    alerts: pa.Table


@dataclass(frozen=True)
class IngestSummary:
    """What a run did."""

    files: int
    records: int
    accesses: int
    rejects: int
    alerts: int
    seconds: float


@dataclass
class _Position:
    """Up to which byte of a file all tables have come, and to when it is covered."""

    offset: int
    covered_to: datetime | None


@dataclass
class Pipeline:
    """One ingest; the caller holds the lock of the store."""

    folder: LogFolder
    store: Store
    node: str
    knowledge: Callable[[], Knowledge]
    alerting: Alerting
    clock: Callable[[], datetime]
    batch_bytes: int = BATCH_BYTES
    max_record_bytes: int = MAX_RECORD_BYTES
    _positions: dict[str, _Position] | None = None
    _known_statements: set[str] = field(default_factory=set)
    _reader: Reader | None = None
    _heartbeat_at: datetime | None = None
    _checked: set[str] = field(default_factory=set)

    def run(self) -> Iterator[BatchResult]:
        """Read all that is complete now, and give each batch when it is committed; end with a heartbeat."""
        positions = self._resumed()
        looked_at = self.clock()
        files = self.folder.files()
        before: LogFile | None = None
        for file in files:
            self._inherit(positions, file, before)
            yield from self._read(file, positions, is_newest=file is files[-1], looked_at=looked_at)
            before = file
        if files:
            self._beat(files[-1], positions, looked_at)

    def _resumed(self) -> dict[str, _Position]:
        """The positions as committed; read once, kept up to date after."""
        if self._positions is not None:
            return self._positions
        rows = self.store.rows("coverage", ["origin", "end_offset", "covered_to"]).to_pylist()
        positions: dict[str, _Position] = {}
        for row in rows:
            known = positions.setdefault(row["origin"], _Position(0, None))
            known.offset = max(known.offset, row["end_offset"])
            moments = [moment for moment in (known.covered_to, row["covered_to"]) if moment]
            known.covered_to = max(moments, default=None)
        for statement in self.store.rows("statement", ["statement_id"])["statement_id"].to_pylist():
            self._known_statements.add(str(statement))
        self._positions = positions
        return positions

    def _inherit(self, positions: dict[str, _Position], file: LogFile, before: LogFile | None) -> None:
        """A file goes on covering where the one before it ended, if that was read whole and is still there.

        The oldest files are removed first, so no other file was between the two.
        """
        if file.origin in positions:
            return
        previous = positions.get(before.origin) if before else None
        is_whole = before is not None and previous is not None and previous.offset >= before.size
        positions[file.origin] = _Position(0, previous.covered_to if previous and is_whole else None)

    def _read(
        self, file: LogFile, positions: dict[str, _Position], *, is_newest: bool, looked_at: datetime
    ) -> Iterator[BatchResult]:
        position = positions[file.origin]
        is_settled = not is_newest and looked_at.timestamp() - file.modified_at > _SETTLED_SECONDS
        replay_to = self._crashed_batch(file.origin, position.offset)
        while position.offset < file.size:
            reading, knowledge = self._next(file, position.offset, replay_to, is_settled=is_settled)
            if not reading.length:
                return
            end = position.offset + reading.length
            stretch = Stretch(
                file.origin, str(file.path), position.offset, end, reading.records["occurred_at"]
            )
            reached_end_at = looked_at if is_newest and end == file.size else None
            yield self._commit(
                stretch, reading, knowledge, position, reached_end_at, is_replay=replay_to is not None
            )
            replay_to = None

    def _next(
        self, file: LogFile, start: int, replay_to: int | None, *, is_settled: bool
    ) -> tuple[Reading, Knowledge]:
        """Read one batch, at least one record long where there is a complete one."""
        stop = min(start + self.batch_bytes, file.size) if replay_to is None else replay_to
        while True:
            buffer = read_bytes(file, start, stop - start)
            # The catalog is read after the bytes: a rename that they tell of is then in the registry.
            knowledge = self.knowledge()
            reading = read_records(
                buffer,
                offset=start,
                is_final=replay_to is not None or (is_settled and stop == file.size),
                log_timezone=knowledge.settings.log_timezone if knowledge.settings else None,
            )
            if reading.length or stop >= file.size or len(buffer) < stop - start:
                return reading, knowledge
            if len(buffer) >= self.max_record_bytes:
                return skip_record(buffer, offset=start), knowledge
            stop = min(start + 2 * len(buffer), start + self.max_record_bytes, file.size)

    def _crashed_batch(self, origin: str, start: int) -> int | None:
        """The end of a batch that some tables have and others have not, or None."""
        if origin in self._checked:
            return None
        self._checked.add(origin)
        versions = (self.store.transaction_version(name, origin) for name in _ROW_TABLES)
        further = [version for version in versions if version is not None and version > start]
        return min(further, default=None)

    def _commit(
        self,
        stretch: Stretch,
        reading: Reading,
        knowledge: Knowledge,
        position: _Position,
        reached_end_at: datetime | None,
        *,
        is_replay: bool,
    ) -> BatchResult:
        now = self.clock()
        reader = self._reader_for(knowledge.snapshot)
        observed = reader.observe(reading.records)
        rows = self._rows(observed, reader.history, stretch.origin)
        alerts = self.alerting(rows.access, now)
        rejects = _reject_rows(reading, stretch, self.node, now)
        coverage = coverage_rows(
            stretch,
            node=self.node,
            covered_from=position.covered_to,
            reached_end_at=reached_end_at,
            read_at=now,
            settings=knowledge.settings,
        )
        for name, table in (
            ("statement", rows.statement),
            ("access", rows.access),
            ("usage_hourly", rows.usage_hourly),
            ("reject", rejects),
            ("alert", alerts),
        ):
            if len(table) and not (is_replay and self._has(name, stretch)):
                self.store.append(name, table, transaction=(stretch.origin, stretch.end_offset))
        self.store.append("coverage", coverage, transaction=(stretch.origin, stretch.end_offset))
        position.offset = stretch.end_offset
        position.covered_to = coverage["covered_to"][-1].as_py()
        if reached_end_at:
            self._heartbeat_at = now
        return BatchResult(stretch.origin, len(reading.records), len(reading.rejects), rows.access, alerts)

    def _rows(self, observed: list[Observed], history: History, origin: str) -> EvidenceRows:
        return evidence_rows(observed, history, node=self.node, origin=origin, known=self._known_statements)

    def _has(self, name: str, stretch: Stretch) -> bool:
        version = self.store.transaction_version(name, stretch.origin)
        return version is not None and version >= stretch.end_offset

    def _reader_for(self, snapshot: Snapshot) -> Reader:
        if self._reader is None or self._reader.history.snapshot is not snapshot:
            statements = self._reader.statements if self._reader else None
            history = History(snapshot)
            self._reader = Reader(history, statements) if statements else Reader(history)
        return self._reader

    def _beat(self, file: LogFile, positions: dict[str, _Position], looked_at: datetime) -> None:
        """Say that quiet time was covered too: the newest file was read to its end and nothing was there.

        It moves no position, so a second one of the same time does no harm.
        """
        position = positions[file.origin]
        last = self._heartbeat_at or position.covered_to
        if position.offset < file.size or position.covered_to is None:
            return
        if last is not None and looked_at - last < HEARTBEAT:
            return
        knowledge = self.knowledge()
        nothing = RECORD.empty_table()["occurred_at"]
        stretch = Stretch(file.origin, str(file.path), position.offset, position.offset, nothing)
        rows = coverage_rows(
            stretch,
            node=self.node,
            covered_from=position.covered_to,
            reached_end_at=looked_at,
            read_at=looked_at,
            settings=knowledge.settings,
        )
        self.store.append("coverage", rows, transaction=(file.origin, position.offset))
        position.covered_to = rows["covered_to"][-1].as_py()
        self._heartbeat_at = looked_at


def _reject_rows(reading: Reading, stretch: Stretch, node: str, now: datetime) -> pa.Table:
    rows = [
        {
            "node": node,
            "origin": stretch.origin,
            "path": stretch.path,
            "log_offset": reject.offset,
            "length": reject.length,
            "reason": reject.reason,
            "found_at": now,
            "day": now.date(),
        }
        for reject in reading.rejects
    ]
    return pa.Table.from_pylist(rows, schema=REJECT)


def ingest_once(pipeline: Pipeline) -> IngestSummary:
    """Read all that is complete now; raises LogsUnavailableError where there is no log."""
    started = monotonic()
    pipeline.folder.check()
    results = list(pipeline.run())
    for name in (*_ROW_TABLES, "coverage"):
        pipeline.store.compact(name)
    return IngestSummary(
        files=len({result.origin for result in results}),
        records=sum(result.records for result in results),
        accesses=sum(len(result.access) for result in results),
        rejects=sum(result.rejects for result in results),
        alerts=sum(len(result.alerts) for result in results),
        seconds=monotonic() - started,
    )


def follow(pipeline: Pipeline, wait: Callable[[], bool]) -> Iterator[BatchResult]:
    """Read what comes, until `wait` says that it is over; it is asked after each look at the folder."""
    pipeline.folder.check()
    while True:
        yield from pipeline.run()
        if not wait():
            return

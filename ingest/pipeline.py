"""Connects the stages: bytes of logs in, committed evidence out, each record exactly once.

Every table remembers, in the same commit as its rows, up to which byte of which log file (origin) they go.
The coverage table commits last, so its rows tell the position that everything has reached. After a crash some
tables may be one commit further: that stretch is read again, to the same byte, and committed only where it is
missing.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from ingest.coverage import Stretch, coverage_rows
from ingest.evidence.setting_lines import SettingLines
from ingest.extract import Extract, Extractor, Limits, is_numbered
from ingest.knowledge import Knowledge
from ingest.logs.tail import LogFile, Logs
from ingest.pending import Pending
from ingest.positions import FinishedFiles, Position, inherit, read_positions
from ingest.state import SessionState, StateFile
from ingest.store import Store
from ingest.turns import Turns
from ingest.workers import SPOOL_NAME

HEARTBEAT = timedelta(seconds=60)
_ROW_TABLES = ("statement", "access", "usage_hourly", "reject", "gap", "alert")

Alerting = Callable[[pa.Table, datetime], pa.Table]


@dataclass(frozen=True)
class BatchResult:
    """What one commit held."""

    origin: str
    records: int
    rejects: int
    gaps: int
    access: pa.Table
    alerts: pa.Table


@dataclass
class Pipeline:
    """One ingest; the caller holds the lock of the store.

    `patience` is how long what nobody waits for may stay uncommitted while the logs are followed.
    """

    logs: Logs
    store: Store
    node: str
    knowledge: Callable[[], Knowledge]
    alerting: Alerting
    clock: Callable[[], datetime]
    limits: Limits = field(default_factory=Limits)
    patience: timedelta = timedelta()
    workers: int = 1
    _turns: Turns | None = None
    _state: SessionState = field(init=False)
    _state_file: StateFile = field(init=False)
    _pending: Pending | None = None
    _pending_knowledge: Knowledge | None = None
    _heartbeat_at: datetime | None = None
    _doubtful: set[str] | None = None
    _checked: set[str] = field(default_factory=set)
    # Files that were longer once, as copies that are still being made: of these a commit may be half done.
    _short: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._state_file = StateFile(self.store.data_directory, self.node)

    def resume(self) -> None:
        """Find out where to go on, which `run` does otherwise; raises StoreError."""
        self._resumed()

    def run(self) -> Iterator[BatchResult]:
        """Read all that is complete now, and give each commit when it is made; end with a heartbeat.

        With `patience`, what nobody waits for may wait for the next run, or for `finish`.
        """
        turns = self._resumed()
        looked_at = self.clock()
        files = self.logs.files()
        self._short.clear()
        yield from self._read_all(turns, files, looked_at)
        pending = self._pending
        if pending and (pending.is_urgent or self.clock() - pending.since >= self.patience):
            yield from self.finish()
        if not self._pending:
            self._doubtful = (self._doubtful or set()) | self._short
            turns.finished.save(files, turns.positions)
            if files:
                self._beat(files[-1], turns.positions[files[-1].origin], looked_at)

    def finish(self) -> Iterator[BatchResult]:
        """Commit what was read and is not committed yet."""
        pending, knowledge = self._pending, self._pending_knowledge
        if pending is not None and knowledge is not None:
            self._pending = None
            yield self._commit(pending, knowledge)

    def end(self) -> Iterator[BatchResult]:
        """Commit what was not, and keep what is known of sessions for the next process."""
        yield from self.finish()
        if self._turns is not None:
            self._state_file.complete(self._state, self._doubtful)

    def forget(self) -> None:
        """Begin anew from what is committed, as after a restart; for when a commit has failed."""
        self._turns = None
        self._pending = None
        self._heartbeat_at = None
        self._checked.clear()

    def _resumed(self) -> Turns:
        """Where to go on, as committed; read once, kept up to date after."""
        if self._turns is None:
            positions = read_positions(self.store)
            self._state, self._doubtful = self._state_file.load(positions)
            if self._doubtful is None and self.store.is_empty():
                self._doubtful = set()
            extractor = Extractor(self.node, self.limits, self._state.sessions)
            known = self.store.rows("statement", ["statement_id"])["statement_id"]
            extractor.known.update(map(str, known.to_pylist()))
            finished = FinishedFiles(self.store.data_directory, self.node)
            self._turns = Turns(self.logs, extractor, self.knowledge, positions, finished)
        return self._turns

    def _read_all(self, turns: Turns, files: list[LogFile], looked_at: datetime) -> Iterator[BatchResult]:
        """Read the files, oldest first."""
        with ExitStack() as stack:
            unread = [file for file in files if turns.has_more(file)]
            beside = None
            if self._goes_side_by_side(unread):
                spool = self.store.data_directory / SPOOL_NAME
                working = turns.side_by_side(unread, files[-1], looked_at, count=self.workers, spool=spool)
                beside = stack.enter_context(working)
                self._state.sessions = turns.extractor.sessions
            before: LogFile | None = None
            for file in files:
                inherit(turns.positions, file, before, turns.finished)
                before = file
                is_newest = file is files[-1]
                if file.size is not None and file.size < turns.positions[file.origin].offset:
                    self._short.add(file.origin)
                if turns.has_more(file):
                    is_made_up = yield from self._make_up(turns, file, looked_at)
                    if not is_made_up and not turns.is_settled(file, looked_at):
                        continue
                    found = beside(file) if beside else turns.of(file, looked_at, is_newest=is_newest)
                    yield from self._read(file, found, reaches_end_at=looked_at if is_newest else None)

    def _goes_side_by_side(self, files: list[LogFile]) -> bool:
        # What a crash has left comes first, and is read here.
        is_doubtful = self._doubtful is None or not self._doubtful.isdisjoint(file.origin for file in files)
        return self.workers > 1 and len(files) > 1 and not is_doubtful and not self.logs.is_stream

    def _make_up(
        self, turns: Turns, file: LogFile, looked_at: datetime
    ) -> Generator[BatchResult, None, bool]:
        """Commit again, where it is missing, what a crash has left half committed; whether that is done.

        It is not where the file has less than it had once, or another name since it was looked at: the next
        look finds more of it.
        """
        position = turns.positions[file.origin]
        end = self._crashed_commit(file.origin, position.offset)
        if end is not None:
            if turns.reaches(file, end, looked_at):
                yield from self.finish()
                for extract, knowledge in turns.up_to(file, end):
                    self._take(file, extract, knowledge, is_replay=True)
                yield from self.finish()
            if position.offset < end:
                self._checked.discard(file.origin)
                self._short.add(file.origin)
                return False
        if self._doubtful is not None:
            self._doubtful.discard(file.origin)
        return True

    def _read(
        self,
        file: LogFile,
        found: Iterator[tuple[Extract, Knowledge]],
        reaches_end_at: datetime | None,
    ) -> Iterator[BatchResult]:
        for extract, knowledge in found:
            if self._pending and not self._goes_with(file, knowledge):
                yield from self.finish()
            pending = self._take(file, extract, knowledge)
            if reaches_end_at and extract.is_at_end and file.size is not None:
                pending.reached_end_at = reaches_end_at
            # A stream that has paused may pause for long, and what it gave cannot be read again.
            is_pause = self.logs.is_stream and extract.is_at_end
            if is_pause or pending.is_large(self.limits.commit_bytes):
                yield from self.finish()

    def _goes_with(self, file: LogFile, knowledge: Knowledge) -> bool:
        pending = self._pending
        return (
            pending is not None
            and pending.stretch.origin == file.origin
            and self._pending_knowledge is knowledge
        )

    def _take(
        self, file: LogFile, extract: Extract, knowledge: Knowledge, *, is_replay: bool = False
    ) -> Pending:
        """Put an extract to what waits for the next commit."""
        position = self._resumed().positions[file.origin]
        if self._pending is None:
            self._pending = Pending(
                _nothing_yet(file, extract.start),
                log_format=file.format.name,
                modified_at=datetime.fromtimestamp(file.modified_at, UTC),
                since=self.clock(),
                read_to=position.covered_to,
                is_replay=is_replay,
            )
        self._pending_knowledge = knowledge
        self._pending.add(extract, self._state.lines.follow(extract.lines))
        position.offset = extract.end
        return self._pending

    def _crashed_commit(self, origin: str, start: int) -> int | None:
        """The end of a commit that some tables have and others have not, or None."""
        if origin in self._checked or (self._doubtful is not None and origin not in self._doubtful):
            return None
        self._checked.add(origin)
        versions = (self.store.transaction_version(name, origin) for name in _ROW_TABLES)
        further = [version for version in versions if version is not None and version > start]
        return min(further, default=None)

    def _commit(self, pending: Pending, knowledge: Knowledge) -> BatchResult:
        now = self.clock()
        stretch = pending.stretch
        position = self._resumed().positions[stretch.origin]
        access = pending.access
        alerts = self.alerting(access, now)
        gaps = pending.gap(self.node, now)
        coverage = self._coverage(stretch, pending.log_format, knowledge, position, pending.reached_end_at)
        self._state_file.save(stretch.origin, stretch.end_offset, self._state, self._doubtful)
        for name, table in (
            ("statement", pending.statement),
            ("access", access),
            ("alert", alerts),
            ("usage_hourly", pending.usage_hourly),
            ("reject", pending.reject(self.node, now)),
            ("gap", gaps),
        ):
            if len(table) and not (pending.is_replay and self._has(name, stretch)):
                self.store.append(name, table, transaction=(stretch.origin, stretch.end_offset))
        self.store.append("coverage", coverage, transaction=(stretch.origin, stretch.end_offset))
        position.covered_to = coverage["covered_to"][-1].as_py()
        if pending.reached_end_at:
            self._heartbeat_at = now
        return BatchResult(stretch.origin, stretch.records, pending.rejects, len(gaps), access, alerts)

    def _coverage(
        self,
        stretch: Stretch,
        log_format: str,
        knowledge: Knowledge,
        position: Position,
        reached_end_at: datetime | None,
    ) -> pa.Table:
        return coverage_rows(
            stretch,
            node=self.node,
            covered_from=position.covered_to,
            reached_end_at=reached_end_at,
            read_at=self.clock(),
            sources=knowledge.sources(log_format),
            since=knowledge.since,
        )

    def _has(self, name: str, stretch: Stretch) -> bool:
        version = self.store.transaction_version(name, stretch.origin)
        return version is not None and version >= stretch.end_offset

    def _beat(self, file: LogFile, position: Position, looked_at: datetime) -> None:
        """Say that quiet time was covered too: the newest file was read to its end and nothing was there.

        It moves no position, so a second one of the same time does no harm.
        """
        last = self._heartbeat_at or position.covered_to
        # A copy that is still being made ends before the position.
        if file.size is None or position.offset != file.size or position.covered_to is None:
            return
        if last is not None and looked_at - last < HEARTBEAT:
            return
        stretch = _nothing_yet(file, position.offset)
        rows = self._coverage(stretch, file.format.name, self.knowledge(), position, looked_at)
        self.store.append("coverage", rows, transaction=(file.origin, position.offset))
        position.covered_to = rows["covered_to"][-1].as_py()
        self._heartbeat_at = looked_at


def _nothing_yet(file: LogFile, offset: int) -> Stretch:
    settings = SettingLines() if is_numbered(file.format.name) else None
    return Stretch(file.origin, str(file.path), offset, offset, settings=settings)

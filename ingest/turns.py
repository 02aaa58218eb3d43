"""Reads the files of one look at the logs: one after the other, or side by side in processes of their own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from ingest.evidence.sessions import Sessions
from ingest.extract import Extract, Extractor
from ingest.knowledge import Knowledge
from ingest.logs.tail import LogFile, Logs
from ingest.positions import FinishedFiles, Position
from ingest.workers import Setup, Task, Workers

# A file that is not the newest any more may still be on its way here from another machine.
_SETTLED_SECONDS = 60.0

Found = tuple[Extract, Knowledge]


@dataclass
class Turns:
    """Gives what files say from their positions on; moves no position itself."""

    logs: Logs
    extractor: Extractor
    knowledge: Callable[[], Knowledge]
    positions: dict[str, Position]
    finished: FinishedFiles

    def has_more(self, file: LogFile) -> bool:
        """Whether a file may hold what was not read yet."""
        position = self.positions.get(file.origin)
        if position is None or file.size is None:
            return position is None or not self.finished.has(file)
        return position.offset < file.size

    def is_settled(self, file: LogFile, looked_at: datetime) -> bool:
        """Whether a file was not written to for so long that nothing of it can be on its way."""
        return looked_at.timestamp() - file.modified_at > _SETTLED_SECONDS

    def reaches(self, file: LogFile, end: int, looked_at: datetime) -> bool:
        """Whether a file goes as far as it did once, or will not any more."""
        return file.size is None or file.size >= end or self.is_settled(file, looked_at)

    def of(self, file: LogFile, looked_at: datetime, *, is_newest: bool) -> Iterator[Found]:
        """What a file says from its position on, up to the size that it had when it was looked at."""
        return self._extracts(file, file.size, is_settled=not is_newest and self.is_settled(file, looked_at))

    def up_to(self, file: LogFile, end: int) -> Iterator[Found]:
        """What a file says from its position on up to an end, which is taken for the end of a record."""
        return self._extracts(file, end, is_settled=True)

    @contextmanager
    def side_by_side(
        self, files: list[LogFile], newest: LogFile, looked_at: datetime, *, count: int, spool: Path
    ) -> Iterator[Callable[[LogFile], Iterator[Found]]]:
        """Within the block that many processes read the files; what is given tells what a file says."""
        tasks = [
            Task(
                file.origin,
                self.positions[file.origin].offset if file.origin in self.positions else 0,
                file.size,
                is_settled=file is not newest and self.is_settled(file, looked_at),
            )
            for file in files
        ]
        extractor = self.extractor
        setup = Setup(self.logs.anew(), self.knowledge(), extractor.node, extractor.limits, spool)
        workers = Workers(setup, tasks, count)
        # What sessions have set is known to nobody when files are read at the same time.
        extractor.forget_sessions(Sessions())
        with workers.running():
            yield lambda file: map(self._with_new_statements, workers.of(file))

    def _extracts(self, file: LogFile, end: int | None, *, is_settled: bool) -> Iterator[Found]:
        position = self.positions[file.origin]
        while end is None or position.offset < end:
            found = self.extractor.next(file, position.offset, self.knowledge, end=end, is_settled=is_settled)
            if found is None:
                return
            yield found

    def _with_new_statements(self, found: Found) -> Found:
        """Leave out statements that were told of already: workers do not know of each other."""
        extract, knowledge = found
        statement, known = extract.rows.statement, self.extractor.known
        names = [str(name) for name in statement["statement_id"].to_pylist()]
        is_new = pa.array([name not in known for name in names], pa.bool_())
        known.update(names)
        rows = replace(extract.rows, statement=statement.filter(is_new))
        return replace(extract, rows=rows), knowledge

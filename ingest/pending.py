"""What was read of one file and is not committed yet."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

import pyarrow as pa

from ingest.coverage import Stretch
from ingest.extract import Extract
from ingest.gaps import Gap, gap_rows
from ingest.logs.records import Reject
from ingest.schemas import ACCESS, REJECT, STATEMENT, USAGE_HOURLY

# What rows of a commit may take in memory: some logs are all uses of one element. To write rows takes far
# more.
_MAX_ROWS_BYTES = 16 * 1024 * 1024
# Counts of the same thing are one row.
_COUNTED: dict[str, Literal["sum", "min", "max"]] = {
    "uses": "sum",
    "timed": "sum",
    "first_at": "min",
    "last_at": "max",
}


@dataclass
class Pending:
    """Extracts of one file, one behind the other.

    `read_to` is the time of the last record before them, if there is one; `modified_at` that of the file.
    """

    stretch: Stretch
    log_format: str
    modified_at: datetime
    since: datetime
    read_to: datetime | None
    reached_end_at: datetime | None = None
    is_replay: bool = False
    _access: list[pa.Table] = field(default_factory=list)
    _usage: list[pa.Table] = field(default_factory=list)
    _statement: list[pa.Table] = field(default_factory=list)
    _rows_bytes: int = 0
    _rejects: list[Reject] = field(default_factory=list)
    _gaps: list[Gap] = field(default_factory=list)

    def add(self, extract: Extract, gaps: list[Gap]) -> None:
        """Go on with the next extract, and the gaps that it ends."""
        before = self.stretch
        self._gaps += [gap.after(self.read_to) for gap in (*extract.gaps, *gaps)]
        if extract.first_at is not None:
            # What was lost before an extract without records, was lost before the next one with some.
            first_at = extract.first_at
            self._gaps = [gap.before(first_at) if gap.offset < extract.start else gap for gap in self._gaps]
        self.read_to = extract.last_at or self.read_to
        self.stretch = replace(
            before,
            end_offset=extract.end,
            records=before.records + extract.records,
            unrecognised=before.unrecognised + extract.rows.unrecognised,
            first_at=min(filter(None, (before.first_at, extract.first_at)), default=None),
            last_at=max(filter(None, (before.last_at, extract.last_at)), default=None),
            settings=before.settings and before.settings + extract.settings,
        )
        rows = extract.rows
        self._access.append(rows.access)
        self._usage.append(rows.usage_hourly)
        self._statement.append(rows.statement)
        self._rows_bytes += rows.access.nbytes + rows.usage_hourly.nbytes + rows.statement.nbytes
        self._rejects += extract.rejects

    def is_large(self, commit_bytes: int) -> bool:
        """Whether it should be committed whatever comes next: so much log was read, or it has many rows."""
        read = self.stretch.end_offset - self.stretch.start_offset
        return self._rows_bytes >= _MAX_ROWS_BYTES or read >= commit_bytes

    @property
    def is_urgent(self) -> bool:
        """Whether somebody waits for what is in it."""
        return bool(self._rejects or self._gaps or any(len(table) for table in self._access))

    @property
    def rejects(self) -> int:
        """How many stretches were no record."""
        return len(self._rejects)

    @property
    def access(self) -> pa.Table:
        """The ACCESS rows."""
        return pa.concat_tables([ACCESS.empty_table(), *self._access])

    @property
    def statement(self) -> pa.Table:
        """The STATEMENT rows."""
        return pa.concat_tables([STATEMENT.empty_table(), *self._statement])

    @property
    def usage_hourly(self) -> pa.Table:
        """The USAGE_HOURLY rows, each thing counted once."""
        return counted_once(pa.concat_tables([USAGE_HOURLY.empty_table(), *self._usage]))

    def reject(self, node: str, now: datetime) -> pa.Table:
        """The REJECT rows."""
        rows = [
            {
                "node": node,
                "origin": self.stretch.origin,
                "path": self.stretch.path,
                "log_offset": reject.offset,
                "length": reject.length,
                "reason": reject.reason,
                "found_at": now,
                "day": now.date(),
            }
            for reject in self._rejects
        ]
        return pa.Table.from_pylist(rows, schema=REJECT)

    def gap(self, node: str, now: datetime) -> pa.Table:
        """The GAP rows; one that no record has ended yet lasts to when its file was last written to."""
        stretch = self.stretch
        gaps = [gap.before(self.modified_at) for gap in self._gaps]
        return gap_rows(gaps, node=node, origin=stretch.origin, path=stretch.path, found_at=now)


def counted_once(usage: pa.Table) -> pa.Table:
    """The same USAGE_HOURLY rows with the counts of the same thing added up."""
    keys = [name for name in USAGE_HOURLY.names if name not in _COUNTED]
    summed = pa.TableGroupBy(usage, keys).aggregate(list(_COUNTED.items()))
    renamed = summed.rename_columns({f"{name}_{how}": name for name, how in _COUNTED.items()})
    return renamed.select(USAGE_HOURLY.names).cast(USAGE_HOURLY)

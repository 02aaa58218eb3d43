"""The log of one server as the guard reads it: errors that can be about a name, from a place in it on.

All of the guard that knows how logs are read. It reads for itself, whether or not `ingest` runs, and stores
nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.database import APPLICATION_NAME
from ingest.coverage import LogSettings
from ingest.errors import LogsUnavailableError
from ingest.evidence.missing import INVALID_VALUE, UNDEFINED_COLUMN, UNDEFINED_OBJECT, UNDEFINED_TABLE
from ingest.logs.bound import NoFormat
from ingest.logs.identity import CLOSED, PREFIX_UNKNOWN
from ingest.logs.log_paths import RIGHTS
from ingest.logs.records import UNKNOWN_STATE
from ingest.logs.tail import LogFile, Logs, read_bytes

# What a statement fails with because a name is gone; violations of constraints have other reasons.
NAME_GONE = (UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT, INVALID_VALUE)
_HEARD = pa.array([*(state.encode() for state in NAME_GONE), UNKNOWN_STATE], pa.binary())
_READ_BYTES = 8 * 1024 * 1024

# Where each file ended, by its origin; None is all of it, however long it is.
Positions = dict[str, int | None]
Row = Mapping[str, Any]


class GuardedLog:
    """The log of one server, for one database, from where it was last told to go on."""

    def __init__(self, logs: Logs, database: str, log_timezone: str | None = None) -> None:
        self._log_timezone = log_timezone
        self._logs = logs
        self._database = database
        self._positions: Positions = {}

    def understand(self, settings: LogSettings) -> None:
        """Read it as its server, which was asked by now, says."""
        self._log_timezone = settings.log_timezone
        self._logs.line_prefix = settings.log_line_prefix or self._logs.line_prefix

    def check(self) -> None:
        """Raise LogsUnavailableError where there is nothing to read."""
        self._logs.check()

    @property
    def directory(self) -> Path | None:
        """The folder to watch for changes."""
        return self._logs.directory

    def newest_format(self) -> str | None:
        """The format of the newest file; None where none can be read."""
        return self._logs.newest_format()

    def ends(self, *, before: float | None = None) -> Positions:
        """Where each file ends now, or those that were not written to since a time (in seconds since 1970).

        Raises LogsUnavailableError.
        """
        files = self._logs.files()
        if files:
            _refuse(max(files, key=lambda file: file.modified_at))
        known = (file for file in files if before is None or file.modified_at < before)
        return {file.origin: None if file.is_compressed else file.size for file in known}

    def go_on_from(self, positions: Positions) -> None:
        """Leave out what is before them; a file that is not among them is read from its beginning."""
        self._positions = dict(positions)

    def errors(self) -> Iterator[Sequence[Row]]:
        """The errors since the last call, oldest first, a part of a file each time (which may hold none).

        pgattic's own are left out, and those of other databases. Raises LogsUnavailableError; what was not
        read then is read by the next call.
        """
        for file in self._logs.files():
            if file.origin not in self._positions:
                _refuse(file)
            for records in self._new(file):
                yield self._heard(records).to_pylist()

    def _heard(self, records: pa.Table) -> pa.Table:
        here = pa.scalar(self._database.encode(), pa.binary())
        own = pa.scalar(APPLICATION_NAME.encode(), pa.binary())
        # Where the log does not tell the database, it may be this one.
        is_here: Any = pc.equal(records["database"], here)
        is_own: Any = pc.equal(records["application"], own)
        is_ours = pc.and_not(pc.fill_null(is_here, True), pc.fill_null(is_own, False))
        return records.filter(pc.and_(pc.is_in(records["sqlstate"], _HEARD), is_ours))

    def _new(self, file: LogFile) -> Iterator[pa.Table]:
        position = self._positions.get(file.origin, 0)
        # The size of a compressed file is not known before its end: rotation made it of one that was read.
        while position is not None and (file.size is None or position < file.size):
            buffer = read_bytes(file, position, _READ_BYTES)
            reading = file.format.read(buffer, offset=position, log_timezone=self._log_timezone)
            if not reading.length and len(buffer) == _READ_BYTES:
                reading = file.format.skip(buffer, offset=position)
            if not reading.length:
                break
            position += reading.length
            self._positions[file.origin] = position
            yield reading.records


def _refuse(file: LogFile) -> None:
    """Raise LogsUnavailableError where a file is a log, and cannot be read as one."""
    refused = file.format.format
    if isinstance(refused, NoFormat) and refused.reason.startswith((CLOSED, PREFIX_UNKNOWN)):
        todo = RIGHTS if refused.reason.startswith(CLOSED) else None
        raise LogsUnavailableError(refused.reason, where=str(file.path), todo=todo)

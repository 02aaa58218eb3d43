"""The guard's ears: statements that failed on former names, read from the end of the server's log on.

All of the guard that knows how logs are read. It reads for itself, whether or not `ingest` runs, and stores
nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catalog.database import APPLICATION_NAME
from catalog.elements import Element, Kind
from catalog.settings import LogsSettings
from catalog.snapshot import Snapshot
from ingest.evidence.languages import MessageKind
from ingest.evidence.messages import Message, decoder, message_of
from ingest.evidence.missing import (
    INVALID_VALUE,
    UNDEFINED_COLUMN,
    UNDEFINED_OBJECT,
    UNDEFINED_TABLE,
    missing_uses,
)
from ingest.evidence.statements import Statements
from ingest.logs.records import UNKNOWN_STATE
from ingest.logs.tail import LogFile, Logs, read_bytes
from ingest.meaning.resolve import Use
from ingest.meaning.world import History

_READ_BYTES = 8 * 1024 * 1024
# What a statement fails with because a name is gone; violations of constraints have other reasons.
_NAME_GONE = (UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT, INVALID_VALUE)
_HEARD = pa.array([*(state.encode() for state in _NAME_GONE), UNKNOWN_STATE], pa.binary())


@dataclass(frozen=True)
class Failure:
    """A statement that failed on the former name of an element in the attic.

    `is_proved` is false where it can have meant something else. `statement` has no constants.
    """

    element: Element
    occurred_at: datetime
    is_proved: bool
    sqlstate: str
    role: str
    application: str
    client: str
    statement: str

    def __str__(self) -> str:
        who = f"{self.application or 'no application name'}, role {self.role or 'unknown'}"
        return f"{self.element} {self.sqlstate} by {who}: {self.statement}"


class GuardedLog:
    """The log of one database from the moment on at which this is made, or was last told to skip."""

    def __init__(
        self, settings: LogsSettings, database: str, log_timezone: str | None, line_prefix: str | None = None
    ) -> None:
        self._logs = Logs(settings.directory, settings.pattern, settings.node, line_prefix=line_prefix)
        self._logs.check()
        self._database = database
        self._log_timezone = log_timezone
        self._statements = Statements()
        self._positions: dict[str, int] = {}
        self.skip_to_end()

    def skip_to_end(self) -> None:
        """Leave out what was logged until now."""
        self._positions = {file.origin: file.size or 0 for file in self._logs.files()}

    @property
    def directory(self) -> Path | None:
        """The folder to watch for changes."""
        return self._logs.directory

    def failures(self, history: History) -> Iterator[Failure]:
        """What failed since the last call, oldest first; raises LogsUnavailableError.

        pgattic's own statements, and what failed before its element came into the attic, are left out.
        """
        decode = decoder(history.snapshot.encoding)
        for file in self._logs.files():
            for records in self._new(file):
                for row in self._heard(records).to_pylist():
                    yield from self._failed(message_of(row, MessageKind.ERROR, decode), history)

    def _heard(self, records: pa.Table) -> pa.Table:
        """The errors that can be about a name, without pgattic's own and those of other databases."""
        here = pa.scalar(self._database.encode(), pa.binary())
        own = pa.scalar(APPLICATION_NAME.encode(), pa.binary())
        # Where the log does not tell the database, it may be this one.
        is_here: Any = pc.equal(records["database"], here)
        is_own: Any = pc.equal(records["application"], own)
        is_ours = pc.and_not(pc.fill_null(is_here, True), pc.fill_null(is_own, False))
        return records.filter(pc.and_(pc.is_in(records["sqlstate"], _HEARD), is_ours))

    def _new(self, file: LogFile) -> Iterator[pa.Table]:
        # A file that was not there before is read from its beginning.
        position = self._positions.get(file.origin, 0)
        while not file.is_compressed and position < (file.size or 0):
            buffer = read_bytes(file, position, _READ_BYTES)
            reading = file.format.read(buffer, offset=position, log_timezone=self._log_timezone)
            if not reading.length and len(buffer) == _READ_BYTES:
                reading = file.format.skip(buffer, offset=position)
            if not reading.length:
                break
            position += reading.length
            yield reading.records
        self._positions[file.origin] = position

    def _failed(self, message: Message, history: History) -> Iterator[Failure]:
        statement = self._statements.of(message.sql or message.inner_sql)
        for use in missing_uses(message, self._statements, history.world(message.occurred_at)):
            yield Failure(
                use.element,
                message.occurred_at,
                self._is_proved(use, message),
                message.sqlstate,
                message.role,
                message.application,
                message.client,
                statement.text,
            )

    def _is_proved(self, use: Use, message: Message) -> bool:
        """Whether the statement names it at the position of the error, or speaks of its table or index."""
        if use.ambiguous or message.database != self._database or message.sqlstate not in _NAME_GONE:
            return False
        if message.sqlstate == INVALID_VALUE:
            # A type refuses a value by whatever name; a label that it no longer knows is the renamed one.
            return use.element.kind is Kind.ENUM_VALUE
        position = message.inner_position if message.inner_sql else message.position
        found = self._statements.of(message.inner_sql or message.sql).references
        return position is not None or bool(found.relations or found.indexes)


def history_of(snapshot: Snapshot) -> History:
    """What names meant, and mean, by a snapshot."""
    return History(snapshot)

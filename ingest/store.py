"""The home of deltalake: evidence tables whose rows commit together with the position they came from."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic
from urllib.parse import unquote, urlparse

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, DeltaProtocolError

from ingest.errors import StoreError
from ingest.schemas import TABLES

_PARTITION = "day"
# Readers that opened a version before a compaction still find its files for this long.
_KEPT_HOURS = 24
_PROPERTIES = {
    "delta.logRetentionDuration": "interval 1 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}
# A table that was open for longer is opened anew: what was committed meanwhile may be gone from the log.
_OPEN_SECONDS = 3600
# How often rows are removed once more when another process adds some at the same moment.
_ATTEMPTS = 10
# A commit takes longer with every commit since the last checkpoint; one costs about three commits.
_COMMITS_BETWEEN_CHECKPOINTS = 50
# The library would list the whole log after every commit for its own checkpoints and cleaning.
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
# Past this many small files, one query opens more files than it reads pages.
_FILES_BEFORE_COMPACTION = 200
# While logs are followed, a file of this size is not written again, so that a compaction stays short.
_SMALL_TARGET_BYTES = 16 * 1024 * 1024
_LARGE_TARGET_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Partition:
    """The files of one day of a table."""

    day: date
    files: int
    rows: int
    bytes: int


class Store:
    """The evidence tables under one data directory, which any number of processes may read and append to.

    What writes rows again that are there (`rewrite`, `remove_before`, `compact`) is done to a table by one
    process at a time.
    """

    def __init__(self, data_directory: Path) -> None:
        self.data_directory = data_directory
        self._open: dict[str, DeltaTable] = {}
        self._opened: dict[str, float] = {}
        self._checkpoints: dict[str, int] = {}
        self._scattered: dict[str, int] = {}

    def is_empty(self) -> bool:
        """Whether no table was ever written."""
        return not any(self._is_born(name) for name in TABLES)

    def append(self, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        """Commit rows, and with them in the same atomic step the (application id, version) they stand for.

        A table of no rows commits too: the version alone moves. Raises StoreError.
        """
        with self._writing(name, "cannot be written"):
            # Rows can be added to an older version; to look for a newer one takes long.
            table = self._still_open(name) or self._table(name)
            try:
                self._append(name, table, rows, transaction)
            except CommitFailedError:
                # Another process wrote rows again at the same moment: now, none does.
                with self._alone(name, waits=True):
                    position = _position(table, transaction)
                    self._open.pop(name, None)
                    table = self._table(name)
                    if _position(table, transaction) != position:
                        # It reads the same log, and these rows are there.
                        raise
                    self._append(name, table, rows, transaction)
            self._checkpoint_if_due(name, table)
            if name in self._scattered:
                self._scattered[name] += 1

    def _append(
        self, name: str, table: DeltaTable | None, rows: pa.Table, transaction: tuple[str, int] | None
    ) -> None:
        marks = [Transaction(*transaction)] if transaction else None
        write_deltalake(
            table or self._path(name),
            rows.cast(TABLES[name]),
            mode="append",
            partition_by=[_PARTITION],
            # A table of an earlier version of pgattic may lack columns.
            schema_mode="merge",
            configuration=None if table else _PROPERTIES,
            commit_properties=CommitProperties(app_transactions=marks),
            post_commithook_properties=_NO_HOOKS,
        )

    def rewrite(
        self, name: str, change: Callable[[pa.Table], pa.Table | None], *, day: date | None = None
    ) -> None:
        """Put what `change` makes of all rows (of one day) in their place; None leaves them. Positions stay.

        What another process appends meanwhile stays as well; with a `day`, it is an error. Raises StoreError.
        """
        if not self._is_born(name):
            return
        with self._writing(name, "cannot be written anew"), self._alone(name, waits=True):
            table = self._table(name)
            rows = change(self._read(name, TABLES[name].names, day)) if table else None
            if table is None or rows is None:
                return
            # The version that was read: of a newer one, rows would be lost that `change` has not seen.
            write_deltalake(
                table,
                rows.cast(TABLES[name]),
                mode="overwrite",
                partition_by=[_PARTITION],
                schema_mode="merge",
                predicate=f"day = '{day.isoformat()}'" if day else None,
                post_commithook_properties=_NO_HOOKS,
            )

    def remove_before(self, name: str, day: date) -> int:
        """Take away the rows of the days before `day` and give their number; positions stay."""
        if not self._is_born(name):
            return 0
        with self._writing(name, "cannot be cleared of old rows"), self._alone(name, waits=True):
            for _ in range(_ATTEMPTS - 1):
                with suppress(CommitFailedError):
                    return self._remove_before(name, day)
            return self._remove_before(name, day)

    def _remove_before(self, name: str, day: date) -> int:
        table = self._table(name)
        removed = sum(part.rows for part in self.partitions(name) if part.day < day)
        if table is not None and removed:
            table.delete(f"day < '{day.isoformat()}'", post_commithook_properties=_NO_HOOKS)
        return removed

    def transaction_version(self, name: str, app_id: str) -> int | None:
        """The version last committed for an application id, or None."""
        table = self._table(name)
        return table.transaction_version(app_id) if table else None

    def files(self, name: str) -> list[str]:
        """Absolute paths of the Parquet files of the table's current version, if any."""
        table = self._table(name)
        if table is None:
            return []
        return [_local_path(uri) for uri in table.file_uris()]

    def partitions(self, name: str) -> list[Partition]:
        """What the current version of a table holds of each day, in order of days."""
        table = self._table(name)
        if table is None:
            return []
        found: dict[date, Partition] = {}
        for action in pa.table(table.get_add_actions(flatten=True)).to_pylist():
            day = action[f"partition.{_PARTITION}"]
            day = day if isinstance(day, date) else date.fromisoformat(day)
            before = found.get(day, Partition(day, 0, 0, 0))
            rows, size = action["num_records"] or 0, action["size_bytes"]
            found[day] = Partition(day, before.files + 1, before.rows + rows, before.bytes + size)
        return sorted(found.values(), key=lambda part: part.day)

    def rows(self, name: str, columns: list[str], *, day: date | None = None) -> pa.Table:
        """Read some columns of a table (of one day); empty where there is no table.

        A column that no commit had yet is null.
        """
        self._table(name)
        return self._read(name, columns, day)

    def distinct(self, name: str, column: str) -> set[str]:
        """The values of a column of text, in bounded memory."""
        found: set[str] = set()
        for part in self.partitions(name):
            found.update(filter(None, self.rows(name, [column], day=part.day)[0].unique().to_pylist()))
        return found

    def is_scattered(self, name: str) -> bool:
        """Whether a table has so many files that it is time to join them: one a day will always be left."""
        if name not in self._scattered:
            self._scattered[name] = sum(part.files - 1 for part in self.partitions(name))
        return self._scattered[name] >= _FILES_BEFORE_COMPACTION

    def compact(self, name: str, *, is_thorough: bool = False) -> None:
        """Join the small files of each day and remove what no version needs; positions and rows stay."""
        if not self._is_born(name):
            return
        with self._writing(name, "cannot be compacted"), self._alone(name, waits=is_thorough) as is_ours:
            # Opened only now: what another process has joined meanwhile is not joined again.
            table = self._table(name) if is_ours else None
            if table is None:
                return
            has = table.metadata().configuration
            if any(has.get(key) != value for key, value in _PROPERTIES.items()):
                table.alter.set_table_properties(_PROPERTIES)
            table.optimize.compact(
                target_size=_LARGE_TARGET_BYTES if is_thorough else _SMALL_TARGET_BYTES,
                post_commithook_properties=_NO_HOOKS,
            )
            table.vacuum(retention_hours=_KEPT_HOURS, dry_run=False, post_commithook_properties=_NO_HOOKS)
            self._checkpoint(name, table)
            self._open[name].cleanup_metadata()
            self._scattered[name] = 0

    @contextmanager
    def _alone(self, name: str, *, waits: bool) -> Iterator[bool]:
        """Whether nobody else writes rows of the table again: `ingest` and `collect` are two processes.

        deltalake 1.6 lets two succeed that join the same files, or that join files and replace their rows
        (only rows of one day, or those removed, are looked after): all would be there twice.
        """
        with (self.data_directory / f"{name}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if waits else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _read(self, name: str, columns: list[str], day: date | None) -> pa.Table:
        """Read the version that is open."""
        table = self._open.get(name)
        schema = pa.schema([TABLES[name].field(column) for column in columns])
        if table is None:
            return schema.empty_table()
        there = {field.name for field in table.schema().fields}
        filters = [(_PARTITION, "=", day)] if day else None
        with self._writing(name, "cannot be read", pa.ArrowException):
            found = table.to_pyarrow_table(
                filters=filters, columns=[column for column in columns if column in there]
            )
        for column in columns:
            if column not in there:
                nothing = pa.nulls(len(found), schema.field(column).type)
                found = found.append_column(schema.field(column), nothing)
        return found.select(columns).cast(schema)

    def _checkpoint_if_due(self, name: str, table: DeltaTable | None) -> None:
        if table is None:
            return
        version = table.version()
        if version - self._checkpoints.setdefault(name, version) >= _COMMITS_BETWEEN_CHECKPOINTS:
            self._checkpoint(name, table)

    def _checkpoint(self, name: str, table: DeltaTable) -> None:
        table.update_incremental()
        table.create_checkpoint()
        # Only a table that is opened anew starts from the checkpoint.
        self._checkpoints[name] = self._open_anew(name).version()

    def _path(self, name: str) -> Path:
        return self.data_directory / name

    def _is_born(self, name: str) -> bool:
        """Whether a table has a first commit: one that was killed in it leaves a folder without."""
        return any((self._path(name) / "_delta_log").glob("*.json"))

    def _table(self, name: str) -> DeltaTable | None:
        """The table at its newest version, or None where it was never written."""
        with self._writing(name, "cannot be read"):
            table = self._still_open(name)
            if table is None:
                return self._open_anew(name) if self._is_born(name) else None
            table.update_incremental()
            self._opened[name] = monotonic()
        return table

    def _still_open(self, name: str) -> DeltaTable | None:
        """The table as it was last seen, unless that is too long ago."""
        is_recent = monotonic() - self._opened.get(name, -_OPEN_SECONDS) < _OPEN_SECONDS
        return self._open.get(name) if is_recent else None

    def _open_anew(self, name: str) -> DeltaTable:
        table = self._open[name] = DeltaTable(self._path(name))
        self._opened[name] = monotonic()
        return table

    @contextmanager
    def _writing(self, name: str, what: str, other: type[Exception] = DeltaError) -> Iterator[None]:
        try:
            yield
        except (DeltaError, DeltaProtocolError, OSError, other) as error:
            # What was open may be half way through something.
            self._open.pop(name, None)
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise StoreError(
                f"the evidence table {name!r} {what}: {reason}",
                where=str(self._path(name)),
                todo="Check data.directory in pgattic.toml: does it exist, is it writable, is there space",
            ) from error


def _position(table: DeltaTable | None, transaction: tuple[str, int] | None) -> int | None:
    return table.transaction_version(transaction[0]) if table and transaction else None


def _local_path(uri: str) -> str:
    return unquote(urlparse(uri).path) if uri.startswith("file:") else uri

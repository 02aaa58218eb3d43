"""The home of deltalake: evidence tables whose rows commit together with the position they came from."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, DeltaProtocolError

from ingest.errors import StoreError
from ingest.schemas import TABLES

_PARTITION = "day"
# Small commits make small files: past this many, one query opens more files than it reads pages.
_FILES_BEFORE_COMPACTION = 200
# Readers that opened a version before a compaction still find its files for this long.
_RETENTION = timedelta(days=7)


class Store:
    """The evidence tables under one data directory; one writer at a time, any number of readers."""

    def __init__(self, data_directory: Path) -> None:
        self.data_directory = data_directory
        self._open: dict[str, DeltaTable] = {}

    def append(self, name: str, rows: pa.Table, *, transaction: tuple[str, int] | None) -> None:
        """Commit rows, and with them in the same atomic step the (application id, version) they stand for.

        A table of no rows commits too: the version alone moves. Raises StoreError.
        """
        marks = [Transaction(*transaction)] if transaction else None
        try:
            write_deltalake(
                self._path(name),
                rows.cast(TABLES[name]),
                mode="append",
                partition_by=[_PARTITION],
                commit_properties=CommitProperties(app_transactions=marks),
            )
        except (DeltaError, DeltaProtocolError, OSError) as error:
            raise self._failed(name, "cannot be written", error) from error

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

    def rows(self, name: str, columns: list[str]) -> pa.Table:
        """Read some columns of a table; empty where there is no table."""
        table = self._table(name)
        schema = pa.schema([TABLES[name].field(column) for column in columns])
        if table is None:
            return schema.empty_table()
        try:
            found = table.to_pyarrow_table(columns=columns)
        except (DeltaError, OSError, pa.ArrowException) as error:
            raise self._failed(name, "cannot be read", error) from error
        return found.cast(schema)

    def compact(self, name: str) -> bool:
        """Join the small files of a table if it has many; positions and rows stay. Say whether it did."""
        table = self._table(name)
        if table is None or len(table.file_uris()) < _FILES_BEFORE_COMPACTION:
            return False
        try:
            table.optimize.compact()
            table.vacuum(retention_hours=int(_RETENTION / timedelta(hours=1)), dry_run=False)
        except (DeltaError, OSError) as error:
            raise self._failed(name, "cannot be compacted", error) from error
        return True

    def _path(self, name: str) -> Path:
        return self.data_directory / name

    def _table(self, name: str) -> DeltaTable | None:
        """The table at its newest version, or None where it was never written."""
        try:
            table = self._open.get(name)
            if table is None:
                if not (self._path(name) / "_delta_log").exists():
                    return None
                self._open[name] = table = DeltaTable(self._path(name))
            else:
                table.update_incremental()
        except (DeltaError, DeltaProtocolError, OSError) as error:
            raise self._failed(name, "cannot be read", error) from error
        return table

    def _failed(self, name: str, what: str, error: Exception) -> StoreError:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return StoreError(
            f"the evidence table {name!r} {what}: {reason}",
            where=str(self._path(name)),
            todo="Check data.directory in pgattic.toml: does it exist, is it writable, is there space",
        )


def _local_path(uri: str) -> str:
    return unquote(urlparse(uri).path) if uri.startswith("file:") else uri

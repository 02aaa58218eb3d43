"""What commits added to an evidence table since a version: for readers that hand each row on once."""

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ingest.errors import StoreError
from ingest.schemas import TABLES

NOTHING_YET = -1


def has_newer(data_directory: Path, name: str, version: int) -> bool:
    """Whether a table has commits after a version; costs one look at the file system."""
    return (data_directory / name / "_delta_log" / f"{version + 1:020}.json").exists()


def newest_version(data_directory: Path, name: str) -> int:
    """The version of the last commit, NOTHING_YET where there is no table. Raises StoreError."""
    path = data_directory / name
    try:
        is_born = any((path / "_delta_log").glob("*.json"))
        return DeltaTable(path).version() if is_born else NOTHING_YET
    except (DeltaError, OSError) as error:
        raise _unreadable(path, error) from error


def rows_since(data_directory: Path, name: str, version: int) -> tuple[pa.Table | None, int]:
    """The rows that later commits added, and the version that they reach to. Raises StoreError.

    Rows that were only moved (by a compaction, or written anew as they were) are not among them; those that
    were removed since are. None where what was added cannot be told from the rest any more, because the files
    of that time are gone.
    """
    newest = newest_version(data_directory, name)
    if newest <= version:
        return TABLES[name].empty_table(), newest
    if version == NOTHING_YET:
        return all_rows(data_directory, name), newest
    try:
        table = DeltaTable(data_directory / name, version=newest)
        changes = pa.table(table.load_cdf(starting_version=version + 1, ending_version=newest))
    except (DeltaError, pa.ArrowException, OSError):
        return None, newest
    return _added(name, changes), newest


def all_rows(data_directory: Path, name: str) -> pa.Table:
    """All rows of a table that exists; columns that its files lack are null. Raises StoreError."""
    path = data_directory / name
    try:
        return _complete(name, DeltaTable(path).to_pyarrow_table())
    except (DeltaError, pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _added(name: str, changes: pa.Table) -> pa.Table:
    """The rows that came, in the order of their commits; a row that one commit took and put back did not."""
    versions = [int(version) for version in changes["_commit_version"].cast(pa.int64()).to_numpy()]
    kinds = changes["_change_type"].to_pylist()
    rows = _complete(name, changes)
    came = [number for number, kind in enumerate(kinds) if kind == "insert"]
    if len(came) < len(kinds):
        texts = [(version, repr(row)) for version, row in zip(versions, rows.to_pylist(), strict=True)]
        gone = {texts[number] for number, kind in enumerate(kinds) if kind == "delete"}
        came = [number for number in came if texts[number] not in gone]
    return rows.take(pa.array(sorted(came, key=lambda number: versions[number]), pa.int64()))


def _complete(name: str, rows: pa.Table) -> pa.Table:
    schema = TABLES[name]
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows.select(schema.names).cast(schema)


def _unreadable(path: Path, error: Exception) -> StoreError:
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return StoreError(
        f"the evidence table {path.name!r} cannot be read: {reason}",
        where=str(path),
        todo="Check data.directory in pgattic.toml: does it exist, may this user read it",
    )

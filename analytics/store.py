"""The home of DuckDB: the evidence tables as views over the Parquet files of their current version."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from analytics.errors import EvidenceError
from catalog.database import APPLICATION_NAME, literal, load_sql
from ingest.schemas import TABLES
from ingest.store import Store

# What `sql/` has of views, each on those before it.
VIEWS = ("views", "usage_views")
# Nothing is fetched from the network, whatever a query asks for. A file of the evidence never changes, so its
# footer is read once, and nobody looks again whether it changed.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "parquet_metadata_cache": "true",
    "validate_external_file_cache": "NO_VALIDATION",
}
_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}
_COMMENT = re.compile(r"--.*")
_NAME = re.compile(r"\w+")
_VIEW = re.compile(r"CREATE VIEW (\w+) AS\b")


class Evidence:
    """The evidence as it was when opened: later commits show up in the next one opened.

    A context manager. Not for use by two threads at once.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, where: Path) -> None:
        self._connection = connection
        self._where = where
        store = Store(where)
        self._files = {name: store.files(name) for name in TABLES}
        self._views = {name: text for views in VIEWS for name, text in _views(load_sql("analytics", views))}

    @classmethod
    def open(cls, data_directory: Path) -> Self:
        """Open the tables under a data directory; those that do not exist yet are empty."""
        connection = duckdb.connect(":memory:", config=_CONFIG)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET VARIABLE own_application = $name", {"name": APPLICATION_NAME})
            return cls(connection, data_directory)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()

    def query(self, name: str, **params: Any) -> pa.Table:
        """Run `sql/<name>.sql` with its `$param`s; every parameter of the query must be given."""
        return self._ask(load_sql("analytics", name), params)

    def view(self, name: str, element: str | None = None) -> pa.Table:
        """All rows of a view that has a column `element`, or those of one element."""
        return self._ask(
            f"SELECT * FROM {name} WHERE $element IS NULL OR element = $element ORDER BY ALL",  # noqa: S608
            {"element": element},
        )

    def _ask(self, sql: str, params: dict[str, Any]) -> pa.Table:
        try:
            self._make(sql)
            table: pa.Table = self._connection.sql(sql, params=params).to_arrow_table()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            first_line = str(error).strip().splitlines()[0]
            raise EvidenceError(
                f"the evidence cannot be read: {first_line}",
                where=str(self._where),
                todo="Check that data.directory is readable and nobody removes files from it",
            ) from error
        return table

    def _make(self, sql: str) -> None:
        """Make the tables and views that a statement names, which looks at each of their files."""
        for name in _NAME.findall(_COMMENT.sub("", sql)):
            if name in self._files:
                self._connection.execute(table_sql(name, self._files.pop(name)))
            elif name in self._views:
                view = self._views.pop(name)
                self._make(view)
                self._connection.execute(view)


def table_sql(name: str, files: Iterable[str], source: str | None = None) -> str:
    """The statement that makes an evidence table of its files, or of what else has its rows."""
    columns = {field.name: _type(field.type) for field in TABLES[name]}
    listed = ",\n    ".join(literal(file) for file in files)
    if not listed:
        return f"CREATE TABLE {name} ({', '.join(f'{key} {kind}' for key, kind in columns.items())});"
    source = source or f"read_parquet([\n    {listed}\n], hive_partitioning = true, union_by_name = true)"
    # Files that an older pgattic wrote may lack columns.
    nothing = ", ".join(f"NULL::{kind} AS {key}" for key, kind in columns.items())
    return f"CREATE VIEW {name} AS\nSELECT * FROM {source}\nUNION ALL BY NAME\nSELECT {nothing} WHERE false;"


def _type(kind: pa.DataType) -> str:
    return f"{_type(kind.value_type)}[]" if pa.types.is_list(kind) else _TYPES[kind]


def _views(script: str) -> Iterable[tuple[str, str]]:
    for statement in script.split(";\n"):
        if found := _VIEW.search(statement):
            yield found[1], statement

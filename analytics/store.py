"""The home of DuckDB: the evidence tables as views over the Parquet files of their current version."""

from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from analytics.errors import EvidenceError
from catalog.database import APPLICATION_NAME, load_sql
from ingest.schemas import TABLES
from ingest.store import Store

# What `sql/` has of views, each on those before it.
VIEWS = ("views", "usage_views")


class Evidence:
    """The evidence as it was when opened: later commits show up in the next one opened.

    A context manager. Not for use by two threads at once.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, where: Path) -> None:
        self._connection = connection
        self._where = where

    @classmethod
    def open(cls, data_directory: Path) -> Self:
        """Open the tables under a data directory; those that do not exist yet are empty."""
        # Nothing is fetched from the network, whatever a query asks for.
        connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        evidence = cls(connection, data_directory)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            store = Store(data_directory)
            for name, schema in TABLES.items():
                evidence._add(name, schema, store.files(name))
            connection.execute("SET VARIABLE own_application = $name", {"name": APPLICATION_NAME})
            for views in VIEWS:
                connection.execute(load_sql("analytics", views))
        except BaseException:
            connection.close()
            raise
        return evidence

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection."""
        self._connection.close()

    def query(self, name: str, **params: Any) -> pa.Table:
        """Run `sql/<name>.sql` with its `$param`s; every parameter of the query must be given."""
        try:
            table: pa.Table = self._connection.sql(
                load_sql("analytics", name), params=params
            ).to_arrow_table()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise self._unreadable(error) from error
        return table

    def view(self, name: str, element: str | None = None) -> pa.Table:
        """All rows of a view that has a column `element`, or those of one element."""
        try:
            table: pa.Table = self._connection.sql(
                f"SELECT * FROM {name} WHERE $element IS NULL OR element = $element ORDER BY ALL",  # noqa: S608
                params={"element": element},
            ).to_arrow_table()
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise self._unreadable(error) from error
        return table

    def columns(self, name: str) -> dict[str, str]:
        """The columns of a table or view with their types, as DuckDB writes them."""
        rows = self._connection.sql(f"DESCRIBE {name}").fetchall()
        return {row[0]: row[1] for row in rows}

    def _add(self, name: str, schema: pa.Schema, paths: list[str]) -> None:
        if not paths:
            self._connection.from_arrow(schema.empty_table()).create(name)
            return
        try:
            relation = self._connection.read_parquet(paths, hive_partitioning=True, union_by_name=True)
            # Files that an older pgattic wrote lack what was added since.
            wanted = self._connection.from_arrow(schema.empty_table())
            absent = [
                f"NULL::{kind} AS {column}"
                for column, kind in zip(wanted.columns, wanted.types, strict=True)
                if column not in relation.columns
            ]
            relation.project(", ".join(["*", *absent])).create_view(name)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: duckdb.Error) -> EvidenceError:
        first_line = str(error).strip().splitlines()[0]
        return EvidenceError(
            f"the evidence cannot be read: {first_line}",
            where=str(self._where),
            todo="Check that data.directory is readable and nobody removes files from it",
        )

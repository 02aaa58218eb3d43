"""The evidence as a script for DuckDB: the same tables and views that pgattic asks, for anybody to ask."""

from datetime import datetime
from pathlib import Path

from analytics.store import VIEWS, table_sql
from catalog.database import APPLICATION_NAME, literal, load_sql
from ingest.schemas import TABLES
from ingest.store import Store


def script(data_directory: Path, now: datetime, *, follows: bool) -> str:
    """SQL that makes the views in a DuckDB of its own.

    It names the files of now, which are good for a week; or, where it `follows`, the tables themselves: then
    DuckDB's extension `delta` reads whatever is newest.
    """
    store = Store(data_directory)
    parts = [
        f"-- The evidence in {data_directory}, as of {now:%Y-%m-%d %H:%M} UTC. `duckdb -init FILE` opens it.",
        "SET TimeZone = 'UTC';",
        f"SET VARIABLE own_application = {literal(APPLICATION_NAME)};",
        *(["INSTALL delta;", "LOAD delta;"] if follows else []),
    ]
    parts.extend(_table(name, store, follows=follows) for name in TABLES)
    return "\n".join([*parts, *(load_sql("analytics", views) for views in VIEWS)])


def _table(name: str, store: Store, *, follows: bool) -> str:
    followed = f"delta_scan({literal(str(store.data_directory / name))})" if follows else None
    return table_sql(name, store.files(name), followed)

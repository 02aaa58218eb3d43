"""The evidence as a script for DuckDB: the same tables and views that pgattic asks, for anybody to ask."""

from datetime import datetime
from pathlib import Path

from analytics.store import VIEWS, Evidence
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
    with Evidence.open(data_directory) as evidence:
        parts.extend(_table(name, store, evidence, follows=follows) for name in TABLES)
    return "\n".join([*parts, *(load_sql("analytics", views) for views in VIEWS)])


def _table(name: str, store: Store, evidence: Evidence, *, follows: bool) -> str:
    columns = evidence.columns(name)
    files = store.files(name)
    if not files:
        return f"CREATE TABLE {name} ({', '.join(f'{key} {kind}' for key, kind in columns.items())});"
    listed = ",\n    ".join(literal(file) for file in files)
    source = (
        f"delta_scan({literal(str(store.data_directory / name))})"
        if follows
        else f"read_parquet([\n    {listed}\n], hive_partitioning = true, union_by_name = true)"
    )
    # Files that an older pgattic wrote may lack columns.
    nothing = ", ".join(f"NULL::{kind} AS {key}" for key, kind in columns.items())
    return f"CREATE VIEW {name} AS\nSELECT * FROM {source}\nUNION ALL BY NAME\nSELECT {nothing} WHERE false;"

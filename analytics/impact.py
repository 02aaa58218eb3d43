"""What keeping an element costs: space, writes, vacuum, cache, backup; each figure with where it comes from.

What cannot be known is said so, and never taken for nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.errors import UnknownElementError
from analytics.sentences import count, percent
from catalog.attic import AtticEntry
from catalog.closure import present_element
from catalog.database import Database, identifier, load_sql
from catalog.elements import Element, Kind
from catalog.errors import StatementFailedError
from catalog.snapshot import Snapshot
from catalog.terminal import size

_BLOCK_BYTES = 8192
_NO_SPACE = frozenset({Kind.VIEW, Kind.ENUM, Kind.ENUM_VALUE, Kind.SEQUENCE})


@dataclass(frozen=True, slots=True)
class Figure:
    """One cost; `value` is None where it is not known, and `said` says why."""

    name: str
    value: float | None
    unit: str
    said: str
    source: str


@dataclass(frozen=True)
class Impact:
    """The costs of one element, which is called `present` now."""

    element: Element
    present: Element
    figures: tuple[Figure, ...]


def impacts(db: Database, snapshot: Snapshot, wanted: Element | None = None) -> list[Impact]:
    """The costs of one element, in the attic or not, or of all in the attic, the largest first.

    Raises UnknownElementError, or DatabaseError where the server does not answer.
    """
    entries = {entry.element: entry for entry in snapshot.attic if entry.is_in_attic}
    if wanted is None:
        chosen = list(entries)
    elif wanted in entries or snapshot.exists(wanted):
        chosen = [wanted]
    else:
        raise UnknownElementError(
            "no such element, neither in the attic nor in the database", where=str(wanted)
        )
    found = [one for element in chosen if (one := _impact(db, snapshot, element, entries.get(element)))]
    return sorted(found, key=lambda one: (-(one.figures[0].value or 0), one.element))


def _impact(db: Database, snapshot: Snapshot, element: Element, entry: AtticEntry | None) -> Impact | None:
    present = present_element(snapshot, entry) if entry else element
    if present is None:
        return None
    figures = [*_costs(db, snapshot, present), *_backup(db, entry)]
    return Impact(element, present, tuple(figures))


def _costs(db: Database, snapshot: Snapshot, present: Element) -> Iterator[Figure]:
    oid = snapshot.oid(present)
    match present.kind:
        case Kind.TABLE | Kind.MATVIEW:
            yield from _table(_one(db, "impact_table", oid=oid))
            yield _cache(db, oid)
        case Kind.INDEX:
            yield from _index(_one(db, "impact_index", oid=oid))
            yield _cache(db, oid)
        case Kind.COLUMN:
            table = snapshot.relation(present.schema, present.parent or "")
            yield _column(_one(db, "impact_column", oid=table.oid if table else None, column=present.name))
        case Kind.CONSTRAINT:
            yield from _constraint(db, snapshot, present)
        case _:
            yield Figure("size", 0, "bytes", "no space of its own: an entry of the catalog", "catalog")


def _table(row: Mapping[str, Any]) -> Iterator[Figure]:
    total = row["total_bytes"]
    heap, toast, indexes = (size(row[f"{part}_bytes"] or 0) for part in ("heap", "toast", "index"))
    said = f"{size(total or 0)}: {heap} rows, {toast} TOAST, {indexes} indexes"
    yield Figure("size", total, "bytes", said, "pg_total_relation_size")
    since, source = _since(row), "pg_stat_all_tables"
    if row["inserts"] is None:
        yield Figure("writes", None, "rows", "not known: nothing is counted for it", source)
        return
    writes = row["inserts"] + row["updates"] + row["deletes"]
    yield Figure("writes", writes, "rows", f"{count(writes, 'row')} written {since}", source)
    dead, all_rows = row["dead_rows"], row["dead_rows"] + row["live_rows"]
    share = f", {percent(dead / all_rows)} of all" if all_rows else ""
    yield Figure("dead rows", dead, "rows", f"{count(dead, 'dead row')}{share}", source)
    if row["vacuum_ms"] is None:
        said = f"not known before PostgreSQL 18; {count(row['vacuums'], 'vacuum')} {since}"
        yield Figure("vacuum time", None, "ms", said, source)
    else:
        said = f"{row['vacuum_ms'] / 1000:,.1f} s in {count(row['vacuums'], 'vacuum')} {since}"
        yield Figure("vacuum time", row["vacuum_ms"], "ms", said, source)


def _index(row: Mapping[str, Any]) -> Iterator[Figure]:
    yield Figure("size", row["bytes"], "bytes", size(row["bytes"]), "pg_relation_size")
    since, source = _since(row), "pg_stat_all_tables, pg_index"
    if row["inserts"] is None:
        yield Figure("index entries written", None, "entries", "not known: nothing is counted", source)
        return
    # An update that is not HOT writes a new entry into every index of the table.
    cold = row["updates"] - row["hot_updates"]
    entries, of = row["inserts"] + cold, row["indexes_of_table"]
    at_most = "at most " if row["has_expressions"] else ""
    said = (
        f"{at_most}{entries:,} by inserts and updates that were not HOT, {since};"
        f" {percent(1 / of)} of what the table's indexes are written ({of} of them)"
    )
    yield Figure("index entries written", entries, "entries", said, source)
    yield _hot(row, cold, since, source)


def _hot(row: Mapping[str, Any], cold: int, since: str, source: str) -> Figure:
    if row["method"] == "brin" and row["brin_allows_hot"]:
        said = "none: a BRIN index does not stand in the way of HOT updates"
        return Figure("HOT updates prevented", 0, "updates", said, source)
    only_here = list(row["only_here"])
    if not only_here and not row["has_expressions"]:
        said = "none: each of its columns is in another index, too"
        return Figure("HOT updates prevented", 0, "updates", said, source)
    if not cold:
        said = f"none: {'all updates were HOT' if row['updates'] else 'nothing was updated'} {since}"
        return Figure("HOT updates prevented", 0, "updates", said, source)
    which = f" ({', '.join(only_here)} in no other index)" if only_here else ""
    said = f"not known; at most {count(cold, 'update')} {since} that were not HOT{which}"
    return Figure("HOT updates prevented", None, "updates", said, source)


def _column(row: Mapping[str, Any]) -> Figure:
    if row.get("bytes") is None:
        return Figure(
            "size", None, "bytes", "not known: its table was not analysed, or is not ours to read", "pg_stats"
        )
    said = f"about {size(row['bytes'])} in rows, before compression"
    return Figure("size", row["bytes"], "bytes", said, "pg_stats")


def _constraint(db: Database, snapshot: Snapshot, present: Element) -> Iterator[Figure]:
    found = snapshot.constraint(present.schema, present.parent or "", present.name)
    if found and found.index:
        index = Element(Kind.INDEX, present.schema, found.index)
        yield from _costs(db, snapshot, index)
        return
    yield Figure("size", 0, "bytes", "no space of its own: an entry of the catalog", "catalog")
    table = snapshot.relation(present.schema, present.parent or "")
    row = _one(db, "impact_table", oid=table.oid if table else None)
    source = "pg_stat_all_tables"
    if row.get("inserts") is None:
        yield Figure("rows checked", None, "rows", "not known: nothing is counted", source)
        return
    rows = row["inserts"] + row["updates"]
    yield Figure("rows checked", rows, "rows", f"at most {count(rows, 'row')} checked {_since(row)}", source)


def _cache(db: Database, oid: int | None) -> Figure:
    name, source = "cache", "pg_buffercache"
    schema = db.fetch_value(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'pg_buffercache'"
    )
    if schema is None:
        return Figure(name, None, "bytes", "not known: the extension pg_buffercache is not installed", source)
    query = load_sql("analytics", "impact_cache").format(buffercache=identifier(schema, "pg_buffercache"))
    try:
        row = db.fetch(query, {"oid": oid})[0]
    except StatementFailedError as error:
        return Figure(name, None, "bytes", f"not known: {error.what}", source)
    held = row["blocks"] * _BLOCK_BYTES
    said = f"{size(held)} of shared_buffers now, {percent(row['blocks'] / row['all_blocks'])}"
    return Figure(name, held, "bytes", said, source)


def _backup(db: Database, entry: AtticEntry | None) -> Iterator[Figure]:
    if entry is None or entry.element.kind in _NO_SPACE:
        return
    name, source = "backup", "registry"
    row = db.fetch_one(load_sql("analytics", "impact_backup"), {"migration": entry.migration_id})
    if row is None:
        yield Figure(name, None, "bytes", "none is known", source)
        return
    said = (
        f"{size(row['total_bytes'])} for the {count(row['tables'], 'table')} of its migration,"
        f" made {row['made_at']:%Y-%m-%d %H:%M}"
    )
    yield Figure(name, row["total_bytes"], "bytes", said, source)


def _one(db: Database, name: str, **params: Any) -> Mapping[str, Any]:
    return db.fetch_one(load_sql("analytics", name), params) or {}


def _since(row: Mapping[str, Any]) -> str:
    since: datetime = row["counting_since"]
    return f"since {since:%Y-%m-%d %H:%M}"

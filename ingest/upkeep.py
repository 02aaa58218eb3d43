"""Keeps the evidence tables small: few files a day, counts added up, and what is too old removed.

Positions stay, whatever is removed: a log that was read is not read again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.pending import counted_once
from ingest.schemas import COVERAGE, TABLES, TIME
from ingest.store import Partition, Store

# What says what happened when; a statement has no time, and coverage speaks of other days than its own.
_DATED = ("access", "usage_hourly", "alert", "reject", "gap")
_SAYING = ("access", "usage_hourly", "alert", "statement_counter")


@dataclass(frozen=True)
class TableUpkeep:
    """What was done to a table; `rows_removed` were too old, `rows_joined` say the same in fewer rows."""

    table: str
    rows_removed: int
    rows_joined: int
    files_before: int
    files: int
    bytes_before: int
    bytes: int


@dataclass(frozen=True)
class Upkeep:
    """What was done, and from when on there is evidence (None: nothing was to be removed)."""

    kept_since: datetime | None
    tables: tuple[TableUpkeep, ...]

    @property
    def rows_removed(self) -> int:
        """In all tables."""
        return sum(table.rows_removed for table in self.tables)


def keep_up(store: Store) -> bool:
    """Join the files of one table that has many, and say whether there was one.

    Short, so that it can be done between two batches. Tables that are written together have many at the same
    time: to join them all would keep an alert waiting.
    """
    name = next(filter(store.is_scattered, TABLES), None)
    if name is not None:
        store.compact(name)
    return name is not None


def tidy(store: Store, keep_days: int | None, now: datetime) -> Upkeep:
    """Remove evidence that is older than `keep_days` (None: keep all), add up counts and join files.

    Whoever holds the lock may do it. Killed in between, it has done less, and nothing wrong.
    """
    before = {name: store.partitions(name) for name in TABLES}
    since = _midnight(now - timedelta(days=keep_days)) if keep_days else None
    removed = dict.fromkeys(TABLES, 0)
    if since is not None:
        # Coverage first: of what is gone, nobody may believe that it was seen.
        removed["coverage"] = _end_coverage(store, since)
        for name in _DATED:
            removed[name] = store.remove_before(name, since.date())
        removed["statement"] = _forget_statements(store, since)
    store.rewrite("coverage", _joined_coverage)
    for part in store.partitions("usage_hourly"):
        if part.files > 1:
            store.rewrite("usage_hourly", _joined_counts, day=part.day)
    for name in TABLES:
        store.compact(name, is_thorough=True)
    after = {name: store.partitions(name) for name in TABLES}
    return Upkeep(since, tuple(_report(name, before[name], after[name], removed[name]) for name in TABLES))


def _report(name: str, before: list[Partition], after: list[Partition], removed: int) -> TableUpkeep:
    return TableUpkeep(
        name,
        rows_removed=removed,
        rows_joined=max(0, sum(part.rows for part in before) - sum(part.rows for part in after) - removed),
        files_before=sum(part.files for part in before),
        files=sum(part.files for part in after),
        bytes_before=sum(part.bytes for part in before),
        bytes=sum(part.bytes for part in after),
    )


def _midnight(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)


def _end_coverage(store: Store, since: datetime) -> int:
    """Let coverage begin at `since`; give the number of rows that said something of an earlier time."""
    touched = 0

    def end(table: pa.Table) -> pa.Table | None:
        nonlocal touched
        rows = table.to_pylist()
        for row in rows:
            if row["covered_from"] is None or row["covered_from"] >= since:
                continue
            touched += 1
            if row["covered_to"] > since:
                row["covered_from"] = since
            else:
                # What remains of the row is the position.
                row |= {"covered_from": None, "covered_to": None, "sources": []}
        return pa.Table.from_pylist(rows, schema=COVERAGE) if touched else None

    store.rewrite("coverage", end)
    return touched


def _joined_coverage(table: pa.Table) -> pa.Table | None:
    """Make one row of those that touch and say the same of one file; None where none do."""
    joined: dict[tuple[Any, ...], dict[str, Any]] = {}
    done: list[dict[str, Any]] = []
    for row in sorted(table.to_pylist(), key=_in_time):
        is_told = row["reloads"] is not None
        key = (row["node"], row["origin"], tuple(row["sources"] or ()), row["covered_from"] is None, is_told)
        last = joined.get(key)
        if last is None or not _touches(last, row):
            if last is not None:
                done.append(last)
            joined[key] = row
            continue
        last["start_offset"] = min(last["start_offset"], row["start_offset"])
        for name in ("end_offset", "covered_to", "read_at", "day"):
            last[name] = max(filter(None, (last[name], row[name])), default=last[name])
        for name in ("records", "unrecognised"):
            last[name] = (last[name] or 0) + (row[name] or 0)
        for name in ("reloads", "setting_changes") if is_told else ():
            last[name] = sorted({*last[name], *row[name]})
        last["path"] = row["path"]
    done += joined.values()
    return pa.Table.from_pylist(done, schema=COVERAGE) if len(done) < len(table) else None


def _in_time(row: dict[str, Any]) -> tuple[bool, datetime, int]:
    return (
        row["covered_from"] is None,
        row["covered_from"] or datetime.min.replace(tzinfo=UTC),
        row["end_offset"],
    )


def _touches(last: dict[str, Any], row: dict[str, Any]) -> bool:
    return row["covered_from"] is None or row["covered_from"] <= last["covered_to"]


def _joined_counts(table: pa.Table) -> pa.Table | None:
    """Add up the counts of the same thing in the same hour; None where there is nothing to add."""
    summed = counted_once(table)
    return summed if len(summed) < len(table) else None


def _forget_statements(store: Store, since: datetime) -> int:
    """Remove the texts of statements from before `since` that no evidence names any more.

    A later one that nothing names is one that `collect` writes at this moment: its counts come next.
    """
    forgotten = 0

    def forget(rows: pa.Table) -> pa.Table | None:
        nonlocal forgotten
        named: set[str] = set()
        for name in _SAYING:
            named |= store.distinct(name, "statement_id")
        is_named = pc.is_in(rows["statement_id"], pa.array(_sorted(named), pa.string()))
        is_recent = pc.greater_equal(rows["first_seen_at"], pa.scalar(since, TIME))
        kept = rows.filter(pc.or_kleene(is_named, is_recent))
        forgotten = len(rows) - len(kept)
        return kept if forgotten else None

    store.rewrite("statement", forget)
    return forgotten


def _sorted(values: Iterable[str]) -> list[str]:
    return sorted(values)

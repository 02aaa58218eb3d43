"""What pg_stat_statements of one server has counted, and whether that is every statement."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.attic import AtticEntry
from catalog.database import Database, Row, identifier, load_sql
from catalog.dynamic import dynamic_functions
from catalog.errors import StatementFailedError
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from ingest.evidence.called import CalledReader, Entry
from ingest.evidence.meanings import Meanings

_KEPT_NAME = "collect.known"
_HIDDEN = "<insufficient privilege>"
_TRACKS_NESTED = "all"
_OLDEST_VERSION = 140000
# How often reading is tried until nothing was reset or evicted meanwhile.
_TRIES = 3
_NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Calls:
    """Rows for the evidence tables, and what of them belongs into the server's sample.

    `sample` is empty where nothing could be read. `tells_all` where no statement of this database can have
    run without being counted.
    """

    sample: dict[str, Any] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()
    texts: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    tells_all: bool = False


class CallReader:
    """Reads servers of one cluster, time and again; texts that it has seen are not looked into again.

    With a `data_directory` those are known that processes before it have seen.
    """

    def __init__(self, data_directory: Path | None = None) -> None:
        self._kept = Meanings(data_directory / _KEPT_NAME) if data_directory else None
        self._reader = CalledReader(kept=self._kept)

    def save(self) -> None:
        """Keep what was found out for the next process; one who may not write here goes without."""
        if self._kept is not None:
            self._kept.save()

    def read(self, db: Database, attic: Sequence[AtticEntry]) -> Calls:
        """What is counted of elements in the attic; raises DatabaseError."""
        schema = db.fetch_value(
            "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
            " WHERE e.extname = 'pg_stat_statements'"
        )
        if schema is None:
            return Calls()
        if db.server_version < _OLDEST_VERSION:
            return Calls(notes=("pg_stat_statements was not read: before PostgreSQL 14 it hides evictions",))
        try:
            before, found, after = _undisturbed(db, identifier(schema))
        except StatementFailedError as error:
            # Made in this database, but not in shared_preload_libraries: it counts nothing.
            return Calls(notes=(f"pg_stat_statements was not read: {error.what}",))
        snapshot = read_snapshot(db) if attic else None
        tracks = db.fetch_value("SELECT current_setting('pg_stat_statements.track')")
        sees_nested = tracks == _TRACKS_NESTED
        entries = [_entry(row) for row in found]
        notes = list(_blind_spots(db, entries, snapshot, sees_nested=sees_nested))
        if not _is_same(before, after):
            notes.append("pg_stat_statements was reset or threw entries away while it was read")
        here = [entry for entry in entries if entry.is_here]
        sample = {
            "statements_read_at": after["now"],
            "statements_reset_at": after["reset_at"],
            "statements_evicted": after["evicted"],
            "statements_entries": len(here),
            "statements_calls": sum(entry.calls for entry in here),
        }
        if snapshot is None:
            return Calls(sample, notes=tuple(notes), tells_all=not notes)
        called = self._reader.read(entries, snapshot, own_roles(db), sees_nested=sees_nested)
        if called.has_too_many:
            notes.append("pg_stat_statements has too many statements with names that nothing has (any more)")
        return Calls(sample, called.rows, called.texts, tuple(notes), tells_all=not notes)


def own_roles(db: Database) -> set[str]:
    """The roles that pgattic has: this session's, and those that applied plans."""
    found = db.fetch_one("SELECT current_user::text AS now, session_user::text AS began")
    assert found is not None
    roles = {found["now"], found["began"]}
    if db.fetch_value(
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'pgattic' AND c.relname = 'migration' AND has_table_privilege(c.oid, 'SELECT')"
        " AND has_schema_privilege(n.oid, 'USAGE'))"
    ):
        applied = db.fetch("SELECT DISTINCT applied_by AS role FROM pgattic.migration")
        roles |= {row["role"] for row in applied}
    return roles


def _undisturbed(db: Database, schema: str) -> tuple[Row, list[Row], Row]:
    """The entries, and the state before and after reading them; the same where nothing came between."""
    state = load_sql("ingest", "collect_statements_state").replace("{schema}", schema)
    query = load_sql("ingest", "collect_statements").replace("{schema}", schema)
    before, rows, after = _read(db, state, query)
    for _ in range(_TRIES):
        if _is_same(before, after):
            break
        before, rows, after = _read(db, state, query)
    return before, rows, after


def _read(db: Database, state: str, query: str) -> tuple[Row, list[Row], Row]:
    before, rows, after = db.fetch_one(state), db.fetch(query), db.fetch_one(state)
    assert before is not None
    assert after is not None
    return before, rows, after


def _is_same(before: Row, after: Row) -> bool:
    return all(before[key] == after[key] for key in ("reset_at", "evicted"))


def _entry(row: Row) -> Entry:
    text = row.pop("text")
    return Entry(**row, text=None if text == _HIDDEN else text)


def _blind_spots(
    db: Database, entries: Collection[Entry], snapshot: Snapshot | None, *, sees_nested: bool
) -> Iterator[str]:
    """Why a statement may have run that is not counted, or counted and not told."""
    name = "pg_stat_statements does not count every statement"
    for row in db.fetch(load_sql("ingest", "collect_statements_settings")):
        yield f"{name}: {row['said']}"
    if any(entry.text is None for entry in entries):
        yield "pg_stat_statements hides texts from this role; pg_read_all_stats shows them"
    if snapshot is not None and not sees_nested:
        found = dynamic_functions(snapshot)
        if found:
            told = ", ".join(found[:_NAMED_AT_MOST]) + (" …" if len(found) > _NAMED_AT_MOST else "")
            yield (
                f"{name}: functions make statements of texts ({told});"
                " pg_stat_statements.track = 'all' counts these too"
            )

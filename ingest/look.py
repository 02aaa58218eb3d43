"""One look at one server: who it is, what it counted, which settings are in force."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.closure import mentions
from catalog.database import Database, Row, identifier, load_sql
from catalog.elements import Element, Kind
from catalog.errors import LockTimeoutError, StatementFailedError
from catalog.snapshot import AtticEntry, read_attic
from ingest.coverage import sources_seen
from ingest.grammar.normalise import normalise, statement_id
from ingest.knowledge import read_log_settings

_HIDDEN = "<insufficient privilege>"
_SERVER_KEYS = (
    "system_id",
    "timeline",
    "in_recovery",
    "server_version",
    "server_started_at",
    "kept_since",
    "reset_at",
    "settings_since",
    "standbys",
    "oldest_session_at",
)


@dataclass(frozen=True)
class Look:
    """Rows for the evidence tables, without the node's name; `notes` say what could not be seen."""

    sampled_at: datetime
    server: dict[str, Any]
    counters: tuple[dict[str, Any], ...]
    statements: tuple[dict[str, Any], ...]
    texts: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    @property
    def system_id(self) -> int:
        """What tells this cluster and its replicas from every other one."""
        found: int = self.server["system_id"]
        return found


def look(db: Database, log_format: str) -> Look:
    """Read everything; `log_format` is that of the logs that are read of it. Raises DatabaseError."""
    notes: list[str] = []
    server, objects = _counted(db)
    attic = [entry for entry in read_attic(db) if entry.is_in_attic]
    sizes = _sizes(db, [row["oid"] for row in objects], notes)
    settings = read_log_settings(db)
    said = [row["said"] for row in db.fetch(load_sql("ingest", "collect_settings"))]
    if "track_counts=off" in said:
        notes.append("track_counts is off: nothing is counted")
    statements, texts = _statements(db, attic, notes)
    since = {key: server[key] for key in ("server_started_at", "kept_since", "reset_at")}
    return Look(
        server["now"],
        {
            **{key: server[key] for key in _SERVER_KEYS},
            "settings": said,
            "sources": [source.value for source in sources_seen(settings, log_format)],
        },
        tuple(_counters(objects, attic, sizes, since)) if "track_counts=on" in said else (),
        tuple(statements),
        tuple(texts),
        tuple(notes),
    )


def _counted(db: Database) -> tuple[Row, list[Row]]:
    """The server and its counters, which no reset came between."""
    server = db.fetch_one(load_sql("catalog", "counting"))
    while True:
        objects = db.fetch(load_sql("ingest", "collect_objects"))
        again = db.fetch_one(load_sql("catalog", "counting"))
        assert server is not None
        assert again is not None
        if all(server[key] == again[key] for key in ("kept_since", "reset_at")):
            return server, objects
        server = again


def _counters(
    objects: Sequence[Row], attic: Iterable[AtticEntry], sizes: dict[int, int], since: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    # A column in the attic has its table's OID, and says nothing of the table's name.
    former = {
        entry.object_oid: entry.element for entry in attic if entry.element.kind in (Kind.TABLE, Kind.INDEX)
    }
    for row in objects:
        element = former.get(row["oid"]) or Element(Kind(row["kind"]), row["schema"], row["name"])
        counted = {key: row[key] for key in row if key not in ("kind", "schema", "name")}
        yield {**counted, **since, "element": str(element), "bytes": sizes.get(row["oid"])}


def _sizes(db: Database, oids: list[int], notes: list[str]) -> dict[int, int]:
    try:
        rows = db.fetch(load_sql("ingest", "collect_sizes"), {"oids": oids})
    except LockTimeoutError:
        # The counters matter more than the sizes, and reading them waits for nobody.
        notes.append("sizes were not read: somebody holds an exclusive lock on a table")
        return {}
    return {row["oid"]: row["bytes"] for row in rows if row["bytes"] is not None}


def _statements(
    db: Database, attic: Sequence[AtticEntry], notes: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Calls of statements that name an element in the attic, and the statements' normalised texts."""
    schema = db.fetch_value(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'pg_stat_statements'"
    )
    names = {name: entry.element for entry in attic for name in _names(entry)}
    if schema is None or not names:
        return [], []
    query = load_sql("ingest", "collect_statements").replace("{schema}", identifier(schema))
    try:
        rows = db.fetch(query, {"names": [*names, _HIDDEN]})
    except StatementFailedError as error:
        # Made in this database, but not in shared_preload_libraries: it counts nothing.
        notes.append(f"pg_stat_statements was not read: {error.what}")
        return [], []
    if any(row["text"] == _HIDDEN for row in rows):
        notes.append("pg_stat_statements hides texts from this role; pg_read_all_stats shows them")
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    texts: dict[str, dict[str, Any]] = {}
    for row in rows:
        text = normalise(row["text"])
        if text is None:
            continue
        for element in {str(element) for name, element in names.items() if mentions(text, name)}:
            key = element, statement_id(text), row["role"]
            texts[key[1]] = {"statement_id": key[1], "text": text, "is_parsed": True}
            one = found.setdefault(
                key,
                {
                    "element": element,
                    "statement_id": key[1],
                    "role": key[2],
                    "calls": 0,
                    "rows": 0,
                    "total_ms": 0.0,
                },
            )
            for count in ("calls", "rows", "total_ms"):
                one[count] += row[count]
    return list(found.values()), list(texts.values())


def _names(entry: AtticEntry) -> tuple[str, ...]:
    """The names by which a statement that succeeds can say an element."""
    own = (entry.deprecated_name,)
    return (*own, entry.element.name) if entry.shim_oid else own

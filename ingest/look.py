"""One look at one server: who it is, what it counted, which settings are in force."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog.attic import AtticEntry, read_attic
from catalog.database import Database, Row, load_sql
from catalog.elements import Element, Kind
from catalog.errors import LockTimeoutError, StatementFailedError
from ingest.calls import CallReader
from ingest.coverage import sources_seen
from ingest.knowledge import read_log_settings
from ingest.logs.log_paths import base_name
from ingest.schemas import Source

_NOTHING_YET = datetime.fromtimestamp(0, UTC)
_COUNTED = (Kind.TABLE, Kind.MATVIEW, Kind.INDEX, Kind.SEQUENCE)
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

    @property
    def server_key(self) -> tuple[datetime, datetime]:
        """What tells this server from the others of its cluster: when it was started, and began to count."""
        return self.server["server_started_at"], self.server["kept_since"]


def look(db: Database, log_format: str, reader: CallReader) -> Look:
    """Read everything; `log_format` is that of the logs that are read of it. Raises DatabaseError.

    `reader` knows the texts of statements again that it has read before.
    """
    notes: list[str] = []
    server, objects = _counted(db)
    registry = read_attic(db)
    attic = [entry for entry in registry if entry.is_in_attic]
    sizes = _sizes(db, [row["oid"] for row in objects], notes)
    settings = read_log_settings(db)
    said = [row["said"] for row in db.fetch(load_sql("ingest", "collect_settings"))]
    overridden = {*settings.overridden, *(["track_counts"] if "track_counts of a role=off" in said else ())}
    if "track_counts=off" in said:
        notes.append("track_counts is off: nothing is counted")
    if not server["in_recovery"]:
        notes.extend(filter(None, (entry.to_arm for entry in attic)))
    calls = reader.read(db, attic)
    notes.extend(calls.notes)
    sources = (*sources_seen(settings, log_format), *([Source.STATEMENTS] if calls.tells_all else []))
    since = {key: server[key] for key in ("server_started_at", "kept_since", "reset_at")}
    return Look(
        server["now"],
        {
            **{key: server[key] for key in _SERVER_KEYS},
            "settings": said,
            "sources": [source.value for source in sources],
            "overridden": sorted(overridden),
            "log_file": _log_file(db, log_format),
            # A standby that has not replayed a rename knows nothing of it yet.
            "registry_at": max((entry.deprecated_at for entry in registry), default=_NOTHING_YET),
            **calls.sample,
        },
        tuple(_counters(objects, attic, sizes, since)) if "track_counts=on" in said else (),
        calls.rows,
        calls.texts,
        tuple(notes),
    )


def _log_file(db: Database, log_format: str) -> str | None:
    """The file that the server writes, if anything is in it; None where it may not be asked."""
    asked = {"format": log_format}
    if not db.fetch_value(load_sql("ingest", "collect_log_rights")):
        return None
    if db.fetch_value("SELECT pg_current_logfile(%(format)s)", asked) is None:
        return None
    try:
        name = db.fetch_value(load_sql("ingest", "collect_log_file"), asked)
    except StatementFailedError:
        # The folder was removed, or is being made.
        return None
    return base_name(Path(name)) if name else None


def _counted(db: Database) -> tuple[Row, list[Row]]:
    """The server and its counters, which no reset came between."""
    server = db.fetch_one(load_sql("catalog", "counting"))
    while True:
        objects = db.fetch(load_sql("catalog", "counters"))
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
    former = {entry.object_oid: entry.element for entry in attic if entry.element.kind in _COUNTED}
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

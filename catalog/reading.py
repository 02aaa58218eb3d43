"""How a snapshot is read: from a database as of one moment, or from a file, and how it is written to one."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from catalog.attic import attic_rows, own_grants
from catalog.database import Database, load_sql
from catalog.errors import SnapshotError, os_error_as
from catalog.objects import OWNERS_PRIVILEGES
from catalog.snapshot import Snapshot

_ADAPTER = TypeAdapter(Snapshot)


def read_snapshot(db: Database) -> Snapshot:
    """Read the catalog of the connected database, all of it as of one moment."""
    with db.transaction():
        db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        search_paths = db.fetch(load_sql("catalog", "search_paths"))
        # With an empty search_path the server writes every name qualified, whoever is connected.
        db.execute("SET LOCAL search_path = ''")
        rows: dict[str, Any] = {
            part: db.fetch(load_sql("catalog", part))
            for part in (
                "relations",
                "indexes",
                "constraints",
                "enums",
                "functions",
                "triggers",
                "stored_uses",
                "rules",
                "calls",
            )
        }
        _without_own_grants(db, rows["relations"])
        rows["attic"] = attic_rows(db)
        rows["max_locks"] = db.fetch_value(
            "SELECT current_setting('max_locks_per_transaction')::integer"
            " * current_setting('max_connections')::integer"
        )
        rows |= {
            "encoding": db.fetch_value(
                "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
            ),
            "search_paths": [row for row in search_paths if row["setting"] is not None],
            "database": db.name,
            "server_version": db.server_version,
            "taken_at": db.fetch_value("SELECT clock_timestamp()"),
        }
    return _ADAPTER.validate_python(rows)


def _without_own_grants(db: Database, relations: list[dict[str, Any]]) -> None:
    """Take out what pgattic granted to the audit role, and what an owner may do anyway."""
    own = own_grants(db)
    for relation in relations:
        for number, holder in (
            (0, relation),
            *((column["number"], column) for column in relation["columns"]),
        ):
            if holder["grants"]:
                key = (relation["oid"], number)
                holder["grants"] = [
                    grant
                    for grant in holder["grants"]
                    if (*key, grant["grantee"], grant["privilege"]) not in own
                ]
        if _are_defaults(relation["grants"], relation["owner"]):
            relation["grants"] = []


def _are_defaults(grants: list[dict[str, Any]], owner: str) -> bool:
    held = {grant["privilege"] for grant in grants}
    return held >= OWNERS_PRIVILEGES and all(g["grantee"] == owner and not g["grantable"] for g in grants)


def to_json(snapshot: Snapshot) -> bytes:
    """The snapshot as JSON, for a file."""
    return _ADAPTER.dump_json(snapshot, indent=1)


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot file; raise SnapshotError where it is none."""
    with os_error_as(SnapshotError, "cannot be read", where=path):
        content = path.read_bytes()
    try:
        return _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SnapshotError(
            f"not a snapshot: {place or 'document'}: {first['msg']}", where=str(path)
        ) from None

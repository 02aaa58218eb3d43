"""Writing the audit trail, one writer at a time, and reading it."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from catalog.database import Database
from migrations.audit.chain import AuditRow

_ROWS_PER_READ = 1000


class Event(StrEnum):
    """What a row of the audit trail is about."""

    PLAN = "plan"
    CHECK = "check"
    OVERRIDE = "override"
    APPROVAL = "approval"
    BACKUP = "backup"
    APPLY_INTENT = "apply_intent"
    APPLY_OUTCOME = "apply_outcome"
    ROLLBACK_INTENT = "rollback_intent"
    ROLLBACK_OUTCOME = "rollback_outcome"
    ARM = "arm"
    DISARM = "disarm"
    GUARD = "guard"
    BREAKER_OPENED = "breaker_opened"
    BREAKER_RESET = "breaker_reset"
    CHECKPOINT = "checkpoint"
    CONFIGURATION = "configuration"
    RESEALED = "resealed"


def record(db: Database, event: Event, subject: str, detail: Mapping[str, Any]) -> int:
    """Append one row in the current transaction, or in one of its own; return its number.

    Other writers wait until that transaction ends. Where it also locks tables, call `reserve` first. The
    server adds time, role and client. `detail` must hold no secrets and no data of the user's.
    """
    text = json.dumps(detail, default=_plain, separators=(",", ":"))
    return int(db.fetch_value("SELECT pgattic.append_audit(%s, %s, %s)", [event.value, subject, text]))


def reserve(db: Database) -> None:
    """Become the one writer until the transaction ends, so as not to wait for that with tables locked."""
    db.execute("SELECT pgattic.lock_audit()")


def read(db: Database) -> Iterator[AuditRow]:
    """Every row, oldest first, a part at a time; forged rows of the same number too."""
    return _parts(db, "ORDER BY sequence", "sequence > %(last)s")


def newest(db: Database) -> Iterator[AuditRow]:
    """Every row, newest first, a part at a time."""
    return _parts(db, "ORDER BY sequence DESC", "sequence < %(last)s")


def _parts(db: Database, order: str, beyond: str) -> Iterator[AuditRow]:
    last = None
    while True:
        rows = db.fetch(
            "SELECT sequence, prev_hash, hash, entry FROM pgattic.audit"  # noqa: S608
            f" WHERE %(last)s::bigint IS NULL OR {beyond} {order} FETCH FIRST %(many)s ROWS WITH TIES",
            {"last": last, "many": _ROWS_PER_READ},
        )
        yield from (AuditRow(**row) for row in rows)
        if len(rows) < _ROWS_PER_READ:
            return
        last = rows[-1]["sequence"]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case tuple() | list():
            return list(value)
        case set() | frozenset():
            return sorted(value)
        case Path():
            return str(value)
        case _:
            return str(value)

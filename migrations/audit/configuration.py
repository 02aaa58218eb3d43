"""The configuration as the audit trail keeps it: without secrets, and once each time it changed."""

import json
from typing import Any

from catalog.database import Database, describe_target
from catalog.settings import Settings
from migrations.audit.log import Event, newest, record


def without_secrets(settings: Settings) -> dict[str, Any]:
    """Every key and value; of a connection string only where it leads, of the seals' key that it is set."""
    content: dict[str, Any] = settings.model_dump(mode="json")
    for section in ("database", "backup"):
        if dsn := content[section].get("dsn"):
            content[section]["dsn"] = describe_target(dsn)
    content["audit"]["key"] = "set" if settings.audit.key else None
    return content


def note_configuration(db: Database, settings: Settings) -> None:
    """Record the configuration, unless it is the one last seen."""
    seen = without_secrets(settings)
    last = next((row for row in newest(db) if row.content.get("event") == Event.CONFIGURATION.value), None)
    if last is None or last.content.get("detail") != json.loads(json.dumps(seen)):
        record(db, Event.CONFIGURATION, db.name, seen)

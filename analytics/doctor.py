"""What must be there so that uses can be seen, in the order in which one would set it right."""

from collections.abc import Iterator
from datetime import datetime

from analytics.health import log, machine, server, watching
from analytics.health.check import Check, Facts
from analytics.levels import Armed, level_checks
from catalog.database import Database, load_sql
from catalog.errors import DatabaseError
from catalog.settings import Settings
from catalog.snapshot import read_attic


def examine(db: Database, settings: Settings, now: datetime) -> list[Check]:
    """Look at everything: the server, its log, the level, this machine. Raises DatabaseError."""
    return list(_examine(db, settings, now))


def _examine(db: Database, settings: Settings, now: datetime) -> Iterator[Check]:
    facts = _server_facts(db)
    yield server.connection(db)
    yield server.version(db)
    yield log.log_format(facts)
    prefix = log.line_prefix(facts)
    if prefix:
        yield prefix
    yield log.log_folder(settings, facts)
    yield log.errors_logged(facts)
    yield server.counters(facts)
    yield server.role_of_server(facts, len(settings.nodes), settings.policy.unread_standbys)
    yield server.registry(facts)
    yield server.rights(facts)
    yield from _levels(db, settings, facts)
    yield watching.ingest(settings, now)
    yield from watching.nodes(settings, now)
    yield watching.alerts(settings)
    yield machine.data_directory(settings.data.directory)
    yield machine.disk(settings.data.directory)
    yield machine.clock(facts, now)


def _levels(db: Database, settings: Settings, facts: Facts) -> Iterator[Check]:
    try:
        armed = Armed.of(read_attic(db))
    except DatabaseError as error:
        yield Check("attic", None, f"what is armed cannot be told: {error.what}", error.todo)
        armed = Armed(())
    yield from level_checks(facts, armed, wants_sensors=settings.sensors.are_wanted)


def _server_facts(db: Database) -> Facts:
    facts = {row["name"]: row["value"] for row in db.fetch(load_sql("analytics", "doctor_server"))}
    # Asking without the right to is an error even where the answer would not be looked at.
    is_allowed = facts["may_ask_for_log"] == "true"
    current = db.fetch_value("SELECT pg_current_logfile()") if is_allowed else None
    return facts | {"current_log": current or ""}

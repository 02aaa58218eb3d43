"""What must be there so that uses can be seen, in the order in which one would set it right."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from analytics.health import backup, log, machine, server, watching
from analytics.health.armed import Armed
from analytics.health.check import Check, Facts
from analytics.health.unalterable import as_possible
from analytics.levels import level_checks
from catalog.attic import read_attic
from catalog.database import Database, load_sql
from catalog.errors import DatabaseError
from catalog.settings import NodeSettings, Settings


def examine(db: Database, settings: Settings, now: datetime) -> list[Check]:
    """Look at all of it: server, log, level, replicas, this machine. Raises DatabaseError."""
    facts = _server_facts(db)
    return [
        server.connection(db),
        *(as_possible(check, facts) for check in _of_server(db, facts, settings)),
        backup.tools(facts, db.server_version, settings.backup.bin_directory),
        *_beside_it(settings, now),
        machine.clock(facts, now),
    ]


def examine_without_database(problem: DatabaseError, settings: Settings, now: datetime) -> list[Check]:
    """Look at what can be seen although the database does not answer: replicas, evidence, this machine."""
    finding = f"{problem.where}: {problem.what}" if problem.where else problem.what
    return [
        Check("connection", False, finding, problem.todo),
        log.log_folder(settings, {}),
        *_beside_it(settings, now),
    ]


def _of_server(db: Database, facts: Facts, settings: Settings) -> Iterator[Check]:
    """The server that things are renamed on."""
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


def _beside_it(settings: Settings, now: datetime) -> Iterator[Check]:
    """What the database is not asked for."""
    silent: dict[str, DatabaseError] = {}
    for node in settings.nodes:
        try:
            yield from _of_node(node, settings)
        except DatabaseError as error:
            silent[node.name] = error
    yield watching.ingest(settings, now)
    yield from watching.ingest_of_nodes(settings, now)
    yield from watching.nodes(settings, now, silent)
    yield watching.alerts(settings)
    yield machine.data_directory(settings.data.directory)
    yield machine.disk(settings.data.directory)


def _of_node(node: NodeSettings, settings: Settings) -> list[Check]:
    """A replica: what its own log and settings let it show. Raises DatabaseError."""
    with Database.connect(node.dsn) as db:
        facts = _server_facts(db)
        found = [
            server.version(db),
            log.log_format(facts),
            log.line_prefix(facts),
            log.errors_logged(facts),
            server.counters(facts),
            *_levels(db, settings, facts),
        ]
    return [
        replace(as_possible(check, facts), name=f"{check.name} of {node.name}") for check in found if check
    ]


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
    configured = _configured(db, facts) if facts["may_read_files"] == "true" else {}
    return facts | configured | {"current_log": current or ""}


def _configured(db: Database, facts: Facts) -> dict[str, str]:
    """Lists of libraries that wait for a restart: a line that did not name them would undo them."""
    rows = db.fetch(load_sql("analytics", "doctor_configured"))
    fixed = facts["on_command_line"].split(", ")
    return {row["name"]: row["value"] or "" for row in rows if row["name"] not in fixed}

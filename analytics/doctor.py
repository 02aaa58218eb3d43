"""What the server and this machine must have so that uses can be seen, and what to do where it is missing."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from analytics.sentences import count, duration
from catalog.database import Database, load_sql
from catalog.elements import quote_identifier
from catalog.settings import Settings
from catalog.terminal import size

OLDEST_SERVER = 150000
_CLOCK_TOLERANCE_SECONDS = 5
_LITTLE_SPACE_BYTES = 1 << 30
# Levels of log_min_messages and log_min_error_statement that let an error through.
_LETS_ERRORS_THROUGH = frozenset(
    {"debug5", "debug4", "debug3", "debug2", "debug1", "debug", "info", "notice", "warning", "error"}
)
_RELOAD = "then `SELECT pg_reload_conf();`"
_RESET = "ALTER ROLE … RESET …; (or ALTER DATABASE …), so that the server's own setting holds"
_RESTART = "then restart the server"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `ok` is None where it is a matter of choice or could not be seen."""

    name: str
    ok: bool | None
    finding: str
    todo: str | None


Facts = Mapping[str, str]


def examine(db: Database, settings: Settings, now: datetime) -> list[Check]:
    """Look at everything, in the order in which one would set it right."""
    facts = _server_facts(db)
    checks: list[Callable[[], Check]] = [
        lambda: _connection(db),
        lambda: _version(db),
        lambda: _csvlog(facts),
        lambda: _log_folder(settings, facts),
        lambda: _errors_logged(facts),
        lambda: _statement_log(facts),
        lambda: _counters(facts),
        lambda: _standbys(facts),
        lambda: _registry(facts),
        lambda: _rights(facts),
        lambda: _data_directory(settings.data.directory),
        lambda: _disk(settings.data.directory),
        lambda: _clock(facts, now),
    ]
    return [check() for check in checks]


def _server_facts(db: Database) -> Facts:
    facts = {row["name"]: row["value"] for row in db.fetch(load_sql("analytics", "doctor_server"))}
    # Asking without the right to is an error even where the answer would not be looked at.
    is_allowed = facts["may_ask_for_csvlog"] == "true"
    current = db.fetch_value("SELECT pg_current_logfile('csvlog')") if is_allowed else None
    return facts | {"current_csvlog": current or ""}


def _connection(db: Database) -> Check:
    return Check("connection", True, f"connected to {db.where}", None)


def _version(db: Database) -> Check:
    version = f"PostgreSQL {db.server_version // 10000}.{db.server_version % 10000}"
    if db.server_version < OLDEST_SERVER:
        return Check("server version", False, version, f"Use PostgreSQL {OLDEST_SERVER // 10000} or newer")
    return Check("server version", True, version, None)


def _csvlog(facts: Facts) -> Check:
    name = "csvlog"
    if facts["logging_collector"] != "on":
        return Check(
            name,
            False,
            "logging_collector is off: the server writes no log files",
            f"ALTER SYSTEM SET logging_collector = on; {_RESTART}",
        )
    destinations = [part.strip() for part in facts["log_destination"].split(",")]
    if "csvlog" not in destinations:
        wanted = ",".join([*destinations, "csvlog"])
        return Check(
            name,
            False,
            f"log_destination is {facts['log_destination']}, without csvlog",
            f"ALTER SYSTEM SET log_destination = '{wanted}'; {_RELOAD}",
        )
    return Check(name, True, "the server writes csvlog files", None)


def _log_folder(settings: Settings, facts: Facts) -> Check:
    name, directory = "log folder", settings.logs.directory
    if directory is None:
        server_folder = facts["log_folder"] or "the server's log_directory"
        return Check(name, False, "no log folder is configured", f"Set logs.directory to {server_folder}")
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist or cannot be reached"
        return Check(name, False, f"{directory} {what}", "Correct logs.directory in pgattic.toml")
    if not os.access(directory, os.R_OK | os.X_OK):
        todo = f"Give this user read rights on {directory} (group of the server, log_file_mode = 0640)"
        return Check(name, False, f"{directory} cannot be read", todo)
    if facts["may_ask_for_csvlog"] != "true":
        finding = f"{directory} can be read; which file the server writes, this role may not ask"
        return Check(name, None, finding, f"GRANT pg_monitor TO {quote_identifier(facts['role'])};")
    return _current_log(directory, facts["current_csvlog"])


def _current_log(directory: Path, current: str) -> Check:
    name = "log folder"
    if not current:
        return Check(name, None, f"{directory} can be read; the server writes no csvlog file now", None)
    file = directory / Path(current).name
    if not file.is_file():
        todo = "Set logs.directory to the folder where this server writes, or to where its logs arrive"
        return Check(name, False, f"the server writes {current}, which is not in {directory}", todo)
    if not os.access(file, os.R_OK):
        todo = f"ALTER SYSTEM SET log_file_mode = '0640'; {_RELOAD}; and put this user into its group"
        return Check(name, False, f"{file} cannot be read", todo)
    return Check(name, True, f"the server's current file {file.name} can be read in {directory}", None)


def _errors_logged(facts: Facts) -> Check:
    name = "errors are logged"
    hidden = [
        f"{key} is {facts[key]}"
        for key in ("log_min_messages", "log_min_error_statement")
        if facts[key] not in _LETS_ERRORS_THROUGH
    ]
    if hidden:
        todo = (
            "ALTER SYSTEM SET log_min_messages = 'warning';"
            f" ALTER SYSTEM SET log_min_error_statement = 'error'; {_RELOAD}"
        )
        return Check(name, False, f"{' and '.join(hidden)}: uses of former names would not be seen", todo)
    if facts["overridden"]:
        return Check(name, False, f"some sessions have settings of their own ({facts['overridden']})", _RESET)
    return Check(name, True, "statements that fail on a former name are logged with their text", None)


def _statement_log(facts: Facts) -> Check:
    """Say what the statement log can and cannot show; any level is allowed."""
    name = "statement log"
    unseen = "what views, functions and triggers touch shows in counters and the catalog only"
    if facts["log_statement"] == "all" or facts["log_min_duration_statement"] == "0":
        return Check(name, True, f"full: every statement is logged; {unseen}", None)
    sampled = facts["log_min_duration_sample"] == "0" and float(facts["log_statement_sample_rate"]) > 0
    if sampled or float(facts["log_transaction_sample_rate"]) > 0:
        finding = "sampled: shows who uses what, proves no absence; columns cannot be judged by scan"
        return Check(
            name, None, finding, f"ALTER SYSTEM SET log_statement = 'all'; {_RELOAD} to judge columns"
        )
    if facts["log_statement"] == "mod":
        finding = "writes only (log_statement = mod): reads are not named; columns cannot be judged by scan"
    else:
        finding = "minimal: errors on former names and counters only; columns cannot be judged by scan"
    todo = f"Where the load allows it: ALTER SYSTEM SET log_statement = 'all'; {_RELOAD}"
    return Check(name, None, finding, todo)


def _counters(facts: Facts) -> Check:
    if facts["track_counts"] != "on":
        todo = f"ALTER SYSTEM SET track_counts = on; {_RELOAD}"
        return Check("counters", False, "track_counts is off: the server counts no use", todo)
    return Check("counters", True, f"counting since {facts['counting_since'][:16]}", None)


def _standbys(facts: Facts) -> Check:
    if facts["in_recovery"] == "true":
        todo = "Point database.dsn at the primary"
        return Check("server role", False, "this server is a standby: nothing can be renamed here", todo)
    standbys = int(facts["standbys"])
    if standbys:
        finding = f"{count(standbys, 'standby connection')}: uses there are logged and counted there alone"
        return Check("server role", None, finding, "Ingest the log of each standby as well")
    return Check("server role", True, "primary, and no standby connected as far as this role may see", None)


def _registry(facts: Facts) -> Check:
    if facts["registry"] != "true":
        todo = "Run `pgattic init`"
        return Check("registry", False, "the registry (schema pgattic) is not in this database", todo)
    return Check("registry", True, "the registry is in this database", None)


def _rights(facts: Facts) -> Check:
    name, role = "rights", facts["role"]
    if facts["superuser"] == "true":
        return Check(name, True, f"{role} is a superuser", None)
    grantee, missing = quote_identifier(role), []
    if facts["can_create"] != "true" and facts["registry"] != "true":
        database = quote_identifier(facts["database"])
        missing.append(f"GRANT CREATE ON DATABASE {database} TO {grantee};")
    not_owned = int(facts["tables_not_owned"])
    if not_owned:
        missing.append(f"GRANT <owner of the tables> TO {grantee};")
    if not missing:
        return Check(name, True, f"{role} owns, itself or through a role, all tables", None)
    finding = (
        f"{role} is no superuser and {count(not_owned, 'table')} belong to roles that it is no member of"
    )
    return Check(name, False, finding, " ".join(missing))


def _data_directory(directory: Path) -> Check:
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        todo = "Correct data.directory in pgattic.toml or the rights on it"
        return Check("data directory", False, f"{directory} cannot be written", todo)
    return Check("data directory", True, f"{directory} can be written", None)


def _disk(directory: Path) -> Check:
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    todo = None if free >= _LITTLE_SPACE_BYTES else f"Make room: at least {size(_LITTLE_SPACE_BYTES)}"
    return Check("disk space", todo is None, f"{size(free)} free for {directory}", todo)


def _clock(facts: Facts, now: datetime) -> Check:
    off = now - datetime.fromisoformat(facts["server_now"])
    if abs(off.total_seconds()) <= _CLOCK_TOLERANCE_SECONDS:
        return Check("clock", True, "the server's clock and ours agree", None)
    todo = "Set both by NTP; times of uses are the server's, times of verdicts are ours"
    return Check("clock", False, f"our clock and the server's differ by {duration(abs(off))}", todo)

"""Whether the server writes a log that can be read, and what its lines lack."""

import os
from pathlib import Path

from analytics.health.check import RELOAD, RESET, RESTART, Check, Facts, resets, setting
from catalog.database import literal
from catalog.elements import quote_identifier
from catalog.settings import Settings

# The first of them is read where several are written.
_FORMATS = ("csvlog", "jsonlog", "stderr")
# Levels of log_min_messages and log_min_error_statement that let an error through.
_LETS_ERRORS_THROUGH = frozenset(
    {"debug5", "debug4", "debug3", "debug2", "debug1", "debug", "info", "notice", "warning", "error"}
)
_TIMES = "mtn"
# What a stderr log without an escape of log_line_prefix cannot tell.
_LOSSES = (
    ("e", "%e: which kind of error it is has to be guessed from the names in the statement"),
    ("d", "%d: lines of every database of the server count for this one"),
    ("u", "%u: which role it was"),
    ("a", "%a: which application it was"),
    ("pc", "%p or %c: which lines are of one session, and whether some are lost"),
)


def log_format(facts: Facts) -> Check:
    """Whether there are files in a format that can be read; csvlog, jsonlog and stderr all will do."""
    name = "log format"
    if facts["logging_collector"] != "on":
        finding = "logging_collector is off: the server writes no log files of its own"
        lines = (setting("logging_collector", "on"), RESTART)
        return Check(name, False, finding, "Have it write them, which takes a restart:", lines)
    written = [part.strip() for part in facts["log_destination"].split(",")]
    readable = [each for each in _FORMATS if each in written]
    if not readable:
        wanted = ",".join([*filter(None, written), "csvlog"])
        finding = f"log_destination is {facts['log_destination']}: no file that can be read"
        lines = (setting("log_destination", literal(wanted)), RELOAD)
        return Check(name, False, finding, "Have it write one:", lines)
    enough = "; one of them will do" if len(readable) > 1 else ""
    return Check(name, True, f"the server writes {' and '.join(readable)}{enough}", None)


def line_prefix(facts: Facts) -> Check | None:
    """What `log_line_prefix` leaves out; None where another format tells everything."""
    if {"csvlog", "jsonlog"} & {part.strip() for part in facts["log_destination"].split(",")}:
        return None
    name, prefix = "line prefix", facts["log_line_prefix"]
    letters = escapes(prefix)
    todo = "Let it tell more, or have the server write csvlog as well:"
    lines = (setting("log_line_prefix", "'%m [%p] %q%u@%d/%a %e '"), RELOAD)
    if not letters & set(_TIMES):
        finding = f"log_line_prefix is {prefix!r}: a line without a time cannot be read"
        return Check(name, False, finding, todo, lines)
    lost = [words for wanted, words in _LOSSES if not letters & set(wanted)]
    if lost:
        finding = f"log_line_prefix is {prefix!r}, without {'; without '.join(lost)}"
        return Check(name, None, finding, todo, lines)
    return Check(name, True, f"log_line_prefix is {prefix!r}: it tells all that is asked", None)


def escapes(prefix: str) -> set[str]:
    """The letters of the escapes of a log_line_prefix."""
    found: set[str] = set()
    rest = prefix
    while "%" in rest:
        after = rest.partition("%")[2].lstrip("-0123456789")
        if after:
            found.add(after[0])
        rest = after[1:]
    return found - {"%", "q"}


def log_folder(settings: Settings, facts: Facts) -> Check:  # noqa: PLR0911 (each says another thing)
    """Whether the files can be found and read; `facts` are empty where the server does not answer."""
    name, directory = "log folder", settings.logs.directory
    if directory is None:
        server_folder = facts.get("log_folder") or "the server's log_directory"
        return Check(name, False, "no log folder is configured", f"Set logs.directory to {server_folder}")
    if any(letter in str(directory) for letter in "*?["):
        return Check(
            name, None, f"{directory} is a pattern; `pgattic ingest --status` says what it finds", None
        )
    if not directory.exists():
        finding = f"{directory} does not exist or cannot be reached"
        return Check(name, False, finding, "Correct logs.directory in pgattic.toml")
    if not os.access(directory, os.R_OK | (os.X_OK if directory.is_dir() else 0)):
        todo = f"Give this user read rights on {directory} (group of the server, log_file_mode = 0640)"
        return Check(name, False, f"{directory} cannot be read", todo)
    if not directory.is_dir():
        return Check(name, None, f"{directory} is one file; the server's next one is not read", None)
    if not facts:
        return Check(name, None, f"{directory} can be read; which file the server writes is not known", None)
    if facts["may_ask_for_log"] != "true":
        finding = f"{directory} can be read; which file the server writes, this role may not ask"
        line = f"GRANT pg_monitor TO {quote_identifier(facts['role'])};"
        return Check(name, None, finding, "Let it ask:", (line,))
    return _current_log(directory, facts["current_log"])


def _current_log(directory: Path, current: str) -> Check:
    name = "log folder"
    if not current:
        return Check(name, None, f"{directory} can be read; the server writes no log file now", None)
    file = directory / Path(current).name
    if not file.is_file():
        todo = "Set logs.directory to the folder where this server writes, or to where its logs arrive"
        return Check(name, False, f"the server writes {current}, which is not in {directory}", todo)
    if not os.access(file, os.R_OK):
        todo = "Put this user into the group of the server, and let that one read:"
        lines = (setting("log_file_mode", "'0640'"), RELOAD)
        return Check(name, False, f"{file} cannot be read", todo, lines)
    return Check(name, True, f"the server's current file {file.name} can be read in {directory}", None)


def errors_logged(facts: Facts) -> Check:
    """Whether a failing use of a former name leaves a line with its statement."""
    name = "errors are logged"
    hidden = hiding(facts)
    if hidden:
        finding = f"{' and '.join(hidden)}: uses of former names would not be seen"
        lines = (
            setting("log_min_messages", "'warning'"),
            setting("log_min_error_statement", "'error'"),
            RELOAD,
            *resets(facts, "overridden"),
        )
        return Check(name, False, finding, "Have them logged:", lines)
    if facts["overridden"]:
        finding = f"some sessions have settings of their own ({facts['overridden']})"
        return Check(name, False, finding, RESET, resets(facts, "overridden"))
    return Check(name, True, "statements that fail on a former name are logged with their text", None)


def hiding(facts: Facts) -> list[str]:
    """The settings of the server that keep errors, or their statements, out of the log."""
    return [
        f"{key} is {facts[key]}"
        for key in ("log_min_messages", "log_min_error_statement")
        if facts[key] not in _LETS_ERRORS_THROUGH
    ]

"""Lines with ALTER SYSTEM where that changes nothing: comments among the lines say what to do instead.

A setting on the server's command line wins over every file: ALTER SYSTEM is accepted, and has no effect.
A server can also refuse ALTER SYSTEM as a whole (`allow_alter_system = off`, PostgreSQL 17 and newer), as
where a service or an orchestrator keeps the configuration.
"""

import re
import shlex
from dataclasses import replace

from analytics.health.check import RELOAD, RESTART, Check, Facts

_ALTER = re.compile(r"ALTER SYSTEM SET (?P<name>\S+) = (?P<value>.*);")
# Without a line that sets something these have nothing to do.
_AROUND = re.compile(rf"{re.escape(RELOAD)}|LOAD '\w+';")
# A list of libraries is quoted name by name in a statement, and as a whole in a file.
_BETWEEN = "', '"
_IN_FILES = "-- ALTER SYSTEM is switched off here; in postgresql.conf, or in the service's parameters: "


def as_possible(check: Check, facts: Facts) -> Check:
    """The same check with lines that this server follows, and in words what has to be written elsewhere."""
    on_command_line = facts.get("on_command_line", "").split(", ")
    is_refused = facts.get("allow_alter_system") == "off"
    lines, is_altered, needs_restart = [], False, False
    for line in check.lines:
        found = _ALTER.fullmatch(line)
        if found and found["name"] in on_command_line:
            lines.append(_for_command_line(found["name"], found["value"]))
            needs_restart = True
        elif found and is_refused:
            lines.append(_for_file(found["name"], found["value"]))
        else:
            lines.append(line)
        is_altered |= bool(found) and not lines[-1].startswith("--")
    if lines == [*check.lines]:
        return check
    in_files = any(line.startswith(_IN_FILES) for line in lines)
    kept = [
        line for line in lines if is_altered or (in_files and line == RELOAD) or not _AROUND.fullmatch(line)
    ]
    if needs_restart and RESTART not in kept:
        kept.append(RESTART)
    return replace(check, lines=tuple(kept))


def _for_command_line(name: str, value: str) -> str:
    option = shlex.quote(f"{name}={_joined(value)}")
    return (
        f"-- {name} is on the server's command line, which wins over ALTER SYSTEM; write there: -c {option}"
    )


def _for_file(name: str, value: str) -> str:
    return f"{_IN_FILES}{name} = {value.replace(_BETWEEN, ', ')}"


def _joined(value: str) -> str:
    """A value without the quotes of a statement."""
    if not value.startswith("'"):
        return value
    return value.replace(_BETWEEN, ", ")[1:-1].replace("''", "'")

"""The lines that load a library beside what a server loads already.

A list of libraries is replaced as a whole, so a line names all of them. Each is quoted apart: what stands in
one pair of quotes is one name, and a server that finds no library of that name does not start.
"""

from dataclasses import dataclass
from pathlib import PurePosixPath

from analytics.health.check import RESTART, Facts, on_primary, setting
from catalog.database import literal
from catalog.elements import quote_identifier

_SHARED = "shared_preload_libraries"
_SESSION = "session_preload_libraries"


@dataclass(frozen=True)
class Loading:
    """How a library comes to be loaded: lines to copy, or words on what is in their way."""

    lines: tuple[str, ...] = ()
    obstacle: str | None = None


def at_start(facts: Facts, *libraries: str) -> Loading:
    """Have libraries loaded with the server; the last one is what is asked for."""
    loading = _added(facts, _SHARED, libraries)
    return loading if loading.obstacle else Loading((*loading.lines, RESTART))


def at_connection(facts: Facts, library: str) -> Loading:
    """Have a library loaded with each session that begins."""
    return _added(facts, _SESSION, (library,))


def is_offered(facts: Facts, library: str) -> bool:
    """Whether the server could load it, as far as can be told: the files of its package are there."""
    # auto_explain is no extension; it comes with the others of PostgreSQL's own.
    packaged = "pg_stat_statements" if library == "auto_explain" else library
    return packaged in facts.get("extensions_offered", packaged).split(", ")


def _added(facts: Facts, name: str, libraries: tuple[str, ...]) -> Loading:
    wanted = libraries[-1]
    if not is_offered(facts, wanted):
        return Loading(obstacle=f"Install {wanted} on the server's machine first, then ask again")
    if name not in facts:
        role = quote_identifier(facts.get("role", "…"))
        return Loading(
            on_primary(facts, f"GRANT pg_read_all_settings TO {role};"),
            f"This role may not see {name}, and the line has to name what is in it. Allow it, and ask again:",
        )
    if name in facts.get("on_command_line", "").split(", "):
        return Loading(
            obstacle=f"Add {wanted} to {name} on the server's command line, which wins over any setting"
            f" (now {facts[name] or 'empty'}), and restart"
        )
    present = _names(facts[name])
    missing = [each for each in libraries if each not in map(_base, present)]
    if not missing:
        # Written down, and waiting for a restart.
        return Loading()
    return Loading((setting(name, ", ".join(literal(each) for each in (*present, *missing))),))


def _names(value: str) -> list[str]:
    # A name with a comma in it comes of several that were quoted together.
    return [name for part in value.replace('"', "").split(",") if (name := part.strip())]


def _base(library: str) -> str:
    return PurePosixPath(library).name.removesuffix(".so")

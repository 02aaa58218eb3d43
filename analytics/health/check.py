"""One thing that was looked at, and the words that several of them use."""

from collections.abc import Mapping
from dataclasses import dataclass

# Lines to copy, one statement each; what a statement cannot do is a comment among them.
RELOAD = "SELECT pg_reload_conf();"
RESTART = "-- restart the server"
RESET = "Take these settings back, so that the server's own hold for the sessions that begin after it:"

# What `sql/doctor_server.sql` says of the server: name and value, as text; a setting of a library that is not
# loaded is not among them.
Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `ok` is None where it is a matter of choice or could not be seen.

    `todo` says in words what to do, `lines` are what can be copied into psql for it, in this order.
    """

    name: str
    ok: bool | None
    finding: str
    todo: str | None
    lines: tuple[str, ...] = ()


def is_standby(facts: Facts) -> bool:
    """Whether nothing can be written on a server: roles and extensions come from its primary."""
    return facts.get("in_recovery") == "true"


def setting(name: str, value: str) -> str:
    """The line that sets something for the whole server; `value` as it stands in the line."""
    return f"ALTER SYSTEM SET {name} = {value};"


def resets(facts: Facts, which: str) -> tuple[str, ...]:
    """The lines that take back what roles and databases have of their own."""
    return on_primary(facts, *facts.get(f"{which}_resets", "").splitlines())


def on_primary(facts: Facts, *lines: str) -> tuple[str, ...]:
    """Lines that write what a standby gets from its primary: there, they only say so."""
    return tuple(f"-- on the primary: {line}" for line in lines) if is_standby(facts) else lines

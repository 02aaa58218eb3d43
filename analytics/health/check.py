"""One thing that was looked at, and the words that several of them use."""

from collections.abc import Mapping
from dataclasses import dataclass

RELOAD = "then `SELECT pg_reload_conf();`"
RESTART = "then restart the server"
RESET = "ALTER ROLE … RESET …; (or ALTER DATABASE …), so that the server's own setting holds"

# What `sql/doctor_server.sql` says of the server: name and value, as text; a setting of a library that is not
# loaded is not among them.
Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `ok` is None where it is a matter of choice or could not be seen."""

    name: str
    ok: bool | None
    finding: str
    todo: str | None

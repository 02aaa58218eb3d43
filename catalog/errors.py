"""The root of every error pgattic raises on purpose, and the errors of the catalog.

PgatticError
├── CatalogError
│   ├── ElementSyntaxError      a text that names no element
│   ├── NameImpossibleError     no deprecated name can be made
│   ├── SettingsError           pgattic.toml or the environment is wrong
│   ├── SnapshotError           a snapshot file that is not one
│   ├── ServerProgramError      initdb, pg_ctl, pg_dump… missing or failed
│   └── DatabaseError
│       ├── ConnectionFailedError   no connection could be made
│       ├── RightsMissingError      the connected role may not read the registry
│       ├── StatementFailedError    the server refused a statement
│       └── LockTimeoutError        a lock was not granted in time: worth another try
├── IngestError, AnalyticsError, MigrationError, DashboardError, DemoError (one root a folder)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

FINDING = 1
WRONG_USE = 2


class PgatticError(Exception):
    """What went wrong, where, and what to do next: the three things a user needs.

    `exit_code` is what the command line ends with: 1 for a refusal or a finding, 2 for wrong use or
    configuration. `details` are further lines, where several things are wrong at once.
    """

    exit_code: ClassVar[int] = FINDING
    details: tuple[str, ...] = ()

    def __init__(self, what: str, *, where: str | None = None, todo: str | None = None) -> None:
        self.what = what
        self.where = where
        self.todo = todo
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.todo}" if self.todo else text


@contextmanager
def os_error_as(
    error: type[PgatticError], what: str, *, where: str | Path, todo: str | None = None
) -> Iterator[None]:
    """Raise an error of ours in place of the system's, with its reason behind what went wrong."""
    try:
        yield
    except OSError as found:
        reason = (found.strerror or "error").lower()
        raise error(f"{what}: {reason}", where=str(where), todo=todo) from found


class CatalogError(PgatticError):
    """Something about elements, names, settings or the database."""


class ElementSyntaxError(CatalogError):
    """A text that was to name an element does not."""

    exit_code = WRONG_USE


class NameImpossibleError(CatalogError):
    """No deprecated name fits."""


class SettingsError(CatalogError):
    """A key of the configuration is missing, unknown or has a wrong value."""

    exit_code = WRONG_USE


class SnapshotError(CatalogError):
    """A snapshot file cannot be read."""

    exit_code = WRONG_USE


class ServerProgramError(CatalogError):
    """A program of PostgreSQL is missing or ended with an error."""


class DatabaseError(CatalogError):
    """The database did not do what was asked."""


class ConnectionFailedError(DatabaseError):
    """No connection could be made."""

    exit_code = WRONG_USE


class RightsMissingError(DatabaseError):
    """The connected role may not do what is needed."""


class StatementFailedError(DatabaseError):
    """The server refused a statement; `sqlstate` says why (PostgreSQL manual, appendix A)."""

    def __init__(
        self, what: str, *, sqlstate: str, where: str | None = None, todo: str | None = None
    ) -> None:
        self.sqlstate = sqlstate
        super().__init__(what, where=where, todo=todo)


class LockTimeoutError(StatementFailedError):
    """A lock was not granted within `lock_timeout`; nothing was changed, a retry may succeed."""

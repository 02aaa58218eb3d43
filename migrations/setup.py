"""First steps: a commented configuration file."""

from pathlib import Path

from catalog.database import has_password, is_conninfo
from catalog.errors import SettingsError, os_error_as
from catalog.files import write_atomically
from catalog.settings import Environment

_TEMPLATE = """\
# pgattic configuration. Every key can also be set by an environment variable: PGATTIC_DATABASE__DSN, …
# Passwords do not belong here: use ~/.pgpass, a service file or PGPASSWORD.

[database]
dsn = {dsn}
environment = {environment}        # production asks for a confirmation before it renames
lock_timeout_ms = 1000

[logs]
{logs}

[data]
directory = {data}

[backup]
directory = {backups}

[policy]
observed_days = 30        # how long nothing may have used an element before it is a candidate
cooling_off_days = 30     # how long it must stay in the attic
quiet_days = 30           # how long ago its last use must be
coverage_wanted = 0.99    # for which part of that time the logs must have been read
"""


def write_configuration(
    path: Path, *, dsn: str | None, logs: Path | None, data: Path | None, environment: Environment
) -> bool:
    """Write a configuration file where there is none; return whether it was written.

    Raises SettingsError where there is no file yet and no dsn to put into it, or it cannot be written.
    """
    if path.exists():
        return False
    if dsn is None:
        raise SettingsError(
            "there is no configuration yet",
            where=str(path),
            todo="Say which database: pgattic init --dsn DSN",
        )
    _check_dsn(dsn)
    folder = data or Path("pgattic-data")
    text = _TEMPLATE.format(
        dsn=_quoted(dsn),
        environment=_quoted(environment),
        logs=f"directory = {_quoted(str(logs.resolve()))}" if logs else '# directory = "/var/log/postgresql"',
        data=_quoted(str(folder)),
        backups=_quoted(str(folder / "backups")),
    )
    with os_error_as(SettingsError, "cannot be written", where=path):
        write_atomically(path, text.encode())
    return True


def _check_dsn(dsn: str) -> None:
    # Before the file is written, so that a password never gets into it.
    if not is_conninfo(dsn):
        raise SettingsError(
            "not a libpq connection string", where="--dsn", todo='Write key=value … or "postgresql://…"'
        )
    if has_password(dsn):
        raise SettingsError(
            "holds a password", where="--dsn", todo="Put it into ~/.pgpass, a service file or PGPASSWORD"
        )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

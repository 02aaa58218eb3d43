"""PostgreSQL's own client programs: found, checked against the server's version, run as a guest."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from catalog.database import APPLICATION_NAME
from catalog.errors import os_error_as
from catalog.programs import version_of
from catalog.throwaway import EMBEDDED_BIN
from migrations.errors import BackupError


def program(name: str, bin_directory: Path | None, server_version: int) -> Path:
    """Find pg_dump or pg_restore, at least as new as the server; raise BackupError that says what to set."""
    path = (bin_directory or EMBEDDED_BIN) / name
    if not path.is_file():
        raise BackupError(
            f"no {name}", where=str(path.parent), todo="Set backup.bin_directory in pgattic.toml"
        )
    with os_error_as(
        BackupError, "cannot be run", where=path, todo="Set backup.bin_directory in pgattic.toml"
    ):
        text, version = version_of(path)
    if version < server_version // 10_000:
        raise BackupError(
            f"{text} is older than the server ({server_version // 10_000})",
            where=str(path),
            todo="Set backup.bin_directory in pgattic.toml to the folder of a newer one",
        )
    return path


def major_version(path: Path) -> int:
    """The major version of a program, as 15."""
    return version_of(path)[1]


def run(path: Path, arguments: Sequence[str], where: str) -> str:
    """Run a program to its end and return its output; raise BackupError with what it said."""
    result = subprocess.run(
        [str(path), "--no-password", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        # Its reads are ours, not a use of the tables.
        env={**os.environ, "PGAPPNAME": APPLICATION_NAME},
    )
    if result.returncode != 0:
        said = [line for line in result.stderr.splitlines() if line.strip()]
        raise BackupError(f"{path.name} ended with {result.returncode}: {'; '.join(said[:3])}", where=where)
    return result.stdout

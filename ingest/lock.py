"""One ingest at a time on the same evidence tables."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import TextIO

from catalog.errors import os_error_as
from ingest.errors import AlreadyRunningError, StoreError

LOCK_NAME = "ingest.lock"
_ATTEMPTS = 5
_PAUSE_SECONDS = 0.02


@contextmanager
def exclusive(data_directory: Path) -> Iterator[None]:
    """Hold the lock of a data directory, which is made where it is absent.

    The system lets go of the lock when the process ends, however it ends. Raises AlreadyRunningError.
    """
    path = data_directory / LOCK_NAME
    todo = "Set data.directory to a folder that the user who runs pgattic may write to"
    with os_error_as(StoreError, "cannot be written", where=data_directory, todo=todo):
        data_directory.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    with file:
        if not _locked(file):
            file.seek(0)
            raise AlreadyRunningError(
                f"another ingest is at work here (process {file.read().strip() or 'unknown'})",
                where=str(data_directory),
                todo="Let it finish, or end it; a second one would count twice",
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    # `ingest --status` holds the lock for the moment that it takes to see whether anybody does.
    for _ in range(_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        sleep(_PAUSE_SECONDS)
    return False


def working_process(data_directory: Path) -> int | None:
    """The process that holds the lock of a data directory (0: it has not said which), or None."""
    with suppress(FileNotFoundError, NotADirectoryError), (data_directory / LOCK_NAME).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            return int(text) if text.isdigit() else 0
    return None

"""One ingest at a time on the same evidence tables."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import AlreadyRunningError, StoreError

LOCK_NAME = "ingest.lock"


@contextmanager
def exclusive(data_directory: Path) -> Iterator[None]:
    """Hold the lock of a data directory, which is made where it is absent.

    The system lets go of the lock when the process ends, however it ends. Raises AlreadyRunningError.
    """
    path = data_directory / LOCK_NAME
    try:
        data_directory.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise StoreError(
            f"cannot be written: {error.strerror}",
            where=str(data_directory),
            todo="Set data.directory to a folder that the user who runs pgattic may write to",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunningError(
                f"another ingest is at work here (process {file.read().strip() or 'unknown'})",
                where=str(data_directory),
                todo="Let it finish, or end it; a second one would count twice",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield

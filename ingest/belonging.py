"""Which database the evidence of a data directory is of: what another one's ingest reads is lost to it."""

from pathlib import Path

from catalog.errors import os_error_as
from catalog.files import write_atomically
from catalog.snapshot import Snapshot
from ingest.errors import StoreError

_FILE_NAME = "ingest.database"


def claim(data_directory: Path, snapshot: Snapshot) -> None:
    """Keep a data directory for a database; one without a name can be any. Raises StoreError.

    A log is read once, and lines of another database are passed over: whoever reads it for the wrong one
    takes its lines away from the right one, and it would look as if nobody used anything there.
    """
    database, path = snapshot.database, data_directory / _FILE_NAME
    if not database:
        return
    with os_error_as(StoreError, "cannot be written", where=path, todo="Check its rights and the disk"):
        # Whoever writes the new name into it ends the line.
        known = path.read_text(encoding="utf-8").rstrip("\n") if path.exists() else None
        former = {entry.database for entry in snapshot.attic}
        if known is not None and known not in {database, *former}:
            raise StoreError(
                f"it holds the evidence of database {known}, and this one is {database}",
                where=str(data_directory),
                todo="Give each database a data.directory of its own (--data); if it was renamed, write its"
                f" new name into {path}",
            )
        if known != database:
            write_atomically(path, database.encode())

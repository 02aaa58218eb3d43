"""A program for test_faults: ingests in processes that may not write all they want, or two at once.

Importing costs more than a run, so these are forks of one process that has imported everything and has not
touched deltalake, whose threads do not survive a fork. Each writes one line: how it ran, and how that ended.
"""

import os
import resource
import signal
import sys
from pathlib import Path

from catalog.errors import PgatticError
from ingest.lock import exclusive
from ingest.running import ingest_once
from tests.ingest.fix_ingest import Workplace
from tests.ingest.test_pipeline import an_alert_each

AT_ONCE = "at once"
NOBODY = "nobody"
_NOBODYS_ID = 65534


def limit(how: str) -> None:
    """Files may not grow beyond so many bytes, or nothing of root's may be written at all."""
    if how == NOBODY:
        os.setuid(_NOBODYS_ID)
    elif how != AT_ONCE:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(how), int(how)))


def ingest(home: Path, how: str) -> str:
    """How it ended: "done", or the error."""
    place = Workplace(
        home / "log", home / "data", alerting=an_alert_each, batch_bytes=2500, commit_bytes=2500
    )
    try:
        limit(how)
        if how != AT_ONCE:
            ingest_once(place.pipeline())
            return "done"
        with exclusive(place.data):
            ingest_once(place.pipeline())
    except PgatticError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def main(home: Path, hows: list[str]) -> None:
    """One after the other, but for those that run at once."""
    running = []
    for how in hows:
        child = os.fork()
        if child == 0:
            try:
                os.write(sys.stdout.fileno(), f"{how}: {ingest(home, how)}\n".encode())
            finally:
                os._exit(0)
        if how == AT_ONCE:
            running.append(child)
        else:
            os.waitpid(child, 0)
    for child in running:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

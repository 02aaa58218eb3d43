"""Waiting for what has to come about: no longer than it takes, and long enough for any machine.

No test may depend on how fast something is; the limits here only end what never comes.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from catalog.database import Database
from catalog.throwaway import ThrowawayServer

PATIENCE_SECONDS = 180


def until(is_so: Callable[[], object], what: str = "it did not come about") -> None:
    """Wait until something is so."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def until_alone(db: Database) -> None:
    """Wait until no other client has a session in a database: only then is all counted that they did.

    Who closes a connection does not wait for the server to end the session.
    """
    others = (
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    until(lambda: db.fetch_value(others), "another session goes on")


def reload(server: ThrowawayServer) -> datetime:
    """Have a server read its configuration anew; return when it had, as sessions that begin now say."""
    before = loaded_at(server)
    with Database.connect(server.dsn()) as db:
        db.execute("SELECT pg_reload_conf()")
    until(lambda: loaded_at(server) != before)
    return loaded_at(server)


def loaded_at(server: ThrowawayServer) -> datetime:
    """When a session that begins now says that the configuration was read."""
    with Database.connect(server.dsn()) as db:
        found: datetime = db.fetch_value("SELECT pg_conf_load_time()")
    return found


def times_logged(server: ThrowawayServer, text: str) -> int:
    """How often a text is in the csvlog of a server, in whichever folder that is."""
    paths = server.data_directory.glob("log*/*.csv")
    return sum(path.read_bytes().count(text.encode()) for path in paths)


def until_logged(server: ThrowawayServer, text: str, times: int = 1) -> None:
    """Wait until the csvlog of a server has a text so often: it is written a moment after it was told."""
    until(lambda: times_logged(server, text) >= times, f"the server has not logged {text!r}")


@contextmanager
def ended_by_signal(work: Callable[[], object]) -> Iterator[None]:
    """Do some work beside the block, and then end by SIGTERM what the block does."""
    # Whoever does not listen for it any more is not ended by it.
    before = signal.signal(signal.SIGTERM, lambda *_: None)

    def work_and_end() -> None:
        try:
            work()
        finally:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    try:
        with ThreadPoolExecutor(1) as pool:
            worked = pool.submit(work_and_end)
            yield
            worked.result()
    finally:
        signal.signal(signal.SIGTERM, before)

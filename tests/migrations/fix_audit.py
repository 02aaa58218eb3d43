"""A PostgreSQL 15 with pgaudit, which Debian has as a package of its own."""

from collections.abc import Iterator

import pytest

from catalog.throwaway import ThrowawayServer
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase, fresh_database

AUDITOR = "sensor_auditor"


@pytest.fixture(scope="session")
def auditing_server() -> Iterator[ThrowawayServer]:
    """One server for the session whose pgaudit logs what is granted to AUDITOR; skips where it is absent."""
    if not (DEBIAN_15_BIN.parent / "lib" / "pgaudit.so").exists():
        pytest.skip(f"no pgaudit beside {DEBIAN_15_BIN}")
    settings = {"shared_preload_libraries": "pgaudit", "pgaudit.role": AUDITOR}
    with ThrowawayServer(bin_directory=DEBIAN_15_BIN, settings=settings) as server:
        yield server


@pytest.fixture
def auditing(auditing_server: ThrowawayServer) -> Iterator[FreshDatabase]:
    """A fresh database of that server, with the role."""
    for database in fresh_database(auditing_server):
        database.db.execute(f"CREATE ROLE {AUDITOR}")
        yield database
        database.db.execute(f"DROP OWNED BY {AUDITOR}; DROP ROLE {AUDITOR}")

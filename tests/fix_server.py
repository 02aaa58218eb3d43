"""Real PostgreSQL servers for the tests: embedded 18 always, Debian's 15 where it is installed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from catalog.database import Database, identifier
from catalog.throwaway import ThrowawayServer

DEBIAN_15_BIN = Path("/usr/lib/postgresql/15/bin")
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def server18() -> Iterator[ThrowawayServer]:
    """One PostgreSQL 18 for the session, logging to csvlog."""
    with ThrowawayServer() as server:
        yield server


@pytest.fixture(scope="session")
def server15() -> Iterator[ThrowawayServer]:
    """One PostgreSQL 15 for the session; skips where Debian's package is absent."""
    if not (DEBIAN_15_BIN / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {DEBIAN_15_BIN}")
    with ThrowawayServer(bin_directory=DEBIAN_15_BIN) as server:
        yield server


# Of each statement: the line before it runs, its plan, and (15) what pgaudit says of it.
_TALKATIVE = {
    "log_statement": "all",
    "log_lock_waits": "on",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
}
_AUDITED = {"pgaudit.log": "all", "pgaudit.log_relation": "on"}


@pytest.fixture(scope="session")
def talkative15() -> Iterator[ThrowawayServer]:
    """A PostgreSQL 15 with pgaudit and auto_explain; skips where Debian's packages are absent."""
    if not (DEBIAN_15_BIN.parent / "lib" / "pgaudit.so").exists():
        pytest.skip(f"no PostgreSQL 15 with pgaudit in {DEBIAN_15_BIN.parent}")
    libraries = {"shared_preload_libraries": "pgaudit, auto_explain"}
    with ThrowawayServer(settings=libraries | _TALKATIVE | _AUDITED, bin_directory=DEBIAN_15_BIN) as server:
        yield server


@pytest.fixture(scope="session")
def talkative18() -> Iterator[ThrowawayServer]:
    """A PostgreSQL 18 with auto_explain."""
    with ThrowawayServer(settings={"shared_preload_libraries": "auto_explain"} | _TALKATIVE) as server:
        yield server


@pytest.fixture(params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def server(request: pytest.FixtureRequest) -> ThrowawayServer:
    """Each supported server in turn; for behaviour that depends on PostgreSQL."""
    found: ThrowawayServer = request.getfixturevalue(f"server{request.param}")
    return found


@dataclass(frozen=True)
class FreshDatabase:
    """An empty database of a running server; `db` is a superuser's session in it."""

    server: ThrowawayServer
    name: str
    db: Database

    def dsn(self, user: str = "postgres") -> str:
        return self.server.dsn(self.name, user)


@pytest.fixture
def database(server: ThrowawayServer) -> Iterator[FreshDatabase]:
    """A fresh database on each supported server in turn."""
    yield from fresh_database(server)


@pytest.fixture
def database18(server18: ThrowawayServer) -> Iterator[FreshDatabase]:
    """A fresh database on PostgreSQL 18 only; for behaviour that does not depend on the server."""
    yield from fresh_database(server18)


def fresh_database(server: ThrowawayServer) -> Iterator[FreshDatabase]:
    """A fresh database as a generator, for fixtures of a wider scope."""
    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with Database.connect(server.dsn()) as admin:
        admin.execute(f"CREATE DATABASE {identifier(name)}")
        with Database.connect(server.dsn(name)) as db:
            yield FreshDatabase(server, name, db)
        admin.execute(f"DROP DATABASE {identifier(name)} WITH (FORCE)")


class _UndoneError(Exception):
    pass


@contextmanager
def undone(db: Database) -> Iterator[None]:
    """A transaction that leaves nothing behind."""
    try:
        with db.transaction():
            yield
            raise _UndoneError  # noqa: TRY301 (it is what undoes)
    except _UndoneError:
        pass


@contextmanager
def beside(dsn: str, work: str) -> Iterator[Database]:
    """A session that waits only briefly for locks, beside one whose transaction has done some work."""
    with Database.connect(dsn) as user, Database.connect(dsn, lock_timeout_ms=50) as other, undone(user):
        user.execute(work)
        yield other

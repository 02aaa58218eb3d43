"""A bench for the safety checks: a real database, and the findings of all checks on some of its elements."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.settings import (
    BackupSettings,
    DatabaseSettings,
    DataSettings,
    Environment,
    PolicySettings,
    Settings,
)
from catalog.throwaway import ThrowawayServer
from migrations import registry
from migrations.checks import run_checks
from migrations.checks.situation import Situation, observe
from migrations.findings import Finding, Severity
from tests.fix_server import FreshDatabase, fresh_database

SCHEMA = """
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int CONSTRAINT total_check CHECK (total > 0));
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE users_old (id int PRIMARY KEY, name text);
"""
USERS = "table:public.users_old"
LEGACY = "column:public.orders.legacy"


@dataclass
class Bench:
    """A database with two tables, and how the checks are called on it."""

    database: FreshDatabase
    folder: Path
    environment: Environment = "development"
    backup_dsn: str = ""

    @property
    def db(self) -> Database:
        return self.database.db

    def situation(self, *elements: str, db: Database | None = None, **policy: object) -> Situation:
        settings = Settings(
            database=DatabaseSettings(dsn=self.database.dsn(), environment=self.environment),
            data=DataSettings(directory=self.folder / "data"),
            backup=BackupSettings(directory=self.folder / "backups", dsn=self.backup_dsn),
            policy=PolicySettings.model_validate(policy),
        )
        wanted = tuple(Element.parse(text) for text in elements)
        asked = db or self.db
        return observe(asked, settings, read_snapshot(asked), wanted, datetime.now(UTC))

    def findings(
        self, check: str, *elements: str, db: Database | None = None, **policy: object
    ) -> list[Finding]:
        """What one check found."""
        found = run_checks(self.situation(*elements, db=db, **policy))
        return [finding for finding in found if finding.check == check]

    def blocked_by(
        self, check: str, *elements: str, db: Database | None = None, **policy: object
    ) -> list[str]:
        """What one check says that blocks, subject first."""
        return [
            f"{finding.subject} {finding.message}"
            for finding in self.findings(check, *elements, db=db, **policy)
            if finding.severity is Severity.BLOCK and finding.todo
        ]


def furnished(database: FreshDatabase, folder: Path) -> Bench:
    database.db.execute(SCHEMA)
    registry.install(database.db)
    # What the set-up itself did is not a use: flush it, then forget it.
    database.db.execute("SELECT pg_stat_force_next_flush()")
    database.db.execute("SELECT pg_stat_reset()")
    return Bench(database, folder)


@pytest.fixture
def bench(database: FreshDatabase, tmp_path: Path) -> Bench:
    """On each supported server in turn."""
    return furnished(database, tmp_path)


@pytest.fixture
def bench18(database18: FreshDatabase, tmp_path: Path) -> Bench:
    """On PostgreSQL 18 only."""
    return furnished(database18, tmp_path)


@pytest.fixture(scope="session")
def logical_server() -> Iterator[ThrowawayServer]:
    """A server that can replicate logically and keeps commit times."""
    settings = {"wal_level": "logical", "track_commit_timestamp": "on"}
    with ThrowawayServer(settings=settings) as server:
        yield server


@pytest.fixture
def logical_bench(logical_server: ThrowawayServer, tmp_path: Path) -> Iterator[Bench]:
    """On a server that can replicate logically and keeps commit times."""
    for database in fresh_database(logical_server):
        yield furnished(database, tmp_path)

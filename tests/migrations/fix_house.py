"""A database to deprecate things in without backups, for tests of the way back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from migrations import registry
from migrations.apply import apply
from migrations.plan import Plan, make_plan
from migrations.restoring import Restoration, statements_of
from migrations.rollback import Scope, preview, rollback
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase

SCHEMA = """
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int CONSTRAINT total_check CHECK (total > 0));
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE users_old (id int, name text);
COMMENT ON TABLE users_old IS 'it''s old';
INSERT INTO users_old SELECT g, 'user ' || g FROM generate_series(1, 10) g;
CREATE VIEW reader AS SELECT id FROM users_old;
CREATE SEQUENCE numbers;
"""
USERS = Element.parse("table:public.users_old")


@dataclass(frozen=True)
class House:
    """A small schema and what can be done to it."""

    database: FreshDatabase

    @property
    def db(self) -> Database:
        return self.database.db

    def plan(self, *elements: str, soft: bool = False, with_dependents: bool = False) -> Plan:
        return make_plan(
            read_snapshot(self.db),
            [Element.parse(text) for text in elements],
            reason=Reason.UNUSED,
            environment="development",
            role="dba",
            now=datetime.now(UTC),
            soft=soft,
            with_dependents=with_dependents,
        )

    def deprecate(self, *elements: str, soft: bool = False) -> Plan:
        plan = self.plan(*elements, soft=soft)
        apply(self.db, plan)
        return plan

    def back(self, plan: Plan) -> tuple[Restoration, ...]:
        return rollback(self.db, migration_id=plan.id).restored

    def sql(self, scope: Scope) -> list[str]:
        return statements_of(preview(self.db, scope))

    def exists(self, *elements: str) -> bool:
        snapshot = read_snapshot(self.db)
        return all(snapshot.exists(Element.parse(text)) for text in elements)

    def in_attic(self) -> list[str]:
        return [str(item.element) for item in registry.in_attic(self.db)]


@pytest.fixture
def house(database: FreshDatabase) -> House:
    """The schema on each supported server in turn, with the registry."""
    return _built(database)


@pytest.fixture
def house18(database18: FreshDatabase) -> House:
    """The same on PostgreSQL 18 only."""
    return _built(database18)


def _built(database: FreshDatabase) -> House:
    database.db.execute(SCHEMA)
    registry.install(database.db)
    # What the set-up wrote is counted before anything is renamed.
    database.db.execute("SELECT pg_stat_force_next_flush()")
    return House(database)


@pytest.fixture
def command(
    house18: House, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command line, configured for `house18`."""
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "pgattic.toml"
    config.write_text(f'[database]\ndsn = "{house18.database.dsn()}"\nenvironment = "development"\n')
    return CommandLine(config, capsys, monkeypatch)

"""A small shop with one element of each kind that nobody uses, and settings to migrate it with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.settings import BackupSettings, DatabaseSettings, DataSettings, Settings
from migrations import registry, workflow
from migrations.plan import Plan
from tests.fix_server import FreshDatabase

SCHEMA = Path(__file__).with_name("shop.sql").read_text()
UNUSED = (
    "table:public.users_old",
    "column:public.orders.legacy",
    "index:public.orders_total_idx",
    "constraint:public.orders.total_check",
    "enum:public.colour",
    'table:public."Mixed ""Case"""',
)


@dataclass(frozen=True)
class Shop:
    """A database with the registry installed and nothing counted yet."""

    database: FreshDatabase
    settings: Settings
    unused: tuple[Element, ...]

    @property
    def db(self) -> Database:
        return self.database.db

    def plan(self, *elements: str) -> Plan:
        wanted = [Element.parse(text) for text in elements] or self.unused
        return workflow.prepare(self.db, self.settings, wanted, Reason.UNUSED, datetime.now(UTC))

    def apply(self, plan: Plan, on_step: Callable[[str], None] = lambda _: None) -> workflow.Applied:
        return workflow.carry_out(self.db, self.settings, plan, datetime.now(UTC), on_step=on_step)


@pytest.fixture
def shop(database: FreshDatabase, tmp_path: Path) -> Shop:
    """The shop on each supported server in turn."""
    return built(database, tmp_path)


@pytest.fixture
def shop18(database18: FreshDatabase, tmp_path: Path) -> Shop:
    """The shop on PostgreSQL 18 only."""
    return built(database18, tmp_path)


def built(database: FreshDatabase, tmp_path: Path) -> Shop:
    """The shop in a database, beside whatever is there."""
    db = database.db
    db.execute(SCHEMA)
    registry.install(db)
    # What the set-up itself did is not a use: flush it, then forget it.
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    settings = Settings(
        database=DatabaseSettings(dsn=database.dsn(), environment="development"),
        data=DataSettings(directory=tmp_path / "data"),
        backup=BackupSettings(directory=tmp_path / "backups"),
    )
    return Shop(database, settings, tuple(Element.parse(text) for text in UNUSED))

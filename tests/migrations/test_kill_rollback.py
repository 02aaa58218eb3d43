"""Killed at any statement of a rollback, registry and catalog agree, and a rerun finishes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrations import audit, registry
from migrations.audit.verify import verify
from migrations.plan import Plan
from migrations.present import read_present
from tests.migrations.fix_house import House
from tests.waiting import until_alone

ROOT = Path(__file__).parent.parent.parent
HARD = (
    "table:public.users_old",
    "column:public.orders.legacy",
    "index:public.orders_total_idx",
    "constraint:public.orders.orders_pkey",
    "enum:public.colour",
    "sequence:public.numbers",
)
SOFT = ("table:public.users_old", "column:public.orders.legacy", "column:public.orders.total")
PLANS = pytest.mark.parametrize(("elements", "soft"), [(HARD, False), (SOFT, True)], ids=["hard", "soft"])


class Mortal:
    """The process that forks a child for each attempt."""

    def __init__(self, dsn: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.migrations.killed", dsn],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def attempt(self, migration_id: str, step: int) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{migration_id} {step}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def mortal(house: House) -> Iterator[Mortal]:
    made = Mortal(house.database.dsn())
    yield made
    with made.process:
        made.process.kill()


def agree(house: House, plan: Plan) -> bool:
    """Assert that catalog and registry say the same of a plan's elements; return whether they are renamed."""
    # Whoever was killed may have a transaction that the server has not yet noticed to be over.
    until_alone(house.db)
    with house.db.transaction():
        items = registry.in_attic(house.db, migration_id=plan.id)
        present = read_present(house.db, items)
        shims = house.db.fetch_value(
            "SELECT count(*) FROM pg_class WHERE relkind = 'v' AND relname <> 'reader'"
        )
    if items:
        assert len(items) == len(plan.steps)
        assert [now.name for now in present] == [item.deprecated_name for item in items]
        assert shims >= len({item.shim_oid for item in items if item.shim_oid})
    else:
        assert house.exists(*(str(step.element) for step in plan.steps))
    return bool(items)


@PLANS
def test_a_rollback_killed_at_any_statement_is_whole_or_not_at_all(
    house: House, mortal: Mortal, elements: tuple[str, ...], soft: bool
) -> None:
    plan = house.deprecate(*elements, soft=soft)
    ends: list[bool] = []
    answer = "killed"
    while answer == "killed":
        answer = mortal.attempt(plan.id, len(ends) + 1)
        is_in_attic = agree(house, plan)
        ends.append(is_in_attic)
        if answer == "killed" and not is_in_attic:
            plan = house.deprecate(*elements, soft=soft)
    # It was killed many times before the commit, and the last attempt, which nobody killed, finished.
    assert answer == "finished"
    assert len(ends) > 30
    assert ends.count(True) > 20
    assert not ends[-1]
    assert ends.count(False) > 1
    assert verify(audit.read(house.db)).is_whole

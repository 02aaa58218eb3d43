"""Wherever an apply is killed: registry and catalog agree, the audit trail is whole, there is a way on."""

import signal
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from migrations import audit, breaker, registry
from migrations.apply import apply
from migrations.audit.verify import verify
from migrations.batches import Batch
from migrations.plan import Plan, make_plan, save_plan
from migrations.rollback import rollback
from tests.fix_server import FreshDatabase
from tests.migrations.dying import Dying
from tests.waiting import until_alone

ELEMENTS = ("column:public.orders.legacy", "index:public.orders_total_idx", "table:public.users_old")
SCHEMA = (
    "CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int);"
    "CREATE INDEX orders_total_idx ON orders (total);"
    "CREATE TABLE users_old (id int); COMMENT ON TABLE users_old IS 'old'"
)


def new_plan(db: Database) -> Plan:
    return make_plan(
        read_snapshot(db),
        [Element.parse(text) for text in ELEMENTS],
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=datetime.now(UTC),
        batch=Batch.TABLE,
    )


def inside_by_catalog(db: Database, plan: Plan) -> set[Element]:
    """The elements that have their deprecated name; each must have exactly one of both."""
    snapshot = read_snapshot(db)
    inside = set()
    for step in plan.steps:
        renamed = replace(step.element, name=step.deprecated_name)
        assert snapshot.exists(step.element) != snapshot.exists(renamed), step.element
        if snapshot.exists(renamed):
            inside.add(step.element)
    return inside


def registry_agrees(db: Database, plan: Plan) -> set[Element]:
    inside = {item.element for item in registry.in_attic(db, migration_id=plan.id)}
    assert inside == inside_by_catalog(db, plan)
    state = registry.progress_of(db, plan.id).state
    if len(inside) == len(plan.steps):
        assert state == "executed"
    else:
        assert state == ("failed" if inside else None)
    assert verify(audit.read(db)).is_whole
    return inside


@pytest.mark.parametrize("sent", [False, True], ids=["before each message", "commit without an answer"])
def test_an_apply_that_is_killed_leaves_registry_and_catalog_in_agreement(
    database18: FreshDatabase, tmp_path: Path, sent: bool
) -> None:
    db = database18.db
    db.execute(SCHEMA)
    registry.install(db)
    before = read_snapshot(db)
    plan, path = new_plan(db), tmp_path / "plan.json"
    assert len(plan.batches()) == 2
    seen: set[int] = set()
    killed = 0
    unfinished = False
    with Dying(database18.dsn()) as dying:
        for at in count(1):
            save_plan(plan, path)
            code = dying.apply(path, at, sent=sent)
            # The server ends what the killed process left it with.
            until_alone(db)
            inside = registry_agrees(db, plan)
            seen.add(len(inside))
            unfinished |= bool(verify(audit.read(db)).unfinished)
            if code == 0:
                break
            assert code == -signal.SIGKILL
            killed += 1
            if inside and killed % 2:
                # The same plan goes on with what is missing, unless nothing is.
                if len(inside) < len(plan.steps):
                    apply(db, plan)
                assert len(registry_agrees(db, plan)) == len(plan.steps)
            if registry.in_attic(db, migration_id=plan.id):
                rollback(db, migration_id=plan.id)
                assert inside_by_catalog(db, plan) == set()
                plan = new_plan(db)
    rollback(db, migration_id=plan.id)
    after = read_snapshot(db)
    assert (after.relations, after.indexes) == (before.relations, before.indexes)
    # Nothing, the first batch, all: each was met, and the breaker has no part in it.
    assert seen == {0, 2, 3}
    assert killed > 10
    assert unfinished, "an intent without an outcome tells of a kill"
    assert not breaker.state(db).is_open

"""Whatever the schema and whatever the plans: apply, then rollback, gives back the same schema dump."""

import random
import subprocess
from datetime import UTC, datetime
from itertools import count

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from catalog.database import identifier
from catalog.elements import Element, Kind
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from migrations import registry
from migrations.apply import apply
from migrations.errors import PlanError, RollbackError
from migrations.findings import Severity
from migrations.operations import operation_for
from migrations.plan import Plan, make_plan
from migrations.rollback import Scope, rollback
from tests.fix_server import FreshDatabase
from tests.migrations.schemas import schemas

_NUMBERS = count(1)


def dump(database: FreshDatabase) -> list[str]:
    """What pg_dump says of the schema, without comments of its own and the token that differs by run."""
    result = subprocess.run(
        [
            database.server.program("pg_dump"),
            "--schema-only",
            "--exclude-schema=pgattic",
            f"--dbname={database.dsn()}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        line
        for line in result.stdout.splitlines()
        if line and not line.startswith(("--", "\\restrict", "\\unrestrict"))
    ]


def renameable(snapshot: Snapshot) -> list[Element]:
    """Every element that is not in the attic and that its own kind does not forbid to rename."""
    inside = {(entry.element.kind, entry.object_oid) for entry in snapshot.attic if entry.is_in_attic}
    return [
        element
        for element in snapshot.elements()
        if (element.kind, snapshot.oid(element)) not in inside
        and not any(
            finding.severity is Severity.BLOCK
            for finding in operation_for(element.kind).check(snapshot, element)
        )
    ]


def plan_of(
    snapshot: Snapshot, elements: list[Element], *, soft: bool = False, with_dependents: bool = False
) -> Plan | None:
    try:
        return make_plan(
            snapshot,
            elements,
            reason=Reason.UNUSED,
            environment="development",
            role="dba",
            now=datetime.now(UTC),
            soft=soft,
            with_dependents=with_dependents,
        )
    except PlanError:
        return None


def deprecate_some(database: FreshDatabase, draws: random.Random) -> Plan | None:
    """Apply a random plan."""
    snapshot = read_snapshot(database.db)
    known = renameable(snapshot)
    if not known:
        return None
    soft, with_dependents = draws.random() < 0.4, draws.random() < 0.2
    wanted = draws.sample(known, min(len(known), draws.randint(1, 8)))
    if soft:
        # A shim is not offered for everything: take what it is offered for, one by one.
        shown = [element for element in known if element.kind in (Kind.TABLE, Kind.COLUMN)]
        draws.shuffle(shown)
        alone = [one for one in shown if plan_of(snapshot, [one], soft=True)][: draws.randint(1, 4)]
        plan = plan_of(snapshot, alone, soft=True) or plan_of(snapshot, alone[:1], soft=True)
    else:
        plan = plan_of(snapshot, wanted, with_dependents=with_dependents) or plan_of(snapshot, wanted[:1])
    if plan is None:
        return None
    apply(database.db, plan, with_sensors=draws.random() < 0.7)
    for step in plan.steps:
        event(f"{step.element.kind}{', soft' if step.shim else ''}")
    return plan


def roll_back_in_any_order(database: FreshDatabase, plans: list[Plan], draws: random.Random) -> None:
    """Bring all back: by migration, by element or all at once; what is refused has to wait for another."""
    if draws.random() < 0.3:
        rollback(database.db, Scope(since=datetime(2000, 1, 1, tzinfo=UTC)))
        return
    scopes = [Scope(migration_id=plan.id) for plan in plans]
    if draws.random() < 0.5:
        scopes = [Scope(item.migration_id, item.element) for item in registry.in_attic(database.db)]
    draws.shuffle(scopes)
    while scopes:
        refused = []
        for scope in scopes:
            try:
                rollback(database.db, scope)
            except RollbackError:
                refused.append(scope)
        if len(refused) == len(scopes):
            # Only columns that share a shim cannot come back one by one in any order.
            rollback(database.db, Scope(since=datetime(2000, 1, 1, tzinfo=UTC)))
            return
        scopes = refused


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    # One database serves all examples; each has a schema of its own in it.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_apply_then_rollback_gives_back_the_same_dump(
    database: FreshDatabase, data: st.DataObject, seed: int
) -> None:
    # What is planned depends on the catalog: a generator of its own keeps hypothesis out of that.
    draws = random.Random(seed)
    db = database.db
    registry.install(db)
    schema = f"Round trip {next(_NUMBERS)}"
    statements = data.draw(schemas(schema))
    try:
        db.execute(";\n".join(statements))
        before, catalog_before = dump(database), read_snapshot(db)
        made = [deprecate_some(database, draws) for _ in range(draws.randint(1, 3))]
        plans = [plan for plan in made if plan]
        assume(plans)
        assert dump(database) != before
        roll_back_in_any_order(database, plans, draws)
        assert dump(database) == before
        after = read_snapshot(db)
        assert after.relations == catalog_before.relations
        assert after.indexes == catalog_before.indexes
        assert after.constraints == catalog_before.constraints
        assert after.enums == catalog_before.enums
        assert not any(entry.is_in_attic for entry in after.attic)
    finally:
        db.execute(f"DROP SCHEMA IF EXISTS {identifier(schema)} CASCADE")
        db.execute("DELETE FROM pgattic.sensor; DELETE FROM pgattic.element; DELETE FROM pgattic.breaker")

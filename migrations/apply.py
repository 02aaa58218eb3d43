"""Apply: rename every element of a plan and write the registry, in one transaction."""

from collections.abc import Callable

from catalog.counters import read_counters
from catalog.database import Database
from catalog.errors import DatabaseError
from catalog.snapshot import read_snapshot
from migrations import registry
from migrations.plan import Plan, check_drift
from migrations.retry import retrying


def apply(db: Database, plan: Plan, on_retry: Callable[[str], None] = lambda _: None) -> None:
    """Put the plan's elements into the attic, all or none.

    Raises PlanDriftedError where the catalog changed since the plan, LockTimeoutError where the locks could
    not be had in five attempts, StatementFailedError where the server refused. After any of them nothing is
    renamed, and the failed attempt is in the registry.
    """
    registry.require(db)
    try:
        for attempt in retrying(on_retry):
            with attempt:
                _apply_once(db, plan)
    except DatabaseError as error:
        registry.record_failed(db, plan, str(error))
        raise


def _apply_once(db: Database, plan: Plan) -> None:
    snapshot = read_snapshot(db)
    check_drift(plan, snapshot)
    counters = read_counters(db)
    with db.transaction():
        registry.record_executed(db, plan)
        # One message for all: locks are held for one round trip, however many elements there are.
        db.execute(";\n".join(statement for step in plan.steps for statement in step.up))
        registry.record_deprecated(db, plan, snapshot, counters)

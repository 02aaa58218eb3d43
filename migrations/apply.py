"""Apply: rename every element of a plan and write the registry, in one transaction."""

from collections.abc import Callable

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from catalog.counters import read_counters
from catalog.database import Database
from catalog.errors import DatabaseError, LockTimeoutError
from catalog.snapshot import read_snapshot
from migrations import registry
from migrations.plan import Plan, check_drift

_ATTEMPTS = 5
_LONGEST_PAUSE_SECONDS = 5


def retrying(on_retry: Callable[[str], None]) -> Retrying:
    """Try again a few times, with growing random pauses, while a lock is not to be had."""

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0
        on_retry(f"attempt {state.attempt_number} of {_ATTEMPTS}: {error}; next in {pause:.1f} s")

    return Retrying(
        retry=retry_if_exception_type(LockTimeoutError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(max=_LONGEST_PAUSE_SECONDS),
        before_sleep=announce,
        reraise=True,
    )


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

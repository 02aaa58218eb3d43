"""Apply: rename the elements of a plan and write the registry, in one transaction for each batch."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from analytics.sentences import count
from catalog.counters import read_counters
from catalog.database import Database
from catalog.errors import DatabaseError, LockTimeoutError
from catalog.reading import read_snapshot
from catalog.settings import PolicySettings
from migrations import audit, breaker, integrity, registry, sensors
from migrations.audit import Event
from migrations.checks.surroundings import read_standbys
from migrations.errors import BreakerOpenError, PlanDriftedError, PlanError, RefusedError
from migrations.plan import Plan
from migrations.progress import remaining, require_unmoved
from migrations.retry import retrying
from migrations.sensors import Armed
from migrations.steps import Step

# What is said before anything was tried.
_REFUSALS = (PlanError, PlanDriftedError, RefusedError)


@dataclass(frozen=True)
class _Part:
    """One batch of a plan, which is renamed in one transaction."""

    plan: Plan
    steps: tuple[Step, ...]
    number: int
    of: int
    with_sensors: bool = False

    @property
    def is_last(self) -> bool:
        return self.number == self.of

    @property
    def unfinished(self) -> str | None:
        """What the registry says from this batch on until the next one: true whenever the process ends."""
        return None if self.is_last else f"stopped after batch {self.number} of {self.of}"

    @property
    def positions(self) -> frozenset[int]:
        """Where its steps stand in the plan."""
        own = {step.element for step in self.steps}
        return frozenset(n for n, step in enumerate(self.plan.steps, start=1) if step.element in own)

    def detail(self, **more: Any) -> dict[str, Any]:
        """What the audit trail says of it."""
        return {"plan_hash": self.plan.hash, "batch": self.number, "batches": self.of, **more}


def apply(
    db: Database,
    plan: Plan,
    on_step: Callable[[str], None] = lambda _: None,
    *,
    policy: PolicySettings | None = None,
    with_sensors: bool = False,
) -> tuple[Armed, ...]:
    """Put the plan's elements into the attic: all or none of each batch, and most plans are one batch.

    `with_sensors` also puts on them, in the same transactions, what makes the server log their uses; returned
    is what became of that.

    A plan that stopped between batches goes on with what is missing. Raises PlanDriftedError where the
    catalog changed since the plan, BreakerOpenError, LockTimeoutError where the locks could not be had in
    some attempts, StatementFailedError where the server refused, IntegrityError where more than names
    changed. After any of them nothing of the batch is renamed, and the registry and the audit trail say why.
    """
    policy = policy or PolicySettings()
    registry.require(db)
    breaker.require_closed(db)
    batches = remaining(db, plan, read_snapshot(db)).batches()
    armed: list[Armed] = []
    for number, steps in enumerate(batches, start=1):
        part = _Part(plan, steps, number, len(batches), with_sensors)
        armed.extend(_apply_part(db, part, on_step, policy))
        if not part.is_last:
            on_step(f"batch {number} of {len(batches)}: {count(len(steps), 'element')} renamed")
        _look_at_standbys(db, part, policy)
    return tuple(armed)


def _apply_part(
    db: Database, part: _Part, on_step: Callable[[str], None], policy: PolicySettings
) -> tuple[Armed, ...]:
    plan = part.plan
    elements = [str(step.element) for step in part.steps]
    statements = [statement for step in part.steps for statement in step.up]
    audit.record(db, Event.APPLY_INTENT, plan.id, part.detail(elements=elements, sql=statements))
    try:
        for attempt in retrying(on_step, db=db, oids={step.object_oid for step in part.steps}):
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    # Somebody had time to change things.
                    remaining(db, plan, read_snapshot(db))
                armed = _rename(db, part, statements)
    except BaseException as error:
        # On a connection that is gone nothing can be written: there the intent stays without an outcome.
        with suppress(DatabaseError):
            _record_failure(db, part, error, policy)
        raise
    return armed


def _rename(db: Database, part: _Part, statements: list[str]) -> tuple[Armed, ...]:
    plan = part.plan
    counters = read_counters(db)
    with db.transaction():
        # In this order everywhere, and before the first lock on a table of the user's.
        registry.take_turn(db)
        audit.reserve(db)
        registry.record_executed(db, plan, unfinished=part.unfinished)
        if part.is_last:
            breaker.forget_lock_failures(db)
        require_unmoved(db, plan, part.steps)
        before = integrity.observe(db, part.steps)
        detail = part.detail(outcome="done", elements=len(part.steps))
        audit.record(db, Event.APPLY_OUTCOME, plan.id, detail)
        # One message for all: locks are held for one round trip, however many elements there are.
        db.execute(";\n".join(statements))
        comments = [element.comment for element in before]
        registry.record_deprecated(db, plan, part.steps, comments, counters)
        integrity.record(db, plan.id, part.steps, before)
        return _arm(db, part) if part.with_sensors else ()


def _arm(db: Database, part: _Part) -> tuple[Armed, ...]:
    items = registry.in_attic(db, migration_id=part.plan.id)
    return sensors.arm_within(db, [item for item in items if item.position in part.positions], part.plan.id)


def _record_failure(db: Database, part: _Part, error: BaseException, policy: PolicySettings) -> None:
    plan = part.plan
    said = str(error) or f"interrupted ({type(error).__name__})"
    # Once a batch is renamed, a check that fails is no longer a refusal.
    is_refusal = isinstance(error, _REFUSALS) and part.number == 1
    if not is_refusal and part.positions <= registry.progress_of(db, plan.id).positions:
        # Interrupted after the server had committed: it is done, and the audit trail says so.
        return
    with db.transaction():
        detail = part.detail(outcome="refused" if is_refusal else "failed", error=said)
        audit.record(db, Event.APPLY_OUTCOME, plan.id, detail)
        if is_refusal:
            return
        where = f"batch {part.number} of {part.of}: " if part.of > 1 else ""
        registry.record_failed(db, plan, f"{where}{said}")
        if isinstance(error, LockTimeoutError):
            breaker.count_lock_failure(db, plan.id, policy)
        elif isinstance(error, Exception):
            breaker.trip(db, f"apply of {plan.id} failed: {said}")


def _look_at_standbys(db: Database, part: _Part, policy: PolicySettings) -> None:
    lag_seconds = max((standby.lag_seconds for standby in read_standbys(db)), default=0.0)
    reason = breaker.too_far_behind(lag_seconds, policy)
    if reason is None:
        return
    breaker.trip(db, f"after batch {part.number} of {part.of} of {part.plan.id}: {reason}")
    if not part.is_last:
        raise BreakerOpenError(
            f"{part.unfinished}: {reason}; the circuit breaker is open",
            where=part.plan.id,
            todo="Apply the same plan again once it is reset, or roll the migration back",
        )

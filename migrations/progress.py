"""How far a plan got: what of it is still to be done, and whether it may be."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.database import Database, load_sql
from catalog.snapshot import Snapshot
from migrations import registry
from migrations.errors import PlanDriftedError, RefusedError
from migrations.operations import operation_for
from migrations.plan import Plan, check_drift, require_known
from migrations.steps import Step


def remaining(db: Database, plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan with the steps that were never taken; all of them, unless an apply stopped between batches.

    Raises PlanDriftedError or PlanError where the catalog is no longer what the plan was made for,
    RefusedError where the plan had its time.
    """
    progress = registry.progress_of(db, plan.id)
    if progress.state == "rolled_back":
        raise RefusedError(
            "was applied and rolled back; nothing was changed",
            where=plan.id,
            todo="Make a new plan with `pgattic plan`",
        )
    if progress.state != "failed" or not progress.positions:
        check_drift(plan, snapshot)
        return plan
    steps = tuple(
        step for position, step in enumerate(plan.steps, start=1) if position not in progress.positions
    )
    _check_rest(plan, steps, snapshot)
    return replace(plan, steps=steps)


def require_unmoved(db: Database, plan: Plan, steps: Sequence[Step]) -> None:
    """Raise PlanDriftedError unless each element has its former name now; call it within the transaction.

    Renames go by name: one that was given to something else in the meantime must not be met.
    """
    rows = db.fetch(
        load_sql("migrations", "places"),
        {
            "kinds": [step.element.kind.value for step in steps],
            "oids": [step.object_oid for step in steps],
            "column_numbers": [step.column_number for step in steps],
        },
    )
    now = {row["position"]: (row["schema"], row["name"], row["table"]) for row in rows}
    for position, step in enumerate(steps, start=1):
        schema, name, table = now.get(position, (None, None, None))
        element = step.element
        if (schema, name) != (element.schema, element.name) or element.parent not in (None, table):
            raise PlanDriftedError(
                "was renamed, moved or removed since the plan was made",
                where=str(element),
                todo=f"Make a new plan for what is missing of {plan.id}",
            )


def _check_rest(plan: Plan, steps: tuple[Step, ...], snapshot: Snapshot) -> None:
    """The fingerprint is of a catalog in which nothing of the plan was renamed: hold to the OIDs instead."""
    if plan.database != snapshot.database:
        raise PlanDriftedError(
            f"made for database {plan.database}, connected to {snapshot.database}", where=plan.id
        )
    for step in steps:
        require_known(snapshot, step.element)
        place = operation_for(step.element.kind).locate(snapshot, step.element)
        if place is None or (place.object_oid, place.column_number) != (step.object_oid, step.column_number):
            raise PlanDriftedError(
                "is not the one that the plan was made for",
                where=str(step.element),
                todo="Make a new plan for what is missing with `pgattic plan`",
            )

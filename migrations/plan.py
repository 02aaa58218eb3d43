"""Plans: a reviewable file that says exactly what would be renamed, with the SQL in both directions."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from analytics.sentences import count
from catalog.elements import Element, Kind
from catalog.errors import os_error_as
from catalog.files import write_atomically
from catalog.names import Reason
from catalog.snapshot import Snapshot
from migrations import shims
from migrations.batches import Batch, batches_of
from migrations.dependents import with_dependents as add_dependents
from migrations.draft import Order, in_order, steps_of
from migrations.errors import PlanDriftedError, PlanError
from migrations.findings import Finding
from migrations.overrides import Override
from migrations.review import Review
from migrations.steps import Step

# A batch takes at most this part of the locks that the server has room for.
_SHARE_OF_LOCKS = 0.5


@dataclass(frozen=True)
class Plan:
    """One migration before it is applied.

    `fingerprint` is of the catalog that it was made for, `hash` of the whole plan as reviewed; `findings` are
    what the safety checks said when it was made (they run again when it is applied), `overrides` what
    somebody answers for, `review` what else to know before it is approved; `locks_per_batch` is how many
    locks one transaction may take.
    """

    format: Literal["pgattic-plan/1"]
    id: str
    database: str
    environment: str
    reason: Reason
    created_at: datetime
    created_by: str
    fingerprint: str
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    overrides: tuple[Override, ...] = ()
    review: Review = field(default_factory=Review)
    batch: Batch = Batch.ONE
    locks_per_batch: int = 3200
    hash: str = ""

    @property
    def elements(self) -> tuple[Element, ...]:
        """The elements in the order of their renames."""
        return tuple(step.element for step in self.steps)

    def batches(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each transaction, in their order."""
        return batches_of(self.steps, self.batch, self.locks_per_batch)


def make_plan(
    snapshot: Snapshot,
    elements: Iterable[Element],
    *,
    reason: Reason,
    environment: str,
    role: str,
    now: datetime,
    reasons: Mapping[Element, Reason] | None = None,
    soft: bool = False,
    with_dependents: bool = False,
    batch: Batch = Batch.ONE,
) -> Plan:
    """Plan the deprecation of elements; raise PlanError that says which one cannot be found, and why.

    `reasons` are those of single elements that have another than the whole plan. With `soft` a view keeps
    each former name working; `with_dependents` takes along the indexes, constraints and sequences of tables.
    """
    asked = list(elements)
    if not asked:
        raise PlanError("no element to deprecate", todo="Name one, for example table:public.users_old")
    for element in asked:
        require_known(snapshot, element)
        _refuse_behind_shim(snapshot, element)
    if soft:
        _refuse_soft(snapshot, asked, with_dependents)
    wanted = in_order(snapshot, add_dependents(snapshot, asked) if with_dependents else asked)
    digest = hashlib.sha256(f"{snapshot.database} {now.isoformat()} {wanted}".encode()).hexdigest()
    plan_id = f"m{now:%Y%m%d}-{digest[:6]}"
    plan = Plan(
        format="pgattic-plan/1",
        id=plan_id,
        database=snapshot.database,
        environment=environment,
        reason=reason,
        created_at=now,
        created_by=role,
        fingerprint=snapshot.fingerprint(tuple(wanted)),
        steps=steps_of(
            snapshot,
            wanted,
            Order(plan_id, {**dict.fromkeys(wanted, reason), **(reasons or {})}, soft, now),
        ),
        findings=tuple(shims.findings(snapshot, wanted)) if soft else (),
        batch=batch,
        locks_per_batch=max(1, int(snapshot.max_locks * _SHARE_OF_LOCKS)),
    )
    return sealed(plan)


def sealed(plan: Plan) -> Plan:
    """The same plan with the hash of its content."""
    return replace(plan, hash=_content_hash(plan))


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan file, whole or not at all."""
    write_atomically(path, _ADAPTER.dump_json(plan, indent=2) + b"\n")


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values, as in its file."""
    content: dict[str, Any] = _ADAPTER.dump_python(plan, mode="json")
    return content


def load_plan(path: Path) -> Plan:
    """Read a plan file; raise PlanError where it is none, PlanDriftedError where it was changed."""
    with os_error_as(PlanError, "cannot be read", where=path, todo="Make one with `pgattic plan`"):
        content = path.read_bytes()
    try:
        plan = _ADAPTER.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "document"
        raise PlanError(f"not a plan: {place}: {first['msg']}", where=str(path)) from None
    if plan.hash != _content_hash(plan):
        raise PlanDriftedError(
            "the file was changed after it was made",
            where=str(path),
            todo="Make the plan again with `pgattic plan`, so that what was reviewed is what runs",
        )
    return plan


def check_drift(plan: Plan, snapshot: Snapshot) -> None:
    """Raise PlanDriftedError where the catalog is no longer what the plan was made for."""
    if plan.database != snapshot.database:
        raise PlanDriftedError(
            f"made for database {plan.database}, connected to {snapshot.database}", where=plan.id
        )
    for element in plan.elements:
        require_known(snapshot, element)
    if plan.fingerprint != snapshot.fingerprint(plan.elements):
        raise PlanDriftedError(
            "the tables of its elements, or what refers to them, changed since the plan was made",
            where=plan.id,
            todo="Make the plan again with `pgattic plan` and review it",
        )


def as_script(plan: Plan, direction: Literal["up", "down"]) -> str:
    """One direction of a plan as plain SQL, a transaction for each batch."""
    batches = plan.batches()
    title = "deprecate"
    if direction == "down":
        batches = tuple(tuple(reversed(batch)) for batch in reversed(batches))
        title = "restore"
    lines = [_remark(f"pgattic {plan.id}: {title} {count(len(plan.steps), 'element')} of {plan.database}")]
    for batch in batches:
        lines += ["BEGIN;", "SET LOCAL lock_timeout = '1s';"]
        for step in batch:
            lines.append(_remark(f"{step.element}, lock: {step.lock}"))
            lines.extend(f"{statement};" for statement in getattr(step, direction))
        lines.append("COMMIT;")
    return "\n".join([*lines, ""])


def _remark(text: str) -> str:
    # A name may hold a line break, behind which the server would read on as SQL.
    return "-- " + " ".join(text.splitlines())


def require_known(snapshot: Snapshot, element: Element) -> None:
    """Raise PlanError where there is no such element; say where it is, or what may be meant."""
    if snapshot.exists(element):
        return
    name = snapshot.relation(element.schema, element.parent or element.name)
    shim = snapshot.shims.get(name.oid) if name else None
    for entry in snapshot.attic:
        if entry.element == element and entry.is_in_attic:
            raise PlanError(
                f"is already in the attic as {entry.deprecated_name} (migration {entry.migration_id})",
                where=str(element),
            )
    if shim:
        raise PlanError(
            f"{element.parent or element.name} is the view that keeps {shim.element} working",
            where=str(element),
            todo=f"Roll back {shim.migration_id} first, and plan both together",
        )
    similar = get_close_matches(str(element), [str(known) for known in snapshot.elements()], n=1, cutoff=0.8)
    hint = f"Did you mean {similar[0]}?" if similar else "`pgattic scan` lists what could be deprecated"
    raise PlanError(f"does not exist in database {snapshot.database}", where=str(element), todo=hint)


def _refuse_soft(snapshot: Snapshot, elements: Sequence[Element], with_dependents: bool) -> None:
    if with_dependents:
        raise PlanError(
            "no shim keeps the names of indexes, constraints and sequences working",
            where="--soft with --with-dependents",
            todo="Choose one of them",
        )
    shims.refuse(snapshot, elements)


def _refuse_behind_shim(snapshot: Snapshot, element: Element) -> None:
    """A shim is no element, and a table behind one has to come back first."""
    index = snapshot.index(element.schema, element.name) if element.kind is Kind.INDEX else None
    table = snapshot.relation(element.schema, index.table if index else element.parent or element.name)
    for entry in snapshot.shims.values():
        if table and entry.element.kind is Kind.COLUMN and entry.object_oid == table.oid:
            raise PlanError(
                f"its table is behind a view that keeps {entry.element} working",
                where=str(element),
                todo=f"Roll back {entry.migration_id} first, and plan both together",
            )


def _content_hash(plan: Plan) -> str:
    content = plan_as_json(replace(plan, hash=""))
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


_ADAPTER = TypeAdapter(Plan)

"""Plans: a reviewable file that says exactly what would be renamed, with the SQL in both directions."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from catalog.elements import Element, Kind
from catalog.files import write_atomically
from catalog.names import Reason, deprecated_name
from catalog.snapshot import Snapshot
from migrations.errors import PlanDriftedError, PlanError
from migrations.findings import Finding
from migrations.operations import operation_for
from migrations.steps import Step

# Parts of a table are renamed under the table's present name, so before the table itself.
_ORDER = (Kind.CONSTRAINT, Kind.COLUMN, Kind.INDEX, Kind.ENUM, Kind.TABLE)


@dataclass(frozen=True)
class Plan:
    """One migration before it is applied.

    `fingerprint` is of the catalog that it was made for, `hash` of the whole plan as reviewed; `findings` are
    what the safety checks said when it was made (they run again when it is applied).
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
    hash: str = ""

    @property
    def elements(self) -> tuple[Element, ...]:
        """The elements in the order of their renames."""
        return tuple(step.element for step in self.steps)


def make_plan(
    snapshot: Snapshot,
    elements: Iterable[Element],
    *,
    reason: Reason,
    environment: str,
    role: str,
    now: datetime,
) -> Plan:
    """Plan the deprecation of elements; raise PlanError that says which one cannot be found, and why."""
    wanted = sorted(set(elements), key=lambda element: (_ORDER.index(element.kind), element))
    if not wanted:
        raise PlanError("no element to deprecate", todo="Name one, for example table:public.users_old")
    for element in wanted:
        _require(snapshot, element)
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
        steps=_steps(snapshot, wanted, plan_id, reason, now),
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
    try:
        plan = _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise PlanError(
            f"cannot be read: {(error.strerror or 'error').lower()}",
            where=str(path),
            todo="Make one with `pgattic plan`",
        ) from error
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
        _require(snapshot, element)
    if plan.fingerprint != snapshot.fingerprint(plan.elements):
        raise PlanDriftedError(
            "the tables of its elements, or what refers to them, changed since the plan was made",
            where=plan.id,
            todo="Make the plan again with `pgattic plan` and review it",
        )


def as_script(plan: Plan, direction: Literal["up", "down"]) -> str:
    """One direction of a plan as plain SQL, in one transaction."""
    steps = plan.steps if direction == "up" else tuple(reversed(plan.steps))
    title = "deprecate" if direction == "up" else "restore"
    lines = [
        f"-- pgattic {plan.id}: {title} {len(steps)} elements of {plan.database}",
        "BEGIN;",
        "SET LOCAL lock_timeout = '1s';",
    ]
    for step in steps:
        lines.append(f"-- {step.element}, lock: {step.lock}")
        lines.extend(f"{statement};" for statement in getattr(step, direction))
    return "\n".join([*lines, "COMMIT;", ""])


def _require(snapshot: Snapshot, element: Element) -> None:
    if snapshot.exists(element):
        return
    for entry in snapshot.attic:
        if entry.element == element and entry.is_in_attic:
            raise PlanError(
                f"is already in the attic as {entry.deprecated_name} (migration {entry.migration_id})",
                where=str(element),
            )
    similar = get_close_matches(str(element), [str(known) for known in snapshot.elements()], n=1, cutoff=0.8)
    hint = f"Did you mean {similar[0]}?" if similar else "`pgattic scan` lists what could be deprecated"
    raise PlanError(f"does not exist in database {snapshot.database}", where=str(element), todo=hint)


def _steps(
    snapshot: Snapshot, elements: Sequence[Element], plan_id: str, reason: Reason, now: datetime
) -> tuple[Step, ...]:
    given: dict[tuple[Kind | str, str, str | None], set[str]] = {}
    steps = []
    for element in elements:
        # Names given earlier in this plan are taken too, within the same namespace.
        scope = given.setdefault(
            (element.schema, "", element.parent if element.kind is Kind.COLUMN else None), set()
        )
        name = deprecated_name(element.name, now.date(), reason, snapshot.neighbours(element) | scope)
        scope.add(name)
        steps.append(_step(snapshot, element, name, plan_id, reason, now))
    return tuple(steps)


def _step(
    snapshot: Snapshot, element: Element, name: str, plan_id: str, reason: Reason, now: datetime
) -> Step:
    operation = operation_for(element.kind)
    place = operation.locate(snapshot, element)
    assert place is not None, "the plan required the element to exist"
    note = f"Deprecated {now:%Y-%m-%d} ({reason}), formerly {element.name}; pgattic migration {plan_id}"
    former_comment = snapshot.comment(element)
    renamed_back = replace(place, index=name) if place.index else place
    return Step(
        element=element,
        deprecated_name=name,
        object_oid=place.object_oid,
        column_number=place.column_number,
        lock=operation.LOCK,
        up=(operation.rename(place, element.name, name), operation.comment(place, name, note)),
        down=(
            operation.rename(renamed_back, name, element.name),
            operation.comment(place, element.name, former_comment),
        ),
    )


def _content_hash(plan: Plan) -> str:
    content = plan_as_json(replace(plan, hash=""))
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


_ADAPTER = TypeAdapter(Plan)

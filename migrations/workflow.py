"""The order of things: check, back up, prove, rename. Each step must succeed before the next begins."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from analytics.sentences import count
from catalog.database import Database
from catalog.elements import Element
from catalog.errors import PgatticError
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.settings import Settings
from migrations import approvals, audit, breaker, registry
from migrations.apply import apply
from migrations.audit import Event
from migrations.backup import Backup, make_backup, register
from migrations.batches import Batch
from migrations.blockers import naming_blockers
from migrations.checks import blocking, run_checks
from migrations.checks.backup import require_proof
from migrations.checks.situation import Situation, observe
from migrations.errors import RefusedError
from migrations.findings import Finding
from migrations.inputs.entries import COMMAND_LINE
from migrations.inputs.wishes import Wish
from migrations.overrides import Override, apply_to, merged, used
from migrations.plan import Plan, make_plan, sealed
from migrations.progress import remaining
from migrations.restore_proof import Restored, prove
from migrations.review import review
from migrations.sensors import Armed

_SUBJECTS_NAMED = 5


@dataclass(frozen=True)
class Applied:
    """What an apply did: the checks it passed, the backup that was proved before the rename, the sensors."""

    plan: Plan
    findings: tuple[Finding, ...]
    backup: Backup
    backup_folder: Path
    armed: tuple[Armed, ...] = ()


def prepare(
    db: Database,
    settings: Settings,
    wishes: Iterable[Element | Wish],
    reason: Reason,
    now: datetime,
    *,
    overrides: Sequence[Override] = (),
    soft: bool = False,
    with_dependents: bool = False,
    batch: Batch = Batch.ONE,
) -> Plan:
    """Make a plan with what the safety checks say of it today, and what else is to be reviewed.

    The findings of overridden checks are warnings in it, and the overrides hold when it is applied.
    """
    registry.require(db)
    wished = [Wish(one, (COMMAND_LINE,)) if isinstance(one, Element) else one for one in wishes]
    with naming_blockers(db):
        snapshot = read_snapshot(db)
    plan = make_plan(
        snapshot,
        [wish.element for wish in wished],
        reason=reason,
        environment=settings.database.environment,
        role=str(db.fetch_value("SELECT current_user")),
        now=now,
        reasons={wish.element: wish.reason for wish in wished if wish.reason},
        soft=soft,
        with_dependents=with_dependents,
        batch=batch,
    )
    situation = observe(db, settings, snapshot, plan.elements, now)
    findings = apply_to((*plan.findings, *run_checks(situation)), overrides)
    reviewed = review(
        plan.steps, wished, reason, situation.dependants, snapshot, situation.counters, settings.policy
    )
    plan = sealed(replace(plan, findings=findings, overrides=tuple(overrides), review=reviewed))
    if not situation.server.is_standby:
        detail = {"elements": [str(element) for element in plan.elements], "reason": reason.value}
        audit.record(db, Event.PLAN, plan.id, {"plan_hash": plan.hash, **detail, **_said(findings)})
        audit.seal_now(db, settings)
    return plan


def check(
    db: Database, settings: Settings, plan: Plan, now: datetime, *, overrides: Sequence[Override] = ()
) -> tuple[Finding, ...]:
    """Run the safety checks again, on the database as it is now; raise PlanDriftedError where it changed.

    The plan's own overrides hold, and those given now.
    """
    registry.require(db)
    with naming_blockers(db):
        snapshot = read_snapshot(db)
    rest = remaining(db, plan, snapshot)
    situation = observe(db, settings, snapshot, rest.elements, now)
    findings = apply_to(run_checks(situation), merged(plan.overrides, overrides))
    if not situation.server.is_standby:
        _open_on_burst(db, situation)
        audit.record(db, Event.CHECK, plan.id, {"plan_hash": plan.hash, **_said(findings)})
    return findings


def carry_out(
    db: Database,
    settings: Settings,
    plan: Plan,
    now: datetime,
    *,
    on_step: Callable[[str], None],
    overrides: Sequence[Override] = (),
    with_sensors: bool | None = None,
    before_rename: Callable[[], None] = lambda: None,
) -> Applied:
    """Check, back up, prove the backup by restoring it, rename. Raises on the first step that fails.

    Sensors are put on the elements as `sensors.level` says, unless `with_sensors` does; `before_rename` is
    called when all is ready for it.

    `on_step` is told in one line what was done, and why something is tried again. A plan that stopped between
    its batches goes on with what is missing.
    """
    registry.require(db)
    with audit.sealing(db, settings):
        breaker.require_closed(db)
        audit.note_configuration(db, settings)
        wanted = settings.sensors.are_wanted if with_sensors is None else with_sensors
        findings, backup, folder = _made_ready(db, settings, plan, now, on_step, overrides)
        before_rename()
        armed = apply(db, plan, on_step, policy=settings.policy, with_sensors=wanted)
        return Applied(plan, findings, backup, folder, armed)


def _made_ready(
    db: Database,
    settings: Settings,
    plan: Plan,
    now: datetime,
    on_step: Callable[[str], None],
    overrides: Sequence[Override],
) -> tuple[tuple[Finding, ...], Backup, Path]:
    """Everything before the first rename: the checks, the approvals, a backup that was proved."""
    findings = check(db, settings, plan, now, overrides=overrides)
    refuse_blocked(plan, findings)
    approvals.require(db, plan, settings, overrides, now)
    for name, reason in used(findings).items():
        audit.record(db, Event.OVERRIDE, plan.id, {"check": name, "reason": reason, "plan_hash": plan.hash})
    rest = remaining(db, plan, read_snapshot(db))
    backup, folder = _backed_up(db, settings, rest, now, on_step)
    # The clock of now, as a backup of large tables can take longer than it may be old.
    require_proof(db, plan, settings.policy, datetime.now(UTC))
    return findings, backup, folder


def refuse_blocked(plan: Plan, findings: tuple[Finding, ...]) -> None:
    """Raise RefusedError where a finding blocks."""
    blocks = blocking(findings)
    if blocks:
        subjects = sorted({finding.subject for finding in blocks})
        more = f" and {len(subjects) - _SUBJECTS_NAMED:,} more" if len(subjects) > _SUBJECTS_NAMED else ""
        raise RefusedError(
            f"safety checks block {', '.join(subjects[:_SUBJECTS_NAMED])}{more}; nothing was changed",
            where=plan.id,
            todo="Make the plan again without them, remove what blocks, or answer for it with --override",
        )


def _backed_up(
    db: Database, settings: Settings, plan: Plan, now: datetime, on_step: Callable[[str], None]
) -> tuple[Backup, Path]:
    try:
        backup, folder, restored = _proved(db, settings, plan, now, on_step)
    except PgatticError as error:
        audit.record(db, Event.BACKUP, plan.id, {"outcome": "failed", "error": str(error)})
        raise
    with db.transaction():
        registry.record_proof(db, backup.id, now, str(folder.absolute()))
        rows = {f"{table.schema}.{table.name}": table.rows for table in backup.tables}
        detail = {"backup": backup.id, "directory": str(folder), "rows": rows, "files": backup.files}
        audit.record(
            db, Event.BACKUP, plan.id, {"outcome": "proved by a restore", **detail, **restored.for_audit}
        )
    return backup, folder


def _proved(
    db: Database, settings: Settings, plan: Plan, now: datetime, on_step: Callable[[str], None]
) -> tuple[Backup, Path, Restored]:
    backup, folder = make_backup(
        db,
        settings.backup.dsn or settings.database.dsn,
        plan.id,
        plan.elements,
        read_snapshot(db),
        settings.backup.directory,
        settings.backup.bin_directory,
        now,
    )
    register(db, backup, folder)
    rows = count(sum(table.rows for table in backup.tables), "row")
    held = f"{rows} of {count(len(backup.tables), 'table')} and " if backup.tables else ""
    on_step(f"backup: {held}the whole schema, in {folder.name}")
    restored = prove(backup, folder, settings.backup.bin_directory)
    same = ", every row came back the same" if backup.tables else ""
    on_step(f"restore proof: restored into a server of its own{same}")
    if restored.without:
        on_step(restored.without)
    return backup, folder, restored


def _open_on_burst(db: Database, situation: Situation) -> None:
    """Too many errors on former names open the breaker once a change is tried, not when one is planned."""
    reason = breaker.burst(situation.recent_errors, situation.policy)
    if reason and not situation.breaker.is_open:
        breaker.trip(db, reason)


def _said(findings: Sequence[Finding]) -> dict[str, object]:
    """Findings as the audit trail keeps them."""
    return {
        "verdict": "refused" if blocking(tuple(findings)) else "passed",
        "findings": [f"{one.severity.value} {one.check} {one.subject}: {one.message}" for one in findings],
    }

"""The order of things: check, back up, prove, rename. Each step must succeed before the next begins."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.settings import Settings
from catalog.snapshot import read_snapshot
from migrations import registry
from migrations.apply import apply
from migrations.backup import Backup, make_backup, tables_as_rows
from migrations.checks import blocking, run_checks
from migrations.checks.situation import observe
from migrations.errors import RefusedError
from migrations.findings import Finding
from migrations.plan import Plan, check_drift, make_plan, sealed
from migrations.restore_proof import prove


@dataclass(frozen=True)
class Applied:
    """What an apply did: the checks it passed and the backup that was proved before the rename."""

    plan: Plan
    findings: tuple[Finding, ...]
    backup: Backup
    backup_folder: Path


def prepare(
    db: Database, settings: Settings, elements: Iterable[Element], reason: Reason, now: datetime
) -> Plan:
    """Make a plan with what the safety checks say of it today."""
    snapshot = read_snapshot(db)
    plan = make_plan(
        snapshot,
        elements,
        reason=reason,
        environment=settings.database.environment,
        role=str(db.fetch_value("SELECT current_user")),
        now=now,
    )
    findings = run_checks(observe(db, settings, snapshot, plan.elements, now))
    return sealed(replace(plan, findings=findings))


def check(db: Database, settings: Settings, plan: Plan, now: datetime) -> tuple[Finding, ...]:
    """Run the safety checks again, on the database as it is now; raise PlanDriftedError where it changed."""
    registry.require(db)
    snapshot = read_snapshot(db)
    check_drift(plan, snapshot)
    return run_checks(observe(db, settings, snapshot, plan.elements, now))


def carry_out(
    db: Database,
    settings: Settings,
    plan: Plan,
    now: datetime,
    *,
    on_step: Callable[[str], None],
) -> Applied:
    """Check, back up, prove the backup by restoring it, rename. Raises on the first step that fails.

    `on_step` is told in one line what was done, and why something is tried again.
    """
    findings = check(db, settings, plan, now)
    refuse_blocked(plan, findings)
    backup, folder = _backed_up(db, settings, plan, now, on_step)
    apply(db, plan, on_step)
    return Applied(plan, findings, backup, folder)


def refuse_blocked(plan: Plan, findings: tuple[Finding, ...]) -> None:
    """Raise RefusedError where a finding blocks."""
    blocks = blocking(findings)
    if blocks:
        subjects = sorted({finding.subject for finding in blocks})
        raise RefusedError(
            f"safety checks block {', '.join(subjects)}; nothing was changed",
            where=plan.id,
            todo="Make the plan again without them, or remove what blocks",
        )


def _backed_up(
    db: Database, settings: Settings, plan: Plan, now: datetime, on_step: Callable[[str], None]
) -> tuple[Backup, Path]:
    backup, folder = make_backup(
        db,
        settings.database.dsn,
        plan,
        read_snapshot(db),
        settings.backup.directory,
        settings.backup.bin_directory,
        now,
    )
    rows = sum(table.rows for table in backup.tables)
    on_step(f"backup: rows of {len(backup.tables)} tables ({rows:,}) and the whole schema, in {folder.name}")
    prove(backup, folder, settings.backup.bin_directory)
    on_step("restore proof: restored into a server of its own, every row came back the same")
    registry.record_backup(
        db,
        registry.BackupRow(
            id=backup.id,
            migration_id=plan.id,
            directory=str(folder),
            made_at=backup.made_at,
            proved_at=now,
            tables=tables_as_rows(backup),
            total_bytes=backup.total_bytes,
        ),
    )
    return backup, folder

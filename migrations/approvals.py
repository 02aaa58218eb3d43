"""Approvals: other database roles than the one that applies have read a plan and said yes to it.

An approval is bound to the plan's hash: a plan that was made again, or changed by a byte, has none. Who
approved is the role that logged in (`session_user`), written by the server.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.sentences import duration
from catalog.database import Database
from catalog.errors import StatementFailedError
from catalog.settings import PolicySettings, Settings
from catalog.terminal import many
from migrations import registry
from migrations.audit import Event, record
from migrations.errors import ApprovalError
from migrations.overrides import Override
from migrations.plan import Plan

_NO_RIGHT = "42501"


@dataclass(frozen=True)
class Approval:
    """One yes to one plan."""

    plan_hash: str
    plan_id: str
    approved_by: str
    approved_at: datetime
    note: str | None


@dataclass(frozen=True)
class Standing:
    """Which approvals of a plan count, one a role, and which do not and why."""

    wanted: int
    counted: tuple[Approval, ...]
    discounted: tuple[str, ...]

    @property
    def is_enough(self) -> bool:
        """Whether as many roles approved as are wanted."""
        return len(self.counted) >= self.wanted


def judge(
    approvals: Iterable[Approval], *, plan_hash: str, applier: str, policy: PolicySettings, now: datetime
) -> Standing:
    """Count the approvals that other roles gave to exactly this plan, lately enough; pure."""
    longest = timedelta(days=policy.approval_max_age_days)
    newest: dict[str, Approval] = {}
    for approval in approvals:
        if approval.plan_hash == plan_hash:
            known = newest.get(approval.approved_by)
            newest[approval.approved_by] = (
                max(known, approval, key=lambda one: one.approved_at) if known else approval
            )
    counted, discounted = [], []
    for role, approval in sorted(newest.items()):
        if role == applier:
            discounted.append(f"that of {role} does not count, as {role} applies the plan")
        elif approval.approved_at < now - longest:
            discounted.append(
                f"that of {role} from {approval.approved_at:%Y-%m-%d %H:%M} UTC"
                f" is older than {duration(longest)}"
            )
        else:
            counted.append(approval)
    return Standing(policy.approvals_wanted, tuple(counted), tuple(discounted))


def approve(db: Database, plan: Plan, note: str | None) -> Approval:
    """Record that the connected role approves; raise ApprovalError where it has no right to."""
    try:
        registry.require(db)
        with db.transaction():
            row = db.fetch_one(
                "INSERT INTO pgattic.approval (plan_hash, plan_id, note) VALUES (%s, %s, %s)"
                " RETURNING plan_hash, plan_id, approved_by, approved_at, note",
                [plan.hash, plan.id, note],
            )
            record(db, Event.APPROVAL, plan.id, {"plan_hash": plan.hash, "note": note})
    except StatementFailedError as error:
        if error.sqlstate != _NO_RIGHT:
            raise
        role = db.fetch_value("SELECT session_user")
        raise ApprovalError(
            f"role {role} may not approve plans",
            where=db.where,
            todo=f"Let the registry's owner GRANT SELECT, INSERT ON pgattic.approval TO {role}",
        ) from error
    assert row is not None
    return Approval(**row)


def of_plan(db: Database, plan_hash: str) -> list[Approval]:
    """Every approval of a plan, oldest first."""
    rows = db.fetch(
        "SELECT plan_hash, plan_id, approved_by, approved_at, note FROM pgattic.approval"
        " WHERE plan_hash = %s ORDER BY id",
        [plan_hash],
    )
    return [Approval(**row) for row in rows]


def require(
    db: Database, plan: Plan, settings: Settings, overrides: Sequence[Override], now: datetime
) -> tuple[Approval, ...]:
    """The approvals that a plan needs before it is applied; raise ApprovalError where there are too few.

    Where approvals are wanted, an override must be in the plan: who approved it has not seen any other.
    """
    policy = settings.policy
    if not is_production(plan, settings) or not policy.approvals_wanted:
        return ()
    unseen = sorted({one.check for one in overrides} - {one.check for one in plan.overrides})
    if unseen:
        raise ApprovalError(
            f"the override of {', '.join(unseen)} is not in the plan that was approved; nothing was changed",
            where=plan.id,
            todo="Make the plan again with `pgattic plan --override …` and have it approved",
        )
    applier = str(db.fetch_value("SELECT session_user"))
    found = judge(of_plan(db, plan.hash), plan_hash=plan.hash, applier=applier, policy=policy, now=now)
    if not found.is_enough:
        why = "".join(f"; {reason}" for reason in found.discounted)
        raise ApprovalError(
            f"the policy wants approvals by {many(policy.approvals_wanted, 'other role')},"
            f" there are {len(found.counted)}{why}; nothing was changed",
            where=plan.id,
            todo="Let another role run `pgattic approve` on the plan file",
        )
    return found.counted


def is_production(plan: Plan, settings: Settings) -> bool:
    """Whether the plan was made for production, or meets it now: the graver of the two holds."""
    return "production" in (plan.environment, settings.database.environment)

"""The circuit breaker: after something went wrong, nothing is changed until somebody says why it may be.

It stands in the registry, so that it holds for every process and every machine.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.store import Evidence
from catalog.database import Database
from catalog.settings import PolicySettings
from catalog.snapshot import Snapshot
from catalog.terminal import many
from migrations import audit
from migrations.errors import BreakerOpenError, RefusedError

RESET_COMMAND = "pgattic breaker reset --because …"


@dataclass(frozen=True)
class BreakerState:
    """Whether it is open, and why; the last time, where it is closed. All None where it never was open."""

    is_open: bool
    reason: str | None = None
    opened_at: datetime | None = None
    opened_by: str | None = None
    reset_at: datetime | None = None
    reset_by: str | None = None
    because: str | None = None


@dataclass(frozen=True)
class RecentErrors:
    """Statements that failed on former names since a moment: how many, and on how many elements."""

    since: datetime
    errors: int
    elements: int


def state(db: Database) -> BreakerState:
    """The breaker as it is now."""
    row = db.fetch_one(
        "SELECT reset_at IS NULL AS is_open, reason, opened_at, opened_by, reset_at, reset_by, because"
        " FROM pgattic.breaker ORDER BY id DESC LIMIT 1"
    )
    return BreakerState(**row) if row else BreakerState(is_open=False)


def require_closed(db: Database) -> None:
    """Raise BreakerOpenError where it is open."""
    now = state(db)
    if now.is_open:
        raise BreakerOpenError(
            f"the circuit breaker is open since {now.opened_at:%Y-%m-%d %H:%M} UTC: {now.reason};"
            " nothing was changed",
            where=db.where,
            todo=f"Find out what went wrong, then `{RESET_COMMAND}`",
        )


def trip(db: Database, reason: str) -> None:
    """Open it; where it is open already, the first reason stays and this one is in the audit trail."""
    with db.transaction():
        # First, as those do who write into the trail and open it then: none waits for the other.
        audit.reserve(db)
        db.execute("INSERT INTO pgattic.breaker (reason) VALUES (%s) ON CONFLICT DO NOTHING", [reason])
        audit.record(db, audit.Event.BREAKER_OPENED, db.name, {"reason": reason})


def reset(db: Database, because: str) -> BreakerState:
    """Close it and forget the locks that were not to be had; raise RefusedError where that makes no sense."""
    if not because.strip():
        raise RefusedError("a reason is wanted; the breaker was not reset", where="--because")
    with db.transaction():
        audit.reserve(db)
        closed = db.execute(
            "UPDATE pgattic.breaker SET reset_at = clock_timestamp(), reset_by = session_user, because = %s"
            " WHERE reset_at IS NULL",
            [because],
        )
        if not closed:
            raise RefusedError("the circuit breaker is not open", where=db.where)
        forget_lock_failures(db)
        now = state(db)
        audit.record(db, audit.Event.BREAKER_RESET, db.name, {"because": because, "reason": now.reason})
    return now


def count_lock_failure(db: Database, subject: str, policy: PolicySettings) -> None:
    """Count a change that gave up waiting for a lock; open where the policy allows no more of them."""
    with db.transaction():
        db.execute("INSERT INTO pgattic.lock_failure (subject) VALUES (%s)", [subject])
        count = db.fetch_value("SELECT count(*) FROM pgattic.lock_failure")
        if count > policy.lock_failures_allowed:
            trip(db, f"{count:,} changes one after the other gave up waiting for locks, the last: {subject}")


def forget_lock_failures(db: Database) -> None:
    """A change succeeded: only those that fail one after the other count."""
    db.execute("DELETE FROM pgattic.lock_failure")


def recent_errors(
    evidence: Evidence, snapshot: Snapshot, now: datetime, policy: PolicySettings, last: BreakerState
) -> RecentErrors:
    """Count failed uses of what is in the attic, in the time that the policy names.

    Those before the last reset were looked at by whoever reset it.
    """
    since = now - timedelta(minutes=policy.errors_minutes)
    since = max(since, last.reset_at) if last.reset_at else since
    inside = {str(entry.element) for entry in snapshot.attic if entry.is_in_attic}
    counted = {
        row["element"]: row["errors"]
        for row in evidence.query("errors_since", since=since).to_pylist()
        if row["element"] in inside
    }
    return RecentErrors(since, sum(counted.values()), len(counted))


def burst(errors: RecentErrors, policy: PolicySettings) -> str | None:
    """Why the errors are too many, or None where they are not; pure."""
    if errors.errors <= policy.errors_allowed:
        return None
    return (
        f"{many(errors.errors, 'statement')} failed on the former names of {many(errors.elements, 'element')}"
        f" since {errors.since:%H:%M:%S} UTC; {policy.errors_allowed:,} in"
        f" {many(policy.errors_minutes, 'minute')} are allowed"
    )


def too_far_behind(lag_seconds: float, policy: PolicySettings) -> str | None:
    """Why the standbys are too far behind for another change, or None where they are not; pure."""
    if lag_seconds <= policy.max_replication_lag_seconds:
        return None
    return f"a standby is {lag_seconds:.0f} s behind, {policy.max_replication_lag_seconds} s are allowed"

"""Do standbys and replication slots keep up?"""

from collections.abc import Iterator

from catalog.terminal import size
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A rename waits on a standby behind its readers, and everything behind it waits too."""
    policy = situation.policy
    for standby in situation.standbys:
        too_late = standby.lag_seconds > policy.max_replication_lag_seconds
        if too_late or standby.behind_bytes > policy.max_slot_lag_bytes:
            yield Finding(
                "replication-lag",
                Severity.BLOCK,
                "database",
                f"{standby.name or 'a standby'} is {standby.lag_seconds:.0f} s and"
                f" {size(standby.behind_bytes)} of the log behind",
                f"Wait until it has caught up to {policy.max_replication_lag_seconds} s and"
                f" {size(policy.max_slot_lag_bytes)}, or change the policy",
            )
    if any(not standby.is_visible for standby in situation.standbys):
        yield Finding(
            "replication-unseen",
            Severity.WARN,
            "database",
            f"somebody follows this server, but role {situation.server.role} may not see how far behind",
            f"GRANT pg_read_all_stats TO {situation.server.role}",
        )
    for slot in situation.slots:
        lost = slot.wal_status in ("lost", "unreserved")
        if slot.is_active and slot.retained_bytes <= policy.max_slot_lag_bytes and not lost:
            continue
        state = "is read by nobody" if not slot.is_active else "is far behind"
        yield Finding(
            "replication-slot",
            Severity.WARN,
            "database",
            f"replication slot {slot.name} {state} and holds back {size(slot.retained_bytes)} of the log"
            f"{', some of which is lost' if lost else ''}",
            "Whoever comes back to it sees the rename then; remove the slot if nobody will",
        )

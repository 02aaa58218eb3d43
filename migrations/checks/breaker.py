"""Did something go wrong lately that nobody has looked at yet?"""

from collections.abc import Iterator

from migrations.breaker import RESET_COMMAND, burst
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """An open circuit breaker blocks everything; so does what will open it when the change is tried."""
    now = situation.breaker
    if now.is_open:
        yield Finding(
            "breaker",
            Severity.BLOCK,
            "database",
            f"the circuit breaker is open since {now.opened_at:%Y-%m-%d %H:%M} UTC: {now.reason}",
            f"Find out what went wrong, then `{RESET_COMMAND}`",
        )
    elif reason := burst(situation.recent_errors, situation.policy):
        yield Finding(
            "breaker",
            Severity.BLOCK,
            "database",
            f"{reason}: a change now would open the circuit breaker",
            "See who fails with `pgattic usage`, and bring back what is needed with `pgattic rollback`",
        )

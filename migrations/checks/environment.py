"""Is this a server on which something can and may be renamed?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A standby cannot be changed; production asks for a confirmation."""
    if situation.is_standby:
        yield Finding(
            "environment",
            Severity.BLOCK,
            "database",
            "is a standby, which cannot be changed",
            "Connect to the primary",
        )
    if situation.environment == "production":
        yield Finding(
            "environment",
            Severity.INFO,
            "database",
            "is production: apply asks for the plan's hash as confirmation",
        )

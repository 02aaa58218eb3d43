"""Is this the server that matters most?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Production asks for a confirmation."""
    if situation.environment == "production":
        yield Finding(
            "production",
            Severity.INFO,
            "database",
            "is production",
            "Apply asks for the plan's hash and the database's name as confirmation",
        )

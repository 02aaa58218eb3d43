"""Can anything be renamed on this server?"""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A standby cannot be changed."""
    if situation.server.is_standby:
        yield Finding(
            "standby",
            Severity.BLOCK,
            "database",
            "is a standby, which cannot be changed",
            "Connect to the primary",
        )

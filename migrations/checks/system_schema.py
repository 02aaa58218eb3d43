"""Are the elements the user's at all?"""

import re
from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

# Temporary tables of other sessions live in pg_temp_N; names that begin with pg_ are PostgreSQL's own.
_SYSTEM = re.compile(r"pg_.*|information_schema|pgattic", re.DOTALL)


def check(situation: Situation) -> Iterator[Finding]:
    """PostgreSQL's own schemas and pgattic's are never renamed in."""
    for element in situation.elements:
        if _SYSTEM.fullmatch(element.schema):
            yield Finding(
                "system-schema",
                Severity.BLOCK,
                str(element),
                f"is in {element.schema}, which is not yours to change",
                "Leave it out of the plan",
            )

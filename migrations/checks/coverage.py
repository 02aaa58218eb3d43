"""Was anybody looking? No use seen means little where nothing was watched."""

from collections.abc import Iterator

from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Say for which part of the window statements were logged and read."""
    covered = situation.coverage
    if covered.fraction >= situation.policy.coverage_wanted:
        return
    window = covered.end - covered.start
    yield Finding(
        "coverage",
        Severity.WARN,
        "database",
        f"statements were logged and read for {covered.fraction:.1%} of the last {window.days} days:"
        " a rarer use would not have been seen",
        "The rename will show it as an error; be ready to roll back",
    )

"""Was anybody looking? No use seen means little where nothing was watched."""

from collections.abc import Iterator

from analytics.sentences import count, percent
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """Say for which part of the window statements were logged and read; too little blocks by policy."""
    covered, policy = situation.coverage, situation.policy
    if covered.fraction >= max(policy.coverage_wanted, policy.coverage_required):
        return
    window = covered.end - covered.start
    said = (
        f"statements were logged and read for {percent(covered.fraction)} of the last"
        f" {count(window.days, 'day')}: a rarer use would not have been seen"
    )
    if covered.fraction < policy.coverage_required:
        yield Finding(
            "coverage",
            Severity.BLOCK,
            "database",
            f"{said}; the policy requires {percent(policy.coverage_required)}",
            "Let `pgattic ingest` read the logs for longer, or lower policy.coverage_required",
        )
        return
    yield Finding(
        "coverage",
        Severity.WARN,
        "database",
        said,
        "The rename will show it as an error; be ready to roll back",
    )

"""Safety checks: independent layers, one file each, each able to block a change alone."""

from collections.abc import Callable, Iterator

from migrations.checks import (
    activity,
    coverage,
    dependants,
    environment,
    kind,
    ownership,
    replication,
    use_counted,
    use_logged,
)
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

Check = Callable[[Situation], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    environment.check,
    ownership.check,
    kind.check,
    use_logged.check,
    use_counted.check,
    coverage.check,
    dependants.check,
    replication.check,
    activity.check,
)


def run_checks(situation: Situation) -> tuple[Finding, ...]:
    """Run every check; the gravest findings come first."""
    findings = [finding for check in CHECKS for finding in check(situation)]
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def blocking(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings that stop a change."""
    return tuple(finding for finding in findings if finding.severity is Severity.BLOCK)

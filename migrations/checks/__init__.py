"""Safety checks: independent layers, one file each, each able to block a change alone."""

from collections.abc import Callable, Iterator

from migrations.checks import (
    backup,
    breaker,
    coverage,
    dependants,
    extension_owned,
    foreign_keys,
    foreign_tables,
    fresh,
    function_bodies,
    index_behind,
    inheritance,
    kind,
    names,
    open_transactions,
    ownership,
    privileges,
    production,
    publication,
    rebinding,
    replication_lag,
    shadowed,
    silent,
    standby,
    subscription,
    system_schema,
    unseen,
    use_counted,
    use_logged,
)
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

Check = Callable[[Situation], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    breaker.check,
    production.check,
    standby.check,
    system_schema.check,
    extension_owned.check,
    ownership.check,
    privileges.check,
    names.check,
    kind.check,
    index_behind.check,
    use_logged.check,
    use_counted.check,
    coverage.check,
    fresh.check,
    dependants.check,
    function_bodies.check,
    foreign_keys.check,
    inheritance.check,
    silent.check,
    rebinding.check,
    shadowed.check,
    unseen.check,
    publication.check,
    subscription.check,
    foreign_tables.check,
    replication_lag.check,
    open_transactions.check,
    backup.check,
)


def run_checks(situation: Situation) -> tuple[Finding, ...]:
    """Run every check; the gravest findings come first."""
    findings = [finding for check in CHECKS for finding in check(situation)]
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))


def blocking(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings that stop a change."""
    return tuple(finding for finding in findings if finding.severity is Severity.BLOCK)

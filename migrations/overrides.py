"""Overrides: a person answers for one check, by name and with a reason; pure.

An overridden check no longer blocks. What it found stays visible as a warning that says who answered what,
and the override is written into the plan (or the registry's audit trail) with its reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from migrations.errors import OverrideError
from migrations.findings import Finding, Severity

# What no reason makes right, and what to do instead.
NOT_OVERRIDABLE = {
    "system-schema": "PostgreSQL's own schemas and pgattic's are never renamed",
    "publication": "Pause or remove the subscription first: renaming back would not heal it",
    "breaker": "Find out what failed, then `pgattic breaker reset --because …`",
    "drift": "Make the plan again with `pgattic plan`",
    "standby": "Connect to the primary",
}


@dataclass(frozen=True)
class Override:
    """One check that is not to block, and why."""

    check: str
    reason: str

    def __str__(self) -> str:
        return f"{self.check}={self.reason}"


def parse(text: str) -> Override:
    """Read `check=reason`; raise OverrideError where it is none, or the check cannot be overridden."""
    check, _, reason = (part.strip() for part in text.partition("="))
    if not check or not reason:
        raise OverrideError(
            "a check and a reason are wanted",
            where=repr(text),
            todo='Write CHECK=REASON, for example --override dependants="the view goes next week"',
        )
    refuse_fixed(check)
    return Override(check, reason)


def parse_all(texts: Iterable[str]) -> tuple[Override, ...]:
    """Read several; raise OverrideError where two answer for the same check."""
    found: dict[str, Override] = {}
    for text in texts:
        one = parse(text)
        if one.check in found:
            raise OverrideError("is overridden twice", where=one.check, todo="Give one reason for each check")
        found[one.check] = one
    return tuple(found.values())


def refuse_fixed(check: str) -> None:
    """Raise OverrideError for a check that no reason overrides."""
    if check in NOT_OVERRIDABLE:
        raise OverrideError("cannot be overridden", where=f"check {check}", todo=NOT_OVERRIDABLE[check])


def merged(planned: Iterable[Override], given: Iterable[Override]) -> tuple[Override, ...]:
    """Those of a plan and those given with the command; for the same check the plan's reason stands."""
    found = {one.check: one for one in given} | {one.check: one for one in planned}
    return tuple(found[check] for check in sorted(found))


def apply_to(findings: Sequence[Finding], overrides: Iterable[Override]) -> tuple[Finding, ...]:
    """The findings with those overridden as warnings that name the reason; the gravest stay first.

    Raises OverrideError for a check that cannot be overridden, wherever the override came from.
    """
    reasons = {}
    for one in overrides:
        refuse_fixed(one.check)
        reasons[one.check] = one.reason
    order = list(Severity)
    answered = [_answered(finding, reasons.get(finding.check)) for finding in findings]
    return tuple(sorted(answered, key=lambda finding: order.index(finding.severity)))


def used(findings: Iterable[Finding]) -> dict[str, str]:
    """The overrides without which a finding would block: check and reason."""
    return {finding.check: finding.overridden for finding in findings if finding.overridden}


def _answered(finding: Finding, reason: str | None) -> Finding:
    if reason is None or finding.severity is not Severity.BLOCK:
        return finding
    return replace(finding, severity=Severity.WARN, overridden=reason)

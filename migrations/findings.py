"""Findings: what a safety check has to say, and how grave it is."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """BLOCK stops the change, WARN should be read before it, INFO is good to know."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One thing that one check found; `subject` is the element, or "database".

    `overridden` is the reason for which somebody let a finding pass that would block.
    """

    check: str
    severity: Severity
    subject: str
    message: str
    todo: str | None = None
    overridden: str | None = None

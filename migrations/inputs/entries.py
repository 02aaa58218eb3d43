"""Entries: what an input says, before anybody looked whether such elements exist."""

from collections.abc import Sequence
from dataclasses import dataclass

from catalog.names import Reason

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Entry:
    """One element or pattern as it was written, where, and what was said of it.

    `confidence` is None where a person named the element: then it is a decision, not a guess. `origin` is who
    says so, as the plan will tell it.
    """

    text: str
    source: str
    place: str
    origin: str
    reason: Reason | None = None
    note: str | None = None
    confidence: float | None = None
    performance_impact: str | None = None
    evidence: tuple[str, ...] = ()
    may_be_pattern: bool = False


def from_command_line(texts: Sequence[str]) -> list[Entry]:
    """The arguments of a command as entries."""
    return [
        Entry(text, COMMAND_LINE, f"argument {number}", COMMAND_LINE, may_be_pattern=True)
        for number, text in enumerate(texts, start=1)
    ]

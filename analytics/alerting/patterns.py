"""Which elements and sources a rule, a window or an acknowledgement means."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from catalog.alert_settings import Globs
from catalog.elements import Kind


@dataclass(frozen=True, slots=True)
class Used:
    """What was used, and by whom; the three that a log may not tell are None then."""

    element: str
    role: str | None
    application: str | None
    client: str | None


class Patterns(Protocol):
    """Shell patterns for each; none at all means any."""

    @property
    def elements(self) -> Globs: ...
    @property
    def roles(self) -> Globs: ...
    @property
    def applications(self) -> Globs: ...
    @property
    def clients(self) -> Globs: ...


def means(patterns: Patterns, used: Used) -> bool:
    """Whether all patterns fit; what is not known is the empty text."""
    return (
        fits(used.element, patterns.elements)
        and fits(used.role, patterns.roles)
        and fits(used.application, patterns.applications)
        and fits(used.client, patterns.clients)
    )


def fits(text: str | None, globs: Globs) -> bool:
    """Whether one of the patterns fits, or there are none."""
    return not globs or any(fnmatchcase(text or "", glob) for glob in globs)


def is_of_kind(element: str, kinds: tuple[Kind, ...]) -> bool:
    """Whether the text of an element is of one of the kinds, or any will do."""
    return not kinds or element.partition(":")[0] in kinds

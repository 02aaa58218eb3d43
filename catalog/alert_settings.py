"""The section `alerts` of the configuration: what is alarming, when it is not, and who is told."""

from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field, SecretStr, model_validator

from catalog.elements import Kind
from catalog.section import Positive, Section
from catalog.span import Span, span

Name = Annotated[str, Field(min_length=1)]
# Shell patterns (`*`, `?`, `[…]`); none at all means: whatever it is.
Globs = tuple[str, ...]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
OnePer = Literal["element", "source", "statement"]


class Severity(StrEnum):
    """How soon a person should look: something fails now, somebody relies on what is to go, good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class _Rule(Section):
    """What every rule has; `cool_down` is how long it is silent about the same thing once it has spoken."""

    name: Name
    severity: Severity = Severity.WARNING
    cool_down: Span = span("10m")


class _ElementRule(_Rule):
    """A rule about elements, perhaps some only."""

    elements: Globs = ()
    kinds: tuple[Kind, ...] = ()


class _AccessRule(_ElementRule):
    """A rule about uses; `one_per` says what counts as the same thing."""

    roles: Globs = ()
    applications: Globs = ()
    clients: Globs = ()
    one_per: OnePer = "source"


class UseRule(_AccessRule):
    """Any use, one that failed on a former name, one that worked, or the first one of a source."""

    when: Literal["use", "error", "success", "new_source"]


class BurstRule(_AccessRule):
    """So many uses within so short a time."""

    when: Literal["burst"]
    uses: Positive
    within: Span
    one_per: OnePer = "element"


class ThresholdRule(_AccessRule):
    """So many uses in one day (UTC)."""

    when: Literal["threshold"]
    uses: Positive
    one_per: OnePer = "element"


class ElementStateRule(_ElementRule):
    """The server counted uses that no log explains, or a former name exists again."""

    when: Literal["unexplained", "reappeared"]
    cool_down: Span = span("1d")


class LateRule(_Rule):
    """A time of which no log was read (`gap`), or none read since (`lag`), longer than is tolerable."""

    when: Literal["gap", "lag"]
    nodes: Globs = ()
    longer_than: Span = span("15m")
    cool_down: Span = span("1d")


class BreakerRule(_Rule):
    """The circuit breaker opened."""

    when: Literal["breaker"]
    severity: Severity = Severity.CRITICAL


AccessRule = UseRule | BurstRule | ThresholdRule
ConditionRule = ElementStateRule | LateRule | BreakerRule
AlertRule = Annotated[AccessRule | ConditionRule, Field(discriminator="when")]

_AT_ONCE = span("0s")
DEFAULT_RULES: tuple[AccessRule | ConditionRule, ...] = (
    UseRule(
        name="former name used",
        when="error",
        severity=Severity.CRITICAL,
        cool_down=_AT_ONCE,
        one_per="statement",
    ),
    UseRule(name="element in the attic used", when="success", cool_down=_AT_ONCE, one_per="statement"),
    ElementStateRule(name="former name exists again", when="reappeared", severity=Severity.CRITICAL),
    ElementStateRule(name="unexplained use", when="unexplained"),
    BreakerRule(name="circuit breaker open", when="breaker"),
    LateRule(name="log not covered", when="gap"),
    LateRule(name="ingest behind", when="lag"),
)


class Window(Section):
    """A time in which uses alarm nobody: each week on `days` from `start` to `end`, or `since` to `until`.

    Without `days` it is every day; an `end` before the `start` is on the next day.
    """

    name: str = ""
    days: tuple[Weekday, ...] = ()
    start: time | None = None
    end: time | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    elements: Globs = ()
    roles: Globs = ()
    applications: Globs = ()
    clients: Globs = ()

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        weekly = self.start is not None and self.end is not None
        dated = self.since is not None and self.until is not None
        others = (self.since, self.until) if weekly else (self.start, self.end, *self.days)
        if weekly == dated or any(value is not None for value in others):
            raise ValueError("give start and end (with days, or each day), or since and until")
        return self


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("not a time zone, as 'Europe/Berlin'") from error
    return name


class AlertSettings(Section):
    """What is alarming, and who is told."""

    rules: tuple[AlertRule, ...] = DEFAULT_RULES
    windows: tuple[Window, ...] = ()
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    urls: SecretStr | None = Field(
        default=None, description="only as the environment variable PGATTIC_ALERTS__URLS"
    )
    urls_file: Path | None = None
    json_file: Path | None = None
    digest: Span = Field(
        default=span("30s"), description="what comes so soon after a message waits for the next one"
    )
    check_every: Span = span("5m")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: two have the name {twice[0]!r}")
        return self

    @property
    def access_rules(self) -> tuple[AccessRule, ...]:
        """The rules about uses."""
        return tuple(rule for rule in self.rules if isinstance(rule, AccessRule))

    @property
    def condition_rules(self) -> tuple[ConditionRule, ...]:
        """The rules about what no line of a log tells."""
        return tuple(rule for rule in self.rules if isinstance(rule, ConditionRule))

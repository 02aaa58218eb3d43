"""How an element is used: how often, when, by whom, with what, and who fails at it.

The questions are views of `sql/usage_views.sql`, which anybody with DuckDB can ask, too (`usage_script.py`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import pyarrow as pa

from analytics.store import Evidence
from catalog.elements import Element

_TREND = timedelta(days=7)


class Question(StrEnum):
    """What can be asked of all elements, or of one; the answer is a table."""

    FREQUENCY = "frequency"
    TIMING = "timing"
    DAILY = "daily"
    SOURCES = "sources"
    STATEMENTS = "statements"
    BROKEN = "broken"
    DURATION = "duration"

    @property
    def view(self) -> str:
        """The view that answers it."""
        return "broken_caller" if self is Question.BROKEN else f"usage_{self.value}"


def answer(evidence: Evidence, question: Question, element: Element | None = None) -> pa.Table:
    """The rows of a question's view, in the order of its columns."""
    return evidence.view(question.view, str(element) if element else None)


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often an element was named in logs; `writes` are uses that were no read."""

    uses: int
    errors: int
    writes: int
    first_at: datetime
    last_at: datetime
    days_used: int
    callers: int


@dataclass(frozen=True, slots=True)
class HourOfWeek:
    """Uses at an hour (0 to 23, UTC) of a weekday (1 is Monday)."""

    weekday: int
    hour_of_day: int
    uses: int


@dataclass(frozen=True, slots=True)
class DayOfUse:
    """Uses on one day (UTC)."""

    used_on: date
    uses: int
    errors: int


@dataclass(frozen=True, slots=True)
class BrokenCaller:
    """Somebody whose newest uses failed, with none since that worked; None is what the log does not tell."""

    role: str | None
    application: str | None
    client: str | None
    database: str | None
    last_worked_at: datetime | None
    failing_since: datetime
    last_failed_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Duration:
    """How long the statements took that used it, in milliseconds, as far as the log tells."""

    statements: int
    median_ms: float
    p90_ms: float
    p99_ms: float
    longest_ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One element; None where no log named it, or told how long its statements took."""

    element: Element
    frequency: Frequency | None
    timing: tuple[HourOfWeek, ...]
    daily: tuple[DayOfUse, ...]
    broken: tuple[BrokenCaller, ...]
    duration: Duration | None

    def trend(self, today: date) -> tuple[int, int]:
        """Uses of the last seven days, today among them, and of the seven before those."""
        last, before = today - _TREND, today - 2 * _TREND
        return (
            sum(day.uses for day in self.daily if last < day.used_on <= today),
            sum(day.uses for day in self.daily if before < day.used_on <= last),
        )


def profile(evidence: Evidence, element: Element) -> Profile:
    """All that the logs tell about the use of one element."""

    def rows(question: Question) -> list[dict[str, object]]:
        return answer(evidence, question, element).drop_columns("element").to_pylist()

    frequency, duration = rows(Question.FREQUENCY), rows(Question.DURATION)
    return Profile(
        element,
        Frequency(**frequency[0]) if frequency else None,  # type: ignore[arg-type]
        tuple(HourOfWeek(**row) for row in rows(Question.TIMING)),  # type: ignore[arg-type]
        tuple(DayOfUse(**row) for row in rows(Question.DAILY)),  # type: ignore[arg-type]
        tuple(BrokenCaller(**row) for row in rows(Question.BROKEN)),  # type: ignore[arg-type]
        Duration(**duration[0]) if duration else None,  # type: ignore[arg-type]
    )

"""What a report says, before it has a form."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from analytics.readiness import Readiness, Verdict
from analytics.sentences import count, duration
from analytics.usage import UseGroup

# What no log line, counter or catalog row shows, whatever the settings; a removal takes these risks.
UNSEEN = (
    "a function that catches the error itself (EXCEPTION WHEN undefined_table): it logs nothing",
    "to_regclass, information_schema and DROP … IF EXISTS with the former name: they find nothing, silently",
    "a sub-select that names a column which another of its tables has too: it reads that one instead",
    "names that a program builds and asks for later than this report's time",
    "clients that look for a column by its name in the result of SELECT *, or map the name of a constraint",
    "uses on a server whose log is not ingested, as a standby",
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One element with its verdict and the uses seen since the rename."""

    readiness: Readiness
    uses: tuple[UseGroup, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report as of `made_at`."""

    database: str
    server_version: int
    made_at: datetime
    policy: tuple[tuple[str, str], ...]
    elements: tuple[Judged, ...]

    @property
    def title(self) -> str:
        """The heading."""
        return f"Removal readiness of {self.database}"

    @property
    def server(self) -> str:
        """The server's version as people write it."""
        return f"PostgreSQL {self.server_version // 10000}.{self.server_version % 10000}"

    @property
    def summary(self) -> str:
        """How many elements have which verdict."""
        if not self.elements:
            return "Nothing is in the attic."
        verdicts = [judged.readiness.verdict for judged in self.elements]
        parts = [f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict if verdict in verdicts]
        return f"{count(len(verdicts), 'element')} in the attic: {', '.join(parts)}."


MARKS = {True: "met", False: "not met", None: "unknown"}


def use_cells(use: UseGroup) -> tuple[str, ...]:
    """A use as the cells of a row: last, uses, who, from where, what, statement."""
    did = f"{use.operation}, failed with {use.sqlstate}" if use.outcome == "error" else use.operation
    notes = [
        f"through {use.via}" if use.via else "",
        "implicit" if use.implicit else "",
        "may mean another element" if use.ambiguous else "",
    ]
    return (
        f"{use.last_at:%Y-%m-%d %H:%M:%S}",
        f"{use.uses:,}",
        use.role or "?",
        ", ".join(part for part in (use.application, use.client) if part) or "?",
        ", ".join([did, *(note for note in notes if note)]),
        use.statement or "(text not kept)",
    )


USE_HEADINGS = ("last (UTC)", "uses", "role", "from", "what", "statement")


def facts_of(found: Readiness, made_at: datetime) -> Iterator[tuple[str, str]]:
    """What stands above the rules of an element."""
    yield "now called", found.deprecated_name
    age = duration(made_at - found.deprecated_at)
    yield "in the attic since", f"{found.deprecated_at:%Y-%m-%d %H:%M} UTC ({age})"
    yield "migration", found.migration_id
    if found.earliest:
        yield "ready at the earliest", f"{found.earliest:%Y-%m-%d %H:%M} UTC, if nobody uses it until then"
    if found.undated:
        yield "no earliest date", found.undated

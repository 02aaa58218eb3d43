"""What the pages show, as values: the attic as a whole, one row of it, and the evidence on one element."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from analytics.facts import Facts
from analytics.reconciliation import Reconciled
from analytics.rules import counts
from analytics.usage import HourlyUse, UseGroup
from analytics.verdict import Readiness, Verdict
from catalog.attic import AtticEntry
from catalog.elements import Element
from dashboard.facts import CatalogFacts
from dashboard.watch import Watch, watch
from dashboard.window import Window
from ingest.schemas import Source
from migrations.registry import MigrationRow


@dataclass(frozen=True)
class AlertRow:
    """Something a person should look at, raised `times` times for the same cause.

    `element` is None where it is about the logs or the whole database.
    """

    element: Element | None
    severity: str
    occurred_at: datetime
    message: str
    times: int

    @property
    def what(self) -> str:
        """The message without the element that it begins with, for a place that names the element already."""
        return self.message.removeprefix(f"{self.element} is in use: ")


@dataclass(frozen=True)
class AtticRow:
    """An element that is in the attic or was; `entry` is None where only the evidence tells of it.

    `uses` and `last_use_at` are of its time since the rename. `seen` is all that the verdict was
    made of (None where nobody could judge), `wanted` the sources that were to watch, as the policy has them.
    """

    element: Element
    entry: AtticEntry | None
    readiness: Readiness | None
    uses: int
    last_use_at: datetime | None
    facts: CatalogFacts | None
    seen: Facts | None = None
    wanted: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict; unknown where nobody could judge."""
        return self.readiness.verdict if self.readiness else Verdict.UNKNOWN

    @property
    def is_used(self) -> bool:
        """Whether a line or a counter shows a use since the rename, however long ago."""
        if self.uses or self.seen is None or self.entry is None:
            return self.uses > 0
        own = self.seen.reconciled(self.seen.since) if counts(self.entry, self.seen) else Reconciled()
        calls = self.seen.called.calls if self.seen.called else 0
        return own.uses + self.seen.checked(self.seen.since).uses + calls > 0

    @property
    def is_log_read(self) -> bool:
        """Whether any log was read that would have told of a failing use; else its silence says nothing."""
        return self.seen is None or any(self.seen.watched.get(Source.ERROR, {}).values())

    @property
    def called_statements(self) -> tuple[str, ...]:
        """The ids of the statements whose calls were counted."""
        steps = self.seen.called.steps if self.seen and self.seen.called else ()
        return tuple(sorted({step.statement_id for step in steps if step.statement_id}))

    @property
    def names(self) -> tuple[Element, ...]:
        """The element under every name that the evidence may have for it."""
        present = self.facts.present if self.facts else None
        return (self.element, present) if present and present != self.element else (self.element,)

    @property
    def since(self) -> datetime | None:
        """From when on a use counts; logs tell milliseconds, so the rename's own one counts whole."""
        if self.entry is None:
            return None
        return self.entry.deprecated_at.replace(
            microsecond=self.entry.deprecated_at.microsecond // 1000 * 1000
        )

    def watch(self, until: datetime) -> Watch | None:
        """When a use of it could have been seen since the rename; None where nobody could judge."""
        return watch(self.seen.watched, self.seen.since, until, self.wanted) if self.seen else None


@dataclass(frozen=True)
class Overview:
    """The attic as a whole at `read_at`.

    `notice` says what could not be read, where, and what to do; `rows` are then those that the evidence alone
    knows. `restored` were in the attic and are back under their former names. `timeline` has the uses of all
    elements in the steps of `shown`: columns start, outcome, uses.
    """

    read_at: datetime
    since: datetime
    database: str
    notice: str | None
    rows: tuple[AtticRow, ...]
    restored: tuple[AtticRow, ...]
    migrations: tuple[MigrationRow, ...]
    watch: Watch
    alerts: tuple[AlertRow, ...]
    shown: Window
    timeline: pa.Table

    def row(self, element: Element) -> AtticRow | None:
        """The row of an element, in the attic or back."""
        return next((row for row in (*self.rows, *self.restored) if row.element == element), None)

    def migration(self, migration_id: str) -> MigrationRow | None:
        """The migration of that id."""
        return next((found for found in self.migrations if found.id == migration_id), None)


@dataclass(frozen=True)
class ElementDetail:
    """The evidence on one element since `since`.

    `hourly` is what the hourly counts have of it; `watch` is when the logs of the servers were read; `texts`
    are those of the statements that were asked for, by their ids.
    """

    since: datetime
    until: datetime
    groups: tuple[UseGroup, ...]
    shown: Window
    timeline: pa.Table
    watch: Watch
    hourly: HourlyUse | None
    texts: Mapping[str, str]

"""Activity counters: how often PostgreSQL itself counted a read or write of a table or index.

Counters follow the object through a rename, but a crash sets them to 0 without a trace in `stats_reset`
(measured on 15 and 18), so a sample carries the server's start time too, and a counter that went down
means "unknown", never "unused".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from catalog.database import Database, load_sql
from catalog.elements import Kind


@dataclass(frozen=True, slots=True)
class Counter:
    """Uses counted of one table or index; `reads` counts scans, `writes` counts rows."""

    kind: Kind
    schema: str
    name: str
    oid: int
    reads: int
    writes: int
    last_read_at: datetime | None


@dataclass(frozen=True, slots=True)
class CounterSample:
    """All counters of a database at one moment, and since when they have counted."""

    taken_at: datetime
    server_started_at: datetime
    reset_at: datetime | None
    counters: Mapping[int, Counter]

    def baseline(self, oid: int) -> "Baseline | None":
        """What to compare a later sample of one object with, or None where nothing is counted for it."""
        counter = self.counters.get(oid)
        if counter is None:
            return None
        return Baseline(counter.reads, counter.writes, self.taken_at, self.server_started_at, self.reset_at)

    def uses_since(self, oid: int, baseline: "Baseline") -> int | None:
        """Scans and rows written since the baseline, or None where the counting was interrupted.

        A reset shows in `reset_at`; a crash shows only as a newer server start with smaller counters. A clean
        restart keeps them, so a newer start alone with counters that did not shrink still counts.
        """
        counter = self.counters.get(oid)
        if counter is None or self.reset_at != baseline.reset_at:
            return None
        uses = counter.reads - baseline.reads, counter.writes - baseline.writes
        restarted = self.server_started_at != baseline.server_started_at
        if min(uses) < 0 or (restarted and baseline.reads == baseline.writes == 0):
            return None
        return sum(uses)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The counters of one table or index at the moment of its rename."""

    reads: int
    writes: int
    taken_at: datetime
    server_started_at: datetime
    reset_at: datetime | None


def read_counters(db: Database) -> CounterSample:
    """Sample the counters; other sessions' work appears in them up to a second after its transaction."""
    state = db.fetch_one(
        "SELECT clock_timestamp() AS now, pg_postmaster_start_time() AS started, stats_reset"
        " FROM pg_stat_database WHERE datname = current_database()"
    )
    assert state is not None
    rows = db.fetch(load_sql("catalog", "counters"))
    counters = {row["oid"]: Counter(**{**row, "kind": Kind(row["kind"])}) for row in rows}
    return CounterSample(state["now"], state["started"], state["stats_reset"], counters)

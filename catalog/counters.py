"""Activity counters: how often PostgreSQL itself counted a use of a table, index or sequence.

Counters follow the object through a rename and a clean restart. A crash sets them to 0 and leaves no
`stats_reset` of the database; but it sets that of the server's own statistics (archiver, background writer,
WAL) to the moment of the recovery, and only a crash or an explicit reset does (measured on 15 and 18). The
oldest of those is `kept_since`: nothing counted after it was lost, and no two servers have the same one. A
reset of a single table shows in the database's `stats_reset` too. A counter that went down all the same
means "unknown", never "unused".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from catalog.database import Database, Row, load_sql
from catalog.holders import Holders, read_holders


@dataclass(frozen=True, slots=True)
class Counter:
    """Uses counted of one object; `reads` counts scans (of a sequence, fetches of its block), `writes` rows.

    Only tables and materialized views have the rest: `blocks` fetched of them and their indexes, how often
    vacuum and analyze did `maintenance`, and the `filenode` of their rows (None on a standby).
    """

    oid: int
    reads: int
    writes: int
    last_read_at: datetime | None
    blocks: int | None = None
    maintenance: int | None = None
    filenode: int | None = None


# What the query also has is for `collect`.
_READ = tuple(Counter.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class OwnScan:
    """Scans of one table, or reads of one sequence, that pgattic itself made, from `at` on."""

    oid: int
    at: datetime
    scans: int


@dataclass(frozen=True, slots=True)
class OpenUse:
    """An open transaction that holds a lock on something in the attic.

    One that was prepared has the name that it was given, and `since` is when that was.
    """

    oid: int
    role: str | None
    application: str | None
    since: datetime | None
    prepared_as: str | None = None


@dataclass(frozen=True, slots=True)
class CounterSample:
    """All counters of a database at one moment, and since when they have counted.

    `kept_since` is when the server began to count after its making or its last crash; `own_scans` are scans
    of tables and reads of sequences that pgattic itself made (backups, comparisons of rows); `standbys` are
    the servers that stream from this one; `oldest_session_at` is when the oldest session of another client
    began; `holders` are the columns that can hold a value in the attic, by its OID; `open_uses` are those of
    transactions that have not ended, so that they are not counted yet. `promotions` are when the server
    became a primary: until then the uses of the primary were counted by another one.
    """

    taken_at: datetime
    server_started_at: datetime
    reset_at: datetime | None
    counters: Mapping[int, Counter]
    kept_since: datetime | None = None
    own_scans: tuple[OwnScan, ...] = ()
    standbys: int = 0
    oldest_session_at: datetime | None = None
    holders: Holders = field(default_factory=dict)
    open_uses: tuple[OpenUse, ...] = ()
    promotions: tuple[datetime, ...] = ()

    @property
    def counting_since(self) -> datetime:
        """From when on no use that was counted can have been lost."""
        started = self.kept_since or self.server_started_at
        return max(self.reset_at or started, started, *self.promotions)

    def baseline(self, oid: int) -> "Baseline | None":
        """What to compare a later sample of one object with, or None where nothing is counted for it."""
        counter = self.counters.get(oid)
        if counter is None:
            return None
        return Baseline(
            counter.reads,
            counter.writes,
            self.taken_at,
            self.server_started_at,
            self.reset_at,
            counter.blocks,
            counter.maintenance,
            counter.filenode,
            self.kept_since,
        )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The counters of one object at the moment of its rename; what an older pgattic did not note is None."""

    reads: int
    writes: int
    taken_at: datetime
    server_started_at: datetime
    reset_at: datetime | None
    blocks: int | None = None
    maintenance: int | None = None
    filenode: int | None = None
    kept_since: datetime | None = None


def read_counters(db: Database) -> CounterSample:
    """Sample the counters; other sessions' work appears in them up to a second after its transaction."""
    state = db.fetch_one(load_sql("catalog", "counting"))
    assert state is not None
    rows = db.fetch(load_sql("catalog", "counters"))
    counters = {row["oid"]: _counter(row) for row in rows}
    own = [OwnScan(**row) for row in db.fetch(load_sql("catalog", "own_scans"))] if state["has_own"] else []
    return CounterSample(
        state["now"],
        state["server_started_at"],
        state["reset_at"],
        counters,
        state["kept_since"],
        tuple(own),
        state["standbys"],
        state["oldest_session_at"],
        read_holders(db) if state["has_own"] else {},
        tuple(OpenUse(**row) for row in db.fetch(load_sql("catalog", "open_uses")))
        if state["has_attic"]
        else (),
        _promotions(db, state),
    )


def _promotions(db: Database, state: Row) -> tuple[datetime, ...]:
    """When the server became a primary; it may have been this very moment where that may not be asked."""
    if state["in_recovery"]:
        return ()
    if state["has_waldir"]:
        return tuple(row["at"] for row in db.fetch(load_sql("catalog", "promotions")))
    # The first timeline is that of a server which always was one.
    return (state["now"],) if state["timeline"] > 1 else ()


def _counter(row: Row) -> Counter:
    return Counter(**{name: row[name] for name in _READ})

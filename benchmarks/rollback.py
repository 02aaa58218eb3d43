"""How long a rollback holds its locks: by number of elements, and by size of the table.

Prints the time from the first rename to the end of the commit, which is how long anybody can wait for it, and
beside it the time of the whole call. It does not grow with the size of a table, because renaming touches the
catalog alone. The reach is 2 s for 1,000 elements.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from catalog.database import Database
from catalog.elements import Element, Kind
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan
from migrations.rollback import rollback

COUNTS = (1, 100, 1000)
SIZES_MB = (1, int(os.environ.get("BENCH_LARGE_MB", "1024")))
REPEATS = 5
REACH_SECONDS = 2.0
# A size makes no difference where its median is within the noise of the other's.
NOISE_SECONDS = 0.02


@dataclass(frozen=True)
class Run:
    """Seconds of one apply (without backup) and of one rollback; `locked` is that with locks held."""

    applied: float
    rolled_back: float
    locked: float


def there_and_back(db: Database, elements: Sequence[Element], *, soft: bool) -> Run:
    """Apply and roll back once."""
    plan = make_plan(
        read_snapshot(db),
        elements,
        reason=Reason.UNUSED,
        environment="development",
        role="bench",
        now=datetime.now(UTC),
        soft=soft,
    )
    started = time.perf_counter()
    apply(db, plan)
    applied = time.perf_counter()
    done = rollback(db, migration_id=plan.id)
    return Run(applied - started, time.perf_counter() - applied, done.locked_seconds)


def measure(db: Database, title: str, elements: Sequence[Element], *, soft: bool = False) -> float:
    """Print the median and the slowest of several runs; return the median of the time with locks held."""
    runs = sorted((there_and_back(db, elements, soft=soft) for _ in range(REPEATS)), key=lambda r: r.locked)
    middle = runs[len(runs) // 2]
    print(
        f"{title:28} locks held {middle.locked:7.3f} s (slowest {runs[-1].locked:.3f} s)"
        f"   whole rollback {middle.rolled_back:7.3f} s   apply {middle.applied:7.3f} s"
    )
    return middle.locked


def main() -> None:
    """Measure on a throw-away PostgreSQL 18."""
    with ThrowawayServer(settings={"max_wal_size": "4GB"}) as server, Database.connect(server.dsn()) as db:
        registry.install(db)
        for number in range(max(COUNTS)):
            db.execute(f"CREATE TABLE old_{number:04} (id int, note text)")
        tables = [Element(Kind.TABLE, "public", f"old_{number:04}") for number in range(max(COUNTS))]
        for count in COUNTS:
            locked = measure(db, f"{count} tables", tables[:count])
        reached = verdict(locked <= REACH_SECONDS)
        print(f"{max(COUNTS)} elements: {locked:.3f} s of {REACH_SECONDS:.0f} s {reached}")
        measure(db, "100 tables behind a view", tables[:100], soft=True)
        with_rows = [measure_sized(db, size_mb) for size_mb in SIZES_MB]
        grown = abs(with_rows[-1] - with_rows[0])
        print(f"does not grow with size: {grown:.3f} s apart {verdict(grown <= NOISE_SECONDS)}")


def measure_sized(db: Database, size_mb: int) -> float:
    """Measure one table of about that size."""
    name = f"sized_{size_mb}"
    with db.transaction():
        db.execute("SET LOCAL statement_timeout = 0")
        db.execute(
            f"CREATE UNLOGGED TABLE {name} AS SELECT g AS id, repeat(md5(g::text), 31) AS note"
            f" FROM generate_series(1, {size_mb * 1000}) g"
        )
    measured = db.fetch_value("SELECT pg_total_relation_size(%s::regclass) / 1048576", [name])
    return measure(db, f"1 table of {measured} MB", [Element(Kind.TABLE, "public", name)])


def verdict(is_met: bool) -> str:
    """A word for it."""
    return "✓" if is_met else "✗ not reached"


if __name__ == "__main__":
    main()

"""How long a rollback holds its locks: by number of elements, and by size of the table.

Prints seconds of the whole rollback transaction, an upper bound of the time that any lock in it is held. It
does not grow with the size of a table, because renaming touches the catalog alone.
"""

import os
import time
from datetime import UTC, datetime

from catalog.database import Database
from catalog.elements import Element, Kind
from catalog.names import Reason
from catalog.snapshot import read_snapshot
from catalog.throwaway import ThrowawayServer
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan
from migrations.rollback import rollback

COUNTS = (1, 100, 1000)
SIZES_MB = (1, int(os.environ.get("BENCH_LARGE_MB", "1024")))
REPEATS = 5


def there_and_back(db: Database, elements: list[Element]) -> tuple[float, float]:
    """Seconds of one apply (without backup) and one rollback of these elements."""
    plan = make_plan(
        read_snapshot(db),
        elements,
        reason=Reason.UNUSED,
        environment="development",
        role="bench",
        now=datetime.now(UTC),
    )
    started = time.perf_counter()
    apply(db, plan)
    applied = time.perf_counter()
    rollback(db, migration_id=plan.id)
    return applied - started, time.perf_counter() - applied


def measure(db: Database, title: str, elements: list[Element]) -> None:
    """Print the median of several runs."""
    runs = sorted((there_and_back(db, elements) for _ in range(REPEATS)), key=lambda run: run[1])
    up, down = runs[len(runs) // 2]
    print(f"{title:28} apply {up:7.3f} s   rollback {down:7.3f} s   (slowest {runs[-1][1]:.3f} s)")


def main() -> None:
    """Measure on a throw-away PostgreSQL 18."""
    with ThrowawayServer(settings={"max_wal_size": "4GB"}) as server, Database.connect(server.dsn()) as db:
        db.execute("SET statement_timeout = 0")
        registry.install(db)
        for number in range(max(COUNTS)):
            db.execute(f"CREATE TABLE old_{number:04} (id int, note text)")
        for count in COUNTS:
            tables = [Element(Kind.TABLE, "public", f"old_{number:04}") for number in range(count)]
            measure(db, f"{count} tables", tables)
        for size_mb in SIZES_MB:
            name = f"sized_{size_mb}"
            db.execute(
                f"CREATE UNLOGGED TABLE {name} AS SELECT g AS id, repeat(md5(g::text), 31) AS note"
                f" FROM generate_series(1, {size_mb * 1000}) g"
            )
            measured = db.fetch_value("SELECT pg_total_relation_size(%s::regclass) / 1048576", [name])
            measure(db, f"1 table of {measured} MB", [Element(Kind.TABLE, "public", name)])


if __name__ == "__main__":
    main()

"""What sensors cost: statements that use a watched element, and those that do not.

Short loops run interleaved in one session, without the sensor and with it, and the best of each counts, so
that a noisy machine does not. Every statement is sent by itself, as by an application on the same machine:
the times are round trips. The last lines are the promise: who does not use the element keeps the throughput.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalog.database import Database, identifier
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations import registry, sensors
from migrations.apply import apply
from migrations.plan import make_plan
from migrations.sensors import Selection

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "40"))
STATEMENTS = int(os.environ.get("BENCH_STATEMENTS", "200"))
REACH_KEPT = 0.95
DEBIAN_15_BIN = Path("/usr/lib/postgresql/15/bin")
AUDITOR = "auditor"


@dataclass(frozen=True)
class Ran:
    """Microseconds a statement, the best of each."""

    without_us: float
    with_us: float

    @property
    def kept(self) -> float:
        """The part of the throughput that is kept."""
        return self.without_us / self.with_us


def once(db: Database, statement: str) -> float:
    """Microseconds a statement, the best tenth of one loop; `{n}` is another row each time."""
    spent = []
    with db.transaction():
        for number in range(STATEMENTS):
            text = statement.format(n=number + 1)
            started = time.perf_counter()
            db.execute(text)
            spent.append(time.perf_counter() - started)
    best = sorted(spent)[: STATEMENTS // 10]
    return sum(best) * 1e6 / len(best)


def compared(db: Database, statement: str, arm: Callable[[], None], disarm: Callable[[], None]) -> Ran:
    """The same statement without and with what `arm` puts there, interleaved."""
    spent: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for is_armed in (False, True):
            (arm if is_armed else disarm)()
            # The first statements of a session plan and look up names anew.
            once(db, statement)
            spent[is_armed].append(once(db, statement))
    return Ran(min(spent[False]), min(spent[True]))


def report(title: str, ran: Ran) -> float:
    """Print one line; return the part of the throughput that is kept."""
    print(
        f"{title:58} {ran.without_us:7.1f} µs → {ran.with_us:7.1f} µs"
        f"   +{ran.with_us - ran.without_us:5.1f} µs   kept {ran.kept:.2f}"
    )
    return ran.kept


def put_away(db: Database, element: str, *, soft: bool) -> str:
    """Deprecate an element; return its new name, quoted."""
    plan = make_plan(
        read_snapshot(db),
        [Element.parse(element)],
        reason=Reason.UNUSED,
        environment="development",
        role="bench",
        now=datetime.now(UTC),
        soft=soft,
    )
    apply(db, plan)
    return identifier(plan.steps[0].deprecated_name)


def measure(title: str, server: ThrowawayServer) -> bool:
    """Measure every sensor that a server can have; return whether other tables keep their throughput."""
    with Database.connect(server.dsn()) as db, Database.connect(server.dsn(), application_name="app") as app:
        registry.install(db)
        db.execute(f"CREATE ROLE {AUDITOR}")
        for table in ("soft", "hard", "live"):
            db.execute(f"CREATE UNLOGGED TABLE {table} (id int PRIMARY KEY, note text, old text)")
            db.execute(f"INSERT INTO {table} SELECT g, 'note', 'old' FROM generate_series(1, 10000) g")
        db.execute("ANALYZE")
        put_away(db, "table:public.soft", soft=True)
        hard = put_away(db, "table:public.hard", soft=False)
        put_away(db, "column:public.live.old", soft=False)

        def arm() -> None:
            sensors.arm(db, Selection())

        def disarm() -> None:
            sensors.disarm(db, Selection())

        print(title)
        for what, statement in (
            ("write of a renamed table (trigger)", f"UPDATE {hard} SET note = 'x' WHERE id = {{n}}"),
            ("read of a renamed table (grant, if any)", f"SELECT note FROM {hard} WHERE id = {{n}}"),
            ("read under the former name (canary)", "SELECT note FROM soft WHERE id = {n}"),
            ("write under the former name (canary and trigger)", "UPDATE soft SET note = 'x' WHERE id = {n}"),
        ):
            report(what, compared(app, statement, arm, disarm))
        kept = [
            report(what, compared(app, statement, arm, disarm))
            for what, statement in (
                ("read of a table with a watched column", "SELECT note FROM live WHERE id = {n}"),
                ("write of a table with a watched column", "UPDATE live SET note = 'x' WHERE id = {n}"),
            )
        ]
        reached = all(part >= REACH_KEPT for part in kept)
        word = "✓" if reached else "✗ not reached"
        print(f"others keep {min(kept):.2f} of their throughput, {REACH_KEPT} wanted {word}\n")
        return reached


def main() -> None:
    """Measure PostgreSQL 18, and 15 with pgaudit where Debian's packages are."""
    with ThrowawayServer(bin_directory=EMBEDDED_BIN) as server:
        measure("PostgreSQL 18", server)
    if (DEBIAN_15_BIN.parent / "lib" / "pgaudit.so").exists():
        settings = {"shared_preload_libraries": "pgaudit", "pgaudit.role": AUDITOR}
        with ThrowawayServer(bin_directory=DEBIAN_15_BIN, settings=settings) as server:
            measure("PostgreSQL 15 with grants to pgaudit's role", server)


if __name__ == "__main__":
    main()

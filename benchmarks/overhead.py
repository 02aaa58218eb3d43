"""What each level of monitoring costs: the part of its throughput that a server keeps.

pgbench runs again and again for a short time: without a level, with it, without, with the next one…, so that
other work of the machine slows both. Each run with a level is compared with the runs before and after it; the
median of these ratios counts, and the least and the most show the noise. Select-only is the worst case: its
transactions take some 60 µs.
"""

import argparse
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.calls import CallReader
from ingest.look import look
from migrations import registry, sensors
from migrations.apply import apply
from migrations.plan import make_plan
from migrations.sensors import Selection

DEBIAN_15_BIN = Path("/usr/lib/postgresql/15/bin")
AUDITOR = "auditor"
DEFAULT_LEVEL = "sensors"
REACH_KEPT = 0.95
CLIENTS = 4
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)

Setting = tuple[str, str]


@dataclass(frozen=True)
class Run:
    """One run of pgbench; `log_bytes` is what the server logged in it, a transaction."""

    tps: float
    log_bytes: float


@dataclass
class Bench:
    """A server with pgbench's tables, and two more that are in the attic."""

    server: ThrowawayServer
    db: Database
    seconds: float
    script: str
    armed: bool = False

    def run(self, settings: tuple[Setting, ...] = (), *, armed: bool = False, counted: bool = False) -> Run:
        """Run pgbench once at a level; `counted` samples the counters meanwhile."""
        self._set(settings, armed=armed)
        before = self._logged()
        command = [
            str(self.server.program("pgbench")), "--no-vacuum", "--builtin", self.script,
            "--client", str(CLIENTS), "--time", f"{self.seconds:.0f}", self.server.dsn(),
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            if counted:
                time.sleep(self.seconds / 2)
                look(self.db, "csvlog", CallReader())
            output, problem = process.communicate()
        tps, done = _TPS.search(output), _DONE.search(output)
        assert tps is not None, problem
        assert done is not None, problem
        # The log is written by a process of its own.
        time.sleep(0.1)
        return Run(float(tps[1]), (self._logged() - before) / max(1, int(done[1])))

    def _set(self, settings: tuple[Setting, ...], *, armed: bool) -> None:
        if armed != self.armed:
            (sensors.arm if armed else sensors.disarm)(self.db, Selection())
            self.armed = armed
        lines = [f"ALTER SYSTEM SET {name} = '{value}'" for name, value in settings]
        # ALTER SYSTEM runs in no transaction, and ours runs everything in one.
        psql = [str(self.server.program("psql")), "--no-psqlrc", "--quiet", self.server.dsn()]
        for line in ("ALTER SYSTEM RESET ALL", *lines, "SELECT pg_reload_conf()"):
            psql += ["--command", line]
        subprocess.run(psql, check=True, capture_output=True)
        time.sleep(0.1)

    def _logged(self) -> int:
        return sum(file.stat().st_size for file in self.server.log_directory.glob("*.csv"))


@dataclass
class Measured:
    """A level, the server without it, the run of it, and what came of that so far."""

    name: str
    base: Bench
    run: Callable[[], Run]
    kept: list[float] = field(default_factory=list)
    log_bytes: list[float] = field(default_factory=list)


def prepared(stack: ExitStack, folder: Path, options: argparse.Namespace, **settings: str) -> Bench:
    """A running server with tables, two of them in the attic."""
    server = stack.enter_context(ThrowawayServer(bin_directory=folder, settings=settings))
    db = stack.enter_context(Database.connect(server.dsn()))
    pgbench = [str(server.program("pgbench")), "--initialize", "--quiet", "--scale", "5", server.dsn()]
    subprocess.run(pgbench, check=True, capture_output=True)
    registry.install(db)
    if settings:
        db.execute(f"CREATE ROLE {AUDITOR}")
    for table, is_soft in (("old_users", True), ("old_orders", False)):
        db.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, note text)")
        plan = make_plan(
            read_snapshot(db),
            [Element.parse(f"table:public.{table}")],
            reason=Reason.UNUSED,
            environment="development",
            role="bench",
            now=datetime.now(UTC),
            soft=is_soft,
        )
        apply(db, plan)
    script = "simple-update" if options.writes else "select-only"
    bench = Bench(server, db, options.seconds, script, armed=True)
    bench.run()
    return bench


def levels(stack: ExitStack, options: argparse.Namespace) -> Iterator[Measured]:
    """What is measured, each beside what it is compared with."""
    bench = prepared(stack, EMBEDDED_BIN, options)
    sample = (("log_min_duration_sample", "0"), ("log_statement_sample_rate", "0.01"))
    every = (("log_statement", "all"),)
    yield Measured("base", bench, bench.run)
    yield Measured("minimal", bench, lambda: bench.run(counted=True))
    yield Measured("sensors", bench, lambda: bench.run(armed=True, counted=True))
    yield Measured("sampled", bench, lambda: bench.run(sample, armed=True, counted=True))
    yield Measured("full", bench, lambda: bench.run(every, armed=True, counted=True))
    if (DEBIAN_15_BIN.parent / "lib" / "pgaudit.so").exists():
        plain = prepared(stack, DEBIAN_15_BIN, options)
        audit = {"shared_preload_libraries": "pgaudit", "pgaudit.role": AUDITOR}
        audited = prepared(stack, DEBIAN_15_BIN, options, **audit)
        yield Measured("sensors, 15 + pgaudit", plain, lambda: audited.run(armed=True, counted=True))


def measure(found: list[Measured], pairs: int) -> None:
    """Run base, level, base, next level…; each level against the mean of its neighbours."""
    for _ in range(pairs):
        before: dict[int, Run] = {}
        for one in found:
            first = before.get(one.base.server.port) or one.base.run()
            level = one.run()
            after = before[one.base.server.port] = one.base.run()
            one.kept.append(level.tps / ((first.tps + after.tps) / 2))
            one.log_bytes.append(level.log_bytes)


def main() -> int:
    """Measure and print; 1 where the default level keeps too little."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2, help="how long each run takes")
    parser.add_argument("--pairs", type=int, default=4, help="how often each level is compared")
    parser.add_argument("--writes", action="store_true", help="updates, not the select-only worst case")
    options = parser.parse_args()
    with ExitStack() as stack:
        found = list(levels(stack, options))
        measure(found, options.pairs)
    print(f"{'level':24} {'kept':>5}  least..most  log bytes a transaction")
    for one in found:
        print(
            f"{one.name:24} {median(one.kept):5.2f}  {min(one.kept):.2f}..{max(one.kept):.2f}"
            f"   {median(one.log_bytes):9.1f}"
        )
    kept = next(median(one.kept) for one in found if one.name == DEFAULT_LEVEL)
    reached = kept >= REACH_KEPT
    word = "✓" if reached else "✗ not reached"
    print(f"the default level ({DEFAULT_LEVEL}) keeps {kept:.2f}, {REACH_KEPT} wanted {word}")
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""How long it takes from a statement's end to its access row and its alert.

A real server (the embedded PostgreSQL 18) runs 1,000 statements a second and logs them all. When these run,
`pgattic ingest --follow` begins to read its log, and as soon as it says so some other statements fail on a
former name: the first alerts count as well. Measured is, for each that failed, the time from the client's
error to the moment when its access row was committed and its alert printed. The reach is 1 s at the 99th
percentile.

    python -m benchmarks.latency --seconds 60
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from analytics.alerting.beside import alerting
from catalog.database import Database
from catalog.elements import Element, Kind
from catalog.errors import StatementFailedError
from catalog.lean import without_pandas
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.terminal import Invocation
from catalog.throwaway import ThrowawayServer
from ingest.cli import register
from ingest.store import Store
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan

STATEMENTS_A_SECOND = 1000
FAILURES_A_SECOND = 10
REACH_SECONDS = 1.0
_CLIENTS = 2
# What is measured starts after the load.
_START_SECONDS = 3


def follow(config: Path) -> None:
    """What is measured, as a process of its own: prints what each alert is about, and when."""
    without_pandas()
    app = typer.Typer()

    @app.callback()
    def main(ctx: typer.Context) -> None:
        ctx.obj = Invocation(config)

    def tell(alert: Mapping[str, Any]) -> str:
        return f"{alert['application']} {time.time()}"

    register(app, alerting=alerting, describe=tell)
    app(["ingest", "--follow"])


def deprecate(db: Database) -> None:
    """A table in the attic."""
    registry.install(db)
    db.execute("CREATE TABLE users_old (id int)")
    db.execute("CREATE TABLE orders (id int PRIMARY KEY, total int)")
    db.execute("INSERT INTO orders SELECT n, n FROM generate_series(1, 1000) n")
    plan = make_plan(
        read_snapshot(db),
        [Element(Kind.TABLE, "public", "users_old")],
        reason=Reason.UNUSED,
        environment="development",
        role="bench",
        now=datetime.now(UTC),
    )
    apply(db, plan)


def work(dsn: str, seconds: float, share: int) -> None:
    """Statements at a steady pace that succeed, until the time is over; says when they begin."""
    with Database.connect(dsn, application_name="shop") as db:
        pace = share / STATEMENTS_A_SECOND
        due = time.monotonic()
        until = due + seconds
        number = 0
        print("at work", flush=True)
        while due < until:
            number += 1
            db.fetch_value(f"SELECT total FROM orders WHERE id = {number % 1000}")
            due += pace
            time.sleep(max(0.0, due - time.monotonic()))


def fail(dsn: str, until: float) -> dict[str, float]:
    """Statements that fail on the former name: when each failed, by its application's name."""
    failed: dict[str, float] = {}
    with Database.connect(dsn, application_name="job") as db:
        while time.monotonic() < until:
            name = f"job-{len(failed)}"
            db.execute(f"SET application_name = '{name}'")
            with suppress(StatementFailedError):
                db.execute("SELECT * FROM users_old")
            failed[name] = time.time()
            time.sleep(1 / FAILURES_A_SECOND)
    return failed


def _started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.latency", *arguments],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def measure(home: Path, seconds: float) -> int:
    """Run it all; the exit code says whether the reach was reached."""
    with ThrowawayServer(settings={"log_statement": "all"}) as server:
        dsn = server.dsn()
        with Database.connect(dsn) as db:
            deprecate(db)
        config = home / "pgattic.toml"
        config.write_text(
            f'[database]\ndsn = "{dsn}"\n[data]\ndirectory = "data"\n'
            f'[logs]\ndirectory = "{server.log_directory}"\n'
        )
        told: dict[str, float] = {}
        workers = [
            _started("--work", dsn, "--seconds", str(seconds + _START_SECONDS)) for _ in range(_CLIENTS)
        ]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        process = _started("--follow", str(config))
        assert process.stderr is not None
        process.stderr.readline()

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                name, moment = line.split()
                told.setdefault(name, float(moment))

        threading.Thread(target=listen, daemon=True).start()
        until = time.monotonic() + seconds
        failed = fail(dsn, until)
        for worker in workers:
            worker.wait()
        end = time.monotonic() + 10
        while len(told) < len(failed) and time.monotonic() < end:
            time.sleep(0.05)
        process.terminate()
        process.wait()
        rows = sum(part.rows for part in Store(home / "data").partitions("access"))
        coverage = Store(home / "data").rows("coverage", ["records"]).to_pylist()
        records = sum(row["records"] for row in coverage)
    waits = sorted(told[name] - moment for name, moment in failed.items() if name in told)
    p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
    print(f"{records} records; {len(failed)} failures: {rows} access rows, {len(waits)} alerts")
    first = next(told[name] - moment for name, moment in failed.items() if name in told)
    print(f"failure to committed row and alert: p50 {p50:.2f} s, p99 {p99:.2f} s, slowest {waits[-1]:.2f} s")
    print(f"the very first one: {first:.2f} s")
    print(f"reach: p99 {REACH_SECONDS:.0f} s")
    return 0 if p99 <= REACH_SECONDS and len(waits) == len(failed) else 1


def main() -> int:
    """Measure, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--follow", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.follow:
        follow(given.follow)
    elif given.work:
        work(given.work, given.seconds, _CLIENTS)
    else:
        with tempfile.TemporaryDirectory(prefix="pgattic-latency-") as home:
            return measure(Path(home), given.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast `pgattic ingest --once` reads a csvlog, and in how much memory.

Makes a log of at least a million statements (some of them on several lines, each with constants of its own,
one in a hundred failing), then measures in turn, each as a process of its own on one core: pgattic's whole
run, and DuckDB's bare single-threaded scan of the columns that pgattic needs. pgBadger reads a part of the
same log, once; rates are compared. The reach is four times the scan's time, thirty times pgBadger's rate.
Time is told by the clock and as the processor's: on a busy machine only the second one can be compared.

    python -m benchmarks.ingest                  # a million records
    python -m benchmarks.ingest --gigabytes 5    # peak memory on a large file
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from statistics import median

from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.errors import FINDING
from catalog.objects import Column, Relation
from catalog.reading import to_json
from catalog.snapshot import Snapshot
from ingest.logs.csvlog import COLUMNS, USED

RECORDS = 1_000_000
TABLES = 60
SHAPES = 600
SESSIONS = 64
ROUNDS = 3
PGBADGER_RECORDS = 60_000
REACH_SCAN = 4.0
REACH_PGBADGER = 30.0
REACH_MEMORY_MB = 512
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEPRECATED = "users_old_deprecated_20261101_unused"
MEGABYTE = 1024 * 1024

_SCAN = """
import sys, time, duckdb
connection = duckdb.connect()
connection.execute("SET threads = 1; SET enable_progress_bar = false")
started, worked = time.perf_counter(), time.process_time()
connection.execute(sys.argv[1]).fetchall()
print(time.perf_counter() - started, time.process_time() - worked)
"""


@dataclass(frozen=True)
class Run:
    """One process: its seconds by the clock and of processor time, its peak memory, what it printed."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def shapes(chance: random.Random) -> list[Callable[[], str]]:
    """Statements as applications write them: each has constants of its own every time."""

    def key() -> int:
        return chance.randint(1, 10**7)

    def shape(number: int, table: str) -> Callable[[], str]:
        column = f"col_{number}"
        return (
            lambda: f"SELECT id, name, {column} FROM {table} WHERE id = {key()} AND status = 's{key()}'",
            lambda: (
                f"UPDATE {table} SET {column} = '{chance.random()}', seen_at = '2026-11-22 10:11:12'"
                f" WHERE id = {key()}"
            ),
            lambda: f"INSERT INTO {table} (id, name, {column}) VALUES ({key()}, 'user{key()}', {key()})",
            lambda: (
                f'SELECT "{table}"."id", "{table}"."{column}" FROM "{table}"'
                f' WHERE "{table}"."id" = {key()} LIMIT 21'
            ),
            lambda: (
                f"SELECT a.id, b.name\n  FROM {table} a\n  JOIN other b ON b.id = a.id\n"
                f" WHERE a.seen_at > '2026-01-01' AND a.{column} = {key()}"
            ),
            lambda: f"DELETE FROM {table} WHERE id = {key()} AND {column} < {chance.random() * 100:.3f}",
        )[number % 6]

    return [shape(number, f"table_{number % TABLES}") for number in range(SHAPES)]


def records() -> Iterator[str]:
    """Records without an end."""
    chance = random.Random(1)
    known = shapes(chance)
    begin = int(NOON.timestamp())
    lines = [0] * SESSIONS
    for number in count():
        session = chance.randrange(SESSIONS)
        lines[session] += 1
        at = NOON + timedelta(milliseconds=2 * number)
        who = (
            f'{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC,"app_user","shop",{1000 + session},'
            f'"10.0.0.{session % 20}:{40000 + session}",{begin + session:x}.{1000 + session:x},'
            f"{lines[session]},"
            f'"SELECT",2026-11-22 12:00:00 UTC,{session}/{number},0'
        )
        application = ("web", "worker", "report", "psql")[session % 4]
        if number % 100 == 7:
            sql = f"select * from users_old where id = {number}"
            said = f'ERROR,42P01,"relation ""users_old"" does not exist",,,,,,"{sql}",15'
        else:
            sql = chance.choice(known)().replace('"', '""')
            said = f'LOG,00000,"duration: {chance.random() * 10:.3f} ms  statement: {sql}",,,,,,,'
        yield f'{who},{said},,"{application}","client backend",,{chance.getrandbits(60)}\n'


def write_log(path: Path, records_wanted: int, bytes_wanted: int = 0) -> int:
    """Write so many records, and again until there are so many bytes; give the number of records."""
    # Piece by piece: the peak memory of a process that we start counts from what we take ourselves.
    with path.open("w+b") as file:
        for record in islice(records(), records_wanted):
            file.write(record.encode())
        size = file.tell()
        times = max(1, -(-bytes_wanted // size))
        step = min(size, MEGABYTE)
        for place in range(0, size * (times - 1), step):
            file.seek(place)
            piece = file.read(min(step, size * (times - 1) - place))
            file.seek(0, os.SEEK_END)
            file.write(piece)
    return records_wanted * times


def columns(numbers: Sequence[int]) -> tuple[Column, ...]:
    """The columns of a table."""
    names = ("id", "name", "status", "seen_at", *(f"col_{number}" for number in numbers))
    return tuple(Column(place, name, 25, "text", False, False, None) for place, name in enumerate(names, 1))


def snapshot() -> Snapshot:
    """The catalog that the statements are about."""
    tables = [
        *((f"table_{table}", range(table, SHAPES, TABLES)) for table in range(TABLES)),
        ("other", range(0)),
        (DEPRECATED, range(0)),
    ]
    relations = tuple(
        Relation(oid, "public", name, "r", "app_user", None, 0, 0, None, columns(numbers))
        for oid, (name, numbers) in enumerate(tables, 1)
    )
    entry = AtticEntry(
        Element.parse("table:public.users_old"), DEPRECATED, "m1", "unused", len(tables), None,
        NOON - timedelta(days=21), None, None,
    )  # fmt: skip
    return Snapshot(
        database="shop", server_version=180006, taken_at=NOON, relations=relations, indexes=(),
        constraints=(), enums=(), functions=(), triggers=(), stored_uses=(), attic=(entry,),
    )  # fmt: skip


def run(place: Path, *command: str) -> Run:
    """Run a program on one core, and wait for it."""
    one_core = ("taskset", "-c", str(min(os.sched_getaffinity(0)))) if shutil.which("taskset") else ()
    # What is installed has its bytecode beside it.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(place / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    with subprocess.Popen(
        (*one_core, *command), stdout=subprocess.PIPE, text=True, cwd=place, env=environment
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    assert process.returncode in (0, FINDING), f"{command[:3]} ended with {process.returncode}: {output}"
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, output)


def ingest(place: Path, log: Path) -> Run:
    """pgattic's whole run over the log, into tables of its own."""
    data = Path(tempfile.mkdtemp(prefix="data-", dir=place))
    console_script = Path(sys.executable).with_name("pgattic")
    try:
        return run(
            place, str(console_script), "ingest", "--once", "--json",
            "--logs", str(log), "--data", str(data), "--catalog", str(place / "catalog.json"),
        )  # fmt: skip
    finally:
        shutil.rmtree(data)


def scan(place: Path, log: Path) -> Run:
    """DuckDB's scan alone: the seconds of the query, without the start of its process."""
    columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS) + "}"
    wanted = " + ".join(f"sum(strlen({name}))" for name in USED)
    query = (
        f"SELECT {wanted} FROM read_csv('{log}', columns = {columns}, header = false, delim = ',',"
        " quote = '\"', escape = '\"', new_line = '\\n', max_line_size = 100000000)"
    )
    done = run(place, sys.executable, "-c", _SCAN, query)
    seconds, cpu_seconds = map(float, done.output.split())
    return replace(done, seconds=seconds, cpu_seconds=cpu_seconds)


def pgbadger_rate(place: Path) -> float | None:
    """Records a second of pgBadger, one process; None where it is not installed."""
    program = shutil.which("pgbadger")
    if program is None:
        return None
    log = place / "part.csv"
    write_log(log, PGBADGER_RECORDS)
    page = str(place / "report.html")
    done = run(place, program, "-q", "-f", "csv", "-j", "1", "-o", page, str(log))
    return PGBADGER_RECORDS / done.seconds


def figures(log: Path, written: int, runs: Sequence[Run]) -> None:
    """Print what the runs tell."""
    for one in runs:
        assert json.loads(one.output)["records"] == written, one.output
    seconds = median(one.seconds for one in runs)
    size = log.stat().st_size / MEGABYTE
    peak = max(one.peak_bytes for one in runs) / MEGABYTE
    rate = f"{written / seconds:12,.0f} records/s {size / seconds:6.0f} MB/s"
    print(f"{written:,} records, {size:,.0f} MB, on one core")
    print(f"pgattic, whole process   {seconds:8.2f} s  {rate}")
    print(f"peak memory              {peak:8.0f} MB (reach {REACH_MEMORY_MB} MB)")


def main() -> None:
    """Make the log, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--gigabytes", type=float, default=0.0, help="measure pgattic's memory on so large a log"
    )
    parser.add_argument("--without-pgbadger", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pgattic-benchmark-") as name:
        place = Path(name)
        (place / "catalog.json").write_bytes(to_json(snapshot()))
        log = place / "postgresql.csv"
        if wanted.gigabytes:
            written = write_log(log, wanted.records, int(wanted.gigabytes * 1024 * MEGABYTE))
            figures(log, written, [ingest(place, log)])
            return
        write_log(log, 1_000)
        ingest(place, log)
        written = write_log(log, wanted.records)
        scans, runs = [], []
        for _ in range(wanted.rounds):
            scans.append(scan(place, log))
            runs.append(ingest(place, log))
        figures(log, written, runs)
        pairs = list(zip(runs, scans, strict=True))
        ratio = median(one.seconds / bare.seconds for one, bare in pairs)
        cpu_ratio = median(one.cpu_seconds / bare.cpu_seconds for one, bare in pairs)
        print(f"DuckDB, scan alone       {median(bare.seconds for bare in scans):8.2f} s")
        print(f"pgattic / scan           {ratio:8.2f}    (reach {REACH_SCAN:.0f}, aim 2)")
        print(f"the same, processor time {cpu_ratio:8.2f}")
        rate = None if wanted.without_pgbadger else pgbadger_rate(place)
        if rate is not None:
            times = written / median(one.seconds for one in runs) / rate
            print(f"pgBadger, one process             {rate:15,.0f} records/s")
            print(f"pgattic / pgBadger       {times:8.1f}    (reach {REACH_PGBADGER:.0f}, aim 100)")


if __name__ == "__main__":
    main()

"""How long a verdict on 1,000 elements takes over 1 billion accesses.

    python -m benchmarks.readiness            # a quarter of a year on two servers; needs 1 GB of /tmp
    python -m benchmarks.readiness --days 30

It writes evidence as ingestion and `pgattic collect` leave it (hourly counts of every element, a row for
each access of what is in the attic, every hour a sample of the counters and of pg_stat_statements), and
measures `readiness` on it: opening the evidence, asking it, and judging. The catalog is made up, so that no
server is measured. Writing takes far longer than measuring: `--data FOLDER` keeps the evidence, and takes
what is there from an earlier run.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from analytics.grounds import Grounds
from analytics.readiness import Readiness, Verdict, readiness
from analytics.store import Evidence
from catalog.attic import AtticEntry
from catalog.counters import Baseline, Counter, CounterSample
from catalog.elements import Element, Kind
from catalog.objects import Column, Index, Relation
from catalog.policy import PolicySettings
from catalog.snapshot import Snapshot
from ingest.schemas import TABLES
from ingest.store import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
IN_ATTIC, OTHERS, STILL_USED = 1_000, 4_000, 200
ACCESSES, ROWS_OF_THE_ATTIC = 1_000_000_000, 10_000_000
NODES = ("primary", "replica")
# Statements that pg_stat_statements has of each table that is still used, and those that may hide a use.
CALLED_STATEMENTS, DOUBTFUL_STATEMENTS = 3, 20
STARTED = NOW - 400 * DAY
# No two servers count since the same moment.
KEPT_SINCE = {node: STARTED + number * DAY for number, node in enumerate(NODES)}
REACH_SECONDS, AIM_SECONDS, REPEATS = 2.0, 1.0, 5
# What the rows of all statements have in common.
_READ = {
    "node": "primary",
    "operation": "read",
    "implicit": False,
    "ambiguous": False,
    "database": "shop",
}


def name(number: int) -> str:
    """The former name of a table in the attic, or the name of another one."""
    return f"old_{number:04}" if number < IN_ATTIC else f"live_{number:04}"


def catalog(days: int) -> Snapshot:
    """A thousand tables in the attic among five thousand, put there over the first half of the time."""
    tables = tuple(
        Relation(
            oid=20_000 + number,
            schema="public",
            name=f"{name(number)}_deprecated_20260901_unused" if number < IN_ATTIC else name(number),
            kind="r",
            owner="shop",
            comment=None,
            total_bytes=8192,
            estimated_rows=0,
            extension=None,
            columns=(Column(1, "id", 23, "integer", not_null=True, inherited=False, comment=None),),
        )
        for number in range(IN_ATTIC + OTHERS)
    )
    attic = tuple(
        _entry(table, number, NOW - timedelta(days=days * (1 - number / IN_ATTIC / 2)))
        for number, table in enumerate(tables[:IN_ATTIC])
    )
    # Without a B-tree index, counters would not tell of statements that read no row.
    indexes = tuple(_primary_key(table) for table in tables)
    return Snapshot("shop", 180006, NOW, tables, indexes, (), (), (), (), (), attic)


def _primary_key(table: Relation) -> Index:
    return Index(
        oid=table.oid + 10_000,
        schema="public",
        name=f"{table.name}_pkey",
        table=table.name,
        columns=("id",),
        is_unique=True,
        is_primary=True,
        is_valid=True,
        is_replica_identity=False,
        has_expressions=False,
        is_partition=False,
        constraint=f"{table.name}_pkey",
        bytes=8192,
        comment=None,
        definition=f"CREATE UNIQUE INDEX ON public.{table.name} USING btree (id)",
    )


def _entry(table: Relation, number: int, at: datetime) -> AtticEntry:
    element = Element(Kind.TABLE, "public", name(number))
    begun = Baseline(number, 0, at, at - DAY, None, number, 0, table.oid)
    return AtticEntry(element, table.name, f"m{number // 20}", "unused", table.oid, begun, at, None, at)


def write_evidence(store: Store, days: int) -> None:
    """Write what a busy server leaves behind, a day at a time."""
    elements = [f"table:public.{name(number)}" for number in range(IN_ATTIC + OTHERS)]
    store.append("coverage", _coverage(days), transaction=None)
    store.append("statement", _statements(), transaction=None)
    for start in (NOW - timedelta(days=day) for day in range(days, 0, -1)):
        store.append("usage_hourly", _hourly(elements, start, days), transaction=None)
        store.append("access", _accesses(start, ROWS_OF_THE_ATTIC // days), transaction=None)
        store.append("counter", _counters(start), transaction=None)
        store.append("statement_counter", _calls(start), transaction=None)
        store.append("sample", _samples(start), transaction=None)


def _table(table: str, rows: int, **columns: object) -> pa.Table:
    """Rows of an evidence table: a column is an array, or a value for all rows."""
    schema = TABLES[table]
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        if isinstance(value, pa.Array):
            arrays.append(value.cast(field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(value, field.type), rows))
    return pa.Table.from_arrays(arrays, schema=schema)


def _hourly(elements: list[str], start: datetime, days: int) -> pa.Table:
    # What is in the attic is used by few; what is not makes up the billion.
    used = [*elements[:STILL_USED], *elements[IN_ATTIC:]]
    rows = len(used) * 24
    hours = pa.array([start + HOUR * (row // len(used)) for row in range(rows)])
    return _table(
        "usage_hourly",
        rows,
        **_READ,
        hour=hours,
        first_at=hours,
        last_at=hours,
        element=pa.array(used * 24),
        outcome="ok",
        source="log",
        role="shop",
        application="web",
        statement_id="s1",
        uses=ACCESSES // (rows * days) + 1,
        day=start.date(),
    )


def _accesses(start: datetime, rows: int) -> pa.Table:
    step = DAY / rows
    return _table(
        "access",
        rows,
        **_READ,
        occurred_at=pa.array([start + step * row for row in range(rows)]),
        element=pa.array([f"table:public.{name(row % STILL_USED)}" for row in range(rows)]),
        outcome="error",
        source="error",
        sqlstate="42P01",
        role="report_job",
        application="monthly_report",
        client="10.0.0.1",
        statement_id="s2",
        session_id="6b035698.34a9",
        session_line=1,
        origin="o1",
        log_offset=0,
        day=start.date(),
    )


def _looks(start: datetime) -> list[tuple[str, datetime]]:
    """Which node was looked at when, on a day."""
    return [(node, start + HOUR * hour) for hour in range(24) for node in NODES]


def _counters(start: datetime) -> pa.Table:
    looks = _looks(start)
    rows = len(looks) * (IN_ATTIC + OTHERS)
    numbers = pa.array(range(IN_ATTIC + OTHERS), pa.int64())
    oids = [20_000 + number for number in range(IN_ATTIC + OTHERS)]
    return _table(
        "counter",
        rows,
        sampled_at=pa.array([at for _, at in looks for _ in range(IN_ATTIC + OTHERS)]),
        node=pa.array([node for node, _ in looks for _ in range(IN_ATTIC + OTHERS)]),
        element="table:public.old",
        oid=pa.array(oids * len(looks), pa.int64()),
        reads=pa.concat_arrays([numbers] * len(looks)),
        writes=0,
        blocks=pa.concat_arrays([numbers] * len(looks)),
        maintenance=0,
        filenode=pa.array(oids * len(looks), pa.int64()),
        server_started_at=STARTED,
        kept_since=pa.array([KEPT_SINCE[node] for node, _ in looks for _ in range(IN_ATTIC + OTHERS)]),
        day=start.date(),
    )


def _called(number: int) -> list[str]:
    """The statements that pg_stat_statements has of a table of the attic."""
    return [f"called_{number:04}_{statement}" for statement in range(CALLED_STATEMENTS)]


def _statements() -> pa.Table:
    called = [(number, statement) for number in range(STILL_USED) for statement in _called(number)]
    texts = ["SELECT $1", *(f"SELECT {statement} FROM {name(number)}" for number, statement in called)]
    return _table(
        "statement",
        len(texts),
        statement_id=pa.array(["s1", *(statement for _, statement in called)]),
        text=pa.array(texts),
        is_parsed=True,
        first_seen_at=STARTED,
        day=STARTED.date(),
    )


def _calls(start: datetime) -> pa.Table:
    """Calls from before the renames, which stood still since, and of what has names that nothing has."""
    looks = _looks(start)
    of_tables = [(number, statement) for number in range(STILL_USED) for statement in _called(number)]
    elements = [
        *(f"table:public.{name(number)}" for number, _ in of_tables),
        *[None] * DOUBTFUL_STATEMENTS,
    ]
    ids = [
        *(statement for _, statement in of_tables),
        *(f"{number} nested" for number in range(DOUBTFUL_STATEMENTS)),
    ]
    is_use = pa.array([element is not None for element in elements] * len(looks))
    rows = len(ids) * len(looks)
    return _table(
        "statement_counter",
        rows,
        sampled_at=pa.array([at for _, at in looks for _ in ids]),
        node=pa.array([node for node, _ in looks for _ in ids]),
        element=pa.array(elements * len(looks)),
        statement_id=pa.array(ids * len(looks)),
        role="shop",
        operation=pc.if_else(is_use, "read", None),
        implicit=False,
        ambiguous=pc.invert(is_use),
        after_rename=False,
        calls=pa.array([*range(len(ids))] * len(looks)),
        day=start.date(),
    )


def _samples(start: datetime) -> pa.Table:
    looks = _looks(start)
    return _table(
        "sample",
        len(looks),
        sampled_at=pa.array([at for _, at in looks]),
        node=pa.array([node for node, _ in looks]),
        server_started_at=STARTED,
        kept_since=pa.array([KEPT_SINCE[node] for node, _ in looks]),
        settings_since=STARTED,
        settings=pa.array([["track_counts=on"]] * len(looks)),
        sources=pa.array([["error", "sensor", "statements"]] * len(looks)),
        # A role whose slow statements are logged, which hides nothing from those who watch tables.
        overridden=pa.array([["log_min_duration_statement"]] * len(looks)),
        log_file="postgresql",
        standbys=pa.array([int(node == NODES[0]) for node, _ in looks]),
        oldest_session_at=pa.array([at - HOUR for _, at in looks]),
        statements_read_at=pa.array([at for _, at in looks]),
        statements_reset_at=STARTED,
        statements_evicted=0,
        statements_entries=1_000,
        statements_calls=1_000_000,
        day=start.date(),
    )


def _coverage(days: int) -> pa.Table:
    """A batch every five minutes, as cron leaves them."""

    def batches() -> Iterator[dict[str, object]]:
        for node in NODES:
            for number in range(days * 288):
                at = NOW - timedelta(days=days) + number * timedelta(minutes=5)
                yield {
                    "node": node,
                    "origin": f"{node} {at.date()}",
                    "path": f"/var/log/postgresql/{node}/postgresql.csv",
                    "covered_from": at,
                    "covered_to": at + timedelta(minutes=5),
                    "sources": ["error", "sensor"],
                    "reloads": [],
                    "setting_changes": [],
                    "day": at.date(),
                }

    return pa.Table.from_pylist(list(batches()), schema=TABLES["coverage"])


def judge(folder: Path, snapshot: Snapshot, days: int) -> tuple[list[Readiness], float]:
    """Verdicts, and how long they took in seconds."""
    counters = {
        table.oid: Counter(
            table.oid,
            table.oid - 20_000,
            0,
            None,
            table.oid - 20_000,
            0,
            table.oid,
        )
        for table in snapshot.relations
    }
    # What nobody uses is to be ready also after a few days: each was in the attic for half of them at least.
    policy = PolicySettings(month_ends=0, cooling_off_days=min(30, days // 2))
    live = CounterSample(NOW, STARTED, None, counters, KEPT_SINCE[NODES[0]])
    started = time.perf_counter()
    with Evidence.open(folder) as evidence:
        found = readiness(Grounds(snapshot, live, evidence, policy, NOW, NODES))
    return found, time.perf_counter() - started


def main() -> None:
    """Write the evidence, measure, and say whether it is fast enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=90, help="for how long evidence was gathered")
    parser.add_argument("--data", type=Path, help="where to keep the evidence, or take it from")
    given = parser.parse_args()
    days: int = given.days
    snapshot = catalog(days)
    with ExitStack() as stack:
        folder = given.data or stack.enter_context(tempfile.TemporaryDirectory(prefix="pgattic-benchmark-"))
        started = time.perf_counter()
        store = Store(Path(folder))
        if store.is_empty():
            write_evidence(store, days)
        sizes = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet")) / 2**20
        print(f"evidence of {days} days: {sizes:,.0f} MiB, written in {time.perf_counter() - started:.0f} s")
        hourly, accesses = store.rows("usage_hourly", ["uses"]), store.rows("access", ["day"])
        print(f"{pc.sum(hourly['uses']).as_py():,} accesses in {hourly.num_rows:,} hourly counts", end=", ")
        print(f"{accesses.num_rows:,} rows of the attic")
        runs = [judge(Path(folder), snapshot, days) for _ in range(REPEATS)]
    verdicts = [one.verdict for one in runs[0][0]]
    print(", ".join(f"{verdicts.count(verdict):,} {verdict}" for verdict in Verdict))
    times = sorted(seconds for _, seconds in runs)
    middle = times[len(times) // 2]
    print(f"readiness of {IN_ATTIC:,} elements: median {middle:.2f} s, slowest {times[-1]:.2f} s", end=" ")
    print(f"(reach {REACH_SECONDS:.0f} s, aim {AIM_SECONDS:.0f} s) {'✓' if middle <= REACH_SECONDS else '✗'}")


if __name__ == "__main__":
    main()

"""What `pgattic collect` costs where pg_stat_statements has 5,000 texts: seconds of CPU of a process.

    python -P benchmarks/calls.py

A real server has a shop of 500 tables with views, functions and foreign keys, 50 elements of it in the
attic, and statements as object-relational mappers, reports and people write them. `collect` runs as cron runs
it, in a process of its own: for the first time, and then again. The server's own time is not in the figures.
"""

import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan

TABLES, COLUMNS, VIEWS, FUNCTIONS = 500, 12, 60, 40
TABLES_IN_ATTIC, COLUMNS_IN_ATTIC, VIEWS_IN_ATTIC = 30, 15, 5
TEXTS = int(os.environ.get("BENCH_TEXTS", "5000"))
REPEATS = 3
LIBRARY = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.max": "20000",
    "pg_stat_statements.track": "all",
}
_AREAS = ("billing", "catalog", "customer", "delivery", "legal", "payment", "stock", "support", "tax", "web")
_THINGS = ("account", "address", "batch", "contract", "document", "event", "item", "label", "note", "order")
_PARTS = ("", "_archive", "_history", "_link", "_setting")
_COLUMNS = ("tenant_id", "status", "title", "amount", "created_at", "updated_at", "legacy_code", "comment")


@dataclass(frozen=True)
class Table:
    """A table of the shop: `others` are those that its foreign keys refer to, by column."""

    name: str
    columns: tuple[str, ...]
    others: dict[str, str]


def shop(chance: random.Random) -> list[Table]:
    """500 tables, each with keys to two that came before it."""
    names = [f"{area}_{thing}{part}" for area in _AREAS for thing in _THINGS for part in _PARTS][:TABLES]
    chance.shuffle(names)
    tables: list[Table] = []
    for name in names:
        others = {f"{other.name}_id": other.name for other in chance.sample(tables, min(2, len(tables)))}
        columns = ("id", *_COLUMNS, *others, "extra_a", "extra_b")[:COLUMNS]
        tables.append(Table(name, columns, {key: other for key, other in others.items() if key in columns}))
    return tables


def definitions(tables: list[Table], chance: random.Random) -> Iterator[str]:
    """The statements that make the shop."""
    types = {"title": "text", "amount": "numeric", "legacy_code": "text", "comment": "text"}
    types |= {"created_at": "timestamptz", "updated_at": "timestamptz", "extra_a": "text", "extra_b": "text"}
    for table in tables:
        columns = [
            "id bigint PRIMARY KEY" if name == "id"
            else f"{name} bigint REFERENCES {table.others[name]} (id)" if name in table.others
            else f"{name} {types.get(name, 'int')}"
            for name in table.columns
        ]  # fmt: skip
        yield f"CREATE TABLE {table.name} ({', '.join(columns)})"
    for number in range(VIEWS):
        one = chance.choice(tables[10:])
        key, other = next(iter(one.others.items()))
        yield (
            f"CREATE VIEW report_{number} AS SELECT a.id, a.title, a.amount, b.status"
            f" FROM {one.name} a JOIN {other} b ON b.id = a.{key}"
        )
    for number in range(FUNCTIONS):
        table = chance.choice(tables)
        language = "sql" if number % 2 else "plpgsql"
        query = f"SELECT count(*) FROM {table.name} WHERE tenant_id = tenant"
        body = query if number % 2 else f"BEGIN RETURN ({query}); END"
        yield f"CREATE FUNCTION count_{number}(tenant int) RETURNS bigint LANGUAGE {language} AS '{body}'"


def in_attic(tables: list[Table], chance: random.Random) -> list[str]:
    """50 elements, none of them referred to by what the shop's texts use most."""
    chosen = chance.sample(tables, TABLES_IN_ATTIC + COLUMNS_IN_ATTIC)
    return [
        *(f"table:public.{table.name}" for table in chosen[:TABLES_IN_ATTIC]),
        *(f"column:public.{table.name}.legacy_code" for table in chosen[TABLES_IN_ATTIC:]),
        *(f"view:public.report_{number}" for number in range(VIEWS_IN_ATTIC)),
    ]


def statements(tables: list[Table], chance: random.Random) -> Iterator[str]:
    """Endless statements, as different programs write them."""
    writers = (
        _django,
        _django,
        _django,
        _rails,
        _rails,
        _hibernate,
        _hibernate,
        _sqlalchemy,
        _written,
        _report,
    )
    while True:
        table = chance.choice(tables[10:])
        yield chance.choice(writers)(table, chance)


def _wanted(table: Table, chance: random.Random) -> list[str]:
    names = [name for name in table.columns if name != "legacy_code"]
    return chance.sample(names, chance.randint(3, len(names)))


def _django(table: Table, chance: random.Random) -> str:
    key, other = next(iter(table.others.items()))
    columns = ", ".join(f'"{table.name}"."{name}"' for name in _wanted(table, chance))
    beside = ", ".join(f'"{other}"."{name}"' for name in ("id", "title", "status", "created_at"))
    chosen = chance.choice(("id", "status"))
    return (
        f'SELECT {columns}, {beside} FROM "{table.name}" INNER JOIN "{other}" ON ("{table.name}"."{key}" ='
        f' "{other}"."id") WHERE ("{other}"."status" = 1 AND "{table.name}"."{chosen}" IN (1, 2, 3))'
        f' ORDER BY "{table.name}"."created_at" DESC LIMIT 21'
    )


def _rails(table: Table, chance: random.Random) -> str:
    where = " AND ".join(f'"{table.name}"."{name}" IS NOT NULL' for name in _wanted(table, chance))
    return (
        f'SELECT "{table.name}".* FROM "{table.name}" WHERE {where} ORDER BY "{table.name}"."id" ASC LIMIT 1'
    )


def _hibernate(table: Table, chance: random.Random) -> str:
    alias = f"{table.name[0]}{chance.randint(1, 40)}_0"
    columns = ",".join(f"{alias}.{name}" for name in _wanted(table, chance))
    joins = "".join(
        f" left join {other} o{number}_0 on o{number}_0.id={alias}.{key}"
        for number, (key, other) in enumerate(table.others.items())
    )
    return f"select {columns},o0_0.id,o0_0.title from {table.name} {alias}{joins} where {alias}.tenant_id=1"


def _sqlalchemy(table: Table, chance: random.Random) -> str:
    columns = ", ".join(f"{table.name}.{name} AS {table.name}_{name}" for name in _wanted(table, chance))
    key, other = next(iter(table.others.items()))
    return (
        f"SELECT {columns}, {other}_1.id AS {other}_1_id, {other}_1.title AS {other}_1_title"
        f" FROM {table.name} LEFT OUTER JOIN {other} AS {other}_1 ON {other}_1.id = {table.name}.{key}"
        f" WHERE {table.name}.tenant_id = 1 AND {table.name}.title LIKE 'a%' OR {table.name}.id > 5"
    )


def _written(table: Table, chance: random.Random) -> str:
    names = [name for name in _wanted(table, chance) if name != "id"]
    match chance.randrange(3):
        case 0:
            return f"UPDATE {table.name} SET {', '.join(f'{name} = NULL' for name in names)} WHERE id = 1"
        case 1:
            values = ", ".join("NULL" for _ in names)
            into = f"INSERT INTO {table.name} (id, {', '.join(names)})"
            return f"{into} SELECT -1, {values} WHERE false RETURNING id"
        case _:
            condition = " AND ".join(f"{name} IS NULL" for name in names)
            return f"DELETE FROM {table.name} WHERE id = 1 AND {condition}"


def _report(table: Table, chance: random.Random) -> str:
    key, other = next(iter(table.others.items()))
    grouped = chance.choice(("status", "tenant_id", "title"))
    view, function = chance.randrange(VIEWS_IN_ATTIC, VIEWS), chance.randrange(FUNCTIONS)
    return (
        f"WITH recent AS (SELECT {', '.join(_wanted(table, chance))}, amount AS paid, {key} AS other_id"
        f" FROM {table.name} WHERE created_at > now() - interval '7 days'),"
        f" totals AS (SELECT {grouped}, sum(amount) AS total, count(*) AS number FROM {table.name}"
        f" WHERE coalesce(amount, 0) > 10 GROUP BY {grouped} HAVING count(*) > 1)"
        f" SELECT {other}.title, recent.paid, totals.total, count_{function}(1), report_{view}.amount"
        f" FROM recent JOIN {other} ON {other}.id = recent.other_id CROSS JOIN totals"
        f" JOIN report_{view} ON report_{view}.id = recent.other_id"
        f" WHERE {other}.status BETWEEN 1 AND 5 ORDER BY 2 DESC NULLS LAST LIMIT 100"
    )


def build(db: Database, dsn: str) -> None:
    """Make the shop, put 50 elements of it into the attic, and run statements until all texts are counted."""
    chance = random.Random(5)
    tables = shop(chance)
    registry.install(db)
    db.execute("CREATE EXTENSION pg_stat_statements")
    for definition in definitions(tables, chance):
        db.execute(definition)
    elements = in_attic(tables, chance)
    plan = make_plan(
        read_snapshot(db),
        [Element.parse(element) for element in elements],
        reason=Reason.UNUSED,
        environment="development",
        role="bench",
        now=datetime.now(UTC),
        soft=False,
    )
    apply(db, plan)
    db.fetch("SELECT pg_stat_statements_reset()")
    gone = {element.split(".")[1] for element in elements if element.startswith("table:")}
    left = [table for table in tables if table.name not in gone and gone.isdisjoint(table.others.values())]
    texts = statements(left, chance)
    # pgattic tells by their roles who does what.
    db.execute("CREATE ROLE app; GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
    with Database.connect(dsn, application_name="shop") as app:
        app.execute("SET ROLE app")
        counted = 0
        while counted < TEXTS:
            for _ in range(max(1, (TEXTS - counted) // 2)):
                app.execute(next(texts))
            counted = db.fetch_value("SELECT count(*) FROM pg_stat_statements")


def collect(folder: Path) -> float:
    """Run `pgattic collect` in a process of its own; the seconds of CPU that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = Path(__file__).parent.parent / "pgattic.py"
    subprocess.run([sys.executable, "-P", str(program), "collect"], cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure on PostgreSQL 18."""
    with ThrowawayServer(bin_directory=EMBEDDED_BIN, settings=LIBRARY) as server:
        with Database.connect(server.dsn()) as db:
            build(db, server.dsn())
        with tempfile.TemporaryDirectory() as folder:
            settings = f'[database]\ndsn = "{server.dsn()}"\n\n[data]\ndirectory = "data"\n'
            (Path(folder) / "pgattic.toml").write_text(settings)
            print(f"the first time: {collect(Path(folder)):.2f} s of CPU")
            print(f"again:          {min(collect(Path(folder)) for _ in range(REPEATS)):.2f} s of CPU")


if __name__ == "__main__":
    main()

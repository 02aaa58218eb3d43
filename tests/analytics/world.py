"""A small database whose elements can be put into the attic, for the tests of questions about it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from catalog.counters import Baseline, CounterSample, read_counters
from catalog.database import Database, Json, identifier
from catalog.elements import Element, Kind
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from migrations.registry import install

SCRIPT = """
CREATE TABLE users_old (id int PRIMARY KEY, name text);
CREATE TABLE orders (
    id int PRIMARY KEY,
    status text,
    legacy text,
    CONSTRAINT orders_status_check CHECK (status <> ''),
    CONSTRAINT orders_status_again CHECK (status <> '')
);
CREATE INDEX orders_status_idx ON orders (status);
CREATE TYPE mood AS ENUM ('good', 'bad');
"""


def run(db: Database, script: str) -> None:
    """Run the statements of a script, which end with a semicolon at a line's end."""
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


@dataclass
class Attic:
    """Puts elements into the attic as `apply` does: registry row and rename."""

    db: Database

    def __post_init__(self) -> None:
        install(self.db)

    def put(self, text: str, at: datetime, *, proved: bool = True) -> str:
        """Rename the element; return its deprecated name."""
        element = Element.parse(text)
        # What this session itself did so far, as building the primary key, is not to count as use.
        self.db.fetch("SELECT pg_stat_force_next_flush()")
        snapshot, counters = read_snapshot(self.db), read_counters(self.db)
        oid = snapshot.oid(element)
        assert oid is not None
        column = snapshot.column(element.schema, element.parent or "", element.name)
        new = f"{element.name}_deprecated_{at:%Y%m%d}_unused"
        baseline = counters.baseline(oid)
        migration = f"m_{element.kind}_{element.name}"
        self.db.execute(
            "INSERT INTO pgattic.migration (id, state, reason, plan, plan_hash, applied_at)"
            " VALUES (%s, 'executed', 'unused', '{}', '', %s)",
            [migration, at],
        )
        self.db.execute(
            "INSERT INTO pgattic.element (migration_id, position, kind, schema_name, parent_name,"
            " former_name, deprecated_name, object_oid, column_number, counters, deprecated_at)"
            " VALUES (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                migration, element.kind.value, element.schema, element.parent, element.name, new, oid,
                column.number if column else None,
                Json(_plain(baseline)) if baseline else None, at,
            ],
        )  # fmt: skip
        if proved:
            self.db.execute(
                "INSERT INTO pgattic.backup VALUES (%s, %s, '/backups', %s, %s, '[]', 0)",
                [f"b_{migration}", migration, at, at],
            )
        self.db.execute(_rename(element, new))
        return new


def observe(db: Database) -> tuple[Snapshot, CounterSample, datetime]:
    """What every question needs of the database."""
    return read_snapshot(db), read_counters(db), datetime.now(UTC)


def _plain(baseline: Baseline) -> dict[str, object]:
    values = asdict(baseline)
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in values.items()}


def _rename(element: Element, new: str) -> str:
    name, table = identifier(element.name), identifier(element.schema, element.parent or element.name)
    new = identifier(new)
    return {
        Kind.TABLE: f"ALTER TABLE {table} RENAME TO {new}",
        Kind.COLUMN: f"ALTER TABLE {table} RENAME COLUMN {name} TO {new}",
        Kind.INDEX: f"ALTER INDEX {table} RENAME TO {new}",
        Kind.CONSTRAINT: f"ALTER TABLE {table} RENAME CONSTRAINT {name} TO {new}",
        Kind.ENUM: f"ALTER TYPE {table} RENAME TO {new}",
    }[element.kind]

"""A small shop's catalog, log records as PostgreSQL writes them, and an ingest over a folder of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from catalog.attic import AtticEntry
from catalog.elements import Element
from catalog.objects import Column, Enum, Index, Relation, StoredUse
from catalog.snapshot import Snapshot
from ingest.extract import BATCH_BYTES, COMMIT_BYTES, MAX_RECORD_BYTES, Limits
from ingest.knowledge import Knowledge
from ingest.logs.tail import Logs
from ingest.pipeline import Pipeline
from ingest.schemas import ALERT, Source
from ingest.store import Store

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEPRECATED = "users_old_deprecated_20261122_unused"


def no_alerts(accesses: pa.Table, now: datetime) -> pa.Table:
    """Nothing is alarming."""
    return ALERT.empty_table()


def record(
    message: str = "",
    *,
    at: datetime = NOON,
    sqlstate: str = "00000",
    sql: str = "",
    position: int | None = None,
    session: str = "6b035698.34a9",
    line: int = 1,
    application: str = "billing",
    database: str = "shop",
    detail: str = "",
    context: str = "",
    inner_sql: str = "",
    inner_position: int | None = None,
) -> bytes:
    """One csvlog record as PostgreSQL 14 to 18 write it."""
    moment = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"
    severity = "LOG" if sqlstate == "00000" else "ERROR"
    fields = [
        moment, _quoted("ann"), _quoted(database), "4242", _quoted("10.0.0.7:34862"), session, str(line),
        _quoted("SELECT"), f"{at:%Y-%m-%d %H:%M:%S} UTC", "54/3", "0", severity, sqlstate, _quoted(message),
        _quoted(detail), "", _quoted(inner_sql), str(inner_position or ""), _quoted(context), _quoted(sql),
        str(position or ""), "", _quoted(application), _quoted("client backend"), "", "0",
    ]  # fmt: skip
    return ",".join(fields).encode() + b"\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if text else ""


def missing(table: str, sql: str, **more: object) -> bytes:
    """The record of a statement that failed on a missing table."""
    return record(
        f'relation "{table}" does not exist',
        sqlstate="42P01",
        sql=sql,
        position=sql.index(table) + 1,
        **more,  # type: ignore[arg-type]
    )


def column(number: int, name: str) -> Column:
    """A text column."""
    return Column(number, name, 25, "text", False, False, None)


def relation(oid: int, name: str, *columns: str, kind: str = "r", schema: str = "public") -> Relation:
    """A table or view of text columns."""
    found = tuple(column(number, each) for number, each in enumerate(columns, 1))
    return Relation(oid, schema, name, kind, "ann", None, 0, 0, None, found)  # type: ignore[arg-type]


def entry(
    element: str, deprecated_name: str, oid: int, *, since: datetime = NOON, until: datetime | None = None
) -> AtticEntry:
    """An element in the attic."""
    return AtticEntry(Element.parse(element), deprecated_name, "m1", "unused", oid, None, since, until, None)


def _read_by(view: str, used: str, column: str) -> StoredUse:
    return StoredUse("view", "public", view, view, "public", used, "relation", column)


def shop() -> Snapshot:
    """A small shop: `users_old`, column `orders.legacy`, an index and an enum are in the attic since noon."""
    return Snapshot(
        database="shop",
        server_version=180006,
        taken_at=NOON,
        relations=(
            relation(1, DEPRECATED, "id", "email"),
            relation(2, "orders", "id", "legacy_dep", "total", "user_id"),
            relation(3, "users", "id", "email"),
            relation(4, "old_people", "id", "email", kind="v"),
            relation(5, "old_names", "id", kind="v"),
            relation(6, "orders", "id", "archived", schema="archive"),
            relation(7, "orders_view", "id", kind="v"),
        ),
        indexes=(
            Index(10, "public", "orders_idx_dep", "orders", ("id",), False, False, True, False, False, False,
                  None, 0, None, ""),
        ),
        constraints=(),
        enums=(Enum(20, "public", "mood_dep", ("ok",), None),),
        functions=(),
        triggers=(),
        stored_uses=(
            _read_by("old_people", DEPRECATED, "email"),
            _read_by("old_names", "old_people", "id"),
            _read_by("orders_view", "orders", "legacy_dep"),
        ),
        attic=(
            entry("table:public.users_old", DEPRECATED, 1),
            entry("column:public.orders.legacy", "legacy_dep", 2),
            entry("index:public.orders_idx", "orders_idx_dep", 10),
            entry("enum:public.mood", "mood_dep", 20),
        ),
    )  # fmt: skip


@dataclass
class Workplace:
    """A log folder, a data directory, a clock that stands still, and the ingest between them."""

    folder: Path
    data: Path
    now: datetime = NOON + timedelta(hours=1)
    snapshot: Snapshot = field(default_factory=shop)
    alerting: Callable[[pa.Table, datetime], pa.Table] = no_alerts
    batch_bytes: int = BATCH_BYTES
    max_record_bytes: int = MAX_RECORD_BYTES
    commit_bytes: int = COMMIT_BYTES
    vouched: tuple[Source, ...] = ()
    node: str = "primary"

    def pipeline(self) -> Pipeline:
        """A new ingest, as after a restart."""
        knowledge = Knowledge(self.snapshot, vouched=self.vouched)
        return Pipeline(
            logs=Logs(self.folder, None, self.node),
            store=Store(self.data),
            node=self.node,
            knowledge=lambda: knowledge,
            alerting=self.alerting,
            clock=lambda: self.now,
            limits=Limits(self.batch_bytes, self.max_record_bytes, self.commit_bytes),
        )

    def write(self, name: str, *records: bytes) -> Path:
        """Append to a log file."""
        path = self.folder / name
        with path.open("ab") as file:
            file.writelines(records)
        return path

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        """What an evidence table holds."""
        return Store(self.data).rows(table, list(columns)).to_pylist()

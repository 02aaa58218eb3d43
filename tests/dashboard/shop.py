"""A shop with an attic: a real database with real renames, and six weeks of evidence about them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from catalog.counters import read_counters
from catalog.database import Database, Json
from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from ingest.schemas import TABLES
from ingest.store import Store
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan
from migrations.rollback import rollback
from tests.analytics.evidence import alerts_for

SCHEMA = """
CREATE TYPE shipping_method AS ENUM ('post', 'courier', 'fax');
CREATE TYPE order_status AS ENUM ('new', 'paid', 'sent');
CREATE TABLE customers (id integer PRIMARY KEY, email text NOT NULL);
CREATE TABLE orders (
    id integer PRIMARY KEY,
    customer_id integer REFERENCES customers,
    total numeric NOT NULL CONSTRAINT orders_total_check CHECK (total >= 0),
    legacy_status text,
    note text
);
CREATE INDEX orders_note_idx ON orders (note);
CREATE TABLE users_old (id integer PRIMARY KEY, name text);
INSERT INTO users_old SELECT g, 'user' || g FROM generate_series(1, 20000) g;
CREATE TABLE newsletter_2019 (id integer PRIMARY KEY, email text);
INSERT INTO newsletter_2019 SELECT g, 'reader' || g FROM generate_series(1, 5000) g;
CREATE TABLE monthly_sales_2021 AS SELECT g AS month, g * 10 AS total FROM generate_series(1, 12) g;
CREATE TABLE report_cache AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, 500) g;
ANALYZE;
"""

USERS_OLD = Element.parse("table:public.users_old")
NEWSLETTER = Element.parse("table:public.newsletter_2019")
NOTE_INDEX = Element.parse("index:public.orders_note_idx")
MONTHLY_SALES = Element.parse("table:public.monthly_sales_2021")
LEGACY_STATUS = Element.parse("column:public.orders.legacy_status")
TOTAL_CHECK = Element.parse("constraint:public.orders.orders_total_check")
SHIPPING = Element.parse("enum:public.shipping_method")
REPORT_CACHE = Element.parse("table:public.report_cache")

FIRST_DAY, SECOND_DAY, ROLLED_BACK_DAY = 46, 12, 19

STATEMENTS = {
    "s-sales": "SELECT month, sum(total) AS total FROM monthly_sales_2021 WHERE month >= $1 GROUP BY month",
    "s-sales-count": "SELECT count(*) FROM monthly_sales_2021",
    "s-status": (
        "SELECT o.id, o.total, o.legacy_status FROM orders o JOIN customers c ON c.id = o.customer_id"
        " WHERE c.email = $1 ORDER BY o.id DESC LIMIT $2"
    ),
    "s-status-update": "UPDATE orders SET legacy_status = $1 WHERE id = $2",
    "s-newsletter": "INSERT INTO newsletter_2019 (id, email) VALUES ($1, $2)",
    "s-cache": "SELECT body FROM report_cache WHERE id = $1",
    "s-sales-new-name": "SELECT * FROM monthly_sales_2021_deprecated_refactor",
}


@dataclass(frozen=True)
class Use:
    """Uses that recur: from `days_ago` down to `until_days_ago`, every `every`."""

    element: Element
    statement: str
    sqlstate: str | None
    application: str
    role: str
    client: str
    days_ago: float
    every: timedelta
    until_days_ago: float = 0.1
    operation: str = "read"


USES = (
    Use(
        MONTHLY_SALES,
        "s-sales",
        "42P01",
        "monthly_report",
        "reporting",
        "10.0.3.17",
        11.6,
        timedelta(hours=24),
    ),
    Use(
        MONTHLY_SALES,
        "s-sales-count",
        "42P01",
        "psql",
        "anna",
        "10.0.9.4",
        4.2,
        timedelta(hours=1),
        4.0,
    ),
    Use(LEGACY_STATUS, "s-status", "42703", "shop-web", "shop", "10.0.1.21", 11.9, timedelta(hours=3), 2.1),
    Use(LEGACY_STATUS, "s-status", "42703", "shop-web", "shop", "10.0.1.22", 11.8, timedelta(hours=5), 2.2),
    Use(
        LEGACY_STATUS,
        "s-status-update",
        "42703",
        "backoffice",
        "shop",
        "10.0.2.8",
        9.5,
        timedelta(hours=30),
        2.0,
        "write",
    ),
    Use(
        NEWSLETTER,
        "s-newsletter",
        "42P01",
        "mailer",
        "mail",
        "10.0.4.2",
        35.2,
        timedelta(hours=12),
        33,
        "write",
    ),
    Use(
        REPORT_CACHE, "s-cache", "42P01", "reports-api", "reporting", "10.0.3.9", 19.9, timedelta(hours=2), 19
    ),
)
# What pg_stat_statements counted, since so many days ago: somebody found the new name.
CALLED_DAY = 6
CALLED = {
    "node": "primary",
    "element": str(MONTHLY_SALES),
    "statement_id": "s-sales-new-name",
    "role": "bert",
    "operation": "read",
    "implicit": False,
    "ambiguous": False,
    "after_rename": True,
    "calls": 3,
    "rows": 36,
    "total_ms": 1.5,
}
# Days ago: when nobody read the log.
GAPS = ((25.4, 25.3), (5.25, 5.0))


def build(db: Database, data_directory: Path, now: datetime) -> None:
    """Make the whole shop: tables, renames in the past, evidence until now."""
    db.execute(SCHEMA)
    # Counters arrive up to a second late, and would then count the making of the shop as a use.
    db.execute("SELECT pg_stat_force_next_flush()")
    registry.install(db)
    put_away(db, [USERS_OLD, NEWSLETTER, NOTE_INDEX], now - timedelta(days=FIRST_DAY), backup_at=now)
    rolled_back = put_away(db, [REPORT_CACHE], now - timedelta(days=20))
    put_away(
        db,
        [MONTHLY_SALES, LEGACY_STATUS, TOTAL_CHECK, SHIPPING],
        now - timedelta(days=SECOND_DAY),
        Reason.REFACTOR,
        backup_at=now - timedelta(days=SECOND_DAY, minutes=2),
    )
    rollback(db, migration_id=rolled_back)
    back_at = now - timedelta(days=ROLLED_BACK_DAY)
    db.execute("UPDATE pgattic.element SET restored_at = %s WHERE migration_id = %s", [back_at, rolled_back])
    db.execute("UPDATE pgattic.migration SET rolled_back_at = %s WHERE id = %s", [back_at, rolled_back])
    # Somebody reset the statistics since: what the index did before is lost.
    db.execute(
        "UPDATE pgattic.element SET counters = counters || %s WHERE former_name = 'orders_note_idx'",
        [Json({"reset_at": (now - timedelta(days=60)).isoformat()})],
    )
    write_evidence(Store(data_directory), now)
    write_samples(db, Store(data_directory), now)


def write_samples(db: Database, store: Store, now: datetime) -> None:
    """A look each day, as `pgattic collect` would have taken it; the counters of the index are missing."""
    begun = now - timedelta(days=400)
    missing = {index.oid for index in read_snapshot(db).indexes if "note_idx" in index.name}
    counters = [one for oid, one in read_counters(db).counters.items() if oid not in missing]
    for day in range(FIRST_DAY + 2):
        at = now - timedelta(days=day)
        head = {"sampled_at": at, "node": "primary", "kept_since": begun, "day": at.date()}
        _write(store, "sample", [{**head, **_statements_read(at, begun), "settings": ["track_counts=on"]}])
        counted = ("oid", "reads", "writes", "blocks", "maintenance", "filenode")
        rows = [{**{name: getattr(one, name) for name in counted}, **head} for one in counters]
        _write(store, "counter", rows)
        if day < CALLED_DAY:
            _write(store, "statement_counter", [{**CALLED, "sampled_at": at, "day": at.date()}])


def _statements_read(at: datetime, begun: datetime) -> dict[str, object]:
    """What a look says of pg_stat_statements that has counted everything since `begun`."""
    return {
        "server_started_at": begun,
        "settings_since": begun,
        "sources": ["error", "statements"],
        "statements_read_at": at,
        "statements_reset_at": begun,
        "statements_evicted": 0,
        "statements_entries": 500,
        "statements_calls": (at - begun) // timedelta(minutes=1),
    }


def put_away(
    db: Database,
    elements: list[Element],
    at: datetime,
    reason: Reason = Reason.UNUSED,
    backup_at: datetime | None = None,
) -> str:
    """Rename for real, and date it back; return the migration's id."""
    plan = make_plan(
        read_snapshot(db), elements, reason=reason, environment="development", role="dba", now=at
    )
    apply(db, plan)
    db.execute(
        "UPDATE pgattic.migration SET applied_at = %s, applied_by = 'dba' WHERE id = %s", [at, plan.id]
    )
    db.execute(
        "UPDATE pgattic.element SET deprecated_at = %s, counters = counters || %s WHERE migration_id = %s",
        [at, Json({"taken_at": at.isoformat()}), plan.id],
    )
    if backup_at:
        registry.record_backup(
            db, registry.BackupRow(f"b-{plan.id}", plan.id, "/backups", backup_at, backup_at, [], 1_000_000)
        )
    return plan.id


def write_evidence(store: Store, now: datetime) -> None:
    """Six weeks of evidence as the ingester would have written it."""
    accesses = [access for use in USES for access in _accesses(use, now)]
    _write(store, "access", accesses)
    _write(store, "coverage", _batches(now))
    _write(
        store,
        "statement",
        [
            {"statement_id": key, "text": text, "is_parsed": True, "first_seen_at": now, "day": now.date()}
            for key, text in STATEMENTS.items()
        ],
    )
    by_day: dict[date, list[dict[str, object]]] = {}
    for access in accesses:
        by_day.setdefault(access["day"], []).append(access)  # type: ignore[arg-type]
    for rows in by_day.values():
        batch = pa.Table.from_pylist(rows, schema=TABLES["access"])
        store.append("alert", alerts_for(batch, now), transaction=None)


def write_alert(store: Store, at: datetime, message: str) -> None:
    """An alert about a server, not an element."""
    alert = {"occurred_at": at, "raised_at": at, "rule": "lag", "severity": "warning", "message": message}
    _write(store, "alert", [{**alert, "node": "replica1", "day": at.date()}])


def _accesses(use: Use, now: datetime) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    step = use.every / timedelta(days=1)
    recurrences = int((use.days_ago - use.until_days_ago) / step) + 1
    for days_ago in (use.days_ago - number * step for number in range(recurrences)):
        if any(begin >= days_ago >= end for begin, end in GAPS):
            continue  # nobody read of it
        moment = now - timedelta(days=days_ago)
        found.append(
            {
                "occurred_at": moment,
                "node": "primary",
                "element": str(use.element),
                "operation": use.operation,
                "outcome": "error" if use.sqlstate else "ok",
                "source": "error" if use.sqlstate else "log",
                "implicit": False,
                "ambiguous": False,
                "sqlstate": use.sqlstate,
                "role": use.role,
                "database": "shop",
                "application": use.application,
                "client": use.client,
                "statement_id": use.statement,
                "session_id": "6560.1",
                "session_line": len(found) + 1,
                "origin": "log-1",
                "log_offset": len(found) * 400,
                "day": moment.date(),
            }
        )
    return found


def _batches(now: datetime) -> list[dict[str, object]]:
    start = now - timedelta(days=FIRST_DAY, hours=1)
    edges = [start]
    for begin, end in GAPS:
        edges += [now - timedelta(days=begin), now - timedelta(days=end)]
    edges.append(now)
    return [
        {
            "node": "primary",
            "origin": "log-1",
            "path": "postgresql.csv",
            "start_offset": position,
            "end_offset": position + 1,
            "records": 1000,
            "covered_from": edges[position],
            "covered_to": edges[position + 1],
            "sources": ["error"],
            "read_at": edges[position + 1],
            "day": edges[position + 1].date(),
        }
        for position in range(0, len(edges), 2)
    ]


def _write(store: Store, name: str, rows: list[dict[str, object]]) -> None:
    store.append(name, pa.Table.from_pylist(rows, schema=TABLES[name]), transaction=None)


def write_config(folder: Path, dsn: str) -> Path:
    """Write a configuration file for the shop; return its path."""
    path = folder / "pgattic.toml"
    path.write_text(
        f'[database]\ndsn = "{dsn}"\nenvironment = "development"\n\n[data]\ndirectory = "evidence"\n'
        "[policy]\nmonth_ends = 0\n"
    )
    return path

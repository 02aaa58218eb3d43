"""The shop: a database with a history, built on a server, and what its log has to hold."""

import time
from dataclasses import dataclass

from catalog.database import Database, load_sql
from catalog.throwaway import ThrowawayServer
from demo.errors import DemoError

DATABASE = "shop"
# So that the server also counts the calls of each statement, as many servers do.
SETTINGS = {"shared_preload_libraries": "pg_stat_statements"}
_RELOAD_SECONDS = 60.0

# Those nobody uses, as `scan` finds them; one of which only people know; and the one that only looks so.
LEFT_OVERS = (
    "table:public.newsletter_2019",
    "column:public.orders.legacy_status",
    "index:public.customers_fax_idx",
    "constraint:public.order_items.order_items_quantity_positive",
    "enum:public.payment_state_v1",
)
KNOWN_TO_BE_OVER = "enum_value:public.payment_method.voucher"
FORGOTTEN = "table:public.users_old"


@dataclass(frozen=True)
class ShopSize:
    """What was built."""

    tables: int
    rows: int


def fill(database: Database) -> ShopSize:
    """Make the shop's tables and rows in an empty database, and start its activity counters at 0."""
    database.execute(load_sql("demo", "schema"))
    database.execute(load_sql("demo", "rows"))
    # What this session counted arrives after its transaction: without the flush it would outlive the reset.
    database.execute("SELECT pg_stat_force_next_flush()")
    database.execute("SELECT pg_stat_reset()")
    counted = database.fetch(load_sql("demo", "rows_per_table"))
    return ShopSize(len(counted), sum(row["rows"] for row in counted))


def build(server: ThrowawayServer) -> ShopSize:
    """Make the shop on a server that runs with SETTINGS; from now on it logs and counts every statement.

    It does neither before, or the making of a table would look like use of it.
    """
    with Database.connect(server.dsn()) as database:
        database.execute(f"CREATE DATABASE {DATABASE}")
    with Database.connect(server.dsn(DATABASE)) as database:
        size = fill(database)
        database.execute("CREATE EXTENSION pg_stat_statements")
        database.execute("SELECT pg_stat_statements_reset()")
        # So that a kept server answers at the same port when started by hand.
        database.execute(f"ALTER SYSTEM SET port = {server.port}")
        database.execute("ALTER SYSTEM SET log_statement = 'all'")
        database.execute("SELECT pg_reload_conf()")
    _wait_for_statement_log(server)
    return size


def _wait_for_statement_log(server: ThrowawayServer) -> None:
    deadline = time.monotonic() + _RELOAD_SECONDS
    while time.monotonic() < deadline:
        with Database.connect(server.dsn(DATABASE)) as database:
            if database.fetch_value("SHOW log_statement") == "all":
                return
        time.sleep(0.05)
    raise DemoError("the server did not take over log_statement = all", where=str(server.data_directory))

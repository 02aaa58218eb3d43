"""The clients of the shop: who they are, what they run, and the report job that everybody forgot."""

import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from catalog.database import Database, literal, load_sql
from catalog.errors import StatementFailedError

# It stands in the statements of the traffic and must never be found in what pgattic keeps or prints.
PRIVATE = "hildegard.quandt@example.org"

Values = Mapping[str, object]


@dataclass(frozen=True)
class Client:
    """An application: its statements are `sql/traffic/<name>.sql`, run from first to last in every round.

    `is_binding` clients send values apart from the text, as drivers with prepared statements do; the others
    write them into it.
    """

    application: str
    role: str
    rounds: int
    is_binding: bool = False


CLIENTS = (
    Client("checkout-web", "shop_web", rounds=60),
    Client("checkout-app", "shop_web", rounds=60),
    Client("fulfilment-worker", "shop_worker", rounds=80, is_binding=True),
    Client("support-desk", "shop_worker", rounds=80),
    Client("bi-dashboard", "analyst", rounds=6),
)
# The app of the shop runs the same statements as its web site.
_SCRIPTS = {"checkout-app": "checkout_web"}

MONTHLY_REPORT = Client("monthly-report", "reporting", rounds=1)


@dataclass(frozen=True)
class ReportRun:
    """How the monthly report went; `outcome` is a line for people."""

    is_ok: bool
    outcome: str


def run_traffic(dsn_of: Callable[[str], str]) -> int:
    """Run all clients at once to their end; return how many statements they ran.

    `dsn_of` gives the connection string of a role. The values are the same in every run.
    """
    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        return sum(pool.map(lambda client: _run(client, dsn_of(client.role)), CLIENTS))


def run_monthly_report(dsn_of: Callable[[str], str]) -> ReportRun:
    """Run the report job as its scheduler would: once, on a connection of its own."""
    with Database.connect(
        dsn_of(MONTHLY_REPORT.role), application_name=MONTHLY_REPORT.application
    ) as database:
        try:
            rows = database.fetch(monthly_report_statement())
        except StatementFailedError as error:
            return ReportRun(is_ok=False, outcome=f"ERROR: {error.what}")
    return ReportRun(is_ok=True, outcome=f"{len(rows)} lines written")


def monthly_report_statement() -> str:
    """The statement of the report job, as it sends it."""
    return _with_literals(load_sql("demo", "traffic/monthly_report"), {"country": "DE", "excluded": PRIVATE})


def _run(client: Client, dsn: str) -> int:
    statements = _statements(client)
    # The same purchases every time; not a secret.
    draw = random.Random(client.application)  # noqa: S311
    with Database.connect(dsn, application_name=client.application) as database:
        for _ in range(client.rounds):
            values = _values(draw)
            for statement in statements:
                if client.is_binding:
                    database.execute(statement, values)
                else:
                    database.execute(_with_literals(statement, values))
    return client.rounds * len(statements)


def _statements(client: Client) -> list[str]:
    script = _SCRIPTS.get(client.application, client.application.replace("-", "_"))
    return [part.strip() for part in load_sql("demo", f"traffic/{script}").split(";\n") if part.strip()]


def _with_literals(statement: str, values: Values) -> str:
    return statement.strip() % {name: literal(value) for name, value in values.items()}


def _values(draw: random.Random) -> Values:
    customer = draw.randint(1, 30_000)
    return {
        "customer": customer,
        "email": f"customer{customer}@example.com",
        "product": draw.randint(1, 2_000),
        "order": draw.randint(20_000, 40_000),
        "category": draw.randint(6, 30),
        "root": draw.randint(1, 5),
        "warehouse": draw.randint(1, 3),
        "quantity": draw.randint(1, 3),
        "stars": draw.randint(1, 5),
        "amount": draw.randint(500, 20_000) / 100,
        "tracking": f"T-{draw.randint(10**8, 10**9)}",
        "login": f"staff{draw.randint(1, 40)}",
        "note": f"A present from {PRIVATE}",
        "since": f"{draw.randint(2018, 2025)}-01-01",
    }

"""What sensors cost: as the maintainers measured it, or on the server at hand, on temporary tables."""

from dataclasses import dataclass

from catalog.database import Database, identifier, load_sql
from migrations.sensors.audit_grants import audit_role
from migrations.sensors.targets import SensorKind

# Few enough to leave a small trace in the log: the sensors write a line each time.
_STATEMENTS = 200
_ROUNDS = 3
# What each adds to a statement that it logs, in microseconds, as benchmarks/sensors.py measured it and
# docs/sensors.md has it.
TYPICAL_US = {SensorKind.CANARY: 42, SensorKind.TRIGGER: 30, SensorKind.GRANT: 16}


@dataclass(frozen=True)
class Cost:
    """Server time of one statement in microseconds, without a sensor and with it."""

    kind: SensorKind
    without_us: float
    with_us: float

    @property
    def added_us(self) -> float:
        """What the sensor adds to a statement that it logs."""
        return max(0.0, self.with_us - self.without_us)


def measure(db: Database) -> tuple[Cost, ...]:
    """Write and read a temporary table some hundred times, with the sensors and without.

    The grant only where there is an audit role. The lines that the sensors write meanwhile stay in the
    server's log, under our application name.
    """
    rows = db.fetch("SELECT * FROM pgattic.measure_sensors(%s, %s)", [_STATEMENTS, _ROUNDS])
    costs = [Cost(SensorKind(row["kind"]), row["without_us"], row["with_us"]) for row in rows]
    role = audit_role(db)
    if role:
        costs.append(_of_grant(db, role))
    return tuple(costs)


def _of_grant(db: Database, role: str) -> Cost:
    with db.transaction():
        db.execute(
            "CREATE TEMPORARY TABLE pgattic_plain (id integer) ON COMMIT DROP;"
            "CREATE TEMPORARY TABLE pgattic_granted (id integer) ON COMMIT DROP;"
            f"GRANT SELECT ON pgattic_granted TO {identifier(role)}"
        )
        rounds = [(_read(db, "pgattic_plain"), _read(db, "pgattic_granted")) for _ in range(_ROUNDS)]
    without, granted = (min(times) for times in zip(*rounds, strict=True))
    return Cost(SensorKind.GRANT, without, granted)


def _read(db: Database, table: str) -> float:
    """Read a temporary table some hundred times; the microseconds of one read."""
    db.execute(load_sql("migrations", "time_reads").format(table=table, statements=_STATEMENTS))
    return float(db.fetch_value("SELECT current_setting('pgattic.microseconds')"))

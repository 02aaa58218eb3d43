"""What sensors cost on the server at hand, measured on temporary tables."""

from dataclasses import dataclass

from catalog.database import Database
from migrations.sensors.targets import SensorKind

# Few enough to leave a small trace in the log: the sensors write a line each time.
_STATEMENTS = 200
_ROUNDS = 3
DOCUMENTED = (
    "a statement that uses the element takes longer by the time of one line in the log; every other statement"
    " by nothing that could be measured (docs/sensors.md has the figures of the maintainers' machine)"
)


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

    The lines that the sensors write meanwhile stay in the server's log, under our application name.
    """
    rows = db.fetch("SELECT * FROM pgattic.measure_sensors(%s, %s)", [_STATEMENTS, _ROUNDS])
    return tuple(Cost(SensorKind(row["kind"]), row["without_us"], row["with_us"]) for row in rows)

"""A program for test_together: ingests or collects time and again, in a process of its own.

Both write to the table `statement`, and both join its files: as often as they can.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.database import Database
from ingest import store as store_module
from ingest.collect import Node, collect
from ingest.running import follow
from ingest.store import Store
from tests.ingest.fix_ingest import NOON, Workplace, missing

_FILES_BEFORE_COMPACTION = 3


def ingest(home: Path, rounds: int) -> None:
    """Follow a log that gets one more use each time, of a statement that was not there before."""
    store_module._FILES_BEFORE_COMPACTION = _FILES_BEFORE_COMPACTION
    place = Workplace(home / "log", home / "data")
    number = 0

    def wait() -> bool:
        nonlocal number
        number += 1
        place.now = NOON + timedelta(seconds=number)
        sql = f"select 1 as logged_{number} from users_old"
        place.write("pg.csv", missing("users_old", sql, at=place.now, line=number))
        return number <= rounds

    wait()
    list(follow(place.pipeline(), wait))


def sample(home: Path, rounds: int, dsn: str, table: str) -> None:
    """Look at a server, each time after one more statement that it had not counted before."""
    store = Store(home / "data")
    node = Node("primary", lambda: Database.connect(dsn))
    with Database.connect(dsn, application_name="shop") as shop:
        for number in range(1, rounds + 1):
            shop.execute(f"SELECT counted_{number} FROM {table}")
            found = collect([node], store, lambda: datetime.now(UTC))
            assert not found.failed, found


if __name__ == "__main__":
    if sys.argv[1] == "ingest":
        ingest(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sample(Path(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])

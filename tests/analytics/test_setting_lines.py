"""What a real server's log tells of its settings, and what that proves between two looks at them."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from uuid import uuid4

import pytest

from analytics import logged
from analytics.coverage import watched
from analytics.store import Evidence
from catalog.database import Database
from catalog.errors import StatementFailedError
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from ingest.collect import Node, collect
from ingest.knowledge import Knowledge
from ingest.logs.tail import Logs
from ingest.meaning.world import NamesAlone
from ingest.pipeline import Pipeline
from ingest.running import ingest_once
from ingest.schemas import ALERT, Source
from ingest.store import Store
from tests.fix_server import DEBIAN_15_BIN
from tests.waiting import loaded_at, reload, until

LEVEL = "log_min_error_statement = 'panic'"
QUIET = "log_min_messages = 'fatal'"
AWAY = "log_destination = 'stderr'"
ELSEWHERE = "log_directory = 'log2'"
OTHER = "work_mem = '5MB'"
RELOAD_TAKES = timedelta(milliseconds=100)


def now() -> datetime:
    return datetime.now(UTC)


class Place:
    """A server, its evidence, and looks at it."""

    def __init__(self, server: ThrowawayServer, data: Path) -> None:
        self.server = server
        self.data = data
        self.logs = server.log_directory
        self.change("RESET ALL")
        self.begin = self.look()

    def run(self, sql: str) -> None:
        with (
            Database.connect(self.server.dsn(), application_name="ops") as db,
            suppress(StatementFailedError),
        ):
            db.execute(sql)

    def reload(self) -> None:
        reload(self.server)
        # So that the next one is another one, by the times in the log.
        sleep(2 * RELOAD_TAKES.total_seconds())

    def change(self, what: str) -> None:
        self.run(f"ALTER SYSTEM {what}")
        self.reload()

    def look(self) -> datetime:
        (result,) = collect(
            [Node("primary", lambda: Database.connect(self.server.dsn()))], Store(self.data), now
        ).nodes
        assert result.failure is None
        return result.sampled_at

    def log_a_line(self) -> None:
        """Have a line written as soon as the settings let it, and wait until it is where logs are read."""
        mark = uuid4().hex

        def is_there() -> bool:
            self.run(f'SELECT 1/0 AS "{mark}"')
            return any(mark in path.read_text() for path in self.logs.glob("*.csv"))

        until(is_there)

    def covered(self, end: datetime) -> float:
        """The part of the time between the looks in which failed statements were in the log."""
        # A line behind it all, so that the time is read to its end.
        self.log_a_line()
        knowledge = Knowledge(NamesAlone())
        pipeline = Pipeline(
            logs=Logs(self.logs, "*.csv", "primary"),
            store=Store(self.data),
            node="primary",
            knowledge=lambda: knowledge,
            alerting=lambda _accesses, _now: ALERT.empty_table(),
            clock=now,
        )
        ingest_once(pipeline)
        with Evidence.open(self.data) as evidence:
            (stretches,) = watched(evidence, self.begin, end)[Source.ERROR].values()
        length = sum((stop - start for start, stop in stretches), timedelta())
        return length / (end - self.begin)


@pytest.fixture(params=[EMBEDDED_BIN, DEBIAN_15_BIN], ids=["18", "15"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ThrowawayServer]:
    """A server of our own: its settings are changed for all its databases."""
    if not (request.param / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {request.param}")
    with ThrowawayServer(bin_directory=request.param) as server:
        yield server


@pytest.fixture
def place(server: ThrowawayServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    # Nothing is late here, and nobody wants to wait a minute.
    monkeypatch.setattr(logged, "_LATE", timedelta())
    monkeypatch.setattr(logged, "_RELOAD_TAKES", RELOAD_TAKES)
    return Place(server, tmp_path / "data")


def test_a_reload_that_changed_nothing_costs_no_coverage(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A reload may take its time on a busy machine: here all of them are told of in time.
    monkeypatch.setattr(logged, "_RELOAD_TAKES", timedelta(hours=1))
    place.reload()
    place.change(f"SET {OTHER}")
    place.reload()
    assert place.covered(place.look()) == 1


@pytest.mark.parametrize("is_reloaded_again", [False, True])
@pytest.mark.parametrize("setting", [LEVEL, QUIET, AWAY, ELSEWHERE])
def test_what_was_changed_and_changed_back_is_not_covered(
    place: Place, setting: str, *, is_reloaded_again: bool
) -> None:
    place.change(f"SET {setting}")
    changed_at = loaded_at(place.server)
    place.change("RESET ALL")
    back_at = loaded_at(place.server)
    if is_reloaded_again:
        place.reload()
    end = place.look()
    place.covered(end)
    with Evidence.open(place.data) as evidence:
        (stretches,) = watched(evidence, place.begin, end)[Source.ERROR].values()
    hidden = changed_at + timedelta(milliseconds=5), back_at - timedelta(milliseconds=5)
    assert not [each for each in stretches if each[0] < hidden[1] and hidden[0] < each[1]]

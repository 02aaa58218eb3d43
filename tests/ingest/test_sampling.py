"""While logs are followed the counters are sampled, and nothing that goes wrong with it stops the reading."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
import typer
from typer.testing import CliRunner

import ingest.cli
from catalog.database import Database
from catalog.errors import ConnectionFailedError
from catalog.terminal import Invocation
from ingest.collect import Node, collect
from ingest.job import Job
from ingest.pipeline import Alerting
from ingest.sampling import Sampler
from ingest.store import Store
from tests.fix_server import FreshDatabase
from tests.ingest.fix_ingest import no_alerts
from tests.waiting import PATIENCE_SECONDS, ended_by_signal, until


def now() -> datetime:
    return datetime.now(UTC)


def samples(data: Path) -> list[dict[str, object]]:
    """What was seen of which node."""
    return Store(data).rows("sample", ["node", "failure", "sampled_at"]).to_pylist()


@contextmanager
def nobody_told(job: Job) -> Iterator[Alerting]:
    """Nothing is alarming here."""
    yield no_alerts


@pytest.fixture
def follow(database18: FreshDatabase, tmp_path: Path) -> Callable[..., None]:
    """Follow the log of a server for a while, or until something is so; `more` is more configuration."""
    app = typer.Typer()
    config = tmp_path / "pgattic.toml"

    @app.callback()
    def _configured(ctx: typer.Context) -> None:
        ctx.obj = Invocation(config)

    ingest.cli.register(app, alerting=nobody_told, describe=str)

    def run(more: str = "", *, ends_when: Callable[[], object] | None = None) -> None:
        config.write_text(
            f'[database]\ndsn = "{database18.dsn()}"\n[data]\ndirectory = "{tmp_path / "data"}"\n'
            f'[logs]\ndirectory = "{database18.server.log_directory}"\n{more}'
        )
        if ends_when is None:
            result = CliRunner().invoke(app, ["ingest", "--follow", "--for", "3"])
        else:
            with ended_by_signal(lambda: until(ends_when)):
                result = CliRunner().invoke(app, ["ingest", "--follow"])
        assert result.exit_code == 0, result.output

    return run


def test_following_samples_the_counters(follow: Callable[..., None], tmp_path: Path) -> None:
    follow(ends_when=lambda: samples(tmp_path / "data"))
    (sample,) = samples(tmp_path / "data")
    assert (sample["node"], sample["failure"]) == ("primary", None)
    # Somebody looked just now, so the next run has no need to.
    follow()
    assert len(samples(tmp_path / "data")) == 1


def test_following_samples_nothing_where_that_is_not_wanted(
    follow: Callable[..., None], tmp_path: Path
) -> None:
    follow('[collect]\nevery = "0s"\n')
    assert samples(tmp_path / "data") == []


def test_a_replica_that_is_away_ends_no_ingest(follow: Callable[..., None], tmp_path: Path) -> None:
    nodes = '[[nodes]]\nname = "replica"\ndsn = "host=127.0.0.1 port=1"\n'
    follow(nodes, ends_when=lambda: len(samples(tmp_path / "data")) == 2)
    seen = {sample["node"]: sample["failure"] for sample in samples(tmp_path / "data")}
    assert seen["primary"] is None
    assert seen["replica"]


def test_a_look_is_made_again_and_again(database18: FreshDatabase, tmp_path: Path) -> None:
    node = Node("primary", lambda: Database.connect(database18.dsn()))
    with Sampler([node], tmp_path, timedelta(seconds=0.1), now, str):
        until(lambda: len(samples(tmp_path)) >= 3)
    until(lambda: "counters" not in {thread.name for thread in threading.enumerate()})
    ended = len(samples(tmp_path))
    time.sleep(0.5)
    assert len(samples(tmp_path)) == ended


def test_the_next_look_is_due_when_the_last_one_is_old(database18: FreshDatabase, tmp_path: Path) -> None:
    node = Node("primary", lambda: Database.connect(database18.dsn()))
    collect([node], Store(tmp_path), now)
    with Sampler([node], tmp_path, timedelta(hours=1), now, str):
        time.sleep(1)
    assert len(samples(tmp_path)) == 1
    with Sampler([node], tmp_path, timedelta(hours=1), lambda: now() + timedelta(hours=2), str):
        until(lambda: len(samples(tmp_path)) == 2)


def test_a_server_that_goes_away_is_told_of_once_and_looked_at_again(
    database18: FreshDatabase, tmp_path: Path
) -> None:
    tries: list[int] = []

    def connect() -> Database:
        tries.append(1)
        if len(tries) <= 3:
            raise ConnectionFailedError("nobody is there", where="here")
        return Database.connect(database18.dsn())

    told: list[str] = []
    with Sampler([Node("primary", connect)], tmp_path, timedelta(seconds=0.05), now, told.append):
        until(lambda: len(told) >= 2)
    assert told == ["counters were not sampled: primary: nobody is there", "counters are sampled again"]


def test_a_server_that_hangs_keeps_nobody_from_ending(tmp_path: Path) -> None:
    def connect() -> Database:
        hangs.set()
        is_over.wait(PATIENCE_SECONDS)
        answered.set()
        raise ConnectionFailedError("it took too long", where="here")

    hangs, is_over, answered = Event(), Event(), Event()
    with Sampler([Node("primary", connect)], tmp_path, timedelta(hours=1), now, str):
        assert hangs.wait(PATIENCE_SECONDS)
    assert not answered.is_set()
    is_over.set()

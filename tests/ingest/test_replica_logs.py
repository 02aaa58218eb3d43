"""The logs of a primary and of its standby, read by one ingest, on real servers."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database
from catalog.errors import StatementFailedError
from catalog.throwaway import ThrowawayServer
from ingest.store import Store
from migrations import registry
from tests.command_line import CommandLine
from tests.visibility.world import Watch
from tests.waiting import ended_by_signal, times_logged, until, until_logged

TABLE = "table:public.users_old"


@dataclass(frozen=True)
class Pair:
    """A primary with a table in the attic, its standby, and pgattic's data directory."""

    primary: ThrowawayServer
    standby: ThrowawayServer
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def configure(self, *nodes: str) -> Path:
        config = self.folder / "pgattic.toml"
        config.write_text(
            f'[database]\ndsn = "{self.primary.dsn()}"\n[data]\ndirectory = "data"\n'
            f'[logs]\ndirectory = "{self.primary.log_directory}"\npoll_seconds = 0.05\n'
            f'[[nodes]]\nname = "replica1"\ndsn = "{self.standby.dsn()}"\n' + "\n".join(nodes)
        )
        return config

    def fail(self, server: ThrowawayServer) -> None:
        """Use the former name there, and wait until the log of the server has it."""
        statement = "SELECT id FROM users_old"
        before = times_logged(server, statement)
        with (
            Database.connect(server.dsn(), application_name="report") as db,
            suppress(StatementFailedError),
        ):
            db.execute(statement)
        until_logged(server, statement, before + 1)

    def uses(self) -> list[str]:
        rows = Store(self.data).rows("access", ["node", "element", "source"]).to_pylist()
        assert {(row["element"], row["source"]) for row in rows} <= {(TABLE, "error")}
        return sorted(row["node"] for row in rows)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ThrowawayServer, ThrowawayServer]]:
    """A primary and its standby, in whose folder is the log of the primary up to when it was made."""
    with ThrowawayServer() as primary:
        with Database.connect(primary.dsn()) as db:
            registry.install(db)
            db.execute("CREATE TABLE users_old (id int)")
        Watch(primary, Path()).deprecate([TABLE])
        with ThrowawayServer(standby_of=primary) as standby:
            with Database.connect(primary.dsn()) as db:
                count = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
                until(lambda: db.fetch_value(count) == 1)
            yield primary, standby


@pytest.fixture
def pair(servers: tuple[ThrowawayServer, ThrowawayServer], tmp_path: Path) -> Pair:
    return Pair(*servers, tmp_path)


@pytest.fixture
def run(
    pair: Pair, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setenv("COLUMNS", "250")
    return CommandLine(pair.folder / "pgattic.toml", capsys, monkeypatch)


def of_replica(pair: Pair) -> str:
    return f'logs = "{pair.standby.log_directory}"'


def test_the_logs_of_all_servers_are_read_each_record_once(pair: Pair, run: Callable[..., Any]) -> None:
    pair.configure(of_replica(pair))
    run("ingest", "--once")
    before = len(pair.uses())
    pair.fail(pair.standby)
    pair.fail(pair.primary)
    told = run("ingest", "--once")
    assert told.code == 0, told
    assert [line.split(":")[0] for line in told.out.splitlines()] == ["primary", "replica1"]
    assert max(pair.uses()) == "replica1"
    assert len(pair.uses()) == before + 2
    for _ in range(2):
        again = run("ingest", "--once", "--json")
        assert (again.code, json.loads(again.out)["accesses"], json.loads(again.out)["gaps"]) == (0, 0, 0)
    assert "lines are missing" not in Store(pair.data).rows("gap", ["reason"])["reason"].to_pylist()
    rows = Store(pair.data).rows("coverage", ["node", "sources"]).to_pylist()
    claimed = {row["node"]: row["sources"] for row in rows if row["sources"]}
    assert claimed == {node: ["error", "sensor"] for node in ("primary", "replica1")}
    status = json.loads(run("ingest", "--status", "--json").out)
    assert [status["node"], *(one["node"] for one in status["others"])] == ["primary", "replica1"]
    assert all(one["looked_at"] for one in (status, *status["others"]))


def test_one_server_s_logs_alone(pair: Pair, run: Callable[..., Any]) -> None:
    pair.configure(of_replica(pair))
    pair.fail(pair.standby)
    assert run("ingest", "--once", "--node", "replica1").code == 0
    assert set(pair.uses()) == {"replica1"}
    wrong = run("ingest", "--once", "--node", "replica2")
    assert (wrong.code, "no node is called 'replica2'" in wrong.err) == (2, True)
    # Where no folder is configured it can be named: the log that came from another machine.
    pair.configure()
    wrong = run("ingest", "--once", "--node", "replica1")
    assert (wrong.code, "nodes.logs" in wrong.err) == (2, True)
    copied = shutil.copytree(pair.standby.log_directory, pair.folder / "copied")
    pair.fail(pair.standby)
    before = len(pair.uses())
    shutil.copytree(pair.standby.log_directory, copied, dirs_exist_ok=True)
    assert run("ingest", "--once", "--node", "replica1", "--logs", str(copied)).code == 0
    assert len(pair.uses()) == before + 1


def test_a_log_that_is_never_read_is_said(pair: Pair, run: Callable[..., Any]) -> None:
    pair.configure()
    run("ingest", "--once")
    doctor = run("doctor")
    assert "its log was never read" in doctor.out
    assert "Set nodes.logs of replica1" in doctor.out
    told = " ".join(run("readiness").out.split())
    assert "nothing of replica1); what helps: to ingest its log (nodes.logs)" in told
    assert "no earliest date: the log of replica1 was never read since the rename" in told
    pair.configure(of_replica(pair))
    run("ingest", "--once")
    assert "never read" not in run("doctor").out
    assert "never read" not in run("readiness").out


def test_a_server_that_does_not_answer_keeps_nobody_from_being_read(
    pair: Pair, run: Callable[..., Any]
) -> None:
    config = pair.configure(of_replica(pair))
    config.write_text(config.read_text().replace(f"port={pair.standby.port}", "port=1"))
    pair.fail(pair.primary)
    pair.fail(pair.standby)
    told = run("ingest", "--once")
    assert (told.code, "replica1: " in told.err, "nodes.dsn" in told.err) == (1, True, True)
    assert set(pair.uses()) == {"primary"}
    pair.configure(of_replica(pair))
    assert run("ingest", "--once").code == 0
    assert set(pair.uses()) == {"primary", "replica1"}


def test_all_logs_are_followed(pair: Pair, run: Callable[..., Any]) -> None:
    pair.configure(of_replica(pair))
    run("ingest", "--once")
    before = len(pair.uses())

    def use() -> None:
        # When it has read this one it follows, so whatever comes then is followed.
        pair.fail(pair.primary)
        until(lambda: len(pair.uses()) == before + 1)
        for server in (pair.standby, pair.primary):
            pair.fail(server)
        until(lambda: len(pair.uses()) == before + 3)

    with ended_by_signal(use):
        told = run("ingest", "--follow")
    assert told.code == 0
    assert f"{pair.primary.log_directory}, {pair.standby.log_directory}" in told.err
    assert len(pair.uses()) == before + 3
    assert {"primary", "replica1"} <= set(pair.uses())

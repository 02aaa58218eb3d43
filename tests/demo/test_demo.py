"""The demo is the whole loop, and however it ends it leaves nothing behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from catalog.database import Database
from catalog.throwaway import ThrowawayServer
from demo.shop import DATABASE, FORGOTTEN, KNOWN_TO_BE_OVER, LEFT_OVERS
from demo.traffic import PRIVATE

# A minute or two; this only ends what hangs, however busy the machine is.
_SECONDS = 3600


class RunningDemo:
    """`pgattic demo` in a process of its own, and what it printed so far."""

    def __init__(self, scratch: Path, *options: str) -> None:
        scratch.mkdir(exist_ok=True)
        self._output: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pgattic", "demo", "--no-dashboard", *options],
            env={**os.environ, "TMPDIR": str(scratch), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self._output)

    def wait(self) -> int:
        try:
            exit_code = self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"did not end within {_SECONDS} s:\n{self.output}")
        self._reader.join()
        return exit_code

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + _SECONDS
        while text not in self.output:
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"never printed {text!r}:\n{self.output}")
            time.sleep(0.02)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._output.extend(iter(self.process.stdout.readline, ""))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's own user may enter; any other run of pytest takes `tmp_path` from it."""
    path = Path(tempfile.mkdtemp(prefix="demo-test-"))
    yield path
    shutil.rmtree(path)


@contextmanager
def running_demo(scratch: Path, *options: str) -> Iterator[RunningDemo]:
    demo = RunningDemo(scratch, *options)
    try:
        yield demo
    finally:
        demo.close()


def processes_in(folder: Path) -> list[str]:
    """Command lines of processes that have to do with a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((path / "cwd").readlink())
        except OSError:
            continue
        if int(path.name) != os.getpid() and (str(folder) in command or place.startswith(str(folder))):
            found.append(command)
    return found


def test_demo_runs_the_whole_loop(folder: Path) -> None:
    kept = folder / "kept"
    with running_demo(folder / "scratch", "--keep", str(kept)) as demo:
        assert demo.wait() == 0, demo.output
        output = demo.output

    steps = [
        "init",
        "doctor",
        "ingest --once",
        "collect",
        "scan",
        "plan",
        "apply",
        "ingest --follow",
        "usage",
        "rollback",
        "readiness",
        "report",
        "status",
    ]
    at = [output.find(f"$ pgattic {step}") for step in steps]
    assert -1 not in at, output
    assert at == sorted(at), output
    scanned = output[at[steps.index("scan")] : at[steps.index("plan")]]
    for element in (*LEFT_OVERS, FORGOTTEN):
        assert element in scanned, output
    alert = [line for line in output.splitlines() if "watcher │" in line and FORGOTTEN in line]
    assert alert, output
    assert "from the failed statement to the alert" in output
    assert "monthly-report" in output[at[steps.index("usage")] : at[steps.index("rollback")]]
    really, hastily, rows = output[at[steps.index("readiness")] : at[steps.index("report")]].split(
        "$ pgattic readiness"
    )[1:]
    assert verdicts(really) == dict.fromkeys((*LEFT_OVERS, KNOWN_TO_BE_OVER), "not ready"), output
    assert verdicts(hastily) == {
        **dict.fromkeys(LEFT_OVERS, "ready"),
        # Enforced by every row that the shop writes.
        "constraint:public.order_items.order_items_quantity_positive": "not ready",
        KNOWN_TO_BE_OVER: "unknown",
    }, output
    assert verdicts(rows) == {KNOWN_TO_BE_OVER: "ready"}, output
    assert "traceback" not in output.lower()

    report = (kept / "report.html").read_text()
    for element in LEFT_OVERS:
        assert element in report, element

    assert processes_in(folder) == []
    assert _left_in(folder / "scratch") == []
    _assert_only_the_rest_is_in_the_attic(kept)
    _assert_nothing_private_is_kept(kept)


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGINT, "building the shop"), (signal.SIGTERM, "✓ backup")],
    ids=["Ctrl-C while the shop is built", "kill during the restore proof"],
)
def test_interrupted_demo_leaves_nothing_behind(number: signal.Signals, moment: str, folder: Path) -> None:
    with running_demo(folder) as demo:
        demo.wait_for(moment)
        demo.process.send_signal(number)
        assert demo.wait() == 130, demo.output

    assert "traceback" not in demo.output.lower()
    assert processes_in(folder) == []
    assert _left_in(folder) == []


def test_demo_ends_with_1_when_a_step_fails_and_leaves_nothing_behind(folder: Path) -> None:
    with running_demo(folder) as demo:
        demo.wait_for("$ pgattic init")
        (pid_file,) = folder.glob("pgattic-demo-*/server/pgdata/postmaster.pid")
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
        assert demo.wait() == 1, demo.output

    assert "traceback" not in demo.output.lower()
    assert processes_in(folder) == []
    assert _left_in(folder) == []


def test_demo_refuses_a_folder_that_holds_something(folder: Path) -> None:
    precious = folder / "precious.txt"
    precious.write_text("mine")
    with running_demo(folder / "scratch", "--keep", str(folder)) as demo:
        assert demo.wait() == 2, demo.output

    assert "is not empty" in demo.output
    assert precious.read_text() == "mine"


def verdicts(printed: str) -> dict[str, str]:
    """The last verdict that stands behind each element at the beginning of a line."""
    lines = re.findall(r"^  ([a-z_]+:\S+)  (?:.* → )?(ready|not ready|unknown)$", printed, re.MULTILINE)
    return dict(lines)


def _left_in(scratch: Path) -> list[str]:
    return sorted(path.name for path in scratch.iterdir() if path.name.startswith("pgattic"))


def _assert_only_the_rest_is_in_the_attic(kept: Path) -> None:
    server = ThrowawayServer(kept / "server", keep=True)
    with server, Database.connect(server.dsn(DATABASE)) as database:
        assert database.fetch_value("SELECT count(*) FROM users_old") == 8_000
        assert database.fetch_value("SELECT to_regclass('newsletter_2019')") is None


def _assert_nothing_private_is_kept(kept: Path) -> None:
    """No constant of a statement in what pgattic writes; its backups hold the rows themselves."""
    own = [path for path in kept.rglob("*") if path.is_file()]
    own = [path for path in own if not {"server", "backups"} & set(path.relative_to(kept).parts)]
    tables = [path for path in own if path.suffix == ".parquet"]
    assert tables
    for path in own:
        # Parquet is compressed, so it is read and not searched as it lies there.
        content = pq.read_table(path).to_pylist() if path in tables else path.read_bytes()
        assert PRIVATE.partition("@")[0] not in str(content), path

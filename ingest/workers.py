"""Reads several log files side by side, each in a process of its own; what they say comes back in order.

A worker writes what it found to a spool in the data directory, so that a file whose turn has not come costs
no memory. Nothing is committed here, so a worker that dies loses nothing.
"""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

from catalog.errors import PgatticError
from catalog.lean import without_pandas
from ingest.errors import StoreError, WorkerLostError
from ingest.extract import Extract, Extractor, Limits
from ingest.knowledge import FixedKnowledge, Knowledge
from ingest.logs.tail import LogFile, Logs

SPOOL_NAME = "ingest.spool"
_COMMAND = "import sys; from ingest.workers import work; work(int(sys.argv[1]))"


@dataclass(frozen=True)
class Task:
    """A file to read from a position up to `stop`; the worker looks it up again by its origin."""

    origin: str
    start: int
    stop: int | None
    is_settled: bool


@dataclass(frozen=True)
class Setup:
    """What every worker knows."""

    logs: Logs
    knowledge: Knowledge
    node: str
    limits: Limits
    spool: Path


class Workers:
    """A number of processes that read the files of a list of tasks."""

    def __init__(self, setup: Setup, tasks: list[Task], count: int) -> None:
        self._setup = setup
        self._waiting = list(enumerate(tasks))[::-1]
        self._count = min(count, len(tasks))
        self._busy: dict[Connection, tuple[subprocess.Popen[bytes], str]] = {}
        # Of each file what was found so far, and whether that is all.
        self._found: dict[str, list[Path]] = {task.origin: [] for task in tasks}
        self._is_done: set[str] = set()

    def of(self, file: LogFile) -> Iterator[tuple[Extract, Knowledge]]:
        """What a file says, in order; waits for it. Raises what its worker raised."""
        while True:
            for path in self._found[file.origin]:
                yield _loaded(path), self._setup.knowledge
            self._found[file.origin].clear()
            if file.origin in self._is_done:
                return
            self._wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block the workers are at work; at its end they are ended."""
        shutil.rmtree(self._setup.spool, ignore_errors=True)
        try:
            self._setup.spool.mkdir(parents=True)
            for _ in range(self._count):
                here, there = Pipe()
                # A process of its own, not a fork: libraries that have threads do not survive one. Nor what
                # multiprocessing would start: that imports the whole command line again.
                with there:
                    process = subprocess.Popen(
                        [sys.executable, "-c", _COMMAND, str(there.fileno())], pass_fds=[there.fileno()]
                    )
                self._busy[here] = (process, "")
                try:
                    here.send(self._setup)
                    self._assign(here)
                except ConnectionError:
                    raise self._lost(process) from None
            yield
        except OSError as error:
            raise StoreError(
                f"cannot be written: {error.strerror}",
                where=str(self._setup.spool),
                todo="Check data.directory in pgattic.toml: does it exist, is it writable, is there space",
            ) from error
        finally:
            for connection, (process, _) in self._busy.items():
                connection.close()
                process.terminate()
                process.wait()
            shutil.rmtree(self._setup.spool, ignore_errors=True)

    def _wait(self) -> None:
        for ready in wait(list(self._busy)):
            assert isinstance(ready, Connection)
            process, origin = self._busy[ready]
            try:
                found = ready.recv()
                if found is None:
                    self._is_done.add(origin)
                    self._assign(ready)
            # One that is killed with words of ours unread resets the connection.
            except (EOFError, ConnectionError):
                raise self._lost(process) from None
            if isinstance(found, PgatticError):
                raise found
            if found is not None:
                self._found[origin].append(found)

    def _lost(self, process: subprocess.Popen[bytes]) -> WorkerLostError:
        return WorkerLostError(
            f"a worker process ended with {process.wait()}",
            where=str(self._setup.spool.parent),
            todo="Run it again, with fewer --workers if memory is short: nothing is lost",
        )

    def _assign(self, connection: Connection) -> None:
        process, _ = self._busy[connection]
        if not self._waiting:
            connection.send(None)
            process.wait()
            del self._busy[connection]
            connection.close()
            return
        number, task = self._waiting.pop()
        self._busy[connection] = (process, task.origin)
        connection.send((number, task))


def work(descriptor: int) -> None:
    """The life of a worker: tasks come in, the names of spooled extracts go out, None at the end of each."""
    without_pandas()
    files: dict[str, LogFile] = {}
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError):
        setup: Setup = connection.recv()
        knowledge = FixedKnowledge(setup.knowledge)
        while (given := connection.recv()) is not None:
            number, task = given
            try:
                if task.origin not in files:
                    files = {file.origin: file for file in setup.logs.files()}
                # Sessions of other files are not known here, so each file has an extractor of its own.
                extractor = Extractor(setup.node, setup.limits)
                found = _read(extractor, files.get(task.origin), task, knowledge)
                for place, extract in enumerate(found):
                    path = setup.spool / f"{number}-{place}"
                    path.write_bytes(pickle.dumps(extract, protocol=5))
                    connection.send(path)
            except PgatticError as error:
                connection.send(error)
                return
            connection.send(None)


def _read(
    extractor: Extractor, file: LogFile | None, task: Task, knowledge: FixedKnowledge
) -> Iterator[Extract]:
    position = task.start
    # A file that is gone by now is read at the next run, when it is seen under another name.
    while file is not None and (task.stop is None or position < task.stop):
        found = extractor.next(file, position, knowledge, end=task.stop, is_settled=task.is_settled)
        if found is None:
            return
        extract, _ = found
        position = extract.end
        yield extract


def _loaded(path: Path) -> Extract:
    # Written by a process of our own, a moment ago.
    extract: Extract = pickle.loads(path.read_bytes())  # noqa: S301
    path.unlink()
    return extract

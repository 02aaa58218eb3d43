"""Guards that run beside a test, in threads or processes of their own, and clients that set them off."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from catalog.database import Database
from catalog.errors import StatementFailedError
from catalog.settings import BackupSettings, DatabaseSettings, DataSettings, LogsSettings, Settings
from catalog.terminal import Invocation
from ingest.logs.tail import Logs
from migrations.apply import apply
from migrations.commands.guard import listen
from migrations.guard import Action, Guard, Report
from migrations.guard.ears import Ears
from migrations.guard.log import GuardedLog
from migrations.plan import Plan
from tests.command_line import CommandLine
from tests.migrations.fix_house import House
from tests.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parent.parent.parent
Alert = Callable[[Mapping[str, Any]], None]


@dataclass
class Watch:
    """A guard that runs in a thread: what it told, whom it alerted (unless somebody else gets that)."""

    told: list[str] = field(default_factory=list)
    alerts: list[Mapping[str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    _reports: list[Report] = field(default_factory=list)
    _thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def has_told(self, text: str) -> bool:
        """Whether a line of it holds a text."""
        return any(text in line for line in self.told)

    def start(self, guard: Guard) -> None:
        def run() -> None:
            self._reports.append(guard.run(lambda: not self.ended.wait(0.05)))

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def end(self) -> Report:
        """Let it end, and return what it saw."""
        self.ended.set()
        return self.wait()

    def wait(self) -> Report:
        """What it saw, when it has ended by itself."""
        assert self._thread is not None
        self._thread.join(PATIENCE_SECONDS)
        assert self._reports, f"it did not end, or failed; it told {self.told}"
        return self._reports[0]


@contextmanager
def running(
    connect: Callable[[], Database],
    settings: Settings,
    ears: Ears,
    plan: Plan,
    action: Action,
    alert: Alert | None = None,
) -> Iterator[Watch]:
    """A guard of a plan that is applied; it ends with the block."""
    watch = Watch()
    watch.start(
        Guard(
            connect,
            settings,
            ears,
            plan.id,
            action,
            tell=watch.told.append,
            alert=alert or watch.alerts.append,
        )
    )
    try:
        yield watch
    finally:
        watch.ended.set()
        watch.wait()


@contextmanager
def guarding(
    house: House,
    plan: Plan,
    tmp_path: Path,
    action: Action = Action.ROLLBACK_ELEMENT,
    *,
    settings: Settings | None = None,
    alert: Alert | None = None,
) -> Iterator[Watch]:
    """A guard of the primary's log alone, from before the apply of a plan on."""
    settings = settings or settings_of(house, tmp_path)
    ears = ears_of(house, settings)
    apply(house.db, plan)
    connect = lambda: Database.connect(house.database.dsn())  # noqa: E731 (a session each time)
    with running(connect, settings, ears, plan, action, alert) as watch:
        yield watch


@contextmanager
def guarding_as_configured(
    house: House, plan: Plan, config: Path, action: Action = Action.ROLLBACK_ELEMENT
) -> Iterator[Watch]:
    """A guard as the commands make it, of the logs of all servers, from before the apply of a plan on."""
    invoked = Invocation(config)
    with listen(invoked) as ears:
        ears.begin()
        apply(house.db, plan)
        with running(invoked.connect, invoked.settings, ears, plan, action) as watch:
            yield watch


def settings_of(house: House, tmp_path: Path) -> Settings:
    return Settings(
        database=DatabaseSettings(dsn=house.database.dsn(), environment="development"),
        logs=LogsSettings(directory=house.database.server.log_directory),
        data=DataSettings(directory=tmp_path / "data"),
        backup=BackupSettings(directory=tmp_path / "backups"),
    )


def ears_of(house: House, settings: Settings) -> Ears:
    """Ears for the primary's log alone, from now on."""
    logs = Logs(settings.logs.directory, settings.logs.pattern, settings.logs.node)
    ears = Ears("primary", GuardedLog(logs, house.database.name, "UTC"))
    ears.begin()
    return ears


def started(command: CommandLine, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own, as only such a one can be sent a signal."""
    program = [sys.executable, "-c", "import pgattic; pgattic.run()", "--config", str(command.config)]
    return subprocess.Popen(
        [*program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def fails_on(dsn: str, statement: str, application: str = "shop") -> None:
    """A client whose statement fails."""
    with Database.connect(dsn, application_name=application) as app, pytest.raises(StatementFailedError):
        app.execute(statement)


def fails(house: House, statement: str) -> None:
    """A client of the primary whose statement fails."""
    fails_on(house.database.dsn(), statement)


def readable(app: Database, what: str = "unread") -> bool:
    """Whether a table can be read under its former name."""
    try:
        app.execute(f"SELECT FROM {what}")
    except StatementFailedError:
        return False
    return True


def figure(who: str, failed_at: float) -> None:
    """Write the figure for whoever measures: a test asserts nothing of it."""
    sys.stdout.write(f"{who}: back {time.monotonic() - failed_at:.2f} s after the first failing statement\n")

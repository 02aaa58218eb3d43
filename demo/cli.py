"""The command `demo`."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.panel import Panel
from rich.text import Text

from catalog.errors import os_error_as
from catalog.terminal import console
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from dashboard.server import check_port
from demo.errors import FolderUnusableError
from demo.shell import MAX_WIDTH, width
from demo.shop import SETTINGS
from demo.story import Stage, show_dashboard, tell

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

NoDashboard = Annotated[
    bool, typer.Option("--no-dashboard", help="End after the last step instead of opening the dashboard.")
]
Keep = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Keep server, configuration, evidence and report in this new or empty folder."
    ),
]
Port = Annotated[int, typer.Option(min=1, max=65_535, help="The port of the dashboard.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(no_dashboard: NoDashboard = False, keep: Keep = None, port: Port = 8501) -> None:
    """Show the whole loop on a throw-away PostgreSQL, in a minute or two. Your own servers are not touched.

    Example: pgattic demo --no-dashboard
    """
    if not no_dashboard:
        # Better now than after a minute.
        check_port("127.0.0.1", port)
    folder = _folder(keep)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = MAX_WIDTH
    _forget_own_server()
    server = ThrowawayServer(folder / "server", settings=SETTINGS, keep=True)
    with _signals_interrupt(), ExitStack() as endings:
        endings.callback(_say_what_is_kept if keep else shutil.rmtree, folder)
        endings.callback(server.stop, immediate=keep is None)
        try:
            _perform(Stage(server, folder, endings), None if no_dashboard else port)
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None
        finally:
            # A second Ctrl-C must not leave the server behind.
            _ignore_signals()
            console.print(
                "Stopping the server" if keep else "Removing the server and its folder", style="dim"
            )


def _perform(stage: Stage, port: int | None) -> None:
    started = time.monotonic()
    console.print(
        Panel(
            "Every database has tables that nobody dares to drop. pgattic renames what looks unused,"
            " watches who comes looking for it, and says when it can go; it never drops anything itself."
            " Here is the whole loop, with the real commands on a real server.",
            title="pgattic: put it in the attic before you throw it out",
            width=width(),
        )
    )
    tell(stage)
    console.print(Text(f"The whole loop took {time.monotonic() - started:.0f} seconds.", style="bold"))
    if port is not None:
        show_dashboard(stage, port)


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="pgattic-demo-"))
    with os_error_as(FolderUnusableError, "cannot be used", where=keep, todo="Name a new folder"):
        keep.mkdir(parents=True, exist_ok=True)
        is_empty = not any(keep.iterdir())
    if not is_empty:
        raise FolderUnusableError("is not empty", where=str(keep), todo="Name a new or an empty folder")
    return keep.resolve()


def _forget_own_server() -> None:
    """Drop what the environment says of another server: PGHOST, PGATTIC_DATABASE__DSN and the like."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """End the block in the same orderly way for Ctrl-C, `kill` and a closed terminal."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _say_what_is_kept(folder: Path) -> None:
    data = folder / "server" / "pgdata"
    names = ", ".join(sorted(path.name for path in folder.iterdir()))
    console.print(
        f"Kept in {folder}: {names}.\n"
        f"Start the server again with:  {EMBEDDED_BIN / 'pg_ctl'} -D {data} start",
        soft_wrap=True,
    )
    if os.geteuid() == 0 and data.exists():
        console.print(f"as user {data.owner()}: PostgreSQL does not run as root.")

"""The command line: puts together each folder's own commands, and turns errors into one clear line."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.errors import PgatticError
from catalog.lean import without_pandas
from catalog.terminal import Invocation, error_console

# The commands of each folder. Only the folder of the command at hand is loaded: none waits for the libraries
# of the others.
COMMANDS = {
    "migrations": (
        "init", "plan", "approve", "apply", "arm", "disarm", "guard", "rollback", "checkpoint", "status",
        "prove", "audit", "breaker",
    ),
    "analytics": (
        "scan", "usage", "impact", "coverage", "readiness", "report", "doctor", "metrics", "alerts",
    ),
    "ingest": ("ingest", "compact", "snapshot", "collect"),
    "dashboard": ("dashboard",),
    "demo": ("demo",),
}  # fmt: skip


def pgattic(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(envvar="PGATTIC_CONFIG", help="Configuration file; default ./pgattic.toml.")
    ] = None,
) -> None:
    """Put unused PostgreSQL elements in the attic before anyone throws them out.

    A reversible rename, a watch over every trace of use, and a verdict that shows its evidence. Nothing is
    ever dropped.
    """
    ctx.obj = Invocation(config)


def application(folders: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with the commands of some folders; all of them by default."""
    app = typer.Typer(
        name="pgattic",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(pgattic)
    for folder in folders:
        commands = import_module(f"{folder}.cli")
        if folder == "ingest":
            # What is alarming is not for the reader of logs to decide.
            beside = import_module("analytics.alerting.beside")
            commands.register(app, alerting=beside.alerting, describe=beside.describe)
        else:
            commands.register(app)
    return app


def main() -> None:
    """The console script; the dashboard, which needs pandas, is a process of its own."""
    without_pandas()
    run()


def run() -> None:
    """Run a command; exit codes: 0 fine, 1 finding or refusal, 2 wrong use or configuration."""
    try:
        application(_folders(sys.argv[1:]))()
    except PgatticError as error:
        error_console.print(f"[bold red]error:[/] {_one_line(error)}", soft_wrap=True)
        for detail in error.details:
            error_console.print(f"  - {_one_line(detail)}", soft_wrap=True)
        sys.exit(error.exit_code)


def _folders(arguments: Sequence[str]) -> Iterable[str]:
    """The folder of the command that is named; all where none is, for help and for complaints."""
    owners = {command: folder for folder, commands in COMMANDS.items() for command in commands}
    before = ("", *arguments)
    words = (each for each, last in zip(arguments, before, strict=False) if last != "--config")
    named = next((owners[each] for each in words if each in owners), None)
    return COMMANDS if named is None else (named,)


def _one_line(error: PgatticError | str) -> str:
    return escape(" ".join(str(error).split()))


if __name__ == "__main__":
    main()

"""The command `doctor`."""

from datetime import UTC, datetime

import typer
from rich.markup import escape

from analytics.commands.printing import SIGNS
from analytics.doctor import examine
from analytics.health.check import Check
from catalog.errors import FINDING
from catalog.terminal import JsonOption, console, invocation, print_json


def doctor(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Check that uses can be seen: server, log, rights, space; with what to do where not.

    Exits with 1 if something must be done.

    Example: pgattic doctor
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db:
        checks = examine(db, settings, datetime.now(UTC))
    if as_json:
        print_json(checks)
    else:
        for check in checks:
            _print_check(check)
    if any(check.ok is False for check in checks):
        raise typer.Exit(FINDING)


def _print_check(check: Check) -> None:
    console.print(f"{SIGNS[check.ok]} [bold]{check.name}[/]: {escape(check.finding)}", soft_wrap=True)
    if check.todo:
        # Never wrapped: it is there to be copied.
        console.print(f"    → {escape(check.todo)}", soft_wrap=True)

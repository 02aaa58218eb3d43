"""The command `doctor`."""

from datetime import UTC, datetime

import typer
from rich.markup import escape

from analytics.commands.printing import SIGNS
from analytics.doctor import examine, examine_without_database
from analytics.health.check import Check
from catalog.errors import FINDING, DatabaseError
from catalog.terminal import JsonOption, console, invocation, print_hanging, print_json


def doctor(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Check that uses can be seen: server, log, rights, space; with what to do where not.

    Exits with 1 if something must be done. A server that does not answer is such a finding; the rest is
    looked at all the same.

    Example: pgattic doctor
    """
    settings, now = invocation(ctx).settings, datetime.now(UTC)
    try:
        with invocation(ctx).connect() as db:
            checks = examine(db, settings, now)
    except DatabaseError as error:
        checks = examine_without_database(error, settings, now)
    if as_json:
        print_json(checks)
    else:
        for check in checks:
            _print_check(check)
    if any(check.ok is False for check in checks):
        raise typer.Exit(FINDING)


def _print_check(check: Check) -> None:
    print_hanging(SIGNS[check.ok], f"[bold]{escape(check.name)}[/]: {escape(check.finding)}")
    if check.todo:
        print_hanging("  →", escape(check.todo))
    for line in check.lines:
        # Never wrapped: it is there to be copied.
        console.print(f"      {escape(line)}", soft_wrap=True)

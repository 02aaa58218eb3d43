"""The commands `breaker status` and `breaker reset`."""

from typing import Annotated

import typer
from rich.markup import escape

from catalog.terminal import JsonOption, console, invocation, print_json, when
from migrations import audit, registry
from migrations import breaker as breakers

app = typer.Typer(no_args_is_help=True)


@app.callback()
def breaker() -> None:
    """See whether the circuit breaker is open, and close it again.

    Example: pgattic breaker status
    """


@app.command()
def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the circuit breaker is open and why. Exit code 1: it is open.

    Example: pgattic breaker status
    """
    with invocation(ctx).connect() as db:
        registry.require(db)
        now = breakers.state(db)
    if as_json:
        print_json(now)
    elif now.is_open:
        console.print(
            f"[bold red]open[/] since {when(now.opened_at)} UTC, by {escape(now.opened_by or '')}:"
            f" {escape(now.reason or '')}",
            soft_wrap=True,
        )
        console.print(f"  → Every change is refused until `{breakers.RESET_COMMAND}`")
    elif now.reason:
        console.print(
            f"[green]closed[/]; was open from {when(now.opened_at)} to {when(now.reset_at)} UTC:"
            f" {escape(now.reason)}",
            soft_wrap=True,
        )
        console.print(f"  reset by {escape(now.reset_by or '')}: {escape(now.because or '')}", soft_wrap=True)
    else:
        console.print("[green]closed[/]; it was never open")
    if now.is_open:
        raise typer.Exit(1)


@app.command()
def reset(
    ctx: typer.Context,
    because: Annotated[str, typer.Option(help="What went wrong, and why changes are safe again.")],
    as_json: JsonOption = False,
) -> None:
    """Close the circuit breaker. The reason is kept in the audit trail.

    Example: pgattic breaker reset --because "the event trigger that refused renames is gone"
    """
    invoked = invocation(ctx)
    with invoked.connect() as db:
        registry.require(db)
        with audit.sealing(db, invoked.settings):
            now = breakers.reset(db, because)
    if as_json:
        print_json(now)
        return
    console.print(
        f"[green]closed[/]; it was open since {when(now.opened_at)} UTC: {escape(now.reason or '')}",
        soft_wrap=True,
    )

"""The commands `checkpoint create` and `checkpoint list`."""

from typing import Annotated

import typer
from rich.markup import escape

from catalog.terminal import JsonOption, console, invocation, print_json, print_table, when
from migrations import checkpoints

checkpoint = typer.Typer(
    no_args_is_help=True,
    help="Name a moment to roll back to, or list those there are.\n\n"
    "Example: pgattic checkpoint create before-release-7",
)


@checkpoint.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes and underscores.")],
    note: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Name this moment, so that `rollback --to NAME` brings back whatever is renamed after it.

    Example: pgattic checkpoint create before-release-7 --note "last clean-up of the shop schema"
    """
    with invocation(ctx).connect() as db:
        made = checkpoints.create(
            db, name, note, on_retry=lambda line: console.print(f"  {escape(line)}", style="yellow")
        )
    if as_json:
        print_json(made)
        return
    console.print(f"Checkpoint [bold]{made.name}[/]. Back to it with `pgattic rollback --to {made.name}`")


@checkpoint.command(name="list")
def list_(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the checkpoints, and how many elements a rollback to each would bring back.

    Example: pgattic checkpoint list
    """
    with invocation(ctx).connect() as db:
        known = checkpoints.all(db)
    if as_json:
        print_json(known)
        return
    if not known:
        console.print("No checkpoint yet. `pgattic checkpoint create NAME` makes one")
        return
    print_checkpoints(known)


def print_checkpoints(known: list[checkpoints.Checkpoint]) -> None:
    """Print checkpoints as a table, newest first."""
    print_table(
        "Checkpoints",
        ("checkpoint", "made (UTC)", "by", "renamed since", "note"),
        [
            (c.name, when(c.created_at), escape(c.created_by), c.in_attic_since, escape(c.note or ""))
            for c in known
        ],
    )

"""The command `impact`."""

from typing import Annotated

import typer
from rich.markup import escape

from analytics.commands.printing import NOTHING, print_lines
from analytics.impact import impacts
from catalog.elements import Element
from catalog.snapshot import read_snapshot
from catalog.terminal import JsonOption, console, invocation, print_json


def impact(
    ctx: typer.Context,
    element: Annotated[
        str | None,
        typer.Argument(help="An element, as index:public.orders_idx; all in the attic by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what keeping an element costs: space, writes, vacuum, cache, backup, and where that is known from.

    Example: pgattic impact index:public.order_status_idx
    """
    wanted = Element.parse(element) if element else None
    with invocation(ctx).connect() as db:
        found = impacts(db, read_snapshot(db), wanted)
    if as_json:
        print_json(found)
    elif not found:
        console.print(NOTHING)
    else:
        for one in found:
            now = f"  [dim]now {escape(str(one.present))}[/]" if one.present != one.element else ""
            console.print(f"\n[bold]{escape(str(one.element))}[/]{now}", soft_wrap=True)
            print_lines(
                *(
                    ("[yellow]?[/]" if figure.value is None else "-",
                     f"{figure.name}: {escape(figure.said)} [dim]({escape(figure.source)})[/]")
                    for figure in one.figures
                )
            )  # fmt: skip

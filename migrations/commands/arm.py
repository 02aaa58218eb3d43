"""The command `arm`."""

from typing import Annotated

import typer
from rich.markup import escape

from catalog.terminal import JsonOption, invocation, print_hanging, print_json
from migrations import audit, registry, sensors
from migrations.commands import telling
from migrations.commands.asking import YesOption, ask
from migrations.commands.choosing import ChosenArgument, chosen
from migrations.sensors.costs import measure
from migrations.sensors.logging import why_unlogged
from migrations.show_sensors import print_armed, print_costs


def arm(
    ctx: typer.Context,
    names: ChosenArgument = None,
    measure_cost: Annotated[
        bool, typer.Option("--measure", help="Also measure on this server what a sensor costs.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put sensors on what is in the attic, so that the server's log says of every use who it was.

    Statement triggers for writes, canaries in compatibility views for reads, grants to pgaudit's role where
    pgaudit is. Safe to repeat; rollback takes them away again, and so does `disarm`.

    Example: pgattic arm table:public.users_old
    """
    invoked = invocation(ctx)
    selection = chosen(names)
    with invoked.connect() as db:
        registry.require(db)
        if not yes:
            ask(f"Put sensors on {selection}?")
        with audit.sealing(db, invoked.settings):
            done = sensors.arm(
                db,
                selection,
                policy=invoked.settings.policy,
                on_retry=telling.retries(as_json=as_json),
            )
        unlogged = why_unlogged(db)
        costs = measure(db) if measure_cost else ()
    if as_json:
        print_json({"armed": done, "not_logged": unlogged, "costs": costs})
        return
    print_armed(done)
    for why in unlogged:
        print_hanging("  [yellow]blind[/]", escape(why))
    print_costs(done, costs)

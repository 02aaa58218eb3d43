"""The command `disarm`."""

from typing import Annotated

import typer

from catalog.terminal import JsonOption, invocation, print_json
from migrations import audit, registry, sensors
from migrations.commands import telling
from migrations.commands.asking import YesOption, ask
from migrations.commands.choosing import ChosenArgument, chosen
from migrations.show_sensors import print_disarmed


def disarm(
    ctx: typer.Context,
    names: ChosenArgument = None,
    despite_breaker: Annotated[
        bool, typer.Option("--despite-breaker", help="Also while the circuit breaker is open.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take away the sensors that pgattic put on what is in the attic; the elements stay there.

    Example: pgattic disarm table:public.users_old
    """
    invoked = invocation(ctx)
    selection = chosen(names)
    with invoked.connect() as db:
        registry.require(db)
        if not yes:
            ask(f"Take the sensors off {selection}?")
        with audit.sealing(db, invoked.settings):
            done = sensors.disarm(
                db,
                selection,
                despite_breaker=despite_breaker,
                policy=invoked.settings.policy,
                on_retry=telling.retries(as_json=as_json),
            )
    if as_json:
        print_json({"disarmed": done})
        return
    print_disarmed(done)

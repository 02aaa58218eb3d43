"""The command `arm`."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.markup import escape

from catalog.terminal import JsonOption, console, invocation, many, print_json
from migrations import audit, registry, sensors
from migrations.commands import telling
from migrations.commands.asking import YesOption, ask
from migrations.commands.choosing import ChosenArgument, chosen
from migrations.sensors import Armed, SensorKind
from migrations.sensors.costs import DOCUMENTED, Cost, measure
from migrations.sensors.logging import why_unlogged

_ELEMENTS_IN_FULL = 20


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
        console.print(f"  [yellow]blind[/] {escape(why)}", soft_wrap=True)
    _print_costs(costs)


def print_armed(done: Iterable[Armed]) -> None:
    """Print what each element has now, and why it has no more; of many only how many have what."""
    armed = list(done)
    if len(armed) > _ELEMENTS_IN_FULL:
        counts = Counter(kind for one in armed for kind in (*one.made, *one.had))
        found = ", ".join(f"{many(counts[kind], kind.value)}" for kind in SensorKind if counts[kind])
        console.print(f"  [green]✓[/] sensors on {many(len(armed), 'element')}: {found or 'none'}")
        return
    for one in armed:
        has = ", ".join(kind.value for kind in (*one.made, *one.had))
        mark = "[green]✓[/]" if has else "[dim]-[/]"
        already = "" if one.made or not one.had else " [dim](before)[/]"
        console.print(f"  {mark} {escape(str(one.element))}: {has or 'no sensor'}{already}", soft_wrap=True)
        for kind, why in one.refused.items():
            console.print(f"      [dim]no {kind.value}: {escape(why)}[/]", soft_wrap=True)


def _print_costs(costs: tuple[Cost, ...]) -> None:
    if not costs:
        console.print(f"[dim]Cost: {DOCUMENTED}; `--measure` measures it here[/]", soft_wrap=True)
        return
    for cost in costs:
        console.print(
            f"  {cost.kind}: {cost.with_us:,.0f} µs of server time a statement, {cost.without_us:,.0f} µs"
            f" without ([bold]+{cost.added_us:,.0f} µs[/])"
        )
    console.print(
        f"[dim]Measured here on a temporary table; {many(len(costs), 'kind')} of sensor, each line is in the"
        " server's log[/]",
        soft_wrap=True,
    )

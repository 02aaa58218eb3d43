"""The command `rollback`."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape

from catalog.elements import Element
from catalog.terminal import JsonOption, console, invocation, many, print_json
from migrations import rollback as back
from migrations.commands.asking import YesOption, ask
from migrations.errors import PlanError


def rollback(
    ctx: typer.Context,
    migration_id: Annotated[
        str | None, typer.Argument(metavar="MIGRATION", help="As `status` shows it.")
    ] = None,
    element: Annotated[
        str | None, typer.Option(help="Bring back only this element (its former name).")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give elements back their former names: a whole migration, or one element of it.

    Example: pgattic rollback --element table:public.users_old
    """
    if (migration_id is None) == (element is None):
        raise PlanError(
            "name either a migration or --element", where="rollback", todo="`pgattic status` lists both"
        )
    wanted = Element.parse(element) if element else None
    with invocation(ctx).connect() as db:
        if not yes:
            items = back.waiting(db, migration_id=migration_id, element=wanted)
            for item in items:
                console.print(f"  {item.deprecated_name} → {escape(str(item.element))}")
            ask(f"Bring back {many(len(items), 'element')}?")
        started = datetime.now(UTC)
        done = back.rollback(
            db,
            migration_id=migration_id,
            element=wanted,
            on_retry=lambda line: console.print(f"  {escape(line)}", style="yellow"),
        )
        seconds = (datetime.now(UTC) - started).total_seconds()
    if as_json:
        print_json({"restored": [one.item.element for one in done], "seconds": seconds})
        return
    for one in done:
        console.print(f"  [green]✓[/] {escape(str(one.item.element))} has its name back")
    console.print(f"{many(len(done), 'element')} restored in {seconds:.2f} s")

"""The command `plan`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.scan import scan
from analytics.store import Evidence
from catalog.counters import read_counters
from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.settings import Settings
from catalog.snapshot import read_snapshot
from catalog.terminal import JsonOption, invocation, print_json
from migrations import show, workflow
from migrations.errors import PlanError
from migrations.plan import as_script, save_plan


def plan(
    ctx: typer.Context,
    elements: Annotated[list[str] | None, typer.Argument(help="Elements, as kind:schema.name.")] = None,
    from_scan: Annotated[
        bool, typer.Option("--from-scan", help="Take every candidate that `scan` finds.")
    ] = False,
    reason: Annotated[Reason, typer.Option(help="Why; becomes part of the name.")] = Reason.UNUSED,
    out: Annotated[Path, typer.Option(help="The plan file to write.")] = Path("plan.json"),
    as_sql: Annotated[bool, typer.Option("--sql", help="Print both directions as SQL instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Plan the deprecation of elements: names, SQL in both directions, safety findings. Changes nothing.

    Example: pgattic plan table:public.users_old column:public.orders.legacy_status --out plan.json
    """
    settings = invocation(ctx).settings
    now = datetime.now(UTC)
    wanted = [Element.parse(text) for text in elements or []]
    with invocation(ctx).connect() as db:
        if from_scan:
            wanted += _candidates(db, settings, now)
        made = workflow.prepare(db, settings, wanted, reason, now)
    try:
        save_plan(made, out)
    except OSError as error:
        raise PlanError(
            f"cannot be written: {(error.strerror or 'error').lower()}", where=str(out)
        ) from error
    if as_sql:
        typer.echo(as_script(made, "up"))
        typer.echo(as_script(made, "down"))
    elif as_json:
        print_json(made)
    else:
        show.print_plan(made, out)


def _candidates(db: Database, settings: Settings, now: datetime) -> list[Element]:
    with Evidence.open(settings.data.directory) as evidence:
        found = scan(read_snapshot(db), read_counters(db), evidence, settings.policy, now)
    return [candidate.element for candidate in found]

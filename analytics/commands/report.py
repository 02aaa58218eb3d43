"""The command `report`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from analytics.grounds import read_grounds
from analytics.reports import gather, write_report
from analytics.store import Evidence
from catalog.terminal import JsonOption, console, invocation, print_json


def report(
    ctx: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The file to write: .html or .md.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Write one report for the person who decides on a removal.

    Example: pgattic report --out report.html
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        made = gather(read_grounds(db, settings, evidence, datetime.now(UTC)))
    write_report(out, made)
    if as_json:
        print_json({"path": out.resolve(), "summary": made.summary})
    else:
        console.print(f"{made.summary} Written to {escape(str(out))}", soft_wrap=True)

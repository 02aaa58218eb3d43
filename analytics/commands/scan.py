"""The command `scan`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from analytics import flat
from analytics.commands.printing import print_lines
from analytics.export import write_tables
from analytics.grounds import read_grounds
from analytics.scan import Candidate, survey
from analytics.store import Evidence
from catalog.terminal import JsonOption, console, invocation, print_json, size


def scan(
    ctx: typer.Context,
    *,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file, a line a candidate.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file, a row a candidate.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find elements that look unused, each with what was observed.

    Nothing is changed. What cannot be judged is no candidate; the list ends with what that was and why.

    Example: pgattic scan
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        found = survey(read_grounds(db, settings, evidence, datetime.now(UTC)))
    if csv or parquet:
        write_tables(flat.candidates(found.candidates), csv, parquet)
    if as_json:
        print_json(found)
        return
    if csv or parquet:
        return
    if not found.candidates:
        console.print("No element looks unused.")
    for candidate in found.candidates:
        _print_candidate(candidate)
    console.print("\n[dim]Not judged:[/]")
    print_lines(*(("[dim]-[/]", f"[dim]{escape(line)}[/]") for line in found.unjudged))


def _print_candidate(candidate: Candidate) -> None:
    freed = f", {size(candidate.bytes)}" if candidate.bytes else ""
    console.print(
        f"\n[bold]{escape(str(candidate.element))}[/]  {escape(candidate.reason)}"
        f" [dim](confidence {candidate.confidence:.0%}{freed})[/]"
    )
    print_lines(*(("-", escape(fact)) for fact in candidate.evidence))

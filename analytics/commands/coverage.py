"""The command `coverage`."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from analytics import flat
from analytics.commands.printing import print_lines
from analytics.coverage import common
from analytics.errors import UnknownElementError
from analytics.export import write_tables
from analytics.grounds import Grounds, read_grounds
from analytics.readiness import gather
from analytics.rules import all_watched
from analytics.sentences import duration, listed, percent
from analytics.servers import servers_watched
from analytics.store import Evidence
from analytics.timelines import Line, Timeline, timeline
from catalog.elements import Element
from catalog.terminal import JsonOption, console, invocation, print_json
from ingest.schemas import Source

_GAPS_SHOWN = 3
_DRAWN_AT_MOST = 56
_ASKED_OF_ALL = frozenset({Source.ERROR.value, Source.COUNTER.value})


def coverage(
    ctx: typer.Context,
    element: Annotated[
        str | None,
        typer.Argument(help="An element of the attic, as table:public.users_old: since its rename."),
    ] = None,
    *,
    days: Annotated[int, typer.Option("--days", min=1, help="Without an element: for how long.")] = 30,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file, a line a stretch of time.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a Parquet file, a row a stretch of time.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw when a use could have been seen, day by day, for each source and server.

    Example: pgattic coverage table:public.users_old
    """
    one = Element.parse(element) if element else None
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        grounds = read_grounds(db, settings, evidence, datetime.now(UTC))
        if one:
            found = _of_element(grounds, one)
            wanted = settings.policy.of(one.kind).every_source
        else:
            found = _of_all(grounds, grounds.now - timedelta(days=days))
            wanted = _ASKED_OF_ALL
    if csv or parquet:
        write_tables(flat.coverage(found, one), csv, parquet)
    if as_json:
        print_json(found)
    elif not (csv or parquet):
        _print(element, found, wanted)


def _of_element(grounds: Grounds, wanted: Element) -> Timeline:
    """When what could have seen a use of one element watched it."""
    facts = next((facts for entry, facts in gather(grounds) if entry.element == wanted), None)
    if facts is None:
        raise UnknownElementError(
            "not in the attic", where=str(wanted), todo="`pgattic usage` lists what is in the attic"
        )
    together = all_watched(list(facts.watches(grounds.policy.of(wanted.kind)).values()))
    return timeline(facts.watched, facts.since, grounds.now, together)


def _of_all(grounds: Grounds, since: datetime) -> Timeline:
    """When the logs of the servers were read, and their counters sampled."""
    found = servers_watched(grounds, since)
    together = common(stretches for source in _ASKED_OF_ALL for stretches in found[Source(source)].values())
    return timeline(found, since, grounds.now, together)


def _print(element: str | None, found: Timeline, wanted: Collection[str]) -> None:
    what = f"[bold]{escape(element)}[/]" if element else "All servers"
    since, until = found.since, found.until
    console.print(f"{what}, {since:%Y-%m-%d} to {until:%Y-%m-%d} ({duration(until - since)}, UTC)\n")
    off = [line for line in found.lines if not line.fraction and line.source not in wanted]
    shown = [line for line in found.lines if line not in off]
    width = max((len(line.source) + len(line.node) for line in shown), default=0) + 1
    days = -(-max((len(line.days) for line in shown), default=1) // _DRAWN_AT_MOST) or 1
    for line in shown:
        name = f"{line.source} {line.node}".ljust(width)
        drawn = f"[cyan]{line.drawn(days)}[/] {percent(line.fraction)}"
        console.print(f"  {escape(name)} {drawn}", soft_wrap=True)
    each = "a day" if days == 1 else f"for {days} days"
    console.print(f"\n  [dim]a character {each}: █ all of it, ▓ half or more, ░ some, · nothing[/]")
    if off:
        names = listed([f"{line.source} on {line.node}" for line in off], len(off))
        print_lines(("", f"never watched, and not asked for by the policy: {escape(names)}"))
    for name, (seen, there) in (("month-ends", found.month_ends), ("quarter-ends", found.quarter_ends)):
        watched = f"{seen} of {there} watched" if there else "none in this time"
        console.print(f"  {name}: {watched}")
    gaps = [(line, gap) for line in found.lines if line.fraction > 0 for gap in _longest(line)]
    if gaps:
        console.print("\nThe longest gaps:")
        print_lines(
            *(
                ("-", f"{escape(f'{line.source} on {line.node}')}: {_told(start, end)}")
                for line, (start, end) in gaps
            )
        )


def _told(start: datetime, end: datetime) -> str:
    return f"{duration(end - start)} from {start:%Y-%m-%d %H:%M}"


def _longest(line: Line) -> list[tuple[datetime, datetime]]:
    second = timedelta(seconds=1)
    gaps = [gap for gap in line.gaps if gap[1] - gap[0] >= second]
    return sorted(gaps, key=lambda gap: gap[0] - gap[1])[:_GAPS_SHOWN]

"""The command `usage`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from analytics.commands.printing import NOTHING, print_lines
from analytics.errors import UnknownElementError
from analytics.export import write_tables
from analytics.sentences import count
from analytics.store import Evidence
from analytics.usage import CallGroup, ElementUsage, UseGroup, calls_of, usage_by_element, uses_of
from analytics.usage_profile import Frequency, Profile, Question, answer, profile
from analytics.usage_script import script
from catalog.attic import read_attic
from catalog.elements import Element
from catalog.errors import ConnectionFailedError
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from catalog.terminal import (
    JsonOption,
    console,
    error_console,
    invocation,
    print_hanging,
    print_json,
    print_table,
    when,
)

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_BARS = " ▁▂▃▄▅▆▇█"


def usage(
    ctx: typer.Context,
    element: Annotated[
        str | None, typer.Argument(help="An element, as table:public.users_old; all in the attic by default.")
    ] = None,
    question: Annotated[
        Question | None,
        typer.Option("--what", help="One question only, as a table: over all elements, or one."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="With --what: write a CSV file.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="With --what: write a Parquet file.")] = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print a script that makes the same views in DuckDB's shell.")
    ] = False,
    delta: Annotated[
        bool,
        typer.Option("--delta", help="With --sql: read the tables as they will be, by DuckDB's `delta`."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who used an element: how often, when, from where, with which statement, and who fails at it.

    Statements are normalised: constants and parameters are never kept.

    Example: pgattic usage table:public.users_old
    """
    if (csv or parquet) and not question:
        raise typer.BadParameter("--csv and --parquet go with --what")
    if delta and not sql:
        raise typer.BadParameter("--delta goes with --sql")
    wanted = Element.parse(element) if element else None
    if sql:
        typer.echo(script(invocation(ctx).settings.data.directory, datetime.now(UTC), follows=delta))
    elif question:
        _answer(ctx, question, wanted, csv, parquet, as_json=as_json)
    elif wanted:
        _one(ctx, wanted, as_json=as_json)
    else:
        _all(ctx, as_json=as_json)


def _data(ctx: typer.Context) -> Path:
    return invocation(ctx).settings.data.directory


def _answer(
    ctx: typer.Context,
    question: Question,
    element: Element | None,
    csv: Path | None,
    parquet: Path | None,
    *,
    as_json: bool,
) -> None:
    """A question to the evidence alone: no database is asked."""
    with Evidence.open(_data(ctx)) as evidence:
        rows = answer(evidence, question, element)
    write_tables(rows, csv, parquet)
    if as_json:
        print_json(rows.to_pylist())
    elif not (csv or parquet):
        cells = (
            [_cell(cell) for cell in row]
            for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)
        )
        print_table(question.value, rows.column_names, cells)
        if not rows.num_rows:
            error_console.print(
                "nothing in the evidence yet; `pgattic ingest` reads the logs", soft_wrap=True
            )


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return when(value)
        case float():
            return f"{value:,.1f}"
        case _:
            return escape(str(value))


def _all(ctx: typer.Context, *, as_json: bool) -> None:
    """All elements of the attic; without the database, those of which a use was seen."""
    with Evidence.open(_data(ctx)) as evidence:
        found = usage_by_element(evidence)
    try:
        with invocation(ctx).connect() as db:
            listed = [entry.element for entry in read_attic(db) if entry.is_in_attic]
    except ConnectionFailedError as error:
        if not found:
            raise
        listed = [one.element for one in found]
        _tell_of_the_catalog(error, "what is in the attic without a use is not listed")
    _print_usage(listed, found, as_json=as_json)


def _one(ctx: typer.Context, element: Element, *, as_json: bool) -> None:
    with Evidence.open(_data(ctx)) as evidence:
        uses = uses_of(evidence, element)
        found = profile(evidence, element)
        is_seen = bool(uses or found.frequency)
        try:
            calls = _calls(ctx, evidence, element, is_seen=is_seen)
        except ConnectionFailedError as error:
            # Of what no log names, the evidence alone cannot even say that there is such an element.
            if not is_seen:
                raise
            calls = None
            _tell_of_the_catalog(error, "calls that pg_stat_statements counted are not shown")
    if as_json:
        print_json({"profile": found, "uses": uses, "calls": calls})
    elif not (uses or found.frequency or calls):
        console.print(f"[bold]{escape(str(element))}[/]: no use seen in the logs that were read.")
    else:
        console.print(f"[bold]{escape(str(element))}[/]")
        _print_profile(found)
        for use in uses:
            _print_use(use)
        for call in calls or ():
            _print_call(call)


def _calls(
    ctx: typer.Context, evidence: Evidence, element: Element, *, is_seen: bool
) -> list[CallGroup] | None:
    """What pg_stat_statements counted of an element since its rename; raises UnknownElementError."""
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db:
        snapshot = read_snapshot(db)
    if not (is_seen or _is_known(snapshot, element)):
        raise UnknownElementError(
            "no such element, neither in the attic nor in the database",
            where=str(element),
            todo="`pgattic usage` lists what is in the attic",
        )
    entry = next((e for e in snapshot.attic if e.element == element and e.is_in_attic), None)
    return calls_of(evidence, settings.policy, settings.node_names, entry) if entry else []


def _tell_of_the_catalog(error: ConnectionFailedError, missing: str) -> None:
    told = f"({escape(error.what)}): this is the evidence alone; {missing}"
    error_console.print(f"[yellow]the catalog was not asked[/] {told}", soft_wrap=True)


def _is_known(snapshot: Snapshot, element: Element) -> bool:
    return snapshot.exists(element) or any(entry.element == element for entry in snapshot.attic)


def _print_profile(found: Profile) -> None:
    lines = []
    if often := found.frequency:
        lines.append(how_often(often))
        last, before = found.trend(datetime.now(UTC).date())
        lines.append(f"{count(last, 'use')} in the last 7 days, {before:,} in the 7 before")
    if took := found.duration:
        lines.append(
            f"statements took {took.median_ms:,.1f} ms (median), {took.p90_ms:,.1f} ms (90 %),"
            f" {took.p99_ms:,.1f} ms (99 %)"
        )
    for caller in found.broken:
        whence = ", ".join(part for part in (caller.application, caller.client, caller.database) if part)
        worked = f", worked last {when(caller.last_worked_at)}" if caller.last_worked_at else ""
        lines.append(
            f"[red]broken:[/] {escape(caller.role or '?')} ({escape(whence)}),"
            f" {count(caller.failures, 'failure')} since {when(caller.failing_since)} UTC{worked}"
        )
    print_lines(*(("-", line) for line in lines))
    if found.timing:
        _print_week(found)


def how_often(found: Frequency) -> str:
    """Say, with markup, how often an element was used and when; of a single use its moment alone."""
    if found.uses == 1:
        failed = ", [red]failed[/]" if found.errors else ""
        return f"1 {'write' if found.writes else 'use'}{failed}, at {when(found.last_at)} UTC"
    failed = f", [red]{found.errors:,} failed[/]" if found.errors else ""
    return (
        f"{count(found.uses, 'use')}{failed}, {count(found.writes, 'write')} among them,"
        f" on {count(found.days_used, 'day')} from {when(found.first_at)} to {when(found.last_at)} UTC"
    )


def _print_week(found: Profile) -> None:
    """Uses by the hour (UTC) of each weekday: the higher the bar, the more."""
    uses = {(hour.weekday, hour.hour_of_day): hour.uses for hour in found.timing}
    most = max(uses.values())
    console.print("    [dim]            0     6     12    18    UTC[/]")
    for number, day in enumerate(_DAYS, 1):
        bars = "".join(_BARS[-(-8 * uses.get((number, hour), 0) // most)] for hour in range(24))
        if bars.strip():
            console.print(f"    [dim]{day:<11}[/] {bars}")


def _print_usage(in_attic: list[Element], found: list[ElementUsage], *, as_json: bool) -> None:
    by_element = {one.element: one for one in found}
    if as_json:
        print_json([{"element": element, "usage": by_element.get(element)} for element in in_attic])
    elif not in_attic:
        console.print(NOTHING)
    else:
        for element in in_attic:
            _print_element_usage(element, by_element.get(element))


def _print_element_usage(element: Element, found: ElementUsage | None) -> None:
    if found is None:
        console.print(f"[bold]{escape(str(element))}[/]  [dim]no use seen[/]", soft_wrap=True)
        return
    failed = f", [red]{found.errors:,} failed[/]" if found.errors else ""
    console.print(f"[bold]{escape(str(element))}[/]  {count(found.uses, 'use')}{failed}", soft_wrap=True)
    print_lines(
        ("-", f"the last one {when(found.last_at)} UTC"),
        ("-", f"by {escape(', '.join(found.roles) or 'nobody known')}"),
        ("-", f"from {escape(', '.join(found.applications + found.clients) or 'nowhere known')}"),
    )


def _print_call(call: CallGroup) -> None:
    took = f", {call.mean_ms:,.1f} ms each on average" if call.mean_ms is not None else ""
    _print_statement(
        f"[bold]{escape(call.role or '?')}[/]: [yellow]{call.operation}[/],"
        f" {count(call.calls, 'call')}, the last one before {when(call.last_at)} UTC{took}"
        " [dim]counted by pg_stat_statements[/]",
        call.statement,
    )


def _print_use(use: UseGroup) -> None:
    failed = use.outcome == "error"
    did = f"[red]{use.operation}, failed with {use.sqlstate}[/]" if failed else f"[yellow]{use.operation}[/]"
    whence = ", ".join(part for part in (use.application, use.client, use.database) if part)
    times = f"{use.uses:,} times from {when(use.first_at)} to " if use.uses > 1 else "once at "
    notes = [
        note
        for note, holds in (
            (f"through {use.via}", use.via),
            ("implicit", use.implicit),
            ("may mean another element", use.ambiguous),
        )
        if holds
    ]
    _print_statement(
        f"[bold]{escape(use.role or '?')}[/] ({escape(whence)}): {did}, {times}{when(use.last_at)} UTC"
        + (f" [dim]{escape(', '.join(notes))}[/]" if notes else ""),
        use.statement,
    )


def _print_statement(uses: str, statement: str | None) -> None:
    """Print who used an element how (as markup), and below it the statement."""
    console.print()
    print_hanging(" ", uses)
    print_hanging("   ", f"[cyan]{escape(statement or '(statement not kept)')}[/]")

"""The commands that answer questions: scan, usage, readiness, report, doctor."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from analytics.doctor import Check, examine
from analytics.errors import UnknownElementError
from analytics.readiness import Readiness, Verdict, readiness
from analytics.reports import gather, write_report
from analytics.scan import Candidate, survey
from analytics.sentences import count
from analytics.store import Evidence
from analytics.usage import ElementUsage, UseGroup, usage_by_element, uses_of
from catalog.counters import read_counters
from catalog.elements import Element
from catalog.errors import FINDING
from catalog.snapshot import Snapshot, read_attic, read_snapshot
from catalog.terminal import JsonOption, console, invocation, print_json, size, when

_COLOURS = {Verdict.READY: "green", Verdict.NOT_READY: "red", Verdict.UNKNOWN: "yellow"}
_SIGNS = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[yellow]?[/]"}
_NOTHING = "Nothing is in the attic of this database."


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (scan, usage, readiness_command, report, doctor):
        app.command(command.__name__.removesuffix("_command"))(command)


def scan(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Find elements that look unused, each with what was observed.

    Nothing is changed. What cannot be judged is no candidate; the list ends with what that was and why.

    Example: pgattic scan
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        found = survey(read_snapshot(db), read_counters(db), evidence, settings.policy, _now())
    if as_json:
        print_json(found)
        return
    if not found.candidates:
        console.print("No element looks unused.")
    for candidate in found.candidates:
        _print_candidate(candidate)
    console.print("\n[dim]Not judged:[/]")
    _print_lines(*(("[dim]-[/]", f"[dim]{escape(line)}[/]") for line in found.unjudged))


def usage(
    ctx: typer.Context,
    element: Annotated[
        str | None, typer.Argument(help="An element, as table:public.users_old; all in the attic by default.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show who used an element of the attic: when, from where, with which statement.

    Statements are normalised: constants and parameters are never kept.

    Example: pgattic usage table:public.users_old
    """
    settings = invocation(ctx).settings
    wanted = Element.parse(element) if element else None
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        if wanted is None:
            in_attic = [entry.element for entry in read_attic(db) if entry.is_in_attic]
            _print_usage(in_attic, usage_by_element(evidence), as_json=as_json)
            return
        uses = uses_of(evidence, wanted)
        snapshot = read_snapshot(db)
    if not uses and not _is_known(snapshot, wanted):
        raise UnknownElementError(
            "no such element, neither in the attic nor in the database",
            where=str(wanted),
            todo="`pgattic usage` lists what is in the attic",
        )
    _print_uses(wanted, uses, as_json=as_json)


def readiness_command(
    ctx: typer.Context,
    *,
    require_ready: Annotated[
        bool, typer.Option("--require-ready", help="Exit with 1 if any element is not ready.")
    ] = False,
    all_rules: Annotated[
        bool, typer.Option("--all-rules", help="Tell the figures of the rules that are met, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge whether the elements in the attic could be removed, with the reasons.

    Example: pgattic readiness --require-ready
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        found = readiness(read_snapshot(db), read_counters(db), evidence, settings.policy, _now())
    if as_json:
        print_json([_with_reasons(one) for one in found])
    elif not found:
        console.print(_NOTHING)
    else:
        for one in found:
            _print_readiness(one, all_rules=all_rules)
    if require_ready and any(one.verdict is not Verdict.READY for one in found):
        raise typer.Exit(FINDING)


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
        made = gather(read_snapshot(db), read_counters(db), evidence, settings.policy, _now())
    write_report(out, made)
    if as_json:
        print_json({"path": out.resolve(), "summary": made.summary})
    else:
        console.print(f"{made.summary} Written to {escape(str(out))}", soft_wrap=True)


def doctor(ctx: typer.Context, *, as_json: JsonOption = False) -> None:
    """Check that uses can be seen: server, log, rights, space; with what to do where not.

    Exits with 1 if something must be done.

    Example: pgattic doctor
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db:
        checks = examine(db, settings, _now())
    if as_json:
        print_json(checks)
    else:
        for check in checks:
            _print_check(check)
    if any(check.ok is False for check in checks):
        raise typer.Exit(FINDING)


def _now() -> datetime:
    return datetime.now(UTC)


def _print_lines(*lines: tuple[str, str]) -> None:
    """Print signs and texts; a text that is too long goes on under its own beginning."""
    grid = Table.grid(padding=(0, 1))
    for sign, text in lines:
        grid.add_row("", sign, text)
    console.print(grid)


def _is_known(snapshot: Snapshot, element: Element) -> bool:
    return snapshot.exists(element) or any(entry.element == element for entry in snapshot.attic)


def _print_candidate(candidate: Candidate) -> None:
    freed = f", {size(candidate.bytes)}" if candidate.bytes else ""
    console.print(
        f"\n[bold]{escape(str(candidate.element))}[/]  {escape(candidate.reason)}"
        f" [dim](confidence {candidate.confidence:.0%}{freed})[/]"
    )
    _print_lines(*(("-", escape(fact)) for fact in candidate.evidence))


def _print_usage(in_attic: list[Element], found: list[ElementUsage], *, as_json: bool) -> None:
    by_element = {one.element: one for one in found}
    if as_json:
        print_json([{"element": element, "usage": by_element.get(element)} for element in in_attic])
    elif not in_attic:
        console.print(_NOTHING)
    else:
        for element in in_attic:
            _print_element_usage(element, by_element.get(element))


def _print_element_usage(element: Element, found: ElementUsage | None) -> None:
    if found is None:
        console.print(f"[bold]{escape(str(element))}[/]  [dim]no use seen[/]", soft_wrap=True)
        return
    failed = f", [red]{found.errors:,} failed[/]" if found.errors else ""
    console.print(f"[bold]{escape(str(element))}[/]  {count(found.uses, 'use')}{failed}", soft_wrap=True)
    _print_lines(
        ("-", f"the last one {when(found.last_at)} UTC"),
        ("-", f"by {escape(', '.join(found.roles) or 'nobody known')}"),
        ("-", f"from {escape(', '.join(found.applications + found.clients) or 'nowhere known')}"),
    )


def _print_uses(element: Element, uses: list[UseGroup], *, as_json: bool) -> None:
    if as_json:
        print_json(uses)
        return
    if not uses:
        console.print(f"[bold]{escape(str(element))}[/]: no use seen in the logs that were read.")
        return
    console.print(f"[bold]{escape(str(element))}[/]")
    for use in uses:
        _print_use(use)


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
    console.print(
        f"\n  [bold]{escape(use.role or '?')}[/] ({escape(whence)}): {did}, {times}{when(use.last_at)} UTC"
        + (f" [dim]{escape(', '.join(notes))}[/]" if notes else ""),
        soft_wrap=True,
    )
    console.print(f"    [cyan]{escape(use.statement or '(statement not kept)')}[/]", soft_wrap=True)


def _with_reasons(found: Readiness) -> dict[str, Any]:
    fields = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return fields | {"reasons": list(found.reasons)}


def _print_readiness(found: Readiness, *, all_rules: bool) -> None:
    colour = _COLOURS[found.verdict]
    console.print(
        f"\n[bold]{escape(str(found.element))}[/]  [bold {colour}]{found.verdict}[/]", soft_wrap=True
    )
    in_attic = f"in the attic as {escape(found.deprecated_name)} since {when(found.deprecated_at)} UTC"
    console.print(f"  [dim]{in_attic}[/]", soft_wrap=True)
    shown = [rule for rule in found.rules if all_rules or not rule.met]
    _print_lines(*((_SIGNS[rule.met], escape(rule.finding)) for rule in shown))
    folded = [rule.name for rule in found.rules if rule not in shown]
    if folded:
        _print_lines((_SIGNS[True], f"[dim]{escape(', '.join(folded))}[/]"))
    if found.earliest:
        console.print(f"  [dim]at the earliest {when(found.earliest)} UTC, if nobody uses it until then[/]")


def _print_check(check: Check) -> None:
    console.print(f"{_SIGNS[check.ok]} [bold]{check.name}[/]: {escape(check.finding)}", soft_wrap=True)
    if check.todo:
        # Never wrapped: it is there to be copied.
        console.print(f"    → {escape(check.todo)}", soft_wrap=True)

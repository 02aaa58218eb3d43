"""The command `readiness`."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from analytics.changes import changes, load, save, state_of
from analytics.commands.printing import NOTHING, SIGNS, print_lines
from analytics.readiness import Readiness, Verdict
from analytics.readiness import readiness as judge
from analytics.store import Evidence
from catalog.counters import read_counters
from catalog.errors import FINDING
from catalog.snapshot import read_snapshot
from catalog.terminal import JsonOption, console, invocation, print_json, when

_COLOURS = {Verdict.READY: "green", Verdict.NOT_READY: "red", Verdict.UNKNOWN: "yellow"}


def readiness(
    ctx: typer.Context,
    *,
    require_ready: Annotated[
        bool, typer.Option("--require-ready", help="Exit with 1 if any element is not ready.")
    ] = False,
    all_rules: Annotated[
        bool, typer.Option("--all-rules", help="Tell the figures of the rules that are met, too.")
    ] = False,
    since_last: Annotated[
        bool,
        typer.Option(
            "--since-last",
            help="For cron: print only what changed since the last such run; exit with 1 if it got worse.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge whether the elements in the attic could be removed, with the reasons.

    Example: pgattic readiness --require-ready
    """
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        found = judge(
            read_snapshot(db),
            read_counters(db),
            evidence,
            settings.policy,
            datetime.now(UTC),
            settings.node_names,
        )
    if since_last:
        _tell_changes(found, settings.data.directory, as_json=as_json)
        return
    if as_json:
        print_json([_with_reasons(one) for one in found])
    elif not found:
        console.print(NOTHING)
    else:
        for one in found:
            _print_readiness(one, all_rules=all_rules)
    if require_ready and any(one.verdict is not Verdict.READY for one in found):
        raise typer.Exit(FINDING)


def _tell_changes(found: list[Readiness], data_directory: Path, *, as_json: bool) -> None:
    news = changes(load(data_directory), found)
    # Kept before anything is said, so that nothing is said twice.
    save(data_directory, state_of(found))
    if as_json:
        print_json([{**asdict(one), "is_worse": one.is_worse} for one in news])
    else:
        for one in news:
            became = (
                f"[bold {_COLOURS[Verdict(one.after)]}]{one.after}[/]" if one.after else "not in the attic"
            )
            console.print(f"[bold]{escape(one.element)}[/]  {one.before or 'new'} → {became}", soft_wrap=True)
            print_lines(*(("-", escape(reason)) for reason in one.reasons))
    if any(one.is_worse for one in news):
        raise typer.Exit(FINDING)


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
    print_lines(*((SIGNS[rule.met], escape(rule.finding)) for rule in shown))
    folded = [rule.name for rule in found.rules if rule not in shown]
    if folded:
        print_lines((SIGNS[True], f"[dim]{escape(', '.join(folded))}[/]"))
    if found.notes and all_rules:
        print_lines(*(("[dim]i[/]", f"[dim]{escape(note)}[/]") for note in found.notes))
    if found.earliest:
        console.print(f"  [dim]at the earliest {when(found.earliest)} UTC, if nobody uses it until then[/]")

"""The command `readiness`."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from analytics import flat
from analytics.changes import changes, load, save, state_of
from analytics.commands.printing import NOTHING, SIGNS, print_lines
from analytics.errors import UnknownElementError
from analytics.export import write_tables
from analytics.grounds import read_grounds
from analytics.readiness import Readiness, Verdict
from analytics.readiness import readiness as judge
from analytics.sentences import listed
from analytics.store import Evidence
from catalog.elements import Element
from catalog.errors import FINDING
from catalog.holders import look_at_rows
from catalog.terminal import JsonOption, console, invocation, print_json, when

_NAMED_AT_MOST = 3
_COLOURS = {Verdict.READY: "green", Verdict.NOT_READY: "red", Verdict.UNKNOWN: "yellow"}


def readiness(
    ctx: typer.Context,
    elements: Annotated[
        list[str] | None,
        typer.Argument(help="Elements of the attic, as table:public.users_old; all by default."),
    ] = None,
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
    rows: Annotated[
        bool, typer.Option("--rows", help="Read which rows hold an enum value: one scan of each such table.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV file, a line an element.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write a Parquet file, a row an element.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge whether the elements in the attic could be removed, with the reasons.

    Example: pgattic readiness --require-ready
    """
    if since_last and elements:
        raise typer.BadParameter("--since-last is about all elements")
    if since_last and (csv or parquet):
        raise typer.BadParameter("--csv and --parquet have verdicts, and --since-last tells changes")
    wanted = [Element.parse(text) for text in elements or ()]
    settings = invocation(ctx).settings
    with invocation(ctx).connect() as db, Evidence.open(settings.data.directory) as evidence:
        grounds = read_grounds(db, settings, evidence, datetime.now(UTC))
        if rows:
            held = look_at_rows(db, grounds.counters.holders)
            grounds = replace(grounds, counters=replace(grounds.counters, holders=held))
        found = judge(grounds)
    if wanted:
        found = _only(found, wanted)
    if since_last:
        _tell_changes(found, settings.data.directory, as_json=as_json)
        return
    if csv or parquet:
        write_tables(flat.verdicts(found), csv, parquet)
    if as_json:
        print_json([_with_reasons(one) for one in found])
    elif csv or parquet:
        pass
    elif not found:
        console.print(NOTHING)
    else:
        for one in found:
            _print_readiness(one, all_rules=all_rules)
        console.print(f"\n{_summary(found)}")
        judged = {one.element for one in found}
        to_arm = [
            entry.to_arm
            for entry in grounds.snapshot.attic
            if entry.is_in_attic and entry.to_arm and entry.element in judged
        ]
        print_lines(*(("[yellow]?[/]", escape(one)) for one in to_arm))
        _print_notes([one for one in found if all_rules or one.verdict is Verdict.READY], {*to_arm})
    if require_ready and any(one.verdict is not Verdict.READY for one in found):
        raise typer.Exit(FINDING)


def _only(found: Sequence[Readiness], wanted: Sequence[Element]) -> list[Readiness]:
    by_element = {one.element: one for one in found}
    for element in wanted:
        if element not in by_element:
            raise UnknownElementError(
                "not in the attic", where=str(element), todo="`pgattic readiness` judges all that is in it"
            )
    return [by_element[element] for element in dict.fromkeys(wanted)]


def _summary(found: Sequence[Readiness]) -> str:
    verdicts = [one.verdict for one in found]
    return ", ".join(f"{verdicts.count(verdict):,} {verdict}" for verdict in Verdict if verdict in verdicts)


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
    if found.earliest:
        console.print(f"  [dim]at the earliest {when(found.earliest)} UTC, if nobody uses it until then[/]")
    if found.undated:
        console.print(f"  [dim]no earliest date: {escape(found.undated)}[/]", soft_wrap=True)


def _print_notes(found: Sequence[Readiness], told: Collection[str]) -> None:
    """What a person must know besides, each once, with the elements that it is about."""
    about: dict[str, list[str]] = {}
    for one in found:
        for note in one.notes:
            if note not in told:
                about.setdefault(note, []).append(str(one.element))
    if not about:
        return
    console.print("\nKnow besides, before you remove anything:")
    everybody = {str(one.element) for one in found}
    for note, elements in about.items():
        whose = "" if {*elements} == everybody else f" ({listed(elements, _NAMED_AT_MOST)})"
        print_lines(("[dim]i[/]", f"[dim]{escape(note + whose)}[/]"))

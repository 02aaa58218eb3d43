"""How plans, findings and the attic look on a terminal."""

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from catalog.snapshot import AtticEntry
from catalog.terminal import console, many, when
from migrations.checks import blocking
from migrations.findings import Finding, Severity
from migrations.plan import Plan

_COLOURS = {Severity.BLOCK: "bold red", Severity.WARN: "yellow", Severity.INFO: "cyan"}


def print_plan(made: Plan, out: Path) -> None:
    """Print what a plan would rename, and what the checks say of it."""
    console.print(
        f"Plan [bold]{made.id}[/]: {many(len(made.steps), 'element')} of database {made.database},"
        f" reason {made.reason}"
    )
    for step in made.steps:
        console.print(f"  {escape(str(step.element))}")
        console.print(f"    → {escape(step.deprecated_name)}  [dim]lock: {step.lock}[/]")
    print_findings(made.findings)
    console.print(f"Written to {out}, hash [bold]{made.hash[:8]}[/]. Review it, then `pgattic apply {out}`")


def print_findings(findings: Iterable[Finding]) -> None:
    """Print findings, each with what to do."""
    found = tuple(findings)
    blocks = len(blocking(found))
    verdict = f"[bold red]{blocks} of them block[/]" if blocks else "[green]none of them blocks[/]"
    counted = f"{many(len(found), 'finding')}, {verdict}" if found else "[green]no findings[/]"
    console.print(f"[bold]Safety checks[/]: {counted}")
    for finding in found:
        colour = _COLOURS[finding.severity]
        console.print(
            f"  [{colour}]{finding.severity:5}[/] {escape(finding.subject)} {escape(finding.message)}"
        )
        if finding.todo:
            console.print(f"        [dim]→ {escape(finding.todo)}[/]")


def print_attic(attic: Iterable[AtticEntry]) -> None:
    """Print elements under their former and their deprecated names."""
    console.print("\n[bold]In the attic[/]")
    for entry in attic:
        console.print(f"  {escape(str(entry.element))}")
        console.print(
            f"    as {escape(entry.deprecated_name)}"
            f"  [dim]since {when(entry.deprecated_at)} UTC, {entry.migration_id}[/]"
        )
    console.print()

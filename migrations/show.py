"""How plans, findings and the attic look on a terminal; many of a kind are summed up."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from rich.markup import escape

from catalog.attic import AtticEntry
from catalog.terminal import console, many, print_hanging, print_table, size, when
from migrations.checks import blocking
from migrations.findings import Finding, Severity
from migrations.plan import Plan
from migrations.review import Dossier
from migrations.steps import Step

_COLOURS = {Severity.BLOCK: "bold red", Severity.WARN: "yellow", Severity.INFO: "cyan"}
# More elements than a screen holds are summed up; so are findings of one check.
_ELEMENTS_IN_FULL = 20
_BEST = 10
_FINDINGS_IN_FULL = 5
_FIRST = 3
# As wide as the severity of a finding.
_INDENT = " " * 7


def print_plan(made: Plan, out: Path) -> None:
    """Print what a plan would rename and why, and what the checks say of it."""
    console.print(
        f"Plan [bold]{made.id}[/]: {many(len(made.steps), 'element')} of database {escape(made.database)},"
        f" reason {made.reason}"
    )
    _print_elements(made)
    _print_needs(made)
    print_findings(made.findings, out)
    for override in made.overrides:
        console.print(f"  [yellow]override[/] {escape(str(override))}", soft_wrap=True)
    console.print(f"Written to {escape(str(out))}, hash [bold]{made.hash[:8]}[/].", soft_wrap=True)
    if blocking(made.findings):
        print_hanging(
            "→",
            "`apply` refuses it as it is: do what the findings say that block and plan again, leave those"
            " elements out, or answer for a check with `--override CHECK=REASON`",
        )
    else:
        console.print(f"Review it, then `pgattic apply {escape(str(out))}`", soft_wrap=True)


def print_findings(findings: Iterable[Finding], file: Path | None = None) -> None:
    """Print findings, each with what to do; of many by one check only the first, the rest is in the file."""
    order = list(Severity)
    found = sorted(findings, key=lambda one: (order.index(one.severity), one.check))
    blocks = len(blocking(tuple(found)))
    block = "blocks" if blocks == 1 else "block"
    verdict = f"[bold red]{blocks:,} of them {block}[/]" if blocks else "[green]none of them blocks[/]"
    counted = f"{many(len(found), 'finding')}, {verdict}" if found else "[green]no findings[/]"
    console.print(f"[bold]Safety checks[/]: {counted}")
    for (severity, check), group in groupby(found, key=lambda one: (one.severity, one.check)):
        _print_group(severity, check, tuple(group), file)


def print_attic(attic: Iterable[AtticEntry]) -> None:
    """Print elements under their former and their deprecated names."""
    console.print("\n[bold]In the attic[/]")
    entries = list(attic)
    if len(entries) > _ELEMENTS_IN_FULL:
        console.print(
            f"  {len(entries):,} elements, the newest {_BEST}; `pgattic status --json` has them all"
        )
        entries = entries[-_BEST:]
    for (at, migration_id), group in groupby(entries, key=lambda one: (one.deprecated_at, one.migration_id)):
        console.print(f"  [bold]{migration_id}[/], since {when(at)} UTC", soft_wrap=True)
        for entry in group:
            soft = " [dim](soft: a view keeps the former name)[/]" if entry.shim_oid is not None else ""
            console.print(f"    {escape(str(entry.element))}", soft_wrap=True)
            console.print(f"      as {escape(entry.deprecated_name)}{soft}", soft_wrap=True)
    console.print()


def _print_elements(made: Plan) -> None:
    steps = {step.element: step for step in made.steps}
    dossiers = [one for one in made.review.dossiers if one.element in steps]
    if len(steps) <= _ELEMENTS_IN_FULL:
        for dossier in dossiers:
            _print_element(steps[dossier.element], dossier)
        return
    _print_kinds(made.steps, dossiers)
    console.print(f"[bold]The first {_BEST}[/], by confidence and gain; the file has them all:")
    for dossier in dossiers[:_BEST]:
        _print_element(steps[dossier.element], dossier, brief=True)


def _print_kinds(steps: Sequence[Step], dossiers: Sequence[Dossier]) -> None:
    counts = Counter((step.element.kind.value, step.lock) for step in steps)
    freed: Counter[str] = Counter()
    for dossier in dossiers:
        freed[dossier.element.kind.value] += dossier.bytes
    print_table(
        "",
        ("kind", "elements", "size", "lock of each"),
        [
            (kind, f"{count:,}", size(freed[kind]) if freed[kind] else "", escape(lock))
            for (kind, lock), count in sorted(counts.items())
        ],
    )


def _print_element(step: Step, dossier: Dossier, *, brief: bool = False) -> None:
    sure = "" if dossier.confidence is None else f"confidence {dossier.confidence:.0%}"
    freed = size(dossier.bytes) if dossier.bytes else ""
    writes = f"{dossier.writes:,} rows written to its table" if dossier.writes else ""
    facts = ", ".join(part for part in (sure, freed, writes) if part)
    console.print(f"  {escape(str(step.element))}" + (f"  [dim]{facts}[/]" if facts else ""), soft_wrap=True)
    if brief:
        return
    console.print(f"    → {escape(step.deprecated_name)}", soft_wrap=True)
    _print_fact("lock:", step.lock)
    for held in dossier.dependants:
        _print_fact("held by:", held)
    if any((dossier.note, dossier.performance_impact, dossier.evidence)):
        _print_fact("named by:", ", ".join(dossier.origins))
    for label, text in (
        ("note:", dossier.note),
        ("impact:", dossier.performance_impact),
        *(("seen:", fact) for fact in dossier.evidence),
    ):
        if text:
            _print_fact(label, text)


def _print_needs(made: Plan) -> None:
    tables = made.review.tables_to_dump
    rows = (
        f"the rows of {many(len(tables), 'table')} ({size(made.review.bytes_to_dump)}) and " if tables else ""
    )
    console.print(f"[bold]Backup[/] before the rename: {rows}the schema of the whole database")


def _print_group(severity: Severity, check: str, group: Sequence[Finding], file: Path | None) -> None:
    told = group if len(group) <= _FINDINGS_IN_FULL else group[:_FIRST]
    for finding in told:
        # Of an element a message goes on as a sentence; of the database it is one.
        subject = f"{finding.subject}:" if finding.subject == "database" else finding.subject
        print_hanging(
            f"  [{_COLOURS[severity]}]{severity:5}[/]",
            f"{escape(subject)} {escape(finding.message)} [dim]\\[{escape(check)}][/]",
        )
        if finding.overridden:
            print_hanging(_INDENT, f"[dim]→ would block, overridden: {escape(finding.overridden)}[/]")
        elif finding.todo:
            print_hanging(_INDENT, f"[dim]→ {escape(finding.todo)}[/]")
    if len(told) < len(group):
        where = f", all of them in {escape(str(file))}" if file else ""
        console.print(f"        [dim]… and {len(group) - len(told):,} more by the check {check}{where}[/]")


def _print_fact(label: str, text: str) -> None:
    print_hanging(f"    [dim]{label}[/]", f"[dim]{escape(text)}[/]")

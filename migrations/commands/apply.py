"""The command `apply`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.settings import Settings
from catalog.terminal import JsonOption, console, invocation, many, print_hanging, print_json
from migrations import approvals, show, workflow
from migrations.approvals import Approval
from migrations.commands.asking import YesOption, ask
from migrations.commands.guard import (
    alerting,
    end_as_seen,
    guarded_action,
    guarded_time,
    listen,
    print_blind,
    print_report,
    watch,
)
from migrations.errors import RefusedError
from migrations.overrides import parse_all
from migrations.plan import Plan, load_plan
from migrations.show_sensors import print_armed, print_costs

_DIGITS = 8


def apply(
    ctx: typer.Context,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A file that `plan` wrote.")],
    yes: YesOption = False,
    confirm: Annotated[
        str | None, typer.Option(help="In production: the first 8 digits of the plan's hash.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="In production: the name of the database.")] = None,
    override: Annotated[
        list[str] | None, typer.Option(metavar="CHECK=REASON", help="Answer for a check that blocks.")
    ] = None,
    arm: Annotated[
        bool | None,
        typer.Option(
            "--arm/--no-arm", help="Put sensors on the elements, or none; else as sensors.level says."
        ),
    ] = None,
    guard: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Then watch the logs for so long (15m), and undo what fails."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check again, back up, prove the backup by restoring it, then rename: all elements or none.

    Example: pgattic apply plan.json
    """
    invoked = invocation(ctx)
    settings = invoked.settings
    # Where there is nothing to hear, nothing to be done then, or nobody who can be told, nothing is renamed.
    guarding = (
        (alerting(invoked), guarded_time(guard), guarded_action(invoked), ctx.with_resource(listen(invoked)))
        if guard
        else None
    )
    answered = parse_all(override or [])
    loaded = load_plan(plan_file)
    with invoked.connect() as db:
        findings = workflow.check(db, settings, loaded, datetime.now(UTC), overrides=answered)
        if not as_json:
            show.print_findings(findings, plan_file)
            if guarding:
                print_blind(guarding[-1].blind)
        workflow.refuse_blocked(loaded, findings)
        approved = approvals.require(db, loaded, settings, answered, datetime.now(UTC))
        _confirm(loaded, settings, yes=yes, confirm=confirm, database=database, approved=approved)
        done = workflow.carry_out(
            db,
            settings,
            loaded,
            datetime.now(UTC),
            on_step=(lambda _: None)
            if as_json
            else (lambda line: print_hanging("  [green]✓[/]", escape(line))),
            overrides=answered,
            with_sensors=arm,
            # From here on, so that not one statement after the rename is missed.
            before_rename=guarding[-1].begin if guarding else lambda: None,
        )
    if not as_json:
        _print_done(loaded, done)
    report = None
    if guarding:
        alerts, length, action, ears = guarding
        report = watch(invoked, ears, alerts, loaded.id, length, action, as_json=as_json)
    if as_json:
        print_json(
            {
                "migration": loaded.id,
                "elements": loaded.elements,
                "backup": done.backup_folder,
                "armed": done.armed,
                "approved_by": [one.approved_by for one in approved],
                "guard": report,
            }
        )
    elif report:
        print_report(report)
    if report:
        end_as_seen(report)


def _print_done(loaded: Plan, done: workflow.Applied) -> None:
    batches = len(loaded.batches())
    within = "one transaction" if batches == 1 else f"{batches:,} transactions"
    console.print(
        f"  [green]✓[/] renamed {many(len(loaded.steps), 'element')} in {within}: [bold]{loaded.id}[/]"
    )
    print_armed(done.armed)
    print_costs(done.armed)
    console.print(f"Back again with `pgattic rollback {loaded.id}`, or one with `--element`", soft_wrap=True)


def _confirm(
    plan: Plan,
    settings: Settings,
    *,
    yes: bool,
    confirm: str | None,
    database: str | None,
    approved: tuple[Approval, ...],
) -> None:
    if not approvals.is_production(plan, settings):
        if not yes:
            ask(f"Rename {many(len(plan.steps), 'element')} of {plan.database}?")
        return
    if approved and sys.stdin.isatty():
        console.print(f"Approved by {escape(', '.join(one.approved_by for one in approved))}", soft_wrap=True)
    given = _given(confirm, f"Production. Type the first {_DIGITS} digits of the plan's hash ({plan.id})")
    if given is None or len(given) < _DIGITS or not plan.hash.startswith(given):
        raise RefusedError(
            f"production needs --confirm with the first {_DIGITS} digits of the plan's hash;"
            " nothing was changed",
            where=plan.id,
            todo="`pgattic plan` prints the hash; review the plan before you repeat it",
        )
    named = _given(database, "Type the name of the database that will be changed")
    if named != plan.database:
        raise RefusedError(
            "production needs --database with the name of the database; nothing was changed",
            where=plan.id,
            todo="Make sure that it is the database you mean",
        )


def _given(value: str | None, question: str) -> str | None:
    """What a flag said, or a person types, or None where there is neither."""
    if value is not None or not sys.stdin.isatty():
        return value
    return str(typer.prompt(question, err=True)).strip()

"""The command `apply`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.settings import Settings
from catalog.terminal import JsonOption, console, invocation, many, print_json
from migrations import show, workflow
from migrations.commands.asking import YesOption, ask
from migrations.errors import RefusedError
from migrations.plan import Plan, load_plan


def apply(
    ctx: typer.Context,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A file that `plan` wrote.")],
    yes: YesOption = False,
    confirm: Annotated[
        str | None, typer.Option(help="In production: the first 8 digits of the plan's hash.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check again, back up, prove the backup by restoring it, then rename: all elements or none.

    Example: pgattic apply plan.json
    """
    settings = invocation(ctx).settings
    loaded = load_plan(plan_file)
    with invocation(ctx).connect() as db:
        findings = workflow.check(db, settings, loaded, datetime.now(UTC))
        if not as_json:
            show.print_findings(findings)
        workflow.refuse_blocked(loaded, findings)
        _confirm_apply(loaded, settings, yes=yes, confirm=confirm)
        done = workflow.carry_out(
            db,
            settings,
            loaded,
            datetime.now(UTC),
            on_step=(lambda _: None)
            if as_json
            else (lambda line: console.print(f"  [green]✓[/] {escape(line)}")),
        )
    if as_json:
        print_json({"migration": loaded.id, "elements": loaded.elements, "backup": done.backup_folder})
        return
    console.print(
        f"  [green]✓[/] renamed {many(len(loaded.steps), 'element')} in one transaction: [bold]{loaded.id}[/]"
    )
    console.print(f"Back again with `pgattic rollback {loaded.id}`, or one with `--element`")


def _confirm_apply(plan: Plan, settings: Settings, *, yes: bool, confirm: str | None) -> None:
    if settings.database.environment == "production":
        given = confirm
        if given is None and sys.stdin.isatty():
            given = typer.prompt(f"Production. Type the first 8 digits of the plan's hash ({plan.id})")
        if given is None or len(given) < 8 or not plan.hash.startswith(given):
            raise RefusedError(
                "production needs --confirm with the first 8 digits of the plan's hash; nothing was changed",
                where=plan.id,
                todo="`pgattic plan` prints the hash; review the plan before you repeat it",
            )
    elif not yes:
        ask(f"Rename {many(len(plan.steps), 'element')} of {plan.database}?")

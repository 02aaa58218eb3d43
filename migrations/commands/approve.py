"""The command `approve`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.reading import read_snapshot
from catalog.terminal import JsonOption, console, invocation, many, print_hanging, print_json, when
from migrations import approvals, audit, show
from migrations.checks import blocking
from migrations.plan import check_drift, load_plan


def approve(
    ctx: typer.Context,
    plan_file: Annotated[Path, typer.Argument(metavar="PLAN", help="A file that `plan` wrote.")],
    note: Annotated[str | None, typer.Option(help="A word to go with it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a plan as the connected role, so that another role may apply it in production.

    Example: pgattic approve plan.json --note "agreed in the Monday meeting"
    """
    settings = invocation(ctx).settings
    plan = load_plan(plan_file)
    with invocation(ctx).connect() as db:
        check_drift(plan, read_snapshot(db))
        given = approvals.approve(db, plan, note)
        audit.seal_now(db, settings)
        known = approvals.of_plan(db, plan.hash)
    standing = approvals.judge(
        known, plan_hash=plan.hash, applier="", policy=settings.policy, now=datetime.now(UTC)
    )
    blocks = sorted({finding.check for finding in blocking(plan.findings)})
    if as_json:
        roles = [one.approved_by for one in standing.counted]
        print_json({"approval": given, "roles": roles, "blocked_by": blocks})
        return
    show.print_findings(plan.findings, plan_file)
    wanted = f", {settings.policy.approvals_wanted} wanted" if settings.policy.approvals_wanted else ""
    console.print(
        f"Role [bold]{escape(given.approved_by)}[/] approved {plan.id}"
        f" ({many(len(plan.steps), 'element')}, hash {plan.hash[:8]}) at {when(given.approved_at)} UTC",
        soft_wrap=True,
    )
    console.print(
        f"{many(len(standing.counted), 'role')} approved it so far{wanted}; who applies does not count"
    )
    if blocks:
        print_hanging(
            "[yellow]![/]",
            f"When the plan was made, it was blocked by {escape(', '.join(blocks))}: `apply` looks again, and"
            " refuses it where that is still so, however many approved it",
        )

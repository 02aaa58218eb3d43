"""The command `plan`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from analytics.grounds import Grounds
from analytics.scan import Candidate, survey
from analytics.store import Evidence
from catalog.counters import CounterSample, read_counters
from catalog.errors import os_error_as
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.settings import Settings
from catalog.snapshot import Snapshot
from catalog.terminal import JsonOption, invocation, print_json
from migrations import overrides, show, workflow
from migrations.batches import Batch
from migrations.errors import PlanError
from migrations.inputs.choose import choose
from migrations.plan import as_script, plan_as_json, save_plan


def plan(
    ctx: typer.Context,
    elements: Annotated[
        list[str] | None,
        typer.Argument(help="Elements as kind:schema.name, or patterns such as 'table:public.*_old'."),
    ] = None,
    from_scan: Annotated[
        bool, typer.Option("--from-scan", help="Take every candidate that `scan` finds.")
    ] = False,
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list", help="A YAML or JSON list of elements, or what `scan --json` printed; - reads it."
        ),
    ] = None,
    reports: Annotated[
        list[Path] | None, typer.Option("--report", help="Another program's report of unused elements.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out what a scan or report is less sure of.")
    ] = 0.0,
    reason: Annotated[Reason, typer.Option(help="Why; becomes part of the name.")] = Reason.UNUSED,
    override: Annotated[
        list[str] | None, typer.Option(metavar="CHECK=REASON", help="Answer for a check that blocks.")
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="Keep former names working through views, and watch who uses them.")
    ] = False,
    with_dependents: Annotated[
        bool,
        typer.Option(
            "--with-dependents", help="Take along the indexes, constraints and sequences of tables."
        ),
    ] = False,
    batch: Annotated[
        Batch, typer.Option(help="One transaction for all, or one for each table with its parts.")
    ] = Batch.ONE,
    out: Annotated[Path, typer.Option(help="The plan file to write.")] = Path("plan.json"),
    as_sql: Annotated[bool, typer.Option("--sql", help="Print both directions as SQL instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Plan the deprecation of elements: names, SQL in both directions, safety findings. Changes nothing.

    Example: pgattic plan table:public.users_old column:public.orders.legacy_status --out plan.json
    """
    settings = invocation(ctx).settings
    now = datetime.now(UTC)
    answered = overrides.parse_all(override or [])
    with invocation(ctx).connect() as db:
        snapshot, counters = read_snapshot(db), read_counters(db)
        wishes = choose(
            snapshot,
            counters,
            texts=elements or [],
            lists=lists or [],
            reports=reports or [],
            candidates=_candidates(snapshot, counters, settings, now) if from_scan else [],
            min_confidence=min_confidence,
        )
        made = workflow.prepare(
            db,
            settings,
            wishes,
            reason,
            now,
            overrides=answered,
            soft=soft,
            with_dependents=with_dependents,
            batch=batch,
        )
    with os_error_as(PlanError, "cannot be written", where=out):
        save_plan(made, out)
    if as_sql:
        typer.echo(as_script(made, "up"))
        typer.echo(as_script(made, "down"))
    elif as_json:
        print_json(plan_as_json(made))
    else:
        show.print_plan(made, out)


def _candidates(
    snapshot: Snapshot, counters: CounterSample, settings: Settings, now: datetime
) -> tuple[Candidate, ...]:
    with Evidence.open(settings.data.directory) as evidence:
        grounds = Grounds(snapshot, counters, evidence, settings.policy, now, settings.node_names)
        return survey(grounds).candidates

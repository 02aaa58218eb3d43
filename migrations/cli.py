"""The commands that change a database, and those that show what was changed."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from analytics.scan import scan
from analytics.store import Evidence
from catalog.counters import read_counters
from catalog.database import Database
from catalog.elements import Element
from catalog.names import Reason
from catalog.settings import Settings
from catalog.snapshot import read_attic, read_snapshot
from catalog.terminal import JsonOption, console, invocation, many, print_json, print_table, size, when
from migrations import registry, rollback, setup, show, workflow
from migrations.errors import PlanError, RefusedError
from migrations.plan import Plan, as_script, load_plan, save_plan

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("plan")(plan)
    app.command("apply")(apply)
    app.command("rollback")(roll_back)
    app.command("status")(status)


def init(
    ctx: typer.Context,
    dsn: Annotated[str | None, typer.Option(help="libpq connection string, without a password.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Folder of the server's csvlog files.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for the evidence tables and backups.")] = None,
    environment: Annotated[str, typer.Option(help="development, staging or production.")] = "production",
    as_json: JsonOption = False,
) -> None:
    """Write pgattic.toml if there is none, and install the registry in the database.

    Safe to repeat: an existing file is kept, an existing registry is brought up to date.

    Example: pgattic init --dsn "service=shop" --logs /var/log/postgresql
    """
    invoked = invocation(ctx)
    path = invoked.config or Path("pgattic.toml")
    written = setup.write_configuration(path, dsn=dsn, logs=logs, data=data, environment=environment)
    invoked.config = path
    with invoked.connect() as db:
        version = registry.install(db)
        where = db.where
    if as_json:
        print_json({"configuration": path, "written": written, "registry_version": version})
        return
    console.print(f"{'Wrote' if written else 'Kept'} {path}")
    console.print(f"Registry (schema pgattic, version {version}) is installed in {where}")
    console.print(
        "Next: `pgattic doctor` tells what can be seen on this server, `pgattic scan` looks for candidates"
    )


def plan(
    ctx: typer.Context,
    elements: Annotated[list[str] | None, typer.Argument(help="Elements, as kind:schema.name.")] = None,
    from_scan: Annotated[
        bool, typer.Option("--from-scan", help="Take every candidate that `scan` finds.")
    ] = False,
    reason: Annotated[Reason, typer.Option(help="Why; becomes part of the name.")] = Reason.UNUSED,
    out: Annotated[Path, typer.Option(help="The plan file to write.")] = Path("plan.json"),
    as_sql: Annotated[bool, typer.Option("--sql", help="Print both directions as SQL instead.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Plan the deprecation of elements: names, SQL in both directions, safety findings. Changes nothing.

    Example: pgattic plan table:public.users_old column:public.orders.legacy_status --out plan.json
    """
    settings = invocation(ctx).settings
    now = datetime.now(UTC)
    wanted = [Element.parse(text) for text in elements or []]
    with invocation(ctx).connect() as db:
        if from_scan:
            wanted += _candidates(db, settings, now)
        made = workflow.prepare(db, settings, wanted, reason, now)
    try:
        save_plan(made, out)
    except OSError as error:
        raise PlanError(
            f"cannot be written: {(error.strerror or 'error').lower()}", where=str(out)
        ) from error
    if as_sql:
        typer.echo(as_script(made, "up"))
        typer.echo(as_script(made, "down"))
    elif as_json:
        print_json(made)
    else:
        show.print_plan(made, out)


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


def roll_back(
    ctx: typer.Context,
    migration_id: Annotated[
        str | None, typer.Argument(metavar="MIGRATION", help="As `status` shows it.")
    ] = None,
    element: Annotated[
        str | None, typer.Option(help="Bring back only this element (its former name).")
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give elements back their former names: a whole migration, or one element of it.

    Example: pgattic rollback --element table:public.users_old
    """
    if (migration_id is None) == (element is None):
        raise PlanError(
            "name either a migration or --element", where="rollback", todo="`pgattic status` lists both"
        )
    wanted = Element.parse(element) if element else None
    with invocation(ctx).connect() as db:
        if not yes:
            items = rollback.waiting(db, migration_id=migration_id, element=wanted)
            for item in items:
                console.print(f"  {item.deprecated_name} → {escape(str(item.element))}")
            _ask(f"Bring back {many(len(items), 'element')}?")
        started = datetime.now(UTC)
        done = rollback.rollback(
            db,
            migration_id=migration_id,
            element=wanted,
            on_retry=lambda line: console.print(f"  {escape(line)}", style="yellow"),
        )
        seconds = (datetime.now(UTC) - started).total_seconds()
    if as_json:
        print_json({"restored": [one.item.element for one in done], "seconds": seconds})
        return
    for one in done:
        console.print(f"  [green]✓[/] {escape(str(one.item.element))} has its name back")
    console.print(f"{many(len(done), 'element')} restored in {seconds:.2f} s")


def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show every migration, what is in the attic, and the backups.

    Example: pgattic status
    """
    with invocation(ctx).connect() as db:
        migrations = registry.migrations_of(db)
        backups = registry.backups_of(db)
        attic = [entry for entry in read_attic(db) if entry.is_in_attic]
    if as_json:
        print_json({"migrations": migrations, "in_attic": attic, "backups": backups})
        return
    if not migrations:
        console.print("No migration yet. `pgattic scan` looks for candidates, `pgattic plan` makes a plan")
        return
    print_table(
        "Migrations",
        ("migration", "state", "reason", "by", "applied (UTC)", "elements", "in the attic"),
        [
            (m.id, m.state, m.reason, m.applied_by, when(m.applied_at), m.elements, m.in_attic)
            for m in migrations
        ],
    )
    show.print_attic(attic)
    print_table(
        "Backups",
        ("migration", "made (UTC)", "proved by restore", "rows", "size"),
        [
            (
                b.migration_id,
                when(b.made_at),
                when(b.proved_at),
                sum(t["rows"] for t in b.tables),
                size(b.total_bytes),
            )
            for b in backups
        ],
    )


def _candidates(db: Database, settings: Settings, now: datetime) -> list[Element]:
    with Evidence.open(settings.data.directory) as evidence:
        found = scan(read_snapshot(db), read_counters(db), evidence, settings.policy, now)
    return [candidate.element for candidate in found]


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
        _ask(f"Rename {many(len(plan.steps), 'element')} of {plan.database}?")


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise RefusedError("nobody there to confirm; nothing was changed", todo="Repeat with --yes")
    if not typer.confirm(question):
        raise RefusedError("not confirmed; nothing was changed")

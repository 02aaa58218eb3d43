"""The command `prove`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape

from catalog.errors import FINDING
from catalog.terminal import JsonOption, console, invocation, many, print_hanging, print_json, when
from migrations import audit
from migrations.durations import duration_of
from migrations.proving import Proof, back_up_again, due, prove_again


def prove(
    ctx: typer.Context,
    migrations: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MIGRATION]...", help="As `status` shows them; default: all in the attic."),
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Only what was proved as long ago, or longer: 300d, 12h.")
    ] = None,
    new_backup: Annotated[
        bool,
        typer.Option(
            "--new-backup", help="Back up what is in the attic anew, and prove that; needs MIGRATION."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove backups once more: restore them into a throw-away server and compare every row.

    A proof ages (`policy.backup_max_age_days`), and files get lost. Exit code 1 where one does not restore.

    Example: pgattic prove --older-than 300d
    """
    invoked = invocation(ctx)
    age = _age(older_than)
    if new_backup and not migrations:
        raise typer.BadParameter("name the migrations to back up anew", param_hint="--new-backup")
    step = back_up_again if new_backup else prove_again
    found: list[Proof] = []
    with invoked.connect() as db:
        wanted = due(db, migrations or (), age, _now())
        with audit.sealing(db, invoked.settings):
            for migration_id, entries in wanted.items():
                done = step(db, invoked.settings, migration_id, entries, _now)
                found.append(done)
                if not as_json:
                    _print(done)
    if as_json:
        print_json(found)
    elif not found:
        console.print(f"Every backup was proved less than {older_than} ago")
    if not all(one.is_proved for one in found):
        raise typer.Exit(FINDING)


def _now() -> datetime:
    return datetime.now(UTC)


def _age(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        found = duration_of(text)
    except OverflowError:
        found = None
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time: write 300d or 12h", param_hint="--older-than")
    return found


def _print(done: Proof) -> None:
    name, before = escape(done.migration_id), when(done.proved_before)
    if done.is_proved:
        what = f"{many(done.rows, 'row')} of {many(done.tables, 'table')} came back the same"
        console.print(f"[green]✓[/] [bold]{name}[/]: {what}, and the schema [dim](before: {before})[/]")
    else:
        console.print(f"[red]✗[/] [bold]{name}[/]: counts as not proved [dim](before: {before})[/]")
    for note in done.notes:
        print_hanging(" ", f"[dim]{escape(note)}[/]")
    for failure in done.failures:
        console.print(f"  [yellow]![/] {escape(failure)}", soft_wrap=True)
    if not done.is_proved:
        console.print(
            "  Bring the files back to there and prove it again, or back up its elements as they are now:"
            f" `pgattic prove {name} --new-backup`",
            soft_wrap=True,
        )

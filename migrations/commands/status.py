"""The command `status`."""

import typer
from rich.markup import escape

from catalog.attic import read_attic
from catalog.terminal import JsonOption, console, invocation, print_json, print_table, size, when
from migrations import checkpoints, registry, show
from migrations.commands.checkpoint import print_checkpoints


def status(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show every migration, what is in the attic (hard or soft), checkpoints and backups.

    Example: pgattic status
    """
    with invocation(ctx).connect() as db:
        migrations = registry.migrations_of(db)
        backups = registry.backups_of(db)
        known = checkpoints.all(db)
        attic = [entry for entry in read_attic(db) if entry.is_in_attic]
    if as_json:
        print_json({"migrations": migrations, "in_attic": attic, "checkpoints": known, "backups": backups})
        return
    if not migrations:
        console.print("No migration yet. `pgattic scan` looks for candidates, `pgattic plan` makes a plan")
        return
    print_table(
        "Migrations",
        ("migration", "state", "reason", "by", "applied (UTC)", "in attic"),
        [(m.id, m.state, m.reason, escape(m.applied_by), when(m.applied_at), _part(m)) for m in migrations],
    )
    show.print_attic(attic)
    if known:
        print_checkpoints(known)
        console.print()
    print_table(
        "Backups",
        ("migration", "made (UTC)", "proved by restore", "rows", "size"),
        [
            (
                b.migration_id,
                when(b.made_at),
                when(b.proved_at),
                f"{sum(t['rows'] for t in b.tables):,}",
                size(b.total_bytes),
            )
            for b in backups
        ],
    )


def _part(migration: registry.MigrationRow) -> str:
    return f"{migration.in_attic:,} of {migration.elements:,}"

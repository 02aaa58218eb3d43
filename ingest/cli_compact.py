"""The command `compact`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from catalog.terminal import JsonOption, console, invocation, print_json, print_table, size, when
from ingest.job import now
from ingest.lock import exclusive
from ingest.store import Store
from ingest.upkeep import tidy


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def compact(
        ctx: typer.Context,
        keep_days: Annotated[
            int | None, typer.Option(min=1, help="Remove evidence older than that; default data.keep_days.")
        ] = None,
        data: Annotated[Path | None, typer.Option(help="Where the evidence tables are.")] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Join small files of the evidence tables, and remove what is older than is to be kept.

        Example: pgattic compact
        """
        settings = invocation(ctx).settings.data
        directory = data or settings.directory
        with exclusive(directory):
            done = tidy(Store(directory), keep_days or settings.keep_days, now())
        if as_json:
            print_json(asdict(done))
            return
        print_table(
            "Evidence tables",
            ("table", "rows removed", "rows joined", "files", "size"),
            (
                (
                    each.table,
                    each.rows_removed,
                    each.rows_joined,
                    f"{each.files_before} → {each.files}",
                    f"{size(each.bytes_before)} → {size(each.bytes)}",
                )
                for each in done.tables
            ),
        )
        if done.kept_since:
            console.print(f"Nothing is claimed any more of the time before {when(done.kept_since)} UTC.")

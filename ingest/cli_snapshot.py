"""The command `snapshot`."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import SnapshotError, os_error_as
from catalog.files import write_atomically
from catalog.reading import read_snapshot, to_json
from catalog.snapshot import Snapshot
from catalog.terminal import JsonOption, console, invocation, many, print_json


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def snapshot(
        ctx: typer.Context,
        file: Annotated[Path, typer.Argument(help="The file to write.")],
        as_json: JsonOption = False,
    ) -> None:
        """Write the catalog of the database to a file, for an ingest that cannot reach the database.

        Example: pgattic snapshot shop.json
        """
        with invocation(ctx).connect() as db:
            found = read_snapshot(db)
        with os_error_as(SnapshotError, "cannot be written", where=file):
            write_atomically(file, to_json(found))
        if as_json:
            print_json({"file": file, **_counts(found)})
        else:
            counts = _counts(found)
            console.print(
                f"{file}: database {found.database}, {many(counts['relations'], 'relation')},"
                f" {counts['in_attic']} in the attic",
                soft_wrap=True,
            )


def _counts(found: Snapshot) -> dict[str, int]:
    return {
        "relations": len(found.relations),
        "indexes": len(found.indexes),
        "functions": len(found.functions),
        "in_attic": sum(entry.is_in_attic for entry in found.attic),
    }

"""The command `init`."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.settings import Environment
from catalog.terminal import JsonOption, console, invocation, print_json
from migrations import audit, registry, setup


def init(
    ctx: typer.Context,
    dsn: Annotated[str | None, typer.Option(help="libpq connection string, without a password.")] = None,
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the server's log files: csvlog, jsonlog or stderr.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for the evidence tables and backups.")] = None,
    environment: Annotated[
        Environment, typer.Option(help="Production asks for a confirmation before it renames.")
    ] = "production",
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
        with audit.sealing(db, invoked.settings):
            audit.note_configuration(db, invoked.settings)
        where = db.where
    if as_json:
        print_json({"configuration": path, "written": written, "registry_version": version})
        return
    console.print(f"{'Wrote' if written else 'Kept'} {path}")
    console.print(f"Registry (schema pgattic, version {version}) is installed in {where}")
    console.print(
        "Next: `pgattic doctor` tells what can be seen on this server, `pgattic scan` looks for candidates"
    )

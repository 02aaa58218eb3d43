"""The command `collect`."""

from typing import Annotated

import typer
from rich.markup import escape

from catalog.errors import FINDING, SettingsError
from catalog.terminal import JsonOption, console, error_console, invocation, many, print_json
from ingest.collect import NodeResult, collect, configured_nodes
from ingest.job import Job, now
from ingest.store import Store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collect")(collect_command)


def collect_command(
    ctx: typer.Context,
    *,
    new_server: Annotated[
        list[str] | None,
        typer.Option("--new-server", help="A node that was replaced on purpose: its counters begin anew."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sample the activity counters and settings of every configured server.

    Run it from cron, every ten minutes. Exits with 1 if a server did not answer, or is another one.

    Example: pgattic collect
    """
    call = invocation(ctx)
    nodes = configured_nodes(call.settings, call.connect)
    unknown = set(new_server or ()) - {node.name for node in nodes}
    if unknown:
        raise SettingsError(
            f"no node is called {min(unknown)!r}",
            where="--new-server",
            todo=f"Configured are {', '.join(node.name for node in nodes)}",
        )
    found = collect(
        nodes,
        Store(call.settings.data.directory),
        now,
        log_format=Job(call, call.settings).log_format(),
        new_servers=new_server or (),
    )
    if as_json:
        print_json(found)
    else:
        for node in found.nodes:
            _print(node)
    if found.failed:
        raise typer.Exit(FINDING)


def _print(node: NodeResult) -> None:
    name = escape(node.node)
    if node.failure:
        error_console.print(f"[red]✗[/] [bold]{name}[/]: {escape(node.failure)}", soft_wrap=True)
        return
    told = f"counters of {many(node.objects, 'object')}, {many(node.statements, 'statement')} on the attic"
    console.print(f"[green]✓[/] [bold]{name}[/]: {told}", soft_wrap=True)
    for note in node.notes:
        console.print(f"  [yellow]?[/] {escape(note)}", soft_wrap=True)

"""The command `dashboard`."""

from pathlib import Path
from typing import Annotated

import typer

from catalog.settings import CONFIG_NAME
from catalog.terminal import console, error_console, invocation
from dashboard.server import LOCALHOST, DashboardServer

Port = Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")]
Address = Annotated[str, typer.Option(help="The address to listen on; other machines cannot reach this one.")]
Headless = Annotated[bool, typer.Option("--headless", help="Do not open a browser.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dashboard)


def dashboard(
    ctx: typer.Context, port: Port = 8501, address: Address = "127.0.0.1", headless: Headless = False
) -> None:
    """Open the dashboard: the attic, its verdicts and who still uses what. Ctrl-C ends it.

    Example: pgattic dashboard --port 8502
    """
    call = invocation(ctx)
    _ = call.settings  # a wrong configuration is told here, and not to the browser
    config = call.config or Path(CONFIG_NAME)
    if address not in LOCALHOST:
        error_console.print(
            f"Note: whoever reaches {address}:{port} can read the dashboard; it asks for no password.",
            style="yellow",
        )
    server = DashboardServer(
        config if config.is_file() else None, address=address, port=port, headless=headless
    )
    code = server.run(lambda url: console.print(f"Dashboard: {url}  (Ctrl-C ends it)"))
    if code:
        raise typer.Exit(code)

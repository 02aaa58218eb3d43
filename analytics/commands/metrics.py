"""The command `metrics`."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from analytics.figures import Figures, take
from analytics.metrics import as_text, serving
from catalog.terminal import Invocation, JsonOption, error_console, invocation, print_json


def metrics(
    ctx: typer.Context,
    listen: Annotated[str, typer.Option(help="Where to serve /metrics.")] = "127.0.0.1:9187",
    once: Annotated[
        bool, typer.Option("--once", help="Print the text and end, for node_exporter's textfile collector.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0, help="Read the evidence at most every so many seconds.")
    ] = 15,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="End after that many seconds.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve figures for Prometheus: uses, verdicts, coverage, lag, alerts, deliveries, breaker.

    Example: pgattic metrics --listen 127.0.0.1:9187
    """
    figures = figures_of(invocation(ctx))
    if as_json:
        print_json(figures())
    elif once:
        typer.echo(as_text(figures()), nl=False)
    else:
        with serving(listen, figures, every) as address:
            error_console.print(f"Serving http://{address}/metrics (Ctrl-C ends it)", soft_wrap=True)
            _wait(seconds)


def figures_of(call: Invocation) -> Callable[[], Figures]:
    """What takes the figures of a configuration, whenever it is called."""
    settings = call.settings
    return lambda: take(settings, call.connect, datetime.now(UTC))


def _wait(seconds: float | None) -> None:
    """Until SIGTERM, Ctrl-C, or the time is over."""
    ended = Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        ended.wait(seconds)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""The command `ingest`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import Annotated, Any

import typer

from catalog.terminal import Invocation, JsonOption, console, error_console, invocation, many, print_json
from ingest.knowledge import DatabaseKnowledge
from ingest.lock import exclusive
from ingest.pipeline import Alerting, Pipeline, follow, ingest_once
from ingest.store import Store
from ingest.tail import LogFolder
from ingest.watch import Watcher, ending_on_signals

Describe = Callable[[Mapping[str, Any]], str]


def register(app: typer.Typer, *, alerting: Alerting, describe: Describe) -> None:
    """Add the command; what is alarming, and how it is told, is decided elsewhere."""

    @app.command()
    def ingest(
        ctx: typer.Context,
        once: Annotated[
            bool, typer.Option("--once", help="Read what is there, then end (the default).")
        ] = False,
        follow: Annotated[
            bool, typer.Option("--follow", help="Go on reading; print alerts as they come.")
        ] = False,
        seconds: Annotated[
            float | None, typer.Option("--for", min=0, help="With --follow: end after that many seconds.")
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Read the server's logs into the evidence tables, each record once.

        Example: pgattic ingest --once
        """
        if once and follow:
            raise typer.BadParameter("--once and --follow exclude each other")
        if seconds is not None and not follow:
            raise typer.BadParameter("--for goes with --follow")
        if follow:
            _follow(invocation(ctx), alerting, describe, seconds)
        else:
            _once(invocation(ctx), alerting, as_json=as_json)


def _pipeline(call: Invocation, alerting: Alerting, knowledge: DatabaseKnowledge) -> Pipeline:
    settings = call.settings
    folder = LogFolder(settings.logs.directory, settings.logs.pattern, settings.logs.node)
    folder.check()
    return Pipeline(
        folder=folder,
        store=Store(settings.data.directory),
        node=settings.logs.node,
        knowledge=knowledge,
        alerting=alerting,
        clock=_now,
    )


def _once(call: Invocation, alerting: Alerting, *, as_json: bool) -> None:
    knowledge = DatabaseKnowledge(call.connect, _now)
    pipeline = _pipeline(call, alerting, knowledge)
    try:
        with exclusive(call.settings.data.directory):
            summary = ingest_once(pipeline)
    finally:
        knowledge.close()
    if as_json:
        print_json(asdict(summary))
        return
    console.print(
        f"{many(summary.records, 'record')} of {many(summary.files, 'file')}:"
        f" {summary.accesses} accesses of the attic, {many(summary.alerts, 'alert')},"
        f" {many(summary.rejects, 'reject')}, {summary.seconds:.1f} s"
    )


def _follow(call: Invocation, alerting: Alerting, describe: Describe, seconds: float | None) -> None:
    until = None if seconds is None else monotonic() + seconds
    knowledge = DatabaseKnowledge(call.connect, _now)
    pipeline = _pipeline(call, alerting, knowledge)
    watcher = Watcher(pipeline.folder.directory, call.settings.logs.poll_seconds)
    try:
        with exclusive(call.settings.data.directory), watcher, ending_on_signals(watcher):
            error_console.print(f"Following {pipeline.folder.directory} (Ctrl-C ends it)", soft_wrap=True)
            for result in follow(pipeline, lambda: watcher.wait_for_change(until)):
                for alert in result.alerts.to_pylist():
                    typer.echo(describe(alert))
    finally:
        knowledge.close()


def _now() -> datetime:
    return datetime.now(UTC)

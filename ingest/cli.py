"""The command `ingest`, and those around it: `compact` and `snapshot`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from catalog.errors import FINDING, DatabaseError, SettingsError
from catalog.settings import Settings, load_settings
from catalog.terminal import (
    JsonOption,
    console,
    error_console,
    invocation,
    many,
    print_json,
    size,
    when,
)
from ingest import cli_collect, cli_compact, cli_snapshot
from ingest.errors import LogsUnavailableError
from ingest.job import Job, now
from ingest.lag import Lag, measure
from ingest.lock import exclusive
from ingest.logs.tail import STANDARD_INPUT
from ingest.pipeline import Alerting
from ingest.readers import readers
from ingest.running import IngestSummary, follow, ingest_once, together
from ingest.store import Store
from ingest.watch import Watcher, ending_on_signals

Describe = Callable[[Mapping[str, Any]], str]
AlertingOf = Callable[[Job], AbstractContextManager[Alerting]]


def register(app: typer.Typer, *, alerting: AlertingOf, describe: Describe) -> None:
    """Add the commands; what is alarming, and how it is told, is decided elsewhere."""
    cli_compact.register(app)
    cli_snapshot.register(app)
    cli_collect.register(app)

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
        status: Annotated[
            bool, typer.Option("--status", help="Read nothing; say how far ingest has come.")
        ] = False,
        max_lag: Annotated[
            float | None, typer.Option(min=0, help="With --status: exit code 1 beyond so many seconds.")
        ] = None,
        logs: Annotated[
            str | None, typer.Option(help="Folder, file, pattern of paths, or - for standard input.")
        ] = None,
        data: Annotated[Path | None, typer.Option(help="Where the evidence tables are.")] = None,
        catalog: Annotated[
            Path | None, typer.Option(help="Use a file that `pgattic snapshot` made, not the database.")
        ] = None,
        node: Annotated[
            str | None, typer.Option(help="The logs of this server alone: a nodes.name, or logs.node.")
        ] = None,
        workers: Annotated[int, typer.Option(min=1, help="Files that are read side by side.")] = 1,
        as_json: JsonOption = False,
    ) -> None:
        """Read the server's logs into the evidence tables, each record once.

        Example: pgattic ingest --once
        """
        if sum((once, follow, status)) > 1:
            raise typer.BadParameter("--once, --follow and --status exclude each other")
        if seconds is not None and not follow:
            raise typer.BadParameter("--for goes with --follow")
        if max_lag is not None and not status:
            raise typer.BadParameter("--max-lag goes with --status")
        if follow and logs == STANDARD_INPUT:
            raise typer.BadParameter("standard input is read with --once, which goes on until it ends")
        call = invocation(ctx)
        job = Job(call, call.settings, logs, data, catalog, workers, node)
        if status:
            _status(job, max_lag, as_json=as_json)
        elif follow:
            _follow(job, alerting, describe, None if seconds is None else monotonic() + seconds)
        else:
            _once(job, alerting, as_json=as_json)


def _once(job: Job, alerting: AlertingOf, *, as_json: bool) -> None:
    found: dict[str, IngestSummary] = {}
    with ExitStack() as beside:
        first, *others = readers(job, beside.enter_context(alerting(job)))
        for reader in (first, *others):
            beside.callback(reader.close)
        pipeline = first.open()
        beside.enter_context(exclusive(job.data_directory))
        found[first.name] = ingest_once(pipeline)
        for reader in others:
            # What is the matter with one server keeps nobody else from being read.
            try:
                found[reader.name] = ingest_once(reader.open())
            except (LogsUnavailableError, DatabaseError) as error:
                _tell(f"{reader.name}: {error}")
    summary = together(found.values())
    if as_json:
        print_json(asdict(summary))
    else:
        for name, one in found.items():
            whose = f"{name}: " if others else ""
            console.print(f"{whose}{_summary(one)}", soft_wrap=True, markup=False)
    if not summary.is_complete or len(found) <= len(others):
        raise typer.Exit(FINDING)


def _summary(summary: IngestSummary) -> str:
    return (
        f"{many(summary.records, 'record')} of {many(summary.files, 'file')}:"
        f" {summary.accesses} accesses of the attic, {many(summary.alerts, 'alert')},"
        f" {many(summary.rejects, 'reject')}, {many(summary.gaps, 'gap')}, {summary.seconds:.1f} s"
    )


def _follow(job: Job, alerting: AlertingOf, describe: Describe, until: float | None) -> None:
    with exclusive(job.data_directory):
        while True:
            next_settings = _follow_settings(replace(job, follows=True), alerting, describe, until)
            if next_settings is None:
                return
            job = replace(job, settings=next_settings)


def _follow_settings(
    job: Job, alerting: AlertingOf, describe: Describe, until: float | None
) -> Settings | None:
    """Follow until it is over (None), or until there are other settings to follow with."""
    found: list[Settings] = []
    with ExitStack() as beside:
        first, *others = readers(job, beside.enter_context(alerting(job)), _tell)
        for reader in (first, *others):
            beside.callback(reader.close)
        pipeline = first.open()
        # Before anybody is told that it follows: what fails from then on is to be alarming within a second.
        pipeline.resume()
        folders = [folder for reader in others if (folder := reader.node.open().directory)]
        watcher = Watcher(pipeline.logs.directory, job.settings.logs.poll_seconds, folders)

        def wait() -> bool:
            goes_on = watcher.wait_for_change(until)
            if goes_on and watcher.is_reload_wanted:
                watcher.is_reload_wanted = False
                found.extend(_reloaded(job))
            return goes_on and not found

        beside.enter_context(job.sampling(_tell))
        with watcher, ending_on_signals(watcher):
            where = ", ".join(map(str, [job.logs or pipeline.logs.directory, *folders]))
            _tell(f"Following {where} (Ctrl-C ends it)")
            for result in follow(
                pipeline,
                wait,
                others=others,
                keep_days=job.settings.data.keep_days,
                is_over=lambda: watcher.is_ended,
                tell=_tell,
            ):
                for alert in result.alerts.to_pylist():
                    typer.echo(describe(alert))
    return found[0] if found else None


def _reloaded(job: Job) -> list[Settings]:
    """The configuration as it is now, if it is another one that can be used; say what changed."""
    try:
        settings = load_settings(job.call.config)
    except SettingsError as error:
        _tell(f"going on with the old configuration: {error}")
        return []
    before, after = job.settings.model_dump(), settings.model_dump()
    changed = [
        name if key is None else f"{name}.{key}"
        for name in before
        for key in (before[name] if isinstance(before[name], dict) else (None,))
        if (before[name] != after[name] if key is None else before[name][key] != after[name][key])
    ]
    if "data.directory" in changed and job.data is None:
        _tell("going on with the old configuration: another data.directory needs a restart")
        return []
    _tell(f"read the configuration anew: {', '.join(changed) or 'nothing changed'}")
    return [settings] if changed else []


def _status(job: Job, max_lag: float | None, *, as_json: bool) -> None:
    store = Store(job.data_directory)
    lags = [measure(node.open(), store, node.name, now()) for node in job.nodes()]
    if as_json:
        first, *others = map(asdict, lags)
        print_json({**first, "others": others})
    else:
        for lag in lags:
            console.print(_lag(lag), soft_wrap=True, markup=False)
    if max_lag is not None and any(lag.lag_seconds is None or lag.lag_seconds > max_lag for lag in lags):
        raise typer.Exit(FINDING)


def _lag(lag: Lag) -> str:
    late = "nothing read yet" if lag.lag_seconds is None else f"{lag.lag_seconds:.0f} s behind"
    process = "no ingest is running" if lag.process is None else f"process {lag.process} is at work"
    return (
        f"{lag.node}: {late} ({size(lag.behind_bytes)}, {many(lag.unread_files, 'file')} never begun),"
        f" read to {when(lag.covered_to)}, last look {when(lag.looked_at)}, {process}"
    )


def _tell(line: str) -> None:
    error_console.print(line, soft_wrap=True, markup=False)

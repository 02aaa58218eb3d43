"""The command `guard`."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Annotated

import typer
from rich.markup import escape

from analytics.alerting.urgent import UrgentAlerts
from analytics.sentences import duration as duration_in_words
from catalog.errors import FINDING
from catalog.terminal import Invocation, JsonOption, console, invocation, many, print_hanging, print_json
from ingest.job import Job
from ingest.watch import Watcher, ending_on_signals
from migrations import registry
from migrations.durations import duration_of
from migrations.errors import RefusedError
from migrations.guard import Action, Guard, Outcome, Report, migration_to_guard
from migrations.guard.ears import LONGEST_POLL_SECONDS, Ears, ReplicaEar
from migrations.guard.log import GuardedLog
from migrations.guard.servers import Blind, ask, ask_replica, look_at, telling_too_little, without_logs

_MARKS = {Outcome.BROUGHT_BACK: "[green]✓[/]", Outcome.FAILED: "[bold red]✗[/]", Outcome.TOLD: "[yellow]![/]"}


def guard(
    ctx: typer.Context,
    migration_id: Annotated[
        str | None, typer.Argument(metavar="MIGRATION", help="As `status` shows it; default: the newest.")
    ] = None,
    duration: Annotated[str, typer.Option("--for", help="How long to watch: 15m, 2h, 1d12h.")] = "15m",
    on_failure: Annotated[
        Action | None, typer.Option(help="What to do at a failing statement; default: guard.action.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Watch the logs of all servers, and bring back what a program still uses under its former name.

    Ctrl-C and SIGTERM end it and leave things as they are. Exit code 1: something failed meanwhile.

    Example: pgattic guard --for 15m
    """
    invoked = invocation(ctx)
    length = guarded_time(duration)
    with invoked.connect() as db:
        registry.require(db)
        wanted = migration_to_guard(db, migration_id)
    action = guarded_action(invoked, on_failure)
    alerts = alerting(invoked)
    with listen(invoked) as ears:
        if not as_json:
            print_blind(ears.blind)
        ears.begin()
        report = watch(invoked, ears, alerts, wanted, length, action, as_json=as_json)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    end_as_seen(report)


def guarded_time(text: str) -> timedelta:
    """How long to watch; raises BadParameter."""
    try:
        found = duration_of(text)
    except OverflowError:
        found = None
    if not found:
        raise typer.BadParameter(f"{text!r} is no time to watch: write 15m, 2h or 1d12h")
    return found


def guarded_action(invoked: Invocation, on_failure: Action | None = None) -> Action:
    """What to do at a failing statement; raises RefusedError where that is to not even look."""
    action = on_failure or Action(invoked.settings.guard.action)
    if action is Action.OFF:
        raise RefusedError(
            "the guard is off", where="guard.action", todo="Set it, or choose with `guard --on-failure`"
        )
    return action


def listen(invoked: Invocation) -> Ears:
    """The logs of all servers; raises LogsUnavailableError where the primary's cannot be read.

    Where another server's cannot, the ears are blind there.
    """
    settings, at = invoked.settings, datetime.now(UTC)
    primary, *others = Job(invoked, settings).nodes()
    with invoked.connect() as db:
        said, standbys, database = ask(db), look_at(db)["standbys"], db.name
    log = GuardedLog(primary.open(), database)
    log.understand(said.settings)
    log.check()
    log.ends()
    replicas = [
        ReplicaEar(
            node.name,
            GuardedLog(node.open(), database),
            partial(ask_replica, node.connect, invoked.connect),
            settings.logs.poll_seconds,
        )
        for node in others
        if node.connect and node.name not in settings.policy.retired_nodes
    ]
    blind = (
        *telling_too_little(primary.name, log.newest_format(), said, at),
        *without_logs(settings, (node.name for node in others), standbys, at),
    )
    return Ears(primary.name, log, replicas, blind)


def alerting(invoked: Invocation) -> UrgentAlerts:
    """Those who are told of other alerts, too; raises SettingsError where they are configured wrongly."""
    return UrgentAlerts(invoked.settings, invoked.connect, lambda: datetime.now(UTC))


def watch(
    invoked: Invocation,
    ears: Ears,
    alerts: UrgentAlerts,
    migration_id: str,
    length: timedelta,
    action: Action,
    *,
    as_json: bool,
) -> Report:
    """Guard a migration and print what happens as it does."""
    watcher = Watcher(ears.log.directory, min(invoked.settings.logs.poll_seconds, LONGEST_POLL_SECONDS))
    ears.wake_by(watcher.wake)
    guarded = Guard(
        invoked.connect,
        invoked.settings,
        ears,
        migration_id,
        action,
        tell=(lambda _: None) if as_json else (lambda line: print_hanging(" ", escape(line))),
        alert=alerts.give,
    )
    until = monotonic() + length.total_seconds()
    # Left last: what it was given is delivered after the guard has ended.
    with alerts, watcher, ending_on_signals(watcher):
        if not as_json:
            console.print(
                f"Guarding {migration_id} for {duration_in_words(length)} ({action.value});"
                " Ctrl-C ends it and changes nothing",
                soft_wrap=True,
            )
        return guarded.run(lambda: watcher.wait_for_change(until))


def end_as_seen(report: Report) -> None:
    """End with exit code 1 where something failed."""
    if report.seen:
        raise typer.Exit(FINDING)


def print_blind(blind: Iterable[Blind]) -> None:
    """Print which servers' logs are not heard, and why."""
    for one in blind:
        print_hanging("  [yellow]blind[/]", escape(str(one)))


def print_report(report: Report) -> None:
    """Print what was seen and what became of it."""
    length = duration_in_words(timedelta(seconds=round((report.ended_at - report.began_at).total_seconds())))
    console.print(f"Guarded {report.migration_id} for {length}: {report.ended}", soft_wrap=True)
    for seen in report.seen:
        after = f" after {seen.seconds:.2f} s" if seen.seconds is not None else ""
        print_hanging(
            f"  {_MARKS[seen.outcome]}",
            f"{escape(str(seen.first.element))}: {seen.outcome.value}{after},"
            f" {many(seen.failures, 'failing statement')}, the first on {escape(seen.first.node)}",
        )
        if seen.why:
            print_hanging("     ", f"[dim]{escape(seen.why)}[/]")
    if not report.seen:
        where = " where the logs were heard" if report.blind else ""
        console.print(f"  [green]✓[/] nothing failed on a former name{where}")
    print_blind(report.blind)
    left = len(report.still_in_attic)
    console.print(
        f"{many(left, 'element')} of it still in the attic" if left else "Nothing of it is in the attic now"
    )

"""The commands `alerts list`, `ack`, `unack`, `check` and `test`."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from getpass import getuser
from typing import Annotated

import typer
from rich.markup import escape

from analytics.alerting.acknowledgements import Acknowledgement, Acknowledgements
from analytics.alerting.check import check_conditions
from analytics.alerting.delivery import Delivery, Waiting, waiting
from analytics.alerting.messages import describe
from analytics.alerting.worker import receivers, take_turn
from analytics.errors import AlertStateError, NotDeliveredError
from analytics.notify import addresses
from analytics.sentences import count
from analytics.store import Evidence
from catalog.alert_settings import Severity
from catalog.elements import Element
from catalog.errors import FINDING, SettingsError
from catalog.span import span
from catalog.terminal import JsonOption, console, invocation, print_json, when

app = typer.Typer(no_args_is_help=True)

_ACKNOWLEDGED_FOR = timedelta(days=7)
_GLOB_SIGNS = frozenset("*?[")
_COLOURS = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}

ElementArgument = Annotated[str, typer.Argument(help="An element, or a pattern as 'table:public.old_*'.")]


@app.callback()
def alerts() -> None:
    """See what alarmed, say what is known, and see that messages arrive.

    Example: pgattic alerts list
    """


@app.command("list")
def list_alerts(
    ctx: typer.Context,
    element: Annotated[str | None, typer.Argument(help="An element or pattern; all by default.")] = None,
    since: Annotated[str | None, typer.Option(help="From when on: a date, or how long ago, as 7d.")] = None,
    at_most: Annotated[int, typer.Option(min=1, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show the newest alerts, what is acknowledged, and what was not delivered yet.

    Example: pgattic alerts list --since 7d
    """
    now = datetime.now(UTC)
    directory = invocation(ctx).settings.data.directory
    start = _moment(since, now, ahead=False) if since else None
    with Evidence.open(directory) as evidence:
        rows = evidence.query("alerts_listed", element=element, since=start, at_most=at_most).to_pylist()
    known = [one for one in Acknowledgements(directory).all() if one.holds(now)]
    undelivered = [one for one in waiting(directory) if one.alerts]
    if as_json:
        print_json({"alerts": rows, "acknowledged": known, "undelivered": undelivered})
        return
    if not rows:
        console.print("No alert was raised.")
    for row in reversed(rows):
        colour = _COLOURS.get(row["severity"], "white")
        console.print(f"[{colour}]{escape(describe(row))}[/] [dim]({escape(row['rule'])})[/]", soft_wrap=True)
    _print_state(known, undelivered)


@app.command()
def ack(
    ctx: typer.Context,
    element: ElementArgument,
    because: Annotated[str, typer.Option(help="Why it need alarm nobody.")],
    source: Annotated[
        str | None, typer.Option(help="Whose uses only: role=…,application=…,client=… (patterns).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="A date, or for how long, as 12h; 7d by default.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say that uses of an element are known: they alarm nobody until then. They still count as use.

    Example: pgattic alerts ack table:public.users_old --source application=nightly* --because "ticket 42"
    """
    now = datetime.now(UTC)
    if not _GLOB_SIGNS & set(element):
        element = str(Element.parse(element))
    if not because.strip():
        raise typer.BadParameter("a reason is wanted", param_hint="--because")
    patterns = _source(source)
    made = Acknowledgement(
        (element,),
        patterns.get("role", ()),
        patterns.get("application", ()),
        patterns.get("client", ()),
        because.strip(),
        getuser(),
        now,
        _moment(until, now, ahead=True) if until else now + _ACKNOWLEDGED_FOR,
    )
    if made.until <= now:
        raise typer.BadParameter("that is over already", param_hint="--until")
    Acknowledgements(invocation(ctx).settings.data.directory).add(made)
    if as_json:
        print_json(made)
    else:
        console.print(f"{escape(element)} alarms nobody until {when(made.until)} UTC", soft_wrap=True)


@app.command()
def unack(ctx: typer.Context, element: ElementArgument, as_json: JsonOption = False) -> None:
    """Take acknowledgements of exactly this element or pattern back. Exit code 1: there are none.

    Example: pgattic alerts unack table:public.users_old
    """
    directory = invocation(ctx).settings.data.directory
    taken_back = Acknowledgements(directory).withdraw(element, datetime.now(UTC))
    if as_json:
        print_json({"withdrawn": taken_back})
    else:
        console.print(f"{count(taken_back, 'acknowledgement')} taken back")
    if not taken_back:
        raise typer.Exit(FINDING)


@app.command()
def check(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Look for what no log tells, then deliver all that waits; for cron. Exit code 1: something waits still.

    Example: pgattic alerts check
    """
    call, now = invocation(ctx), datetime.now(UTC)
    settings = call.settings
    everybody = receivers(settings)
    lock = take_turn(settings.data.directory)
    if lock is None:
        raise AlertStateError(
            "another process delivers and checks already", where=str(settings.data.directory)
        )
    with closing(lock):
        delivery = Delivery(settings.data.directory, everybody, settings.alerts.digest)
        try:
            raised = check_conditions(settings, call.connect, now).to_pylist()
        finally:
            # A database that does not answer keeps no message waiting.
            arrived = delivery.round(now, is_last=True)
    undelivered = [one for one in waiting(settings.data.directory) if one.alerts]
    if as_json:
        print_json({"raised": raised, "undelivered": undelivered})
    else:
        for row in raised:
            console.print(escape(describe(row)), soft_wrap=True)
        console.print(f"{count(len(raised), 'alert')} raised")
        _print_state((), undelivered)
    if not arrived:
        raise typer.Exit(FINDING)


@app.command("test")
def send_test(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Send a test message to every address. Exit code 1: one did not get it.

    Example: pgattic alerts test
    """
    known = addresses(invocation(ctx).settings.alerts)
    if not known:
        raise SettingsError(
            "no address is configured",
            where="alerts.urls_file",
            todo="Set the environment variable PGATTIC_ALERTS__URLS, or alerts.urls_file",
        )
    problems: dict[str, str | None] = {}
    for address in known:
        try:
            address.send("pgattic: a test", "Nothing happened: somebody wants to see this.", Severity.INFO)
            problems[address.label] = None
        except NotDeliveredError as error:
            problems[address.label] = str(error)
    if as_json:
        print_json([{"address": label, "problem": problem} for label, problem in problems.items()])
    else:
        for label, problem in problems.items():
            console.print(f"[red]✗[/] {label}: {problem}" if problem else f"[green]✓[/] {label}")
    if any(problems.values()):
        raise typer.Exit(FINDING)


def _print_state(known: Sequence[Acknowledgement], undelivered: Sequence[Waiting]) -> None:
    for one in known:
        whose = ", ".join(
            f"{name} {' or '.join(globs)}"
            for name, globs in (
                ("role", one.roles),
                ("application", one.applications),
                ("client", one.clients),
            )
            if globs
        )
        console.print(
            f"[dim]acknowledged until {when(one.until)} UTC by {escape(one.made_by)}:"
            f" {escape(', '.join(one.elements))}{escape(f' ({whose})' if whose else '')}:"
            f" {escape(one.because)}[/]",
            soft_wrap=True,
        )
    for two in undelivered:
        progress = two.progress
        why = (
            f" since {when(progress.failing_since)} UTC, {count(progress.attempts, 'attempt')}:"
            f" {progress.problem}"
            if progress.failing_since
            else ""
        )
        console.print(
            f"[red]{count(two.alerts, 'alert')} not delivered to {escape(progress.label)}{escape(why)}[/]",
            soft_wrap=True,
        )


def _source(text: str | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(",") if text else ():
        key, sign, glob = part.strip().partition("=")
        if key not in ("role", "application", "client") or not sign or not glob:
            raise typer.BadParameter(
                f"{part.strip()!r}: write role=…, application=… or client=…", param_hint="--source"
            )
        found[key] = (*found.get(key, ()), glob)
    return found


def _moment(text: str, now: datetime, *, ahead: bool) -> datetime:
    """A date or time (UTC where no zone is told), or how long from now or ago."""
    try:
        length = span(text)
    except ValueError:
        pass
    else:
        return now + length if ahead else now - length
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write 2026-12-31, 2026-12-31T18:00 or 7d") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)

"""The story: the whole loop of pgattic, step by step, on a shop that is made for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.syntax import Syntax
from rich.text import Text

from catalog.terminal import console
from catalog.throwaway import ThrowawayServer
from demo import shop, traffic
from demo.errors import StepFailedError
from demo.shell import Command, Shell, width

REPORT = "report.html"
# What a shop that is a minute old can offer. Which part of that minute was watched is the machine's affair.
_YOUNG_POLICY = {"PGATTIC_POLICY__OBSERVED_DAYS": "0", "PGATTIC_POLICY__COVERAGE_WANTED": "0.01"}
# What would be asked of it after a month, asked after seconds.
_HASTY_POLICY = {
    "PGATTIC_POLICY__COOLING_OFF_DAYS": "0",
    "PGATTIC_POLICY__QUIET_DAYS": "1",
    "PGATTIC_POLICY__MONTH_ENDS": "0",
    "PGATTIC_POLICY__COVERAGE_WANTED": "0.01",
}
# Long enough for a machine with much else to do.
_ALERT_SECONDS = 300.0
_WATCHER_START_SECONDS = 60.0


class Stage:
    """What the steps share: the server, the shell, and the watcher once it runs."""

    def __init__(self, server: ThrowawayServer, folder: Path, endings: ExitStack) -> None:
        self.server = server
        self.shell = Shell(folder)
        self._endings = endings
        self._watcher: Command | None = None

    def dsn_of(self, role: str) -> str:
        """The connection string of one of the shop's roles."""
        return self.server.dsn(shop.DATABASE, role)

    @property
    def watcher(self) -> Command:
        """The running `pgattic ingest --follow`."""
        assert self._watcher is not None, "a step before starts it"
        return self._watcher

    def start_watcher(self) -> None:
        """Start it; the end of the story stops it."""
        label = "watcher │ "
        self._watcher = self._endings.enter_context(self.shell.start("ingest", "--follow", label=label))


@dataclass(frozen=True)
class Step:
    """One step: what happens and why, in a sentence or two, and the doing."""

    title: str
    narration: str
    run: Callable[[Stage], None]


def tell(stage: Stage) -> None:
    """Run all steps in order; raises StepFailedError where one does not end as it should."""
    for number, step in enumerate(STEPS, start=1):
        console.rule(
            Text(f"{number}/{len(STEPS)}  {step.title}", style="bold cyan"), align="left", style="dim"
        )
        console.print(step.narration, width=width(), style="italic")
        console.print()
        step.run(stage)


def show_dashboard(stage: Stage, port: int) -> None:
    """Open the dashboard on what the story left, until Ctrl-C, which is its ordinary end."""
    console.print("Look at it yourself; Ctrl-C ends the demo.")
    with suppress(KeyboardInterrupt):
        stage.shell.run("dashboard", "--port", str(port), "--headless")


def _build_shop(stage: Stage) -> None:
    with _working("starting PostgreSQL 18") as done:
        stage.server.start()
        done.append(f"PostgreSQL 18 answers at 127.0.0.1:{stage.server.port}")
    with _working("building the shop") as done:
        size = shop.build(stage.server)
        done.append(f"the shop is built: {size.tables} tables, {size.rows:,} rows; counters at 0")
    console.print()


def _move_in(stage: Stage) -> None:
    dsn = stage.server.dsn(shop.DATABASE)
    logs = str(stage.server.log_directory)
    stage.shell.run("init", "--dsn", dsn, "--logs", logs, "--environment", "development")
    stage.shell.run("doctor")


def _watch_the_shop(stage: Stage) -> None:
    _run_traffic(stage)
    stage.shell.run("ingest", "--once")
    stage.shell.run("collect")


def _run_traffic(stage: Stage) -> None:
    with _working("customers shop, the worker ships, the dashboard draws") as done:
        statements = traffic.run_traffic(stage.dsn_of)
        done.append(f"{statements:,} statements from {len(traffic.CLIENTS)} applications")
    console.print()


def _scan(stage: Stage) -> None:
    for name, value in _YOUNG_POLICY.items():
        stage.shell.export(name, value)
    stage.shell.run("scan")


def _plan(stage: Stage) -> None:
    elements = (shop.FORGOTTEN, *shop.LEFT_OVERS, shop.KNOWN_TO_BE_OVER)
    stage.shell.run("plan", *elements, "--reason", "unused", "--out", "plan.json")


def _apply(stage: Stage) -> None:
    stage.shell.run("apply", "plan.json", "--yes")


def _watch(stage: Stage) -> None:
    stage.start_watcher()
    stage.watcher.wait_for_first_line(seconds=_WATCHER_START_SECONDS)
    console.print()
    run = _monthly_report(stage)
    failed_at = time.monotonic()
    if run.is_ok:
        raise StepFailedError("the monthly report was to fail without its table, and did not")
    seconds = stage.watcher.wait_for(shop.FORGOTTEN, seconds=_ALERT_SECONDS) - failed_at
    _tick(f"{max(seconds, 0):.1f} s from the failed statement to the alert")
    console.print()


def _usage(stage: Stage) -> None:
    stage.shell.run("usage", shop.FORGOTTEN)


def _roll_back(stage: Stage) -> None:
    stage.shell.run("rollback", "--element", shop.FORGOTTEN, "--yes")
    if not _monthly_report(stage).is_ok:
        raise StepFailedError("the monthly report was to work again, and did not")
    console.print()


def _readiness(stage: Stage) -> None:
    stage.shell.unset(*_YOUNG_POLICY)
    _run_traffic(stage)
    stage.shell.run("collect")
    stage.shell.run("readiness")


def _ask_hastily(stage: Stage) -> None:
    for name, value in _HASTY_POLICY.items():
        stage.shell.export(name, value)
    stage.shell.run("readiness", "--since-last")
    stage.shell.run("readiness", "--rows", "--since-last")
    stage.shell.unset(*_HASTY_POLICY)


def _report(stage: Stage) -> None:
    stage.shell.run("report", "--out", REPORT)
    stage.shell.run("status")


def _monthly_report(stage: Stage) -> traffic.ReportRun:
    console.print("The report job wakes up and runs its statement as role reporting:")
    statement = traffic.monthly_report_statement()
    highlighted = Syntax(statement, "sql", background_color="default").highlight(statement)
    for line in highlighted.split():
        console.print(Text.assemble("  ", line))
    run = traffic.run_monthly_report(stage.dsn_of)
    mark, style = ("✓", "green") if run.is_ok else ("✗", "bold red")
    console.print(Text(f"{mark} {traffic.MONTHLY_REPORT.application}: {run.outcome}", style=style))
    return run


@contextmanager
def _working(what: str) -> Iterator[list[str]]:
    """Show that something takes time; then a line with what is appended to the list, and how long it took."""
    started = time.monotonic()
    done: list[str] = []
    if not console.is_terminal:
        console.print(f"{what} …")
    with console.status(f"{what} …"):
        yield done
    _tick(f"{done[0]} ({time.monotonic() - started:.1f} s)")


def _tick(what: str) -> None:
    console.print(Text.assemble(("✓ ", "green"), what))


STEPS = (
    Step(
        "A shop with a past",
        "A throw-away PostgreSQL 18 gets the database of a shop that has grown for ten years. Some of"
        " what is in it nobody has used for years. Nobody dares to drop it, because nobody knows for"
        " sure.",
        _build_shop,
    ),
    Step(
        "pgattic moves in",
        "`init` writes pgattic.toml and keeps its own small registry in the schema pgattic of the"
        " database. `doctor` says what can be seen from here: which logs, which counters, which"
        " rights.",
        _move_in,
    ),
    Step(
        "A day in the shop",
        "Web shop, app, warehouse, support and a BI dashboard work at the same time, each with its"
        " own role. The server writes their statements into its log; `ingest` reads it and keeps who"
        " used what, without the values in the statements. `collect` keeps what the server itself has"
        " counted. (Logging every statement shows most; pgattic also works with errors and counters"
        " alone.)",
        _watch_the_shop,
    ),
    Step(
        "What does nobody use?",
        "`scan` compares the catalog with counters and log. A real policy wants 30 observed days, 99 % of"
        " them with logs, before it calls anything unused; this shop is seconds old, so the demo asks for"
        " less. Remember users_old: the one thing here that only looks unused.",
        _scan,
    ),
    Step(
        "A plan to review",
        "Nothing is changed yet. The plan says for each element what it will be renamed to, and what"
        " the safety checks found; it is a file to read, to review and to keep. Of the vouchers no counter"
        " knows: the shop's people remember that none were sold for years.",
        _plan,
    ),
    Step(
        "Into the attic",
        "`apply` makes a backup, proves it by restoring it elsewhere and comparing the rows, and then"
        " renames all elements in one transaction together with its registry rows. Nothing is dropped,"
        " ever.",
        _apply,
    ),
    Step(
        "Somebody comes looking",
        "The watcher follows the server log. Then it is the first of the month, and a report job that"
        " nobody remembered asks for users_old, which is not there under that name any more.",
        _watch,
    ),
    Step(
        "Who was it?",
        "The failed statement is the evidence: which role, which application, from where, when, and"
        " what it wanted. Note that the e-mail address of the statement above was not kept.",
        _usage,
    ),
    Step(
        "Down from the attic again",
        "One command gives the table back its name, with all rows, grants and indexes: it was only"
        " ever renamed. The other six stay where they are.",
        _roll_back,
    ),
    Step(
        "May the rest be removed for good?",
        "The shop has another day, and the policy is the real one again. `readiness` gives each element"
        " in the attic a verdict with reasons. After some seconds the right answer is no: it wants 30 quiet"
        " days, the end of a month among them, and somebody who watched all that time.",
        _readiness,
    ),
    Step(
        "And if this were a month later?",
        "The same evidence, judged by a policy that does not wait. What was watched by all that could have"
        " seen a use, and was not used, is ready. The constraint is at work whenever a row is written,"
        " although nobody names it. And whether a row still holds the value of the enum nobody knows before"
        " `--rows` has looked. (`--since-last` tells what is new, for cron.)",
        _ask_hastily,
    ),
    Step(
        "For the file",
        "All of it as a document for the ticket or the review, and the state of affairs as the"
        " registry has it.",
        _report,
    ),
)

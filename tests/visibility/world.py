"""Runs the whole matrix on one server at one level, and tells what each source saw of each row."""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from analytics.facts import Facts
from analytics.grounds import Grounds
from analytics.readiness import Readiness, Verdict, gather
from analytics.store import Evidence
from analytics.verdict import assess
from catalog.attic import AtticEntry
from catalog.counters import read_counters
from catalog.database import Database, identifier, literal
from catalog.elements import Element
from catalog.errors import DatabaseError
from catalog.holders import look_at_rows
from catalog.names import Reason
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from ingest.collect import Node, collect
from ingest.knowledge import DatabaseKnowledge
from ingest.logs.tail import Logs
from ingest.pipeline import Pipeline
from ingest.running import ingest_once
from ingest.store import Store
from migrations import registry
from migrations.apply import apply
from migrations.plan import make_plan
from tests.ingest.fix_ingest import no_alerts
from tests.visibility.matrix import GRANTS, OPAQUE_PRELUDE, PRELUDE, ROWS, Row
from tests.waiting import until, until_logged

# Nothing to hide behind: no time to wait for, no turn of a month. A use is history only after a year.
# A look at any moment between the rename and now is enough: how long the rename of hundreds of elements
# takes, beside their use, is the machine's affair.
POLICY = PolicySettings(cooling_off_days=0, quiet_days=365, month_ends=0, coverage_wanted=1e-6)
# Not a moment may be missed: a fault of a second hides a use of a second.
STRICT = POLICY.model_copy(update={"coverage_wanted": 1.0})


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Cell:
    """What was seen of one row at one level: by which sources, and the verdict."""

    row: Row
    seen: frozenset[str]
    readiness: Readiness

    @property
    def verdict(self) -> Verdict:
        return self.readiness.verdict


@dataclass
class Watch:
    """A database of a server and its standbys, pgattic's data beside it, and what pgattic does there."""

    server: ThrowawayServer
    data: Path
    name: str = "postgres"
    looked_at: datetime = field(default_factory=now)
    standbys: Mapping[str, ThrowawayServer] = field(default_factory=dict)

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.name)

    @property
    def nodes(self) -> dict[str, ThrowawayServer]:
        return {"primary": self.server, **self.standbys}

    def connect(self) -> Database:
        return Database.connect(self.dsn)

    def deprecate(self, elements: list[str], *, soft: bool = False, sensors: bool = True) -> None:
        with self.connect() as db:
            plan = make_plan(
                read_snapshot(db),
                [Element.parse(text) for text in elements],
                reason=Reason.UNUSED,
                environment="development",
                role="dba",
                now=now(),
                soft=soft,
            )
            apply(db, plan, with_sensors=sensors)
            # As if the backup had been proved: that rule is not in the way of any verdict here.
            db.execute(
                "INSERT INTO pgattic.backup VALUES (%s, %s, '/backups', now(), now(), '[]', 0)",
                [f"b_{plan.id}", plan.id],
            )

    def wait_for_log(self, server: ThrowawayServer | None = None) -> None:
        """Until a server has written all lines so far."""
        server = server or self.server
        mark = f"mark {time.monotonic_ns()}"
        with Database.connect(server.dsn(self.name)) as db:
            db.execute(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")
        until_logged(server, mark)

    def look(self) -> None:
        """Ingest the logs, and sample the counters."""
        # The log tells of the mark that is waited for, so it was read until later than this.
        self.looked_at = now()
        for node, server in self.nodes.items():
            self._ingest(node, server)
        self.sample()

    def _ingest(self, node: str, server: ThrowawayServer) -> None:
        self.wait_for_log(server)
        knowledge = DatabaseKnowledge(lambda: Database.connect(server.dsn(self.name)), now)
        pipeline = Pipeline(
            logs=Logs(server.log_directory, None, node),
            store=Store(self.data),
            node=node,
            knowledge=knowledge,
            alerting=no_alerts,
            clock=now,
        )
        summary = ingest_once(pipeline)
        knowledge.close()
        # Lines that a fault took away are gaps, as they should be.
        assert not summary.rejects, summary

    def sample(self) -> None:
        """Sample the counters alone."""
        nodes = [
            Node(node, partial(Database.connect, server.dsn(self.name)))
            for node, server in self.nodes.items()
        ]
        assert not collect(nodes, Store(self.data), now).failed

    def judge(
        self, policy: PolicySettings = POLICY, *, rows: bool = False, ahead: timedelta = timedelta()
    ) -> list[tuple[AtticEntry, Facts, Readiness]]:
        """The verdicts as of the last look: the seconds since then are no gap; `rows`: also read rows."""
        with self.connect() as db, Evidence.open(self.data) as evidence:
            counters = read_counters(db)
            if rows:
                counters = replace(counters, holders=look_at_rows(db, counters.holders))
            at = self.looked_at + ahead
            counters = replace(counters, taken_at=counters.taken_at + ahead)
            grounds = Grounds(read_snapshot(db), counters, evidence, policy, at, tuple(self.nodes))
            found = gather(grounds)
        return [(entry, facts, assess(entry, facts, policy, at)) for entry, facts in found]


def word(number: int, *, used: bool) -> str:
    """What the names of a row, or of its untouched twin, begin with."""
    return f"{'v' if used else 'w'}{number}"


def run_matrix(watch: Watch, *, sensors: bool) -> tuple[list[Cell], list[Cell]]:
    """Use every element as its row says, its twin not at all; return what was seen of both."""
    with watch.connect() as db:
        registry.install(db)
        db.execute(PRELUDE)
    used: list[Cell] = []
    twins: list[Cell] = []
    # What may use anything comes last: of the rest, a log of statements could tell nothing any more.
    for is_opaque in (False, True):
        numbers = [number for number, row in enumerate(ROWS) if row.is_opaque is is_opaque]
        found = _run(watch, numbers, sensors=sensors)
        used += found[True]
        twins += found[False]
    return used, twins


def _run(watch: Watch, numbers: list[int], *, sensors: bool) -> dict[bool, list[Cell]]:
    words = {(n, used): word(n, used=used) for n in numbers for used in (True, False)}
    with watch.connect() as db:
        if any(ROWS[number].is_opaque for number in numbers):
            db.execute(OPAQUE_PRELUDE)
        for (number, _), name in words.items():
            db.execute(ROWS[number].setup.replace("{x}", name))
        db.execute(GRANTS)
        flush(db)
    with ExitStack() as stack:
        clients = {
            role: stack.enter_context(
                Database.connect(watch.server.dsn(watch.name, role), application_name="shop")
            )
            for role in ("visitor", "postgres")
        }
        for number in numbers:
            row = ROWS[number]
            run_script(clients[row.role], row.before.replace("{x}", words[number, True]))
        for client in clients.values():
            flush(client)
        # What counts from look to look counts from before the rename on.
        watch.sample()
        for soft in (False, True):
            elements = [str(ROWS[n].element(name)) for (n, _), name in words.items() if ROWS[n].soft is soft]
            if elements:
                watch.deprecate(elements, soft=soft, sensors=sensors)
        with watch.connect() as db:
            renamed = {str(e.element): e.deprecated_name for e in read_snapshot(db).attic}
        watch.sample()
        for number in numbers:
            row = ROWS[number]
            name = words[number, True]
            new = renamed[str(row.element(name))]
            use = (
                row.use.replace("{x}", name)
                .replace("{new}", identifier(new))
                .replace("{label}", literal(new))
            )
            run_script(clients[row.role], use)
        for client in clients.values():
            flush(client)
    watch.look()
    return _cells(watch, words)


def _cells(watch: Watch, words: dict[tuple[int, bool], str]) -> dict[bool, list[Cell]]:
    judged = {str(entry.element): (entry, facts, found) for entry, facts, found in watch.judge(rows=True)}
    lines = _lines(watch)
    cells: dict[bool, list[Cell]] = {True: [], False: []}
    for (number, used), name in words.items():
        entry, facts, found = judged[str(ROWS[number].element(name))]
        seen = {source for source, at in lines.get(str(entry.element), ()) if at >= facts.since}
        if facts.counted is not None and facts.reconciled(facts.since).uses:
            seen.add("counter")
        if facts.called is not None and facts.called.calls:
            seen.add("statements")
        if facts.dependants or facts.reappeared:
            seen.add("catalog")
        if facts.checks and facts.checked(facts.since).uses:
            seen.add("enforced")
        if any(holder.holds for holder in facts.held or ()):
            seen.add("rows")
        cells[used].append(Cell(ROWS[number], frozenset(seen), found))
    return cells


def crash(server: ThrowawayServer) -> None:
    """Kill a session as the kernel does when memory is short: the server starts anew, without counters."""
    with Database.connect(server.dsn()) as witness, Database.connect(server.dsn()) as victim:
        os.kill(victim.fetch_value("SELECT pg_backend_pid()"), signal.SIGKILL)
        # As long as it has not ended the others it has not noticed, and still answers.
        until(lambda: not _answers(witness))
    until(lambda: _is_up(server), "the server did not come back")


def _answers(db: Database) -> bool:
    try:
        db.fetch("SELECT 1")
    except DatabaseError:
        return False
    return True


def _is_up(server: ThrowawayServer) -> bool:
    try:
        Database.connect(server.dsn()).close()
    except DatabaseError:
        return False
    return True


def flush(client: Database) -> None:
    """Have what a session used counted."""
    client.fetch("SELECT pg_stat_force_next_flush()")
    client.fetch("SELECT 1")


def run_script(client: Database, script: str) -> None:
    """Run a client's statements; those that fail are uses, too."""
    if script.startswith("BEGIN; "):
        with suppress(DatabaseError), client.transaction():
            for part in script.removeprefix("BEGIN; ").removesuffix("; COMMIT").split("; "):
                client.execute(part)
        return
    for part in [script] if "$$" in script else filter(None, script.split(";")):
        with suppress(DatabaseError):
            client.execute(part)


def _lines(watch: Watch) -> dict[str, list[tuple[str, datetime]]]:
    found: dict[str, list[tuple[str, datetime]]] = {}
    rows = Store(watch.data).rows("access", ["element", "source", "occurred_at", "application"]).to_pylist()
    for row in rows:
        if row["application"] != "pgattic":
            found.setdefault(row["element"], []).append((row["source"], row["occurred_at"]))
    return found

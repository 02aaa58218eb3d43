"""Nothing that was used is ever called ready or unused, whatever goes wrong meanwhile.

A run is a random database on a real server: dozens of elements of every kind, of which a known part is used,
each use of a random kind at a random time, at a random level, with random faults in between. At the end
`readiness` and `scan` judge, and the truth is known. `PGATTIC_LONG_RUNS=200` makes more of them.
"""

import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from analytics.grounds import Grounds
from analytics.scan import survey
from analytics.store import Evidence
from analytics.verdict import Verdict
from catalog.counters import read_counters
from catalog.database import Database, identifier, literal
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from migrations import registry
from tests.visibility.matrix import GRANTS, OPAQUE_PRELUDE, PRELUDE, ROWS, Row
from tests.visibility.world import STRICT, Watch, crash, flush, now, run_script
from tests.waiting import reload

RUNS = int(os.environ.get("PGATTIC_LONG_RUNS", "3"))
ELEMENTS = 50
LIVE = 12
ROUNDS = 3
FAULTS = (
    "reset",
    "reset of one",
    "kill of the server",
    "lost log",
    "kill of ingest",
    "silence",
    "restart",
    "sampling",
    "sampling by duration",
    "statements forgotten",
)
# What a level is on a server: what is logged, and whether calls are counted.
LEVELS: tuple[dict[str, str], ...] = (
    {},
    {"log_statement": "all"},
    {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"},
    {"shared_preload_libraries": "pg_stat_statements", "log_statement": "all"},
)
# Settings that show only a part of what happens, or nothing of it, until they are taken back.
SETTINGS = {
    "silence": ("log_min_messages = 'fatal'",),
    "sampling": ("log_statement = 'none'", "log_min_duration_sample = 0", "log_statement_sample_rate = 0.1"),
    "sampling by duration": ("log_statement = 'none'", "log_min_duration_statement = 50"),
}
# What no element is judged by may be used unseen: docs/visibility.md lists it, and test_visibility holds it.
POOL = tuple(row for row in ROWS if not row.blind and not row.before)


@dataclass
class Life:
    """One random database, and what is known of it."""

    watch: Watch
    chance: random.Random
    rows: dict[str, Row] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    live_used: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    counts_statements: bool = False

    def build(self) -> None:
        for number in range(ELEMENTS):
            row = self.chance.choice(POOL)
            self.rows[f"r{number}"] = row
        with self.watch.connect() as db:
            registry.install(db)
            if self.counts_statements:
                db.execute("CREATE EXTENSION pg_stat_statements")
            db.execute(PRELUDE)
            db.execute(OPAQUE_PRELUDE)
            for name, row in self.rows.items():
                db.execute(row.setup.replace("{x}", name))
            for number in range(LIVE):
                db.execute(f"CREATE TABLE live{number} (id int)")
                db.execute(f"INSERT INTO live{number} SELECT generate_series(1, 9)")
                db.execute(f"CREATE INDEX live{number}_i ON live{number} (id)")
            db.execute(GRANTS)
            db.fetch("SELECT pg_stat_reset()")
            flush(db)
        if self.chance.random() < 0.5:
            self.watch.sample()
        sensors = self.chance.random() < 0.7
        for soft in (False, True):
            chosen = [str(row.element(name)) for name, row in self.rows.items() if row.soft is soft]
            if chosen:
                self.watch.deprecate(chosen, soft=soft, sensors=sensors)

    def live(self) -> None:
        """Let some elements be used, with something going wrong before, between or after."""
        with self.watch.connect() as db:
            renamed = {str(entry.element): entry.deprecated_name for entry in read_snapshot(db).attic}
        names = [name for name in self.rows if self.chance.random() < 0.5]
        live = [f"live{n}" for n in range(LIVE) if self.chance.random() < 0.5]
        when = {name: self.chance.randrange(ROUNDS) for name in (*names, *live)}
        faulty = self.chance.random() < 0.75
        for round_ in range(ROUNDS):
            fault = self.chance.choice(FAULTS) if faulty and self.chance.random() < 0.6 else ""
            moment = self.chance.choice(("before", "after"))
            if fault and moment == "before":
                self.happen(fault)
            self.use([name for name in when if when[name] == round_], renamed)
            if fault and moment == "after":
                self.happen(fault)
            if fault in SETTINGS:
                self.set_back(fault)
            if self.chance.random() < 0.7:
                self.watch.look()
        self.watch.look()

    def use(self, names: list[str], renamed: dict[str, str]) -> None:
        with ExitStack() as stack:
            clients = {
                role: stack.enter_context(
                    Database.connect(self.watch.server.dsn("postgres", role), application_name="shop")
                )
                for role in ("visitor", "postgres")
            }
            for name in names:
                if name.startswith("live"):
                    clients["visitor"].fetch(f"SELECT * FROM {name}")
                    self.live_used.add(name)
                    continue
                row = self.rows[name]
                new = renamed[str(row.element(name))]
                use = row.use.replace("{x}", name).replace("{new}", identifier(new))
                run_script(clients[row.role], use.replace("{label}", literal(new)))
                self.used.add(name)
            for client in clients.values():
                flush(client)

    def happen(self, fault: str) -> None:
        self.faults.append(fault)
        if fault in ("reset", "kill of the server"):
            # A scan looks at the time since the counters began, and says so.
            self.live_used.clear()
        server = self.watch.server
        match fault:
            case "reset":
                self.execute("SELECT pg_stat_reset()")
            case "reset of one":
                self.execute(
                    "SELECT pg_stat_reset_single_table_counters(oid) FROM pg_class"
                    f" WHERE relname ~ '^r{self.chance.randrange(10)}' AND relkind IN ('r', 'i')"
                )
            case "kill of the server":
                crash(server)
            case "restart":
                server.stop()
                server.start()
            case "lost log":
                self.watch.wait_for_log()
                files = set(server.log_directory.glob("*.csv"))
                # Two files of one second would be one.
                time.sleep(1.1)
                self.execute("SELECT pg_rotate_logfile()")
                self.watch.wait_for_log()
                for path in files:
                    path.unlink()
            case "kill of ingest":
                self.kill_ingest()
            case "statements forgotten" if self.counts_statements:
                self.execute("SELECT pg_stat_statements_reset()")
            case "silence" | "sampling" | "sampling by duration":
                for setting in SETTINGS[fault]:
                    self.execute(f"ALTER SYSTEM SET {setting}")
                reload(self.watch.server)

    def set_back(self, fault: str) -> None:
        for setting in SETTINGS[fault]:
            self.execute(f"ALTER SYSTEM RESET {setting.partition(' = ')[0]}")
        reload(self.watch.server)

    def execute(self, statement: str) -> None:
        with self.watch.connect() as db:
            db.execute(statement)

    def kill_ingest(self) -> None:
        config = self.watch.data / "pgattic.toml"
        config.write_text(
            f'[database]\ndsn = "{self.watch.dsn}"\n[data]\ndirectory = "{self.watch.data}"\n'
            f'[logs]\ndirectory = "{self.watch.server.log_directory}"\n'
        )
        command = [sys.executable, "-m", "pgattic", "--config", str(config), "ingest"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(1 + self.chance.random())
            process.kill()


def candidates(watch: Watch, at: datetime) -> set[str]:
    """What a scan calls unused, where the policy asks for next to no time."""
    policy = PolicySettings(observed_days=0, min_index_bytes=0, min_age_days=0)
    with watch.connect() as db, Evidence.open(watch.data) as evidence:
        found = survey(Grounds(read_snapshot(db), read_counters(db), evidence, policy, at))
    return {str(candidate.element) for candidate in found.candidates}


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_was_used_is_never_ready_and_never_unused(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    level = chance.choice(LEVELS)
    with ThrowawayServer(settings=level) as server:
        life = Life(Watch(server, tmp_path), chance, counts_statements="shared_preload_libraries" in level)
        life.build()
        life.live()
        judged = {str(entry.element): found for entry, _, found in life.watch.judge(STRICT)}
        # The same days later, when nothing more was read.
        ahead = timedelta(days=chance.choice((1, 3, 40)))
        later = {str(entry.element): found for entry, _, found in life.watch.judge(STRICT, ahead=ahead)}
        unused = candidates(life.watch, now())
    verdicts = {name: judged[str(row.element(name))].verdict for name, row in life.rows.items()}
    wrong = [
        (str(life.rows[name].kind), life.rows[name].access)
        for name in sorted(life.used)
        if Verdict.READY in (verdicts[name], later[str(life.rows[name].element(name))].verdict)
    ]
    assert not wrong, (life.faults, wrong)
    assert not {f"table:public.{name}" for name in life.live_used} & unused, life.faults
    assert not {str(row.element(name)) for name, row in life.rows.items() if name in life.used} & unused
    if not life.faults:
        # Where nothing went wrong, something unused is ready, and a scan finds something.
        assert Verdict.READY in verdicts.values()
        assert unused

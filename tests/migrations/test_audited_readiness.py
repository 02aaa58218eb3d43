"""What armed grants and triggers cover, on a real server with pgaudit, and who may rely on an audit alone."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from analytics.facts import Facts
from analytics.stretches import Stretch, seconds, within
from analytics.verdict import Readiness, Verdict
from catalog.attic import AtticEntry
from catalog.database import Database, identifier
from catalog.policy import KindPolicy, PolicySettings
from ingest.schemas import Source
from ingest.store import Store
from migrations import registry, sensors
from migrations.sensors import Selection
from tests.fix_server import FreshDatabase
from tests.visibility.world import POLICY, Watch
from tests.waiting import until

TABLE, COLUMN = "table:public.users_old", "column:public.orders.legacy"
VIEW, MATVIEW = "view:public.active", "matview:public.totals"
SCHEMA = """
CREATE TABLE orders (id int PRIMARY KEY, legacy text);
CREATE TABLE users_old (id int PRIMARY KEY, name text);
CREATE VIEW active AS SELECT id FROM orders;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM orders;
INSERT INTO orders VALUES (1, 'x');
"""
AUDIT_ALONE = KindPolicy(sources=("error", "audit"))
ALONE = POLICY.model_copy(update=dict.fromkeys(("table", "column", "view", "matview"), AUDIT_ALONE))

Found = dict[str, tuple[AtticEntry, Facts, Readiness]]


@pytest.fixture
def watch(auditing: FreshDatabase, tmp_path: Path) -> Watch:
    """A small schema on a server whose pgaudit logs what is granted, and its data directory."""
    registry.install(auditing.db)
    auditing.db.execute(SCHEMA)
    auditing.db.execute("SELECT pg_stat_force_next_flush()")
    return Watch(auditing.server, tmp_path, auditing.name)


def judged(watch: Watch, policy: PolicySettings = POLICY) -> Found:
    return {str(found[0].element): found for found in watch.judge(policy)}


def share(stretches: Sequence[Stretch], start: datetime, end: datetime) -> float:
    return seconds(within(stretches, start, end)) / (end - start).total_seconds()


def run(watch: Watch, statement: str) -> None:
    with Database.connect(watch.dsn, application_name="shop") as shop:
        shop.execute(statement)


def test_sensors_and_audit_cover_the_time_since_they_are_armed(watch: Watch) -> None:
    watch.deprecate([TABLE, COLUMN, VIEW, MATVIEW])
    watch.look()
    for entry, facts, _ in judged(watch).values():
        assert entry.armed_at
        kinds = {"grant": Source.AUDIT, "trigger": Source.SENSOR}
        assert "grant" in entry.sensors
        for source in (kinds[kind] for kind in entry.sensors):
            assert share(facts.watched[source]["primary"], entry.armed_at, watch.looked_at) == 1
            assert facts.watched[source]["primary"][0][0] >= entry.armed_at


def test_who_may_rely_on_an_audit_alone(watch: Watch) -> None:
    watch.deprecate([TABLE, COLUMN, VIEW, MATVIEW])
    # Whole rows of the column's table, of which its audit says nothing.
    run(watch, "SELECT o FROM orders o")
    watch.look()
    covered = {
        text: next(rule for rule in found.rules if rule.name == "audit coverage")
        for text, (_, _, found) in judged(watch, ALONE).items()
    }
    assert {text: rule.met for text, rule in covered.items()} == {
        TABLE: True,
        VIEW: True,
        COLUMN: None,
        MATVIEW: None,
    }
    assert "an audit alone does not see every use of it" in covered[COLUMN].finding
    assert judged(watch)[VIEW][2].verdict is Verdict.READY
    assert judged(watch)[COLUMN][2].verdict is not Verdict.READY
    # Without its trigger nothing tells of TRUNCATE.
    name = identifier(judged(watch)[TABLE][0].deprecated_name)
    run(watch, f"ALTER TABLE {name} DISABLE TRIGGER ALL")
    assert not judged(watch, ALONE)[TABLE][1].is_fully_audited


def test_a_use_that_the_audit_shows_is_told(watch: Watch) -> None:
    watch.deprecate([TABLE, VIEW])
    names = {text: entry.deprecated_name for text, (entry, _, _) in judged(watch).items()}
    run(watch, f"SELECT * FROM {identifier(names[VIEW])}")
    watch.look()
    _, facts, found = judged(watch)[VIEW]
    assert (found.verdict, facts.uses > 0) == (Verdict.NOT_READY, True)


def test_a_grant_that_comes_later_covers_from_then(watch: Watch) -> None:
    watch.deprecate([TABLE], sensors=False)
    watch.look()
    assert judged(watch)[TABLE][1].watched[Source.AUDIT]["primary"] == []
    with watch.connect() as db:
        sensors.arm(db, Selection())
    watch.look()
    entry, facts, _ = judged(watch)[TABLE]
    ((start, _),) = facts.watched[Source.AUDIT]["primary"]
    assert entry.armed_at
    assert start >= entry.armed_at > entry.deprecated_at


@pytest.mark.parametrize(
    "setting", ["pgaudit.role = ''", "pgaudit.log_client = on", "pgaudit.log_level = debug1"]
)
def test_an_override_of_a_role_ends_what_the_audit_claims(watch: Watch, setting: str) -> None:
    watch.deprecate([TABLE])
    watch.look()
    with watch.connect() as db:
        db.execute(f"ALTER ROLE postgres IN DATABASE {identifier(watch.name)} SET {setting}")
    begun = watch.looked_at
    watch.look()
    rows = Store(watch.data).rows("coverage", ["covered_from", "covered_to", "sources"]).to_pylist()
    last = max(rows, key=lambda row: row["covered_to"])
    assert last["covered_to"] > begun
    assert last["sources"] == ["error", "sensor"]


def test_what_the_looks_prove_outlives_a_reload(watch: Watch) -> None:
    """Ingest claims nothing of the time before a reload; what a sample saw before it held until then."""
    watch.deprecate([TABLE])
    watch.sample()
    (sample,) = Store(watch.data).rows("sample", ["sampled_at"]).to_pylist()
    sampled = sample["sampled_at"]
    # Lines of that time are read after the reload alone.
    with watch.connect() as db:
        db.execute("SELECT pg_reload_conf()")
        until(lambda: db.fetch_value("SELECT pg_conf_load_time()") > sampled)
    watch.look()
    entry, facts, _ = judged(watch)[TABLE]
    assert entry.armed_at
    for source in (Source.SENSOR, Source.AUDIT):
        assert share(facts.watched[source]["primary"], entry.armed_at, sampled) == 1

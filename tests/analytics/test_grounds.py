"""What elements are judged on comes from the database, the configuration and the evidence that are given."""

from datetime import UTC, datetime
from pathlib import Path

from analytics.grounds import read_grounds
from analytics.store import Evidence
from catalog.settings import DataSettings, LogsSettings, NodeSettings, PolicySettings, Settings
from tests.analytics.world import SCRIPT, run
from tests.fix_server import FreshDatabase


def test_grounds_are_what_the_database_and_the_configuration_say(
    database: FreshDatabase, tmp_path: Path
) -> None:
    run(database.db, SCRIPT)
    settings = Settings(
        data=DataSettings(directory=tmp_path),
        logs=LogsSettings(node="north"),
        nodes=(NodeSettings(name="south", dsn=database.dsn()),),
        policy=PolicySettings(quiet_days=7),
    )
    now = datetime(2026, 11, 23, tzinfo=UTC)
    with Evidence.open(tmp_path) as evidence:
        grounds = read_grounds(database.db, settings, evidence, now)
    assert grounds.nodes == ("north", "south")
    assert (grounds.policy, grounds.evidence, grounds.now) == (settings.policy, evidence, now)
    assert grounds.snapshot.database == database.name
    # The catalog and the counters are those of one database.
    table = grounds.snapshot.relation("public", "users_old")
    assert table is not None
    assert table.oid in grounds.counters.counters

"""What a table does by an index that no statement names, and that no scan shows."""

from pathlib import Path

from analytics.grounds import Grounds
from analytics.scan import survey
from analytics.store import Evidence
from analytics.verdict import Verdict
from catalog.counters import read_counters
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from migrations import registry
from tests.fix_server import FreshDatabase
from tests.visibility.world import STRICT, Watch, flush, now

INDEX = "index:public.users_id_idx"


def test_an_index_by_which_cluster_goes_is_used(database: FreshDatabase, tmp_path: Path) -> None:
    watch = Watch(database.server, tmp_path, database.name)
    with watch.connect() as db:
        registry.install(db)
        db.execute("CREATE TABLE users (id int)")
        db.execute("INSERT INTO users SELECT generate_series(1, 20)")
        db.execute("CREATE INDEX users_id_idx ON users (id)")
        flush(db)
        policy = PolicySettings(observed_days=0, min_index_bytes=0, min_age_days=0)
        for is_marked in (False, True):
            if is_marked:
                db.execute("ALTER TABLE users CLUSTER ON users_id_idx")
            with Evidence.open(watch.data) as evidence:
                scanned = survey(Grounds(read_snapshot(db), read_counters(db), evidence, policy, now()))
            assert (INDEX in {str(one.element) for one in scanned.candidates}) is not is_marked
        db.execute("ALTER TABLE users SET WITHOUT CLUSTER")
    watch.look()
    watch.deprecate([INDEX], sensors=False)
    watch.look()
    with watch.connect() as db:
        # Somebody marks it by its new name once, and a job goes by the mark from then on.
        (entry,) = read_snapshot(db).attic
        db.execute(f"ALTER TABLE users CLUSTER ON {entry.deprecated_name}")
        db.execute("CLUSTER users")
        flush(db)
    watch.look()
    ((_, facts, found),) = watch.judge(STRICT)
    assert facts.counted is not None
    # So few rows are sorted.
    assert not facts.counted.steps
    assert found.verdict is Verdict.NOT_READY
    assert "CLUSTER public.users goes by it" in " ".join(found.reasons)

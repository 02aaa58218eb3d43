"""A session that planned a statement about a table before its rename can plan the next one unseen."""

from pathlib import Path

from analytics.verdict import Verdict
from catalog.database import Database, identifier
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from migrations import registry
from tests.visibility.world import Watch, flush
from tests.waiting import until_alone


def test_while_a_session_lives_that_may_plan_again_nothing_is_ready(tmp_path: Path) -> None:
    with ThrowawayServer() as server:
        watch = Watch(server, tmp_path)
        with watch.connect() as db:
            registry.install(db)
            db.execute("CREATE TABLE users (id int PRIMARY KEY)")
            db.execute("INSERT INTO users SELECT generate_series(1, 20)")
        with Database.connect(watch.dsn, application_name="shop") as old:
            old.fetch("EXPLAIN SELECT id FROM users")
            flush(old)
            watch.sample()
            watch.deprecate(["table:public.users"], sensors=False)
            with watch.connect() as db:
                now = identifier(read_snapshot(db).attic[0].deprecated_name)
            old.fetch(f"EXPLAIN SELECT id FROM {now}")
            flush(old)
            watch.look()
            ((_, facts, found),) = watch.judge()
            # The planner has looked at the index before, and does not look again.
            assert facts.counted is not None
            assert not facts.counted.steps
            assert found.verdict is Verdict.UNKNOWN
            assert "may have planned statements about its table before" in " ".join(found.reasons)
        with watch.connect() as db:
            until_alone(db)
        watch.look()
        ((_, _, found),) = watch.judge()
        assert found.verdict is Verdict.READY, found.reasons
        # Whoever comes after it is seen.
        with Database.connect(watch.dsn, application_name="shop") as new:
            new.fetch(f"EXPLAIN SELECT id FROM {now}")
            flush(new)
        watch.look()
        ((_, _, found),) = watch.judge()
        assert found.verdict is Verdict.NOT_READY

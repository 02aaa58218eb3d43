"""No use is lost behind a failover: what one server has counted and logged, no other one answers for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from analytics.counters import Counters
from analytics.grounds import Grounds
from analytics.store import Evidence
from analytics.verdict import Readiness, Verdict
from catalog.counters import read_counters
from catalog.database import Database, identifier
from catalog.errors import DatabaseError
from catalog.reading import read_snapshot
from catalog.throwaway import ThrowawayServer
from ingest.collect import Node, collect
from ingest.store import Store
from migrations import registry
from tests.visibility.world import POLICY, STRICT, Watch, flush, now
from tests.waiting import until

IDLE, COUNTED, FAILED, THERE = (f"table:public.{name}" for name in ("idle", "counted", "failed", "there"))
PEOPLE = "view:public.people"
# A standby can be made of a standby only where its log of changes has whole pages.
WHOLE_PAGES = {"full_page_writes": "on"}
STATEMENTS = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}


@contextmanager
def pair(data: Path, settings: Mapping[str, str] | None = None) -> Iterator[tuple[Watch, ThrowawayServer]]:
    """A primary and its standby, looked at before anything is deprecated."""
    with ThrowawayServer(settings={**WHOLE_PAGES, **(settings or {})}) as primary:
        with Database.connect(primary.dsn()) as db:
            registry.install(db)
            for name in ("idle", "counted", "failed", "there"):
                db.execute(f"CREATE TABLE {name} (id int PRIMARY KEY)")
            db.execute("CREATE VIEW people AS SELECT 1 AS id")
            if settings is STATEMENTS:
                db.execute("CREATE EXTENSION pg_stat_statements")
            flush(db)
        with ThrowawayServer(standby_of=primary, settings={**WHOLE_PAGES, **(settings or {})}) as standby:
            watch = Watch(primary, data, standbys={"replica1": standby})
            catch_up(primary, standby)
            watch.look()
            yield watch, standby


def catch_up(primary: ThrowawayServer, standby: ThrowawayServer) -> None:
    """Wait until a standby has replayed all of its primary."""
    with Database.connect(primary.dsn()) as db:
        db.execute("SET LOCAL synchronous_commit = on; SELECT pg_logical_emit_message(true, 'test', '')")
        here = db.fetch_value("SELECT pg_current_wal_flush_lsn()::text")
    with Database.connect(standby.dsn()) as db:
        until(lambda: db.fetch_value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [here]))


def deprecate(watch: Watch, *elements: str) -> dict[str, str]:
    """Rename them, on all servers; return their new names, quoted."""
    watch.deprecate([*elements], sensors=False)
    with watch.connect() as db:
        return {str(e.element): identifier(e.deprecated_name) for e in read_snapshot(db).attic}


def use(server: ThrowawayServer, statement: str) -> None:
    """A use, that fails or not."""
    with Database.connect(server.dsn(), application_name="shop") as db:
        with suppress(DatabaseError):
            db.fetch(statement)
        flush(db)


def promote(standby: ThrowawayServer) -> None:
    with Database.connect(standby.dsn()) as db:
        assert db.fetch_value("SELECT pg_promote(true, 180)")


def follow(server: ThrowawayServer, primary: ThrowawayServer) -> None:
    """Start a stopped server again as a standby of another one."""
    (server.data_directory / "standby.signal").touch()
    with (server.data_directory / "postgresql.auto.conf").open("a") as configuration:
        configuration.write(f"primary_conninfo = '{primary.dsn()}'\n")
    server.start()
    catch_up(primary, server)


def judge(watch: Watch, **more: object) -> dict[str, Readiness]:
    policy = STRICT.model_copy(update=more)
    return {str(found.element): found for _, _, found in watch.judge(policy)}


def test_what_the_old_primary_was_used_for_before_it_died_is_not_known(tmp_path: Path) -> None:
    with pair(tmp_path) as (watch, standby):
        primary = watch.server
        new = deprecate(watch, IDLE, COUNTED, FAILED, THERE)
        catch_up(primary, standby)
        watch.look()
        use(standby, f"SELECT * FROM {new[THERE]}")
        watch.look()
        assert {name: found.verdict for name, found in judge(watch).items()} == {
            IDLE: Verdict.READY,
            COUNTED: Verdict.READY,
            FAILED: Verdict.READY,
            THERE: Verdict.NOT_READY,
        }
        # Nobody looks at it again: neither at its counters nor at its log.
        use(primary, f"SELECT * FROM {new[COUNTED]}")
        use(primary, "SELECT * FROM failed")
        primary.stop(immediate=True)
        before = now()
        promote(standby)
        after = replace(watch, server=standby, standbys={})
        after.look()
        after.look()
        # The standby is the primary now, and under its former name nobody asks for it any more.
        found = judge(after, retired_nodes=("replica1",), unread_standbys=1)
        assert Verdict.READY not in {one.verdict for one in found.values()}
        rules = {rule.name: rule for rule in found[IDLE].rules}
        # What its own log says of the time before is not what the log of the old primary said.
        assert rules["log coverage"].met is False
        assert rules["counter or audit coverage"].met is None
        # What was counted there is a use, whatever the server is called now.
        assert found[THERE].verdict is Verdict.NOT_READY
        assert "1 scan or written row counted" in " ".join(found[THERE].reasons)
        # A scan believes its counters from then on alone: the old primary has counted what was written.
        with after.connect() as db, Evidence.open(after.data) as evidence:
            counters = read_counters(db)
            assert counters.counting_since >= before
            grounds = Grounds(read_snapshot(db), counters, evidence, POLICY, now())
            of_nodes = Counters(grounds, counters.counters, before)
            quiet = [of_nodes.quiet(oid, counters.taken_at) for oid in counters.counters]
            assert all(one is None or one.since >= before for one in quiet)


def test_a_server_that_changed_its_name_goes_on_counting(tmp_path: Path) -> None:
    with pair(tmp_path) as (watch, standby):
        primary = watch.server
        new = deprecate(watch, IDLE, COUNTED)
        catch_up(primary, standby)
        watch.look()
        use(primary, f"SELECT * FROM {new[COUNTED]}")
        primary.stop()
        promote(standby)
        follow(primary, standby)
        after = replace(watch, server=standby, standbys={"replica1": primary})
        after.look()
        after.look()
        # With any coverage: what was counted is no question of it.
        found = {str(one.element): one for _, _, one in after.judge(POLICY)}
        assert found[COUNTED].verdict is Verdict.NOT_READY
        assert "1 scan or written row counted since the rename on replica1" in found[COUNTED].reasons[0]
        assert found[IDLE].verdict is Verdict.READY, found[IDLE].reasons
        assert judge(after)[IDLE].verdict is not Verdict.READY


def test_one_server_under_two_names_leaves_another_one_without_a_look(tmp_path: Path) -> None:
    with ThrowawayServer() as server:
        nodes = [Node(name, partial(Database.connect, server.dsn())) for name in ("primary", "replica1")]
        (failed,) = collect(nodes, Store(tmp_path), now).failed
    assert (failed.node, "the same server answers as primary does" in (failed.failure or "")) == (
        "replica1",
        True,
    )


@pytest.mark.parametrize("is_paused", [True, False])
def test_a_standby_tells_of_what_it_has_heard_of(tmp_path: Path, *, is_paused: bool) -> None:
    with pair(tmp_path, STATEMENTS) as (watch, standby), Database.connect(standby.dsn()) as db:
        if is_paused:
            db.execute("SELECT pg_wal_replay_pause()")
            until(lambda: db.fetch_value("SELECT pg_get_wal_replay_pause_state()") == "paused")
        deprecate(watch, PEOPLE)
        if not is_paused:
            catch_up(watch.server, standby)
        watch.look()
        watch.look()
        # Its former name still works there, and nobody knows yet that it is one.
        use(standby, "SELECT * FROM people")
        watch.look()
        (found,) = [one for _, _, one in watch.judge(POLICY)]
        if is_paused:
            assert found.verdict is Verdict.UNKNOWN
            assert "(nothing of replica1)" in " ".join(found.reasons)
            db.execute("SELECT pg_wal_replay_resume()")
        else:
            assert "1 use seen" in found.reasons[0]


def test_a_standby_of_a_standby_is_a_server_too(tmp_path: Path) -> None:
    with pair(tmp_path) as (watch, standby):
        deprecate(watch, IDLE)
        catch_up(watch.server, standby)
        watch.look()
        assert judge(watch)[IDLE].verdict is Verdict.READY
        with ThrowawayServer(standby_of=standby, settings=WHOLE_PAGES) as far:
            catch_up(watch.server, far)
            watch.look()
            found = judge(watch)[IDLE]
    assert found.verdict is Verdict.UNKNOWN
    assert "2 standby servers of it, 1 of them watched" in " ".join(found.reasons)

"""The shop is what the story promises: large, connected, and unused exactly where it says so."""

from catalog.counters import Counter, read_counters
from catalog.elements import Element
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from demo.shop import FORGOTTEN, KNOWN_TO_BE_OVER, LEFT_OVERS, fill
from demo.traffic import run_monthly_report, run_traffic
from tests.fix_server import FreshDatabase
from tests.waiting import until_alone


def test_shop_is_large_and_only_its_left_overs_stay_unused(database: FreshDatabase) -> None:
    size = fill(database.db)
    snapshot = read_snapshot(database.db)

    assert size.tables >= 12
    assert size.rows >= 100_000
    kinds = {relation.kind for relation in snapshot.relations}
    assert {"r", "v", "m"} <= kinds
    assert [f.language for f in snapshot.functions] == ["plpgsql", "plpgsql"]
    assert len(snapshot.triggers) == 1
    assert len(snapshot.enums) == 4
    assert sum(constraint.type == "f" for constraint in snapshot.constraints) >= 10
    assert all(counter.reads == counter.writes == 0 for counter in _tables(database).values())
    for element in (*LEFT_OVERS, KNOWN_TO_BE_OVER, FORGOTTEN):
        assert snapshot.exists(Element.parse(element)), element
    assert _twin_of_the_redundant_check(snapshot)

    assert run_traffic(database.dsn) > 1_000

    assert _unused_tables(database) == {"newsletter_2019", "users_old"}
    large = {index.name for index in snapshot.indexes if index.bytes > 1_048_576 and not index.is_unique}
    assert {"customers_fax_idx"} == large & _unused_indexes(database)


def test_report_job_needs_its_table(database18: FreshDatabase) -> None:
    database18.db.execute("CREATE TABLE users_old (email text, country text, registered_at timestamptz)")
    database18.db.execute("GRANT SELECT ON users_old TO PUBLIC")
    _make_reporting_role(database18)

    assert run_monthly_report(database18.dsn).is_ok
    database18.db.execute("ALTER TABLE users_old RENAME TO users_old_deprecated_20260101_unused")
    failed = run_monthly_report(database18.dsn)

    assert not failed.is_ok
    assert '"users_old" does not exist (SQLSTATE 42P01)' in failed.outcome


def _make_reporting_role(database: FreshDatabase) -> None:
    if not database.db.fetch("SELECT FROM pg_roles WHERE rolname = 'reporting'"):
        database.db.execute("CREATE ROLE reporting LOGIN")


def _tables(database: FreshDatabase) -> dict[str, Counter]:
    counters = read_counters(database.db).counters
    tables = (table for table in read_snapshot(database.db).relations if table.kind == "r")
    return {table.name: counters[table.oid] for table in tables}


def _unused_tables(database: FreshDatabase) -> set[str]:
    """Tables without a count, once the sessions that ended have reported theirs."""
    until_alone(database.db)
    return {name for name, counter in _tables(database).items() if not counter.reads + counter.writes}


def _unused_indexes(database: FreshDatabase) -> set[str]:
    counters = read_counters(database.db).counters
    return {index.name for index in read_snapshot(database.db).indexes if not counters[index.oid].reads}


def _twin_of_the_redundant_check(snapshot: Snapshot) -> bool:
    texts = [c.definition for c in snapshot.constraints if c.table == "order_items" and c.type == "c"]
    return len(texts) == 2 and len(set(texts)) == 1

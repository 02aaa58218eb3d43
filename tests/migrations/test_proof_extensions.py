"""Backups of databases with extensions that the server of the restore proof cannot make."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from catalog.elements import Element
from catalog.names import Reason
from catalog.throwaway import ThrowawayServer
from migrations import extensions, workflow
from migrations.errors import ProofServerError
from migrations.overrides import Override
from migrations.proving import due, prove_again
from migrations.rollback import rollback
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase, fresh_database
from tests.migrations.fix_shop import Shop, built

NOTE = "column:public.events.note"
PARTITIONED = """
CREATE SCHEMA "2026";
CREATE TABLE events (id int, at date, note text) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2026-01-01')
    PARTITION BY LIST (id);
CREATE TABLE events_old_1 PARTITION OF events_old FOR VALUES IN (1);
CREATE TABLE "2026"."Events ""new"" $1" PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO events VALUES (1, '2025-05-05', 'deep'), (2, '2026-05-05', 'quoted'), (3, '2026-06-06', 'quoted');
CREATE TABLE parent (id int);
CREATE TABLE child (more text) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 'inherits');
"""
BINARIES = pytest.mark.parametrize("binaries", [None, DEBIAN_15_BIN], ids=["default", "own"])


@pytest.fixture
def audited(auditing: FreshDatabase, tmp_path: Path) -> Shop:
    """The shop on a 15 that preloads pgaudit, with the extension in the database and partitions among it."""
    auditing.db.execute(f"CREATE EXTENSION pgaudit; {PARTITIONED}")
    return built(auditing, tmp_path)


@pytest.fixture
def crypto(server15: ThrowawayServer, tmp_path: Path) -> Iterator[Shop]:
    """The shop on a 15 with a table that needs an extension which the embedded server has not."""
    for database in fresh_database(server15):
        database.db.execute(
            'CREATE EXTENSION "uuid-ossp"; CREATE TABLE keyed (id uuid DEFAULT uuid_generate_v4());'
            "INSERT INTO keyed SELECT FROM generate_series(1, 3)"
        )
        yield built(database, tmp_path)


@pytest.fixture
def readable() -> Iterator[Path]:
    """A folder that a server can read, which runs as somebody else."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def with_binaries(shop: Shop, binaries: Path | None) -> Shop:
    backup = shop.settings.backup.model_copy(update={"bin_directory": binaries})
    return Shop(shop.database, shop.settings.model_copy(update={"backup": backup}), shop.unused)


@pytest.mark.pg15
@BINARIES
def test_pgaudit_in_the_database_is_left_out_of_the_proof_and_told(
    audited: Shop, binaries: Path | None
) -> None:
    shop = with_binaries(audited, binaries)
    told: list[str] = []
    # The partitions hold the rows of the column, and are not named.
    plan = workflow.prepare(
        shop.db,
        shop.settings,
        [Element.parse(text) for text in (NOTE, "table:public.parent", "index:public.orders_total_idx")],
        Reason.UNUSED,
        datetime.now(UTC),
        overrides=[Override("inherited-by", "its children stay as they are")],
    )
    done = shop.apply(plan, told.append)
    rows = {f"{table.schema}.{table.name}": table.rows for table in done.backup.tables}
    assert rows == {"public.events": 3, "public.parent": 2}
    assert any(line.startswith("backup: 5 rows of 2 tables and the whole schema") for line in told)
    (without,) = (line for line in told if line.startswith("left out of the proof: extension pgaudit ("))
    assert "nothing in the backup needed" in without
    (audited_row,) = shop.db.fetch(
        "SELECT entry::jsonb -> 'detail' AS detail FROM pgattic.audit"
        " WHERE entry::jsonb ->> 'event' = 'backup'"
    )
    assert list(audited_row["detail"]["left_out"]) == ["pgaudit"]

    (entries,) = due(shop.db, (), None, done.backup.made_at).values()
    proof = prove_again(shop.db, shop.settings, plan.id, entries, lambda: done.backup.made_at)
    assert (proof.is_proved, proof.rows, proof.failures) == (True, 5, ())
    assert "extension pgaudit" in proof.notes[0]

    assert len(rollback(shop.db, migration_id=plan.id).restored) == len(plan.steps)
    assert shop.db.fetch_value("SELECT count(*) FROM events") == 3


@pytest.mark.pg15
def test_an_extension_that_a_table_needs_ends_the_proof_and_says_what_to_set(crypto: Shop) -> None:
    plan = crypto.plan("index:public.orders_total_idx")
    with pytest.raises(ProofServerError) as caught:
        crypto.apply(plan)
    assert "extension uuid-ossp (" in caught.value.what
    assert "backup.bin_directory" in str(caught.value.todo)
    assert crypto.db.fetch_value("SELECT to_regclass('orders_total_idx') IS NOT NULL")


@pytest.mark.pg15
def test_with_the_programs_of_its_own_server_nothing_is_left_out(crypto: Shop) -> None:
    shop = with_binaries(crypto, DEBIAN_15_BIN)
    told: list[str] = []
    done = shop.apply(shop.plan("table:public.keyed"), told.append)
    assert done.backup.tables[0].rows == 3
    assert not any("left out" in line for line in told)


@pytest.mark.pg15
def test_a_proof_that_cannot_be_had_here_takes_none_away(crypto: Shop) -> None:
    shop = with_binaries(crypto, DEBIAN_15_BIN)
    plan = shop.plan("index:public.orders_total_idx")
    made_at = shop.apply(plan).backup.made_at
    (entries,) = due(shop.db, (), None, made_at).values()
    with pytest.raises(ProofServerError):
        prove_again(shop.db, crypto.settings, plan.id, entries, lambda: made_at)
    assert shop.db.fetch_value("SELECT proved_at IS NOT NULL FROM pgattic.backup")


@pytest.mark.parametrize("is_needed", [False, True])
def test_an_extension_of_18_that_only_the_users_server_has(
    tmp_path: Path, readable: Path, is_needed: bool
) -> None:
    folder = readable / "extension"
    folder.mkdir()
    (folder / "attic-test.control").write_text("default_version = '1'\nrelocatable = true\n")
    (folder / "attic-test--1.sql").write_text("CREATE FUNCTION answer() RETURNS int RETURN 42;")
    with ThrowawayServer(settings={"extension_control_path": f"{readable}:$system"}) as server:
        for database in fresh_database(server):
            database.db.execute(
                'CREATE EXTENSION "attic-test"; COMMENT ON EXTENSION "attic-test" IS $$ours$$'
            )
            if is_needed:
                database.db.execute("CREATE VIEW asked AS SELECT answer()")
            shop = built(database, tmp_path)
            told: list[str] = []
            plan = shop.plan("table:public.users_old")
            if is_needed:
                with pytest.raises(ProofServerError, match="extension attic-test"):
                    shop.apply(plan)
            else:
                shop.apply(plan, told.append)
                assert any("left out of the proof: extension attic-test" in line for line in told)


def test_a_list_of_contents_is_read_and_cut() -> None:
    contents = (
        "; Archive created\n2; 3079 16385 EXTENSION - pgaudit \n3350; 0 0 COMMENT - EXTENSION pgaudit \n"
        '3; 3079 16400 EXTENSION - uuid-ossp \n3351; 0 0 COMMENT - EXTENSION "uuid-ossp" \n'
        "215; 1259 16390 TABLE public EXTENSION - pgaudit postgres\n"
    )
    assert extensions.named_in(contents) == ["pgaudit", "uuid-ossp"]
    cut = extensions.contents_without(contents, {"uuid-ossp"})
    assert "uuid-ossp" not in cut
    assert cut.count("EXTENSION - pgaudit") == 2
    assert "TABLE public" in extensions.contents_without(contents, {"pgaudit", "uuid-ossp"})

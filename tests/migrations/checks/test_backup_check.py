"""A backup that cannot be made is known beforehand; one that is missing or stale stops the rename."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.settings import BackupSettings, PolicySettings
from migrations import registry
from migrations.checks import backup
from migrations.checks.backup import require_proof
from migrations.errors import RefusedError
from migrations.plan import Plan, make_plan
from tests.migrations.checks.conftest import USERS, Bench

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def said_of(bench: Bench, settings: BackupSettings) -> list[str]:
    situation = replace(bench.situation(USERS), backup=settings)
    return [finding.message for finding in backup.check(situation)]


def test_where_a_backup_can_be_made_nothing_is_said(bench: Bench) -> None:
    assert not bench.findings("backup-impossible", USERS)


def test_programs_that_are_missing_or_older_than_the_server_block(bench18: Bench, tmp_path: Path) -> None:
    (said,) = said_of(bench18, BackupSettings(bin_directory=tmp_path))
    assert f"no pg_dump in {tmp_path}" in said


def test_a_program_that_cannot_be_run_blocks(bench18: Bench, tmp_path: Path) -> None:
    (tmp_path / "pg_dump").write_text("no program")
    (said,) = said_of(bench18, BackupSettings(bin_directory=tmp_path))
    assert said == f"no backup can be made: cannot be run: permission denied in {tmp_path / 'pg_dump'}"


@pytest.mark.pg15
def test_an_older_pg_dump_blocks(bench18: Bench) -> None:
    older = Path("/usr/lib/postgresql/15/bin")
    if not older.exists():
        pytest.skip(f"no PostgreSQL 15 in {older}")
    (said,) = said_of(bench18, BackupSettings(bin_directory=older))
    assert "is older than the server (18)" in said


def test_a_folder_that_is_none_blocks(bench18: Bench, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (said,) = said_of(bench18, BackupSettings(directory=tmp_path / "file"))
    assert "no folder that may be written" in said
    assert not said_of(bench18, BackupSettings(directory=tmp_path / "to" / "be" / "made"))


def test_too_little_room_blocks(bench18: Bench) -> None:
    situation = bench18.situation(USERS)
    huge = tuple(replace(relation, total_bytes=1 << 60) for relation in situation.snapshot.relations)
    situation = replace(situation, snapshot=replace(situation.snapshot, relations=huge))
    (finding,) = backup.check(situation)
    assert finding.severity == "block"
    assert "left" in finding.message


def test_a_pooler_blocks_unless_there_is_a_way_around_it(bench18: Bench) -> None:
    situation = replace(bench18.situation(USERS), is_pooled=True)
    (finding,) = backup.check(situation)
    assert "leads to a pooler" in finding.message
    around = BackupSettings(dsn=bench18.database.dsn())
    assert not list(backup.check(replace(situation, backup=around)))


@pytest.fixture
def plan(bench18: Bench) -> Plan:
    situation = bench18.situation(USERS)
    return make_plan(
        read_snapshot(bench18.db),
        situation.elements,
        reason=Reason.UNUSED,
        environment="development",
        role="dba",
        now=NOW,
    )


@pytest.mark.parametrize(
    ("made_at", "proved_at", "said"),
    [
        (None, None, "no backup of it was proved"),
        (NOW, None, "no backup of it was proved"),
        (NOW - timedelta(hours=25), NOW, "25 hours old, the policy allows 1 day"),
        (NOW - timedelta(hours=23), NOW, None),
    ],
)
def test_without_a_fresh_proof_nothing_is_renamed(
    bench18: Bench, plan: Plan, made_at: datetime | None, proved_at: datetime | None, said: str | None
) -> None:
    if made_at:
        registry.record_backup(bench18.db, registry.BackupRow("b", plan.id, "/b", made_at, proved_at, [], 1))
    if said is None:
        require_proof(bench18.db, plan, PolicySettings(), NOW)
        return
    with pytest.raises(RefusedError, match=said):
        require_proof(bench18.db, plan, PolicySettings(), NOW)

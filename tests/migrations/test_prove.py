"""Backups proved once more: an old proof is renewed, and a backup that no longer restores counts as none."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.grounds import Grounds
from analytics.readiness import Facts, gather
from analytics.rules import Rule
from analytics.rules import backed_up as rule_of_backup
from analytics.store import Evidence
from catalog.attic import AtticEntry, read_attic
from catalog.counters import read_counters
from catalog.elements import Kind
from catalog.policy import PolicySettings
from catalog.reading import read_snapshot
from migrations import audit, registry
from migrations.backup import MANIFEST_FILE, ROWS_FILE, SCHEMA_FILE, load_manifest
from migrations.errors import BackupError
from migrations.plan import Plan
from migrations.proving import Proof, back_up_again, due, prove_again
from tests.command_line import CommandLine, Ended
from tests.migrations.fix_shop import Shop

USERS = "table:public.users_old"
INDEX = "index:public.orders_total_idx"
LONG_AGO = datetime.now(UTC) - timedelta(days=400)


@pytest.fixture
def pgattic(
    shop18: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """The command line, configured for the shop."""
    monkeypatch.setenv("COLUMNS", "250")
    config = tmp_path / "pgattic.toml"
    config.write_text(
        f'[database]\ndsn = "{shop18.database.dsn()}"\nenvironment = "development"\n'
        f'[backup]\ndirectory = "{tmp_path / "backups"}"\n[data]\ndirectory = "{tmp_path / "data"}"\n'
    )
    return CommandLine(config, capsys, monkeypatch)


def applied_long_ago(shop: Shop, *elements: str) -> tuple[Plan, Path]:
    """A migration whose backup was proved more than a year ago, and the folder of that backup."""
    plan = shop.plan(*elements)
    folder = shop.apply(plan).backup_folder
    shop.db.execute("UPDATE pgattic.backup SET proved_at = %s", [LONG_AGO])
    return plan, folder


def entry_of(shop: Shop, element: str = USERS) -> AtticEntry:
    return next(entry for entry in read_attic(shop.db) if str(entry.element) == element)


def rule_now(shop: Shop) -> Rule:
    return rule_of_backup(entry_of(shop), PolicySettings().of(Kind.TABLE), datetime.now(UTC))


def said(ended: Ended) -> str:
    return " ".join((ended.out + ended.err).split())


def last_backup_event(shop: Shop) -> dict[str, object]:
    found = [row.content["detail"] for row in audit.read(shop.db) if row.content["event"] == "backup"]
    detail: dict[str, object] = found[-1]
    return detail


def proved(shop: Shop) -> list[Proof]:
    """Prove everything in the attic once more."""
    wanted = due(shop.db, (), None, datetime.now(UTC))
    return [prove_again(shop.db, shop.settings, name, entries, now) for name, entries in wanted.items()]


def now() -> datetime:
    return datetime.now(UTC)


def test_an_old_proof_is_renewed_by_another_restore(shop: Shop) -> None:
    plan, folder = applied_long_ago(shop, USERS, INDEX)
    aged = rule_now(shop)
    assert aged.met is False
    assert f"`pgattic prove {plan.id}`" in aged.finding
    (proof,) = proved(shop)
    assert (proof.is_proved, proof.failures, proof.rows) == (True, (), 500)
    assert proof.proved_before == LONG_AGO
    assert rule_now(shop).met is True
    detail = last_backup_event(shop)
    assert (detail["outcome"], detail["backup"]) == ("proved again by a restore", folder.name)


def test_the_command_proves_what_is_old_and_leaves_the_rest(shop18: Shop, pgattic: CommandLine) -> None:
    plan, folder = applied_long_ago(shop18, USERS)
    ended = pgattic("prove", "--older-than", "300d")
    assert ended.code == 0, ended
    assert f"✓ {plan.id}: 500 rows of 1 table came back the same, and the schema" in said(ended)
    ended = pgattic("prove", "--older-than", "300d")
    assert (ended.code, "Every backup was proved less than 300d ago" in ended.out) == (0, True)
    (found,) = json.loads(pgattic("prove", plan.id, "--json").out)
    assert (found["is_proved"], found["backups"], found["failures"]) == (True, [folder.name], [])


def test_wrong_use_is_told(shop18: Shop, pgattic: CommandLine) -> None:
    ended = pgattic("prove")
    assert (ended.code, "nothing is in the attic" in said(ended)) == (2, True)
    plan, _ = applied_long_ago(shop18, USERS)
    ended = pgattic("prove", plan.id, "m20200101-000000")
    assert (ended.code, "m20200101-000000: nothing of it is in the attic" in said(ended)) == (2, True)
    assert pgattic("prove", "--older-than", "soon").code == 2
    assert pgattic("prove", "--new-backup").code == 2


@pytest.mark.parametrize("name", [ROWS_FILE, SCHEMA_FILE, MANIFEST_FILE])
def test_a_damaged_backup_counts_as_none_until_it_is_whole_again(
    shop18: Shop, pgattic: CommandLine, name: str
) -> None:
    plan, folder = applied_long_ago(shop18, USERS)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    ended = pgattic("prove", plan.id)
    assert ended.code == 1
    assert f"✗ {plan.id}: counts as not proved" in said(ended)
    assert f"`pgattic prove {plan.id} --new-backup`" in said(ended)
    assert entry_of(shop18).backup_proved_at is None
    assert rule_now(shop18).met is False
    detail = last_backup_event(shop18)
    assert (detail["outcome"], detail["backup"]) == ("failed", folder.name)
    (folder / name).write_bytes(whole)
    assert pgattic("prove", plan.id).code == 0
    assert rule_now(shop18).met is True


def test_files_that_are_gone_are_named_and_looked_for_where_backups_are_today(
    shop18: Shop, pgattic: CommandLine, tmp_path: Path
) -> None:
    plan, folder = applied_long_ago(shop18, USERS)
    taken = tmp_path / "tape" / folder.name
    taken.parent.mkdir()
    shutil.move(folder, taken)
    ended = pgattic("prove", plan.id)
    assert (ended.code, f"{folder / MANIFEST_FILE}: file is missing" in said(ended)) == (1, True)
    pgattic.config.write_text(pgattic.config.read_text().replace(str(folder.parent), str(taken.parent)))
    assert pgattic("prove", plan.id).code == 0
    assert registry.backups_of(shop18.db)[0].directory == str(taken)


def test_another_backup_in_its_place_is_no_proof(shop18: Shop) -> None:
    """Files that fit each other and not what the registry has: made after the rows were gone."""
    _, folder = applied_long_ago(shop18, USERS)
    table = entry_of(shop18).deprecated_name
    shop18.db.execute(f"DELETE FROM {table} WHERE id > 10")
    entries = [entry_of(shop18)]
    other = back_up_again(shop18.db, shop18.settings, entries[0].migration_id, entries, now)
    later = folder.parent / other.backups[0]
    text = (later / MANIFEST_FILE).read_text().replace(later.name, folder.name)
    shutil.rmtree(folder)
    shutil.move(later, folder)
    (folder / MANIFEST_FILE).write_text(text)
    assert load_manifest(folder).tables[0].rows == 10
    (proof,) = proved(shop18)
    assert not proof.is_proved
    assert any("its manifest does not say what the registry says" in said for said in proof.failures)


def test_a_new_backup_of_what_is_in_the_attic_is_proved_and_is_no_use(
    shop18: Shop, pgattic: CommandLine
) -> None:
    plan, folder = applied_long_ago(shop18, USERS, INDEX)
    shutil.rmtree(folder)
    assert pgattic("prove", plan.id).code == 1
    ended = pgattic("prove", plan.id, "--new-backup")
    assert ended.code == 0, ended
    assert rule_now(shop18).met is True
    newest, _ = registry.backups_of(shop18.db)
    assert [table["name"] for table in newest.tables] == [entry_of(shop18).deprecated_name]
    assert newest.tables[0]["rows"] == 500
    assert facts_of(shop18).reconciled(entry_of(shop18).deprecated_at).unexplained == 0
    # The next proof needs the new one alone.
    assert pgattic("prove", plan.id).code == 0


def test_a_table_that_only_a_lost_backup_has_is_not_proved(shop18: Shop) -> None:
    plan, folder = applied_long_ago(shop18, USERS, "column:public.orders.legacy")
    back_up_again(shop18.db, shop18.settings, plan.id, [entry_of(shop18)], now)
    assert rule_now(shop18).met is True
    (proof,) = proved(shop18)
    assert (proof.is_proved, len(proof.backups)) == (True, 2)
    shutil.rmtree(folder)
    (proof,) = proved(shop18)
    assert (proof.is_proved, len(proof.backups), len(proof.failures)) == (False, 1, 1)
    assert {backup.proved_at for backup in registry.backups_of(shop18.db)} == {None}


def test_where_nothing_can_be_restored_the_proof_stays(shop18: Shop, tmp_path: Path) -> None:
    applied_long_ago(shop18, USERS)
    without = shop18.settings.model_copy(
        update={"backup": shop18.settings.backup.model_copy(update={"bin_directory": tmp_path})}
    )
    ((name, entries),) = due(shop18.db, (), None, now()).items()
    with pytest.raises(BackupError, match="no pg_restore"):
        prove_again(shop18.db, without, name, entries, now)
    assert entry_of(shop18).backup_proved_at == LONG_AGO


def facts_of(shop: Shop) -> Facts:
    shop.db.execute("SELECT pg_stat_force_next_flush()")
    with Evidence.open(shop.settings.data.directory) as evidence:
        grounds = Grounds(read_snapshot(shop.db), read_counters(shop.db), evidence, PolicySettings(), now())
        found = gather(grounds)
    return next(facts for entry, facts in found if str(entry.element) == USERS)

"""The doctor: what is missing is said with the line that sets it right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analytics.doctor import Check, examine
from catalog.database import Database
from catalog.settings import DataSettings, LogsSettings, Settings
from migrations.registry import install
from tests.fix_server import FreshDatabase


def examined(
    database: FreshDatabase, tmp_path: Path, logs: Path | None = None, ahead: timedelta = timedelta()
) -> dict[str, Check]:
    settings = Settings(
        logs=LogsSettings(directory=logs or database.server.log_directory),
        data=DataSettings(directory=tmp_path / "data"),
    )
    return {check.name: check for check in examine(database.db, settings, datetime.now(UTC) + ahead)}


def test_a_server_set_up_right_has_nothing_to_do(database: FreshDatabase, tmp_path: Path) -> None:
    install(database.db)
    found = examined(database, tmp_path)
    assert [check for check in found.values() if check.ok is False] == []
    assert found["log folder"].ok
    assert found["statement log"].ok is None
    assert "columns cannot be judged" in found["statement log"].finding
    assert found["server version"].finding.startswith(("PostgreSQL 18.", "PostgreSQL 15."))


@pytest.mark.parametrize(
    ("setting", "value", "check", "ok", "says"),
    [
        ("log_min_messages", "fatal", "errors are logged", False, "log_min_messages = 'warning'"),
        ("log_min_error_statement", "panic", "errors are logged", False, "log_min_error_statement = 'error'"),
        ("track_counts", "off", "counters", False, "track_counts = on"),
        ("log_statement", "all", "statement log", True, ""),
        ("log_min_duration_statement", "0", "statement log", True, ""),
        ("log_statement", "mod", "statement log", None, "log_statement = 'all'"),
        ("log_transaction_sample_rate", "0.1", "statement log", None, "log_statement = 'all'"),
        ("log_min_duration_sample", "0", "statement log", None, "log_statement = 'all'"),
    ],
)
def test_settings_of_the_server(
    database18: FreshDatabase,
    tmp_path: Path,
    setting: str,
    value: str,
    check: str,
    ok: bool | None,
    says: str,
) -> None:
    database18.db.execute(f"SET {setting} = '{value}'")
    found = examined(database18, tmp_path)[check]
    assert found.ok is ok
    assert says in (found.todo or "")


def test_a_missing_registry_is_said(database18: FreshDatabase, tmp_path: Path) -> None:
    found = examined(database18, tmp_path)["registry"]
    assert (found.ok, found.todo) == (False, "Run `pgattic init`")


def test_log_folders_that_cannot_do(database18: FreshDatabase, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for folder, says in ((file, "is not a directory"), (tmp_path / "none", "does not exist")):
        found = examined(database18, tmp_path, folder)["log folder"]
        assert (found.ok, says in found.finding) == (False, True)
    elsewhere = examined(database18, tmp_path, tmp_path)["log folder"]
    assert elsewhere.ok is False
    assert "which is not in" in elsewhere.finding


def test_without_a_log_folder_the_server_tells_its_own(database18: FreshDatabase, tmp_path: Path) -> None:
    settings = Settings(data=DataSettings(directory=tmp_path))
    found = {check.name: check for check in examine(database18.db, settings, datetime.now(UTC))}["log folder"]
    assert found.ok is False
    assert str(database18.server.log_directory) in (found.todo or "")


def test_a_data_directory_below_a_file_is_refused(database18: FreshDatabase, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert examined(database18, tmp_path)["data directory"].ok is False


def test_clocks_that_differ(database18: FreshDatabase, tmp_path: Path) -> None:
    found = examined(database18, tmp_path, ahead=timedelta(minutes=3))["clock"]
    assert (found.ok, "differ by" in found.finding) == (False, True)


def test_a_guest_learns_which_rights_are_missing(database: FreshDatabase, tmp_path: Path) -> None:
    database.db.execute("CREATE TABLE theirs (id int)")
    database.db.execute("DROP ROLE IF EXISTS guest")
    database.db.execute("CREATE ROLE guest LOGIN")
    try:
        with Database.connect(database.dsn("guest")) as db:
            settings = Settings(data=DataSettings(directory=tmp_path))
            found = {check.name: check for check in examine(db, settings, datetime.now(UTC))}["rights"]
    finally:
        database.db.execute("DROP ROLE guest")
    assert found.ok is False
    assert "1 table" in found.finding
    assert "GRANT CREATE ON DATABASE" in (found.todo or "")


def test_a_role_that_hides_from_the_log_is_said(database: FreshDatabase, tmp_path: Path) -> None:
    database.db.execute(f'ALTER DATABASE "{database.name}" SET log_min_messages = panic')
    found = examined(database, tmp_path)["errors are logged"]
    assert found.ok is False
    assert f"all roles in {database.name}: log_min_messages=panic" in found.finding

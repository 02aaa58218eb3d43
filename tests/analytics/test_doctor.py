"""The doctor: what is missing is said with the line that sets it right."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from analytics.doctor import examine
from analytics.health.check import Check
from analytics.health.log import escapes, line_prefix, log_format
from catalog.database import Database
from catalog.settings import DataSettings, LogsSettings, NodeSettings, Settings
from catalog.throwaway import ThrowawayServer
from ingest.collect import Node, collect
from ingest.lag import measure
from ingest.logs.tail import Logs
from ingest.schemas import SAMPLE
from ingest.store import Store
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
    assert found["level"].finding.startswith("sensors: ")


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
    for folder, ok, says in (
        (file, None, "is one file"),
        (tmp_path / "none", False, "does not exist"),
        (tmp_path / "*.csv", None, "is a pattern"),
    ):
        found = examined(database18, tmp_path, folder)["log folder"]
        assert (found.ok, says in found.finding) == (ok, True)
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


@pytest.mark.parametrize(
    ("collector", "destination", "ok", "says"),
    [
        ("on", "csvlog", True, "csvlog"),
        ("on", "jsonlog", True, "jsonlog"),
        ("on", "stderr", True, "stderr"),
        ("on", "stderr, jsonlog", True, "jsonlog and stderr"),
        ("on", "syslog", False, "syslog,csvlog"),
        ("off", "stderr", False, "logging_collector = on"),
    ],
)
def test_any_format_that_can_be_read_will_do(collector: str, destination: str, ok: bool, says: str) -> None:
    found = log_format({"logging_collector": collector, "log_destination": destination})
    assert found.ok is ok
    assert says in (found.finding if ok else found.todo or "")


@pytest.mark.parametrize(
    ("prefix", "ok", "lost"),
    [
        ("%m [%p] %q%u@%d/%a %e ", True, ""),
        ("%m [%p] ", None, "ude a"),
        ("%t %c %u %d %a ", None, "e"),
        ("%m %e %u@%d/%a ", None, "p"),
        ("%%m %-10u", False, ""),
    ],
)
def test_what_a_line_prefix_leaves_out_is_said(prefix: str, ok: bool | None, lost: str) -> None:
    found = line_prefix({"log_destination": "stderr", "log_line_prefix": prefix})
    assert found is not None
    assert found.ok is ok
    assert [letter for letter in "udeap" if f"without %{letter}" in found.finding] == [
        letter for letter in "udeap" if letter in lost
    ]
    assert line_prefix({"log_destination": "stderr,csvlog", "log_line_prefix": prefix}) is None


def test_escapes_of_a_line_prefix() -> None:
    assert escapes("%m [%-10p] %q%%x %5u%") == {"m", "p", "u"}


def test_a_node_that_was_not_sampled_for_long_is_said(database18: FreshDatabase, tmp_path: Path) -> None:
    assert examined(database18, tmp_path)["node primary"].ok is None
    now = datetime.now(UTC)
    node = Node("primary", lambda: Database.connect(database18.dsn()))
    collect([node], Store(tmp_path / "data"), lambda: now)
    assert examined(database18, tmp_path)["node primary"].ok is True
    late = examined(database18, tmp_path, ahead=timedelta(hours=49))["node primary"]
    assert late.ok is False
    assert "2 days" in late.finding
    assert "pgattic collect" in (late.todo or "")
    # A look that failed is none.
    failed = {"sampled_at": now + timedelta(hours=49), "node": "primary", "failure": "it is away"}
    rows = pa.Table.from_pylist([{**failed, "day": now.date()}], schema=SAMPLE)
    Store(tmp_path / "data").append("sample", rows, transaction=None)
    assert examined(database18, tmp_path, ahead=timedelta(hours=49))["node primary"].ok is False


def test_a_replica_that_does_not_answer_is_said(database18: FreshDatabase, tmp_path: Path) -> None:
    settings = Settings(
        data=DataSettings(directory=tmp_path / "data"),
        nodes=(NodeSettings(name="replica", dsn="host=127.0.0.1 port=1 dbname=shop"),),
    )
    found = {check.name: check for check in examine(database18.db, settings, datetime.now(UTC))}
    assert found["node replica"].ok is False
    assert "does not answer" in found["node replica"].finding


def test_a_standby_that_is_no_configured_node_is_said(tmp_path: Path) -> None:
    with ThrowawayServer() as primary, ThrowawayServer(standby_of=primary) as standby:
        nodes = (NodeSettings(name="replica", dsn=standby.dsn()),)
        for configured, ok in (((), False), (nodes, True)):
            settings = Settings(data=DataSettings(directory=tmp_path), nodes=configured)
            with Database.connect(primary.dsn()) as db:
                found = {check.name: check for check in examine(db, settings, datetime.now(UTC))}
            assert found["server role"].ok is ok
        settings = Settings(data=DataSettings(directory=tmp_path))
        with Database.connect(standby.dsn()) as db:
            found = {check.name: check for check in examine(db, settings, datetime.now(UTC))}
        assert "is a standby" in found["server role"].finding


def test_alerts_that_do_not_arrive_are_said(database18: FreshDatabase, tmp_path: Path) -> None:
    assert examined(database18, tmp_path)["alerts"].ok is None
    (tmp_path / "data" / "alerts").mkdir(parents=True)
    (tmp_path / "data" / "alerts" / "delivery.json").write_text("no JSON")
    found = examined(database18, tmp_path)["alerts"]
    assert found.ok is False
    assert found.todo


def test_a_log_that_was_never_read_is_said(database18: FreshDatabase, tmp_path: Path) -> None:
    found = examined(database18, tmp_path)["ingest"]
    assert (found.ok, "never read" in found.finding) == (None, True)
    logs = Logs(database18.server.log_directory, None, "primary")
    assert measure(logs, Store(tmp_path / "data"), "primary", datetime.now(UTC)).unread_files > 0

"""The doctor: what is missing is said with the line that sets it right."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import SecretStr

from analytics.alerting.delivery import Delivery
from analytics.alerting.worker import receivers
from analytics.doctor import examine
from analytics.health import backup, watching
from analytics.health.check import Check
from analytics.health.log import escapes, line_prefix, log_format
from catalog.alert_settings import AlertSettings
from catalog.database import Database
from catalog.settings import BackupSettings, DataSettings, LogsSettings, NodeSettings, Settings
from catalog.throwaway import ThrowawayServer
from ingest.collect import Node, collect
from ingest.lag import measure
from ingest.lock import exclusive
from ingest.logs.tail import Logs
from ingest.running import ingest_once
from ingest.schemas import SAMPLE
from ingest.store import Store
from migrations.registry import install
from tests.analytics.evidence import access, alerts_for, rows
from tests.analytics.fix_webhook import Webhook, webhook
from tests.fix_server import DEBIAN_15_BIN, FreshDatabase, fresh_database
from tests.ingest.fix_ingest import NOON, Workplace, missing
from tests.waiting import until

__all__ = ["webhook"]


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
    assert says in " ".join(found.lines)


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
    assert "GRANT CREATE ON DATABASE" in found.lines[0]
    # To be a member of a superuser would be more than is asked for.
    assert found.todo == "Give to an owner who is no superuser: theirs. Give it the rights:"
    assert not [line for line in found.lines if "postgres" in line]


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
    assert says in (found.finding if ok else " ".join(found.lines))


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
    assert found["ingest of replica"].ok is False
    assert "its log was never read" in found["ingest of replica"].finding
    assert "nodes.logs" in (found["ingest of replica"].todo or "")


def test_how_far_the_log_of_a_replica_is_read_is_said(workplace: Workplace) -> None:
    here = NodeSettings(name="replica", dsn="host=127.0.0.1 port=1", logs=workplace.folder)
    elsewhere = here.model_copy(update={"logs": None})
    of_replica = replace(workplace, node="replica")
    workplace.write("a.csv", missing("users_old", "select 1 from users_old", at=NOON))

    def told(node: NodeSettings, at: datetime = NOON) -> Check:
        settings = reading(workplace).model_copy(update={"nodes": (node,)})
        (found,) = watching.ingest_of_nodes(settings, at)
        return found

    assert (told(here).ok, "never read" in told(here).finding) == (None, True)
    assert told(elsewhere).ok is False
    ingest_once(of_replica.pipeline())
    assert told(here).finding == "the log is read to 2026-11-22 12:00; nobody reads now"
    assert told(elsewhere).finding == "its log is read to 2026-11-22 12:00"
    assert (told(here).ok, told(elsewhere).ok) == (True, True)
    late = told(elsewhere, NOON + timedelta(minutes=16))
    assert (late.ok, "nodes.logs" in (late.todo or "")) == (False, True)


def test_a_standby_that_is_no_configured_node_is_said(tmp_path: Path) -> None:
    with ThrowawayServer() as primary, ThrowawayServer(standby_of=primary) as standby:
        with Database.connect(primary.dsn()) as db:
            until(lambda: db.fetch_value("SELECT count(*) FROM pg_stat_replication"))
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


def test_a_replica_has_a_level_of_its_own(database18: FreshDatabase, tmp_path: Path) -> None:
    # Another database of the server stands for it: with settings of its own.
    with Database.connect(database18.server.dsn()) as admin:
        admin.execute(f"ALTER DATABASE \"{database18.name}\" SET log_statement = 'all'")
    settings = Settings(
        data=DataSettings(directory=tmp_path / "data"),
        nodes=(NodeSettings(name="replica", dsn=database18.dsn()),),
    )
    found = {check.name: check for check in examine(database18.db, settings, datetime.now(UTC))}
    assert found["level"].finding.startswith("sensors")
    assert found["level of replica"].finding.startswith("sampled")
    assert "not for all sessions" in found["statement log of replica"].finding
    sources = {name for name in found if name.startswith("source ") and not name.endswith(" of replica")}
    assert sources
    assert {f"{name} of replica" for name in sources} <= set(found)


def test_programs_older_than_the_server_are_said(
    database18: FreshDatabase, server15: ThrowawayServer
) -> None:
    facts = {"extensions": ""}
    old = backup.tools(facts, database18.db.server_version, server15.program("pg_dump").parent)
    assert old.ok is False
    assert "is older than the server (18)" in old.finding
    with Database.connect(server15.dsn()) as db:
        assert backup.tools(facts, db.server_version, None).ok is True
    assert backup.tools(facts, database18.db.server_version, None).ok is True


def test_a_folder_without_programs_is_said(tmp_path: Path) -> None:
    found = backup.tools({"extensions": ""}, 180000, tmp_path)
    assert (found.ok, "no pg_dump" in found.finding) == (False, True)


def test_extensions_that_the_proof_has_not_are_said(talkative15: ThrowawayServer, tmp_path: Path) -> None:
    for database in fresh_database(talkative15):
        database.db.execute("CREATE EXTENSION pgaudit; CREATE EXTENSION pg_trgm")
        found = examined(database, tmp_path)["backup programs"]
        assert found.ok is None
        assert "has no pgaudit: where" in found.finding
        own = Settings(backup=BackupSettings(bin_directory=DEBIAN_15_BIN))
        checks = {check.name: check for check in examine(database.db, own, datetime.now(UTC))}
        assert checks["backup programs"].ok is True
        assert "(pg_trgm, pgaudit)" in checks["backup programs"].finding


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """A log folder and a data directory."""
    (tmp_path / "log").mkdir()
    return Workplace(tmp_path / "log", tmp_path / "data", now=NOON)


def with_alerts(tmp_path: Path, **given: Any) -> Settings:
    return Settings(data=DataSettings(directory=tmp_path / "data"), alerts=AlertSettings(**given))


def raise_alert(data: Path) -> None:
    now = datetime.now(UTC)
    batch = rows("access", access(now))
    Store(data).append("alert", alerts_for(batch, now), transaction=None)


def test_alerts_that_nobody_gets_are_said(tmp_path: Path) -> None:
    found = watching.alerts(with_alerts(tmp_path))
    assert (found.ok, found.todo) == (None, "Set alerts.urls_file or alerts.json_file")
    configured = watching.alerts(with_alerts(tmp_path, json_file=tmp_path / "a.jsonl"))
    assert (configured.ok, configured.finding, configured.todo) == (None, "nothing was delivered yet", None)


def test_how_far_each_address_has_come_is_said(tmp_path: Path, webhook: Webhook) -> None:
    settings = with_alerts(tmp_path, urls=SecretStr(webhook.url), digest=timedelta(0))
    now, data = datetime.now(UTC), settings.data.directory
    delivery = Delivery(data, receivers(settings), timedelta(0))
    raise_alert(data)
    waits = watching.alerts(settings)
    assert (waits.ok, waits.finding.startswith("1 alert wait")) == (None, True)
    webhook.status = 500
    assert not delivery.round(now)
    late = watching.alerts(settings)
    assert late.ok is False
    assert f"1 alert for json 1 since {now:%Y-%m-%d %H:%M}: HTTP status 500" in late.finding
    assert "secret" not in late.finding
    assert late.todo
    webhook.status = 200
    assert delivery.round(now + timedelta(minutes=10))
    arrived = watching.alerts(settings)
    assert (arrived.ok, arrived.finding) == (True, "1 address or file got every alert")


def reading(workplace: Workplace) -> Settings:
    return Settings(
        logs=LogsSettings(directory=workplace.folder), data=DataSettings(directory=workplace.data)
    )


def test_a_log_that_is_read_is_said_with_who_reads_it(workplace: Workplace) -> None:
    settings, soon = reading(workplace), NOON + timedelta(minutes=1)
    workplace.write("a.csv", missing("users_old", "select 1 from users_old", at=NOON))
    ingest_once(workplace.pipeline())
    found = watching.ingest(settings, soon)
    assert (found.ok, found.todo) == (True, None)
    assert found.finding == "the log is read to 2026-11-22 12:00; nobody reads now"
    with exclusive(workplace.data):
        assert f"process {os.getpid()} reads" in watching.ingest(settings, soon).finding


@pytest.mark.parametrize(("minutes", "ok"), [(15, True), (16, False)])
def test_a_log_that_is_read_too_late_is_a_finding(workplace: Workplace, minutes: int, ok: bool) -> None:
    workplace.write("a.csv", missing("users_old", "select 1 from users_old", at=NOON))
    ingest_once(workplace.pipeline())
    later = NOON + timedelta(minutes=minutes)
    # As long as nothing new was written, nobody is late.
    assert watching.ingest(reading(workplace), later).ok is True
    behind = missing("users_old", "select 1 from users_old", at=NOON + timedelta(seconds=1), line=2)
    workplace.write("a.csv", behind)
    found = watching.ingest(reading(workplace), later)
    assert found.ok is ok
    if not ok:
        assert found.finding.startswith("16 minutes and ")
        assert "behind the log; nobody reads now" in found.finding
        assert "pgattic ingest" in (found.todo or "")


def test_where_the_log_cannot_be_found_how_far_it_is_read_is_not_known(workplace: Workplace) -> None:
    workplace.folder.rmdir()
    found = watching.ingest(reading(workplace), NOON)
    assert found.ok is None
    assert "how far the log is read cannot be told" in found.finding
    assert found.todo


def test_evidence_that_cannot_be_read_is_said(workplace: Workplace) -> None:
    workplace.write("a.csv", missing("users_old", "select 1 from users_old", at=NOON))
    ingest_once(workplace.pipeline())
    for commit in (workplace.data / "coverage" / "_delta_log").iterdir():
        commit.write_text("no commit")
    found = watching.ingest(reading(workplace), NOON)
    assert found.ok is None
    assert "coverage" in found.finding

"""The audit trail on real servers: never forked by writers, closed to change, and tampering told apart."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from catalog.database import Database
from catalog.errors import SettingsError, StatementFailedError
from catalog.settings import AuditSettings, DataSettings, Settings, load_settings
from migrations import audit, registry
from migrations.audit.chain import AuditRow, link
from migrations.audit.sealing import seal_file, seals_of
from migrations.audit.verify import Tampering, Verdict, verify
from migrations.errors import SealError
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.waiting import PATIENCE_SECONDS

KEY = "0123456789abcdef0123456789abcdef"
WRITERS = 8
ROWS_EACH = 12


@pytest.fixture
def audited(database: FreshDatabase) -> FreshDatabase:
    registry.install(database.db)
    return database


@pytest.fixture
def audited18(database18: FreshDatabase) -> FreshDatabase:
    registry.install(database18.db)
    return database18


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=DataSettings(directory=tmp_path), audit=AuditSettings(key=SecretStr(KEY)))


def write(db: Database, count: int) -> None:
    for number in range(count):
        audit.record(
            db, audit.Event.PLAN, f"m{number}", {"élément": ["table:public.übung"], "number": number}
        )


def verdict_of(db: Database, settings: Settings) -> Verdict:
    return verify(audit.read(db), seals_of(db, settings) or ())


def found(db: Database, settings: Settings) -> list[tuple[Tampering, int]]:
    return [(problem.kind, problem.row) for problem in verdict_of(db, settings).problems]


def as_superuser_without_triggers(db: Database, *statements: str) -> None:
    db.execute("ALTER TABLE pgattic.audit DISABLE TRIGGER ALL")
    for statement in statements:
        db.execute(statement)
    db.execute("ALTER TABLE pgattic.audit ENABLE ALWAYS TRIGGER keep_audit")


def test_eight_writers_at_once_never_fork_it_or_leave_gaps(audited: FreshDatabase) -> None:
    start = threading.Barrier(WRITERS)

    def write_alternately(writer: int) -> None:
        with Database.connect(audited.dsn(), lock_timeout_ms=1000 * PATIENCE_SECONDS) as db:
            start.wait()
            for number in range(ROWS_EACH):
                if number % 3 == 0:
                    audit.record(db, audit.Event.CHECK, f"w{writer}", {"number": number})
                    continue
                # A longer transaction with several rows; every other one of them comes to nothing.
                with suppress(ZeroDivisionError), db.transaction():
                    audit.record(db, audit.Event.APPLY_INTENT, f"w{writer}", {"number": number})
                    db.execute("SELECT pg_sleep(0.002)")
                    audit.record(db, audit.Event.APPLY_OUTCOME, f"w{writer}", {"number": number})
                    assert 1 / (number % 3 - 2)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write_alternately, range(WRITERS)))
    rows = list(audit.read(audited.db))
    assert verify(rows).is_whole
    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == WRITERS * (ROWS_EACH // 3) * 3
    assert not any(row.content["detail"]["number"] % 3 == 2 for row in rows)


def test_the_server_hashes_as_we_do_and_says_who_and_when(audited: FreshDatabase) -> None:
    audited.db.execute("CREATE ROLE pgattic_analyst LOGIN")
    try:
        audited.db.execute("GRANT USAGE ON SCHEMA pgattic TO pgattic_analyst")
        with Database.connect(audited.dsn("pgattic_analyst")) as db:
            audit.record(
                db, audit.Event.APPROVAL, 'm1 "quoted" \\ naïve', {"note": "line\nbreak \u0000 \ud800"}
            )
        row = next(audit.read(audited.db))
        assert row.is_whole
        assert row.content["role"] == "pgattic_analyst"
        assert row.content["at"].endswith("Z")
        assert row.content["detail"] == {"note": "line\nbreak \u0000 \ud800"}
        with (
            Database.connect(audited.dsn("pgattic_analyst")) as db,
            pytest.raises(StatementFailedError, match="permission denied"),
        ):
            db.execute("INSERT INTO pgattic.audit VALUES (2, 'x', 'y', '{}')")
    finally:
        audited.db.execute("DROP OWNED BY pgattic_analyst; DROP ROLE pgattic_analyst")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pgattic.audit SET entry = entry",
        "DELETE FROM pgattic.audit",
        "TRUNCATE pgattic.audit",
        "SET LOCAL session_replication_role = replica; DELETE FROM pgattic.audit",
        "MERGE INTO pgattic.audit a USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_rows_cannot_be_changed_even_by_a_superuser(audited18: FreshDatabase, statement: str) -> None:
    write(audited18.db, 1)
    with pytest.raises(StatementFailedError, match=r"append-only: (UPDATE|DELETE|TRUNCATE) refused"):
        audited18.db.execute(statement)
    assert verify(audit.read(audited18.db)).rows == 1


@pytest.mark.parametrize("statement", ["UPDATE {} SET entry = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_rows_cannot_be_changed_by_their_owner(
    database: FreshDatabase, settings: Settings, statement: str
) -> None:
    database.db.execute("CREATE ROLE pgattic_keeper LOGIN")
    try:
        database.db.execute(f'GRANT CREATE ON DATABASE "{database.name}" TO pgattic_keeper')
        with Database.connect(database.dsn("pgattic_keeper")) as db:
            registry.install(db)
            write(db, 2)
            with pytest.raises(StatementFailedError, match="permission denied"):
                db.execute(statement.format("pgattic.audit"))
            db.execute("GRANT ALL ON pgattic.audit TO pgattic_keeper")
            with pytest.raises(StatementFailedError, match="append-only"):
                db.execute(statement.format("pgattic.audit"))
            # An ordinary role can seal, too.
            audit.seal_now(db, settings)
            verdict = verdict_of(db, settings)
            assert (verdict.rows, verdict.sealed, verdict.is_whole) == (2, 2, True)
    finally:
        database.db.execute(
            "DROP SCHEMA IF EXISTS pgattic CASCADE; DROP OWNED BY pgattic_keeper; DROP ROLE pgattic_keeper"
        )


def test_an_untouched_trail_is_whole_and_sealed(audited: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited.db, settings):
        write(audited.db, 3)
    verdict = verdict_of(audited.db, settings)
    assert verdict.is_whole
    assert (verdict.rows, verdict.sealed) == (3, 3)
    assert seal_file(settings).stat().st_mode & 0o077 == 0


def test_an_edited_row_is_found(audited: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited.db, settings):
        write(audited.db, 5)
    as_superuser_without_triggers(
        audited.db, "UPDATE pgattic.audit SET entry = replace(entry, 'm2', 'm9') WHERE sequence = 3"
    )
    assert found(audited.db, settings) == [(Tampering.EDITED, 3)]


def test_a_cut_tail_is_found(audited: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited.db, settings):
        write(audited.db, 5)
    as_superuser_without_triggers(audited.db, "DELETE FROM pgattic.audit WHERE sequence > 3")
    assert found(audited.db, settings) == [(Tampering.CUT, 4)]
    # What is written after the cut does not hide it.
    with audit.sealing(audited.db, settings):
        write(audited.db, 4)
    assert found(audited.db, settings) == [(Tampering.REWRITTEN, 4)]


def test_an_emptied_table_is_found(audited: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited.db, settings):
        write(audited.db, 2)
    as_superuser_without_triggers(audited.db, "TRUNCATE pgattic.audit")
    assert found(audited.db, settings) == [(Tampering.CUT, 1)]


def test_a_chain_stamped_anew_is_found(audited: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited.db, settings):
        write(audited.db, 2)
    with audit.sealing(audited.db, settings):
        write(audited.db, 3)
    forged: list[AuditRow] = []
    for row in audit.read(audited.db):
        entry = row.entry.replace("m2", "m7") if row.sequence > 4 else row.entry
        previous = forged[-1].hash if forged else row.prev_hash
        forged.append(AuditRow(row.sequence, previous, link(previous, entry), entry))
    assert verify(forged).is_whole
    as_superuser_without_triggers(audited.db, "TRUNCATE pgattic.audit")
    for row in forged:
        audited.db.execute(
            "INSERT INTO pgattic.audit VALUES (%s, %s, %s, %s)",
            [row.sequence, row.prev_hash, row.hash, row.entry],
        )
    assert found(audited.db, settings) == [(Tampering.REWRITTEN, 3)]


def test_a_fork_is_found(audited: FreshDatabase, settings: Settings) -> None:
    write(audited.db, 4)
    second = list(audit.read(audited.db))[1]
    entry = json.dumps({"sequence": 5, "event": "plan"})
    audited.db.execute("ALTER TABLE pgattic.audit DROP CONSTRAINT audit_prev_hash_key")
    audited.db.execute(
        "INSERT INTO pgattic.audit VALUES (5, %s, %s, %s)",
        [second.prev_hash, link(second.prev_hash, entry), entry],
    )
    assert found(audited.db, settings) == [(Tampering.FORK, 5)]


def test_rows_taken_out_of_the_middle_are_a_gap(audited: FreshDatabase, settings: Settings) -> None:
    write(audited.db, 5)
    as_superuser_without_triggers(audited.db, "DELETE FROM pgattic.audit WHERE sequence IN (2, 3)")
    assert found(audited.db, settings) == [(Tampering.GAP, 2)]


def test_a_changed_seal_and_another_key_are_found(audited18: FreshDatabase, settings: Settings) -> None:
    with audit.sealing(audited18.db, settings):
        write(audited18.db, 2)
    path = seal_file(settings)
    path.write_text(path.read_text().replace('"count":2', '"count":1'))
    assert found(audited18.db, settings) == [(Tampering.SEALS, 2)]
    other = settings.model_copy(update={"audit": AuditSettings(key=SecretStr("f" * 32))})
    assert found(audited18.db, other) == [(Tampering.SEALS, 1), (Tampering.SEALS, 2)]


def test_a_torn_seal_does_not_swallow_the_next_one(audited18: FreshDatabase, settings: Settings) -> None:
    write(audited18.db, 1)
    audit.seal_now(audited18.db, settings)
    with seal_file(settings).open("a") as file:
        file.write("3f2a")
    write(audited18.db, 1)
    audit.seal_now(audited18.db, settings)
    assert found(audited18.db, settings) == [(Tampering.SEALS, 2)]
    assert verdict_of(audited18.db, settings).sealed == 2


def test_what_is_rolled_back_is_never_sealed(audited18: FreshDatabase, settings: Settings) -> None:
    def write_in_vain() -> None:
        with audit.sealing(audited18.db, settings), audited18.db.transaction():
            write(audited18.db, 2)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        write_in_vain()
    verdict = verdict_of(audited18.db, settings)
    assert (verdict.rows, verdict.sealed, verdict.is_whole) == (0, 0, True)


def test_a_seal_that_cannot_be_written_stops_before_anything_is_done(
    audited18: FreshDatabase, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    broken = AuditSettings(key=SecretStr(KEY), seal_file=tmp_path / "file" / "audit.seals")
    unwritable = settings.model_copy(update={"audit": broken})
    with pytest.raises(SealError, match=r"audit\.seals"), audit.sealing(audited18.db, unwritable):
        write(audited18.db, 1)
    assert verdict_of(audited18.db, settings).rows == 0


@pytest.mark.parametrize(
    ("file", "said"),
    [("short", "less than 16 bytes"), ("absent", "no such file")],
)
def test_a_key_file_that_is_none_is_told(
    audited18: FreshDatabase, settings: Settings, tmp_path: Path, file: str, said: str
) -> None:
    (tmp_path / "short").write_text("secret\n")
    wrong = settings.model_copy(update={"audit": AuditSettings(key_file=tmp_path / file)})
    with pytest.raises(SealError, match=said):
        audit.seal_now(audited18.db, wrong)


def test_the_key_comes_from_the_environment_and_never_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pgattic.toml"
    config.write_text('[audit]\nseal_file = "seals"\n')
    monkeypatch.setenv("PGATTIC_AUDIT__KEY", KEY)
    settings = load_settings(config)
    assert settings.audit.key is not None
    assert settings.audit.key.get_secret_value() == KEY
    assert settings.audit.seal_file == tmp_path / "seals"
    assert KEY not in repr(settings)
    config.write_text(f'[audit]\nkey = "{KEY}"\n')
    with pytest.raises(SettingsError, match="does not belong into the file") as refused:
        load_settings(config)
    assert KEY not in str(refused.value)
    config.write_text("")
    monkeypatch.setenv("PGATTIC_AUDIT__KEY", "hunter2")
    with pytest.raises(SettingsError, match="16") as short:
        load_settings(config)
    assert "hunter2" not in str(short.value)


@pytest.fixture
def run(
    audited18: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "pgattic.toml"
    config.write_text(f'[database]\ndsn = "{audited18.dsn()}"\n')
    return CommandLine(config, capsys, monkeypatch)


def test_without_a_key_verify_says_what_it_cannot_see(run: CommandLine, audited18: FreshDatabase) -> None:
    write(audited18.db, 3)
    ended = run("audit", "verify")
    assert ended.code == 0, ended
    assert "3 rows, none changed" in ended.out
    assert "a tail that was cut off" in ended.out
    assert "PGATTIC_AUDIT__KEY" in ended.out


def test_verify_fails_and_names_the_row(
    run: CommandLine, audited18: FreshDatabase, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGATTIC_AUDIT__KEY", KEY)
    monkeypatch.setenv("PGATTIC_AUDIT__SEAL_FILE", str(seal_file(settings)))
    with audit.sealing(audited18.db, settings):
        write(audited18.db, 3)
    assert "sealed up to row 3" in run("audit", "verify").out
    as_superuser_without_triggers(audited18.db, "DELETE FROM pgattic.audit WHERE sequence = 3")
    ended = run("audit", "verify")
    assert ended.code == 1
    assert "cut tail rows 3 to 3 were cut off" in ended.out
    told = json.loads(run("audit", "verify", "--json").out)
    assert [(problem["kind"], problem["row"]) for problem in told["problems"]] == [("cut tail", 3)]
    assert run("audit", "reseal", "--because", "restored from a backup").code == 0
    ended = run("audit", "verify")
    assert ended.code == 0, ended
    row = next(audit.newest(audited18.db)).content
    assert row["event"] == "resealed"
    assert row["detail"]["problems"] == [
        "rows 3 to 3 were cut off: the seal of " + row["detail"]["problems"][0].split("seal of ")[1]
    ]


def test_a_key_without_its_seals_is_a_finding(
    run: CommandLine, audited18: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(audited18.db, 1)
    monkeypatch.setenv("PGATTIC_AUDIT__KEY", KEY)
    ended = run("audit", "verify")
    assert ended.code == 1
    assert "no seal" in ended.out


def test_who_waited_for_his_turn_follows_the_last_row_whatever_the_default_isolation(
    audited18: FreshDatabase,
) -> None:
    default = "default_transaction_isolation = 'repeatable read'"
    audited18.db.execute(f"ALTER DATABASE {audited18.name} SET {default}")
    with (
        Database.connect(audited18.dsn()) as first,
        Database.connect(audited18.dsn(), lock_timeout_ms=60_000) as second,
        ThreadPoolExecutor() as threads,
    ):
        with first.transaction():
            audit.record(first, audit.Event.PLAN, "m1", {})
            waiting = threads.submit(audit.record, second, audit.Event.PLAN, "m2", {})
            asked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
            while not audited18.db.fetch_value(asked):
                assert not waiting.done()
        assert waiting.result() == 2
    assert verify(audit.read(audited18.db)).is_whole


def test_list_shows_the_newest_first_and_filters(run: CommandLine, audited18: FreshDatabase) -> None:
    write(audited18.db, 3)
    audit.record(audited18.db, audit.Event.BREAKER_OPENED, "database", {"reason": "it failed"})
    rows = json.loads(run("audit", "list", "--json", "--limit", "2").out)
    assert [(row["sequence"], row["event"]) for row in rows] == [(4, "breaker_opened"), (3, "plan")]
    rows = json.loads(run("audit", "list", "--json", "--event", "plan").out)
    assert [row["sequence"] for row in rows] == [3, 2, 1]
    assert json.loads(run("audit", "list", "--json", "--since", "2999-01-01").out) == []
    assert "it failed" in run("audit", "list").out


def test_the_list_sums_up_what_was_recorded(run: CommandLine, audited18: FreshDatabase) -> None:
    long = "x" * 90
    detail = {"plan_hash": "0123456789abcdef", "elements": ["one"], "sql": ["a", "b"], "rows": {"t": 1}}
    audit.record(audited18.db, audit.Event.APPLY_INTENT, "m1", {**detail, "error": long, "note": "y" * 40})
    out = run("audit", "list").out
    assert f"plan hash 01234567, 1 element, 2 statements, error {long}, …" in " ".join(out.split())


def test_an_export_can_be_checked_without_us(
    run: CommandLine, audited18: FreshDatabase, tmp_path: Path
) -> None:
    write(audited18.db, 3)
    assert run("audit", "export", "--out", "audit.jsonl").code == 0
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert verify([AuditRow(**line) for line in lines]).rows == 3
    assert verify([AuditRow(**line) for line in lines]).is_whole

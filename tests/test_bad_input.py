"""What bad input gets: one clear line (what, where, what next), the right exit code, no traceback."""

from pathlib import Path

import pytest

from catalog.elements import Element
from catalog.reading import read_snapshot
from tests.command_line import CommandLine, Ended
from tests.fix_server import FreshDatabase
from tests.waiting import reload


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    # Wide enough that rich folds no line that a test looks for.
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    return CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)


@pytest.fixture
def shop(run: CommandLine, database18: FreshDatabase, tmp_path: Path) -> FreshDatabase:
    """A configured database with one old table."""
    database18.db.execute("CREATE TABLE users_old (id int)")
    logs = str(database18.server.log_directory)
    ended = run("init", "--dsn", database18.dsn(), "--logs", logs, "--environment", "development")
    assert ended.code == 0, ended.err
    return database18


def is_one_line_error(ended: Ended, code: int, *said: str) -> None:
    assert ended.code == code, ended
    assert ended.err.startswith("error: ")
    assert ended.err.strip().count("\n") == 0
    assert "Traceback" not in ended.err
    for text in said:
        assert text in ended.err


def test_no_configuration(run: CommandLine) -> None:
    is_one_line_error(run("status"), 2, "no such configuration file", "`pgattic init`")


def test_no_database_named(run: CommandLine, tmp_path: Path) -> None:
    run.config.write_text("")
    is_one_line_error(run("status"), 2, "'database.dsn' is not set", "PGATTIC_DATABASE__DSN")


def test_no_server(run: CommandLine) -> None:
    run.config.write_text('[database]\ndsn = "host=127.0.0.1 port=1 dbname=shop"')
    is_one_line_error(run("status"), 2, "port=1 dbname=shop", "Connection refused", "that the server runs")


def test_a_wrong_password(
    run: CommandLine, database18: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    hba = database18.server.data_directory / "pg_hba.conf"
    trusting = hba.read_text()
    database18.db.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
    try:
        hba.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + trusting)
        reload(database18.server)
        run.config.write_text(f'[database]\ndsn = "{database18.dsn("locked")}"')
        monkeypatch.setenv("PGPASSWORD", "hunter2")
        ended = run("status")
        is_one_line_error(ended, 2, "password authentication failed", "user=locked", "~/.pgpass")
        assert "hunter2" not in ended.err
    finally:
        hba.write_text(trusting)
        reload(database18.server)
        database18.db.execute("DROP ROLE locked")


def test_missing_rights(run: CommandLine, database18: FreshDatabase) -> None:
    database18.db.execute("CREATE ROLE guest LOGIN")
    try:
        ended = run("init", "--dsn", database18.dsn("guest"))
        is_one_line_error(ended, 1, "permission denied for database", "42501")
        assert not database18.db.fetch_value("SELECT to_regnamespace('pgattic') IS NOT NULL")
    finally:
        database18.db.execute("DROP ROLE guest")


@pytest.mark.parametrize("logs", ["absent", "file/log", "empty"])
def test_logs_that_cannot_be_read(run: CommandLine, shop: FreshDatabase, tmp_path: Path, logs: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    text = run.config.read_text().replace(str(shop.server.log_directory), str(tmp_path / logs))
    run.config.write_text(text)
    is_one_line_error(run("ingest", "--once"), 2, str(tmp_path / logs))


def test_no_logs_configured(run: CommandLine, shop: FreshDatabase) -> None:
    run.config.write_text(f'[database]\ndsn = "{shop.dsn()}"')
    is_one_line_error(run("ingest", "--once"), 2, "logs.directory")


def test_a_directory_given_as_a_plan(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    is_one_line_error(run("apply", str(tmp_path), "--yes"), 2, "is a directory", "`pgattic plan`")


def test_a_text_given_as_a_plan(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    is_one_line_error(run("apply", str(run.config), "--yes"), 2, "not a plan")


@pytest.mark.parametrize("text", ["users_old", "table:users_old", "tables:public.users_old"])
def test_what_names_no_element(run: CommandLine, shop: FreshDatabase, text: str) -> None:
    is_one_line_error(run("plan", text), 2, repr(text))


def test_an_element_that_does_not_exist(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    is_one_line_error(
        run("plan", "table:public.user_old"), 2, "does not exist", "Did you mean table:public.users_old?"
    )
    assert not (tmp_path / "plan.json").exists()


def test_a_plan_for_an_element_renamed_since(run: CommandLine, shop: FreshDatabase) -> None:
    assert run("plan", "table:public.users_old").code == 0
    shop.db.execute("ALTER TABLE users_old RENAME TO users_older")
    is_one_line_error(run("apply", "plan.json", "--yes"), 2, "table:public.users_old: does not exist")


def test_a_plan_that_was_edited(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    assert run("plan", "table:public.users_old").code == 0
    plan = tmp_path / "plan.json"
    plan.write_text(plan.read_text().replace("users_old_deprecated", "mine_deprecated"))
    is_one_line_error(run("apply", "plan.json", "--yes"), 1, "the file was changed")
    assert read_snapshot(shop.db).exists(Element.parse("table:public.users_old"))


def test_nobody_there_to_confirm(run: CommandLine, shop: FreshDatabase) -> None:
    assert run("plan", "table:public.users_old").code == 0
    is_one_line_error(run("apply", "plan.json"), 1, "nobody there to confirm", "--yes")
    assert read_snapshot(shop.db).exists(Element.parse("table:public.users_old"))


def test_production_wants_the_hash(run: CommandLine, shop: FreshDatabase) -> None:
    run.config.write_text(run.config.read_text().replace('"development"', '"production"'))
    assert run("plan", "table:public.users_old").code == 0
    is_one_line_error(run("apply", "plan.json", "--yes"), 1, "--confirm with the first 8 digits")
    is_one_line_error(
        run("apply", "plan.json", "--confirm", "00000000"), 1, "--confirm with the first 8 digits"
    )


@pytest.mark.parametrize("command", ["status", "readiness", "usage"])
def test_commands_without_a_registry_do_not_fall_over(
    run: CommandLine, database18: FreshDatabase, command: str
) -> None:
    run.config.write_text(f'[database]\ndsn = "{database18.dsn()}"')
    ended = run(command)
    assert ended.code in (0, 1)
    assert "Traceback" not in ended.err


def test_rollback_wants_one_thing_to_roll_back(run: CommandLine, shop: FreshDatabase) -> None:
    is_one_line_error(run("rollback"), 2, "either a migration or --element")
    is_one_line_error(run("rollback", "m20250101-000000", "--yes"), 2, "nothing of it is in the attic")


@pytest.mark.parametrize("dsn", ["postgresql://me:hunter2@db/shop", "dbname=shop password=hunter2"])
def test_a_password_never_gets_into_the_file(run: CommandLine, dsn: str) -> None:
    ended = run("init", "--dsn", dsn)
    is_one_line_error(ended, 2, "holds a password", "~/.pgpass")
    assert "hunter2" not in ended.err
    assert not run.config.exists()


def test_a_pattern_that_matches_nothing(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    is_one_line_error(
        run("plan", "table:public.users_old", "table:public.*_gone"),
        2,
        "argument 2: table:public.*_gone",
        "matches no table",
    )
    assert not (tmp_path / "plan.json").exists()


def test_one_bad_entry_of_a_list_refuses_all_of_it(
    run: CommandLine, shop: FreshDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- table:public.users_old\n- element: table:public.users_old\n  reason: bored\n")
    is_one_line_error(
        run("plan", "--list", str(path)), 2, str(path), "item 2, key reason (line 3)", "'bored'"
    )
    assert not (tmp_path / "plan.json").exists()


def test_many_bad_entries_are_told_line_by_line(
    run: CommandLine, shop: FreshDatabase, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    path.write_text('{"version": 1, "analyser": "a", "elements": [1, {"element": "x"}]}')
    ended = run("plan", "--report", str(path))
    assert ended.code == 2
    first, *details = ended.err.splitlines()
    assert first == f"error: {path}: 3 things are wrong and no entry was taken:"
    assert all(line.startswith(f"  - {path}, key elements, item ") for line in details)
    assert len(details) == 3


@pytest.mark.parametrize("option", ["--list", "--report"])
def test_a_list_or_report_that_is_not_there(run: CommandLine, shop: FreshDatabase, option: str) -> None:
    is_one_line_error(run("plan", option, "absent.json"), 2, "absent.json: cannot be read: no such file")


@pytest.mark.parametrize("command", [("plan", "table:public.users_old"), ("apply", "plan.json", "--yes")])
@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("dependants", "a check and a reason are wanted"),
        ("dependants=", "a check and a reason are wanted"),
        ("drift=I know", "check drift: cannot be overridden. Make the plan again"),
        ("breaker=I know", "pgattic breaker reset"),
    ],
)
def test_an_override_that_is_none(
    run: CommandLine, shop: FreshDatabase, command: tuple[str, ...], override: str, said: str
) -> None:
    is_one_line_error(run(*command, "--override", override), 2, said)


def test_what_cannot_be_approved(run: CommandLine, shop: FreshDatabase, tmp_path: Path) -> None:
    is_one_line_error(run("approve", str(run.config)), 2, "not a plan")
    assert run("plan", "table:public.users_old").code == 0
    plan = tmp_path / "plan.json"
    plan.write_text(plan.read_text().replace("users_old_deprecated", "mine_deprecated"))
    is_one_line_error(run("approve", "plan.json"), 1, "the file was changed")

"""The rights that docs/monitoring.md names are enough for the whole way there and back."""

from pathlib import Path

import pytest

from catalog.elements import Element
from catalog.reading import read_snapshot
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase

OLD = Element.parse("table:shop.users_old")


def test_the_documented_rights_are_enough(
    database: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    db = database.db
    page = (Path(__file__).parent.parent / "docs" / "monitoring.md").read_text()
    grants = (
        page.partition("CREATE ROLE pgattic LOGIN;")[2]
        .partition("```")[0]
        .replace("DATABASE shop", f"DATABASE {database.name}")
    )
    db.execute(
        "CREATE ROLE shop_owner; CREATE ROLE pgattic LOGIN; CREATE SCHEMA shop AUTHORIZATION shop_owner"
    )
    try:
        db.execute(grants)
        db.execute("SET ROLE shop_owner")
        db.execute("CREATE TABLE shop.users_old (id int); INSERT INTO shop.users_old VALUES (1)")
        db.execute("RESET ROLE")
        db.execute("SELECT pg_stat_force_next_flush()")
        db.execute("SELECT pg_stat_reset()")
        monkeypatch.chdir(tmp_path)
        run = CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)
        logs = str(database.server.log_directory)
        for command in (
            ("init", "--dsn", database.dsn("pgattic"), "--logs", logs, "--environment", "staging"),
            ("ingest", "--once"),
            ("scan",),
            ("plan", str(OLD)),
            ("apply", "plan.json", "--yes"),
            ("usage",),
            ("readiness",),
            ("report", "--out", "report.md"),
            ("rollback", "--element", str(OLD), "--yes"),
            ("status",),
        ):
            ended = run(*command)
            assert ended.code == 0, (command, ended)
        assert read_snapshot(db).exists(OLD)
    finally:
        db.execute("DROP SCHEMA IF EXISTS pgattic CASCADE; DROP SCHEMA shop CASCADE")
        db.execute("DROP OWNED BY pgattic, shop_owner; DROP ROLE pgattic, shop_owner")

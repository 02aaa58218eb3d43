"""Where ALTER SYSTEM changes nothing the doctor says what does, and that is done here."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analytics.doctor import examine
from analytics.health.check import RELOAD, RESTART, Check
from analytics.health.unalterable import as_possible
from catalog.database import Database
from catalog.settings import DataSettings, LogsSettings, Settings
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from migrations.registry import install
from tests.fix_server import DEBIAN_15_BIN

HIDDEN = "-c log_statement=none -c log_min_messages=fatal"
OPTION = re.compile(
    r"-- \w+ is on the server's command line, which wins over ALTER SYSTEM; write there: (-c .*)"
)
IN_FILE = re.compile(
    r"-- ALTER SYSTEM is switched off here; in postgresql.conf, or .*?: (\w+(?:\.\w+)? = .*)"
)
ROUNDS = 6


def examined(server: ThrowawayServer, place: Path) -> dict[str, Check]:
    settings = Settings(
        logs=LogsSettings(directory=server.log_directory), data=DataSettings(directory=place / "data")
    )
    with Database.connect(server.dsn()) as db:
        return {check.name: check for check in examine(db, settings, datetime.now(UTC))}


def asked(checks: Sequence[Check], form: re.Pattern[str]) -> list[str]:
    """What the comments of all lines ask for."""
    return [found[1] for check in checks for line in check.lines if (found := form.fullmatch(line))]


@pytest.mark.parametrize("programs", [EMBEDDED_BIN, DEBIAN_15_BIN], ids=["18", "15"])
def test_what_the_command_line_sets_is_changed_there(programs: Path, tmp_path: Path) -> None:
    if not (programs / "initdb").exists():
        pytest.skip(f"no PostgreSQL 15 in {programs}")
    with ThrowawayServer(options=HIDDEN, bin_directory=programs) as server:
        found = examined(server, tmp_path)
        errors = found["errors are logged"]
        assert errors.ok is False
        # The other one is in no one's way, and a statement sets it.
        assert errors.lines[1:] == (
            "ALTER SYSTEM SET log_min_error_statement = 'error';",
            RELOAD,
            RESTART,
        )
        assert found["statement log"].lines[1:] == (RESTART,)

        # What the line would have been, has no effect.
        with Database.connect(server.dsn()) as db:
            db.execute("ALTER SYSTEM SET log_statement = 'all'")
        server.stop()
        server.start()
        assert examined(server, tmp_path)["statement log"].ok is None

        server.stop()
        server.options = " ".join(asked([errors, found["statement log"]], OPTION))
        server.start()
        found = examined(server, tmp_path)
        assert (found["errors are logged"].ok, found["statement log"].ok) == (True, True)


def test_a_server_without_alter_system_is_set_up_by_its_file(tmp_path: Path) -> None:
    dark = {
        "allow_alter_system": "off",
        "log_min_messages": "fatal",
        "track_counts": "off",
        "shared_preload_libraries": "pg_prewarm, $libdir/pg_trgm",
        "session_preload_libraries": "pg_trgm",
    }
    with ThrowawayServer(settings=dark) as server:
        with Database.connect(server.dsn()) as db:
            install(db)
        for _ in range(ROUNDS):
            found = examined(server, tmp_path)
            assert not [
                line for check in found.values() for line in check.lines if line.startswith("ALTER S")
            ]
            wanted = asked([*found.values()], IN_FILE)
            if not wanted:
                break
            with (server.data_directory / "postgresql.conf").open("a") as file:
                file.writelines(f"{line}\n" for line in wanted)
            server.stop()
            server.start()
            with Database.connect(server.dsn()) as db:
                db.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        for name in ("errors are logged", "counters", "source statements", "source plan", "statement log"):
            assert found[name].ok, found[name]
        assert found["level"].finding.startswith("full: ")
        with Database.connect(server.dsn()) as db:
            shared = db.fetch_value("SHOW shared_preload_libraries")
        assert shared == "pg_prewarm, $libdir/pg_trgm, pg_stat_statements"


def test_a_reload_stays_for_what_a_file_sets_and_goes_with_the_last_statement() -> None:
    check = Check("c", None, "f", "t", ("LOAD 'auto_explain';", "ALTER SYSTEM SET a.b = '0';", RELOAD))
    by_file = as_possible(check, {"allow_alter_system": "off"})
    assert asked([by_file], IN_FILE) == ["a.b = '0'"]
    assert by_file.lines[1:] == (RELOAD,)
    by_option = as_possible(check, {"on_command_line": "port, a.b"})
    assert by_option.lines[1:] == (RESTART,)
    assert as_possible(check, {"on_command_line": "port", "allow_alter_system": "on"}) is check


def test_an_option_is_quoted_for_a_shell() -> None:
    check = Check("c", None, "f", "t", ("ALTER SYSTEM SET log_line_prefix = '%m it''s [%p] ';",))
    assert asked([as_possible(check, {"on_command_line": "log_line_prefix"})], OPTION) == [
        "-c 'log_line_prefix=%m it'\"'\"'s [%p] '"
    ]

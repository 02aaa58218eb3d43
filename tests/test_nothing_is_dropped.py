"""No command drops, empties or deletes anything of the user's: read from the log of a real server."""

import csv
import re
from pathlib import Path

import pytest
from typer.main import get_command

import pgattic
from catalog.database import Database, identifier
from ingest.grammar.normalise import normalise
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.waiting import until_logged

SCHEMA = """
CREATE TYPE colour AS ENUM ('red');
CREATE TABLE orders (id int PRIMARY KEY, legacy text, total int CONSTRAINT total_check CHECK (total > 0));
CREATE INDEX orders_total_idx ON orders (total);
CREATE TABLE users_old (id serial PRIMARY KEY, name text);
"""
ELEMENTS = (
    "table:public.users_old",
    "column:public.orders.legacy",
    "index:public.orders_total_idx",
    "constraint:public.orders.total_check",
    "enum:public.colour",
)
# What a standing server of its own is started for, or needs a browser; `demo` makes its own database.
NOT_RUN = {"dashboard", "demo"}
_DESTROYS = re.compile(r"\b(DROP|TRUNCATE|DELETE)\b", re.IGNORECASE)
_OWN = re.compile(
    r"\b(DELETE\s+FROM|TRUNCATE(\s+TABLE)?|DROP\s+\w+(\s+IF\s+EXISTS)?)\s+pgattic\."
    r"|^ALTER\s+TABLE\s+pgattic\.|^REVOKE\s[^()]*\sON\s+pgattic\.|^CREATE\s+TRIGGER\s[^()]*\sON\s+pgattic\.",
    re.IGNORECASE,
)
# A shim that pgattic made is a view; rollback takes it away again.
_SHIM = re.compile(r'DROP\s+VIEW\s+"?public"?\."?users_old"?\s*$', re.IGNORECASE)
# Sensors: triggers of that name, which call nothing but a function of pgattic's own, and grants.
_SENSOR = re.compile(
    r'^DROP TRIGGER "pgattic_sensor[_0-9]*" ON [^;]+$'
    r'|^CREATE TRIGGER "pgattic_sensor[_0-9]*" BEFORE [^;]+ EXECUTE FUNCTION pgattic\.sensor_write\([^()]*\)$'
    r"|^(GRANT|REVOKE) [A-Z, ]+ ON [^;]+$"
)


def statements(database: FreshDatabase) -> list[tuple[str, str]]:
    """Every statement that the server logged for the database: application and text."""
    found = []
    for path in sorted(database.server.log_directory.glob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.reader(file):
                message = row[13]
                said = message.startswith(("statement: ", "execute "))
                if row[2] == database.name and said:
                    found.append((row[22], message.partition(": ")[2]))
    return found


def destructive(text: str) -> list[str]:
    """The parts of a statement that destroy something which is not pgattic's own; constants do not count."""
    code = normalise(text)
    assert code is not None, text
    parts = [part.strip() for part in code.split(";")]
    mine = (_OWN, _SHIM, _SENSOR)
    return [part for part in parts if _DESTROYS.search(part) and not any(own.search(part) for own in mine)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DROP TABLE users_old", 1),
        ("SELECT 1; TRUNCATE users_old", 1),
        ("WITH x AS (DELETE FROM users_old RETURNING id) SELECT 1", 1),
        ('DROP VIEW "public"."users_old"', 0),
        ("DROP VIEW public.active_users", 1),
        ("DELETE FROM pgattic.backup", 0),
        ("ALTER TABLE pgattic.element DROP CONSTRAINT x", 0),
        ("ALTER TABLE public.pgattic DROP CONSTRAINT x", 1),
        ("REVOKE DELETE ON pgattic.audit FROM PUBLIC", 0),
        ("CREATE TRIGGER t BEFORE DELETE ON pgattic.audit EXECUTE FUNCTION f()", 0),
        ("COMMENT ON TABLE t IS 'to drop'", 0),
        ('DROP TRIGGER "pgattic_sensor" ON "public"."x"', 0),
        ('DROP TRIGGER "audit" ON "public"."x"', 1),
        ('CREATE TRIGGER "pgattic_sensor_2" BEFORE DELETE ON x EXECUTE FUNCTION pgattic.sensor_write()', 0),
        ('CREATE TRIGGER "pgattic_sensor" BEFORE DELETE ON x EXECUTE FUNCTION public.f()', 1),
        ("REVOKE DELETE ON x FROM y", 0),
    ],
)
def test_what_destroys_is_recognised(text: str, found: int) -> None:
    assert len(destructive(text)) == found


def test_no_command_destroys_anything(
    database18: FreshDatabase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    db, name = database18.db, database18.name
    db.execute(SCHEMA)
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT pg_stat_reset()")
    db.execute(f"ALTER DATABASE {identifier(name)} SET log_statement = 'all'")
    monkeypatch.chdir(tmp_path)
    run = CommandLine(tmp_path / "pgattic.toml", capsys, monkeypatch)
    logs = str(database18.server.log_directory)
    commands: tuple[tuple[str, ...], ...] = (
        ("init", "--dsn", database18.dsn(), "--logs", logs, "--environment", "development"),
        ("doctor",),
        ("scan",),
        ("plan", *ELEMENTS),
        ("approve", "plan.json"),
        ("checkpoint", "create", "before"),
        ("checkpoint", "list"),
        ("apply", "plan.json", "--yes"),
        ("ingest", "--once"),
        ("collect",),
        ("disarm", ELEMENTS[0], "--yes"),
        ("arm", "--yes", "--measure"),
        ("guard", "--for", "1s"),
        ("ingest", "--status"),
        ("snapshot", "shop.json"),
        ("compact", "--keep-days", "9"),
        ("status",),
        ("usage",),
        ("impact",),
        ("alerts", "list"),
        ("alerts", "check"),
        ("metrics", "--once"),
        ("prove",),
        ("prove", "--new-backup", "MIGRATION"),
        ("readiness",),
        ("readiness", "--rows"),
        ("readiness", "--since-last"),
        ("coverage",),
        ("report", "--out", "report.html"),
        ("rollback", "--element", ELEMENTS[1], "--yes"),
        ("rollback", "--to", "before", "--yes"),
        ("plan", "--soft", ELEMENTS[0], "--out", "soft.json"),
        ("apply", "soft.json", "--yes"),
        ("rollback", "--element", ELEMENTS[0], "--yes"),
        ("audit", "list"),
        ("audit", "verify"),
        ("audit", "export"),
        ("breaker", "status"),
        ("breaker", "reset", "--because", "a test"),
    )
    assert {command[0] for command in commands} | NOT_RUN == set(get_command(pgattic.application()).commands)  # type: ignore[attr-defined]
    for command in commands:
        known = db.fetch_value("SELECT max(id) FROM pgattic.migration") if "MIGRATION" in command else ""
        ended = run(*(part.replace("MIGRATION", known) for part in command))
        assert "Traceback" not in ended.err, (command, ended)
        if command[0] in ("plan", "apply", "prove", "rollback", "init", "arm", "disarm"):
            assert ended.code == 0, (command, ended)

    with Database.connect(database18.dsn()) as last:
        last.execute("SELECT 'what came before it is in the log'")
    until_logged(database18.server, "what came before it is in the log")
    sent = [text for application, text in statements(database18) if application == "pgattic"]
    assert any("RENAME TO" in text for text in sent)
    assert any("CREATE VIEW" in text for text in sent)
    assert any("CREATE TRIGGER" in text for text in sent)
    assert any("DROP TRIGGER" in text for text in sent)
    assert any("sensor_read" in text for text in sent)
    assert any(text.startswith("COPY ") for text in sent), "pg_dump runs under our name, too"
    assert not [part for text in sent for part in destructive(text)]
    assert db.fetch_value("SELECT to_regclass('public.users_old') IS NOT NULL")

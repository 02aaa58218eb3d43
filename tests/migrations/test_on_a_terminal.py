"""How commands look on a terminal of 80 columns, with elements of every kind in the attic."""

import re

import pytest

from tests.command_line import CommandLine
from tests.migrations.fix_house import House

WIDTH = 80
ELEMENTS = (
    "table:public.users_of_the_old_system",
    "column:public.orders.legacy",
    "index:public.orders_total_idx",
    "constraint:public.orders.total_check",
    "enum:public.mood",
    "enum_value:public.colour.green",
    "view:public.counted",
    "matview:public.totals",
    "sequence:public.numbers",
)
MORE = """
CREATE TABLE users_of_the_old_system (id int);
INSERT INTO users_of_the_old_system SELECT generate_series(1, 2000);
CREATE TYPE mood AS ENUM ('sad');
ALTER TABLE orders ADD COLUMN shade colour;
CREATE VIEW counted AS SELECT 1 AS one;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM generate_series(1, 3);
SELECT pg_stat_force_next_flush();
"""
# Whoever copies an id, a command or a path from a line wants it whole.
COPIED = re.compile(r"`pgattic |Guard(ing|ed) |^Role |^error:")


@pytest.fixture
def terminal(house18: House, command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line as on a terminal, for a database with elements of every kind."""
    house18.db.execute(MORE)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("PGATTIC_POLICY__MIN_AGE_DAYS", "0")
    return command


def said(command: CommandLine, *arguments: str) -> str:
    """What a command prints, which must fit and count things in the right number."""
    ended = command(*arguments)
    assert ended.code == 0, ended
    wide = [line for line in ended.out.splitlines() if len(line) > WIDTH and not COPIED.search(line)]
    assert wide == []
    assert re.findall(r"\b1 (?:\w+ )?(?:scan|row|table|column|element|statement|finding)s\b", ended.out) == []
    assert re.findall(r"\b\d{4,} (?:rows|elements|written)", ended.out) == []
    return ended.out


def test_the_whole_way_of_a_migration(terminal: CommandLine) -> None:
    planned = said(terminal, "plan", *ELEMENTS)
    assert "2,000 written rows counted" in " ".join(planned.split())
    (migration,) = re.findall(r"m\d{8}-\w{6}", planned)
    applied = said(terminal, "apply", "plan.json", "--yes")
    assert "backup: 2,000 rows of 2 tables and the whole schema" in " ".join(applied.split())
    assert migration in applied
    status = said(terminal, "status")
    assert re.search(rf"^{migration} +executed .* 9 of 9 *$", status, re.MULTILINE)
    for element in ELEMENTS:
        assert f"    {element}\n" in status
    said(terminal, "arm", "--yes")
    assert migration in said(terminal, "audit", "list")
    assert "2,000 rows of 2 tables came back the same" in " ".join(said(terminal, "prove").split())
    said(terminal, "disarm", "--yes")
    back = said(terminal, "rollback", migration, "--yes")
    assert "9 elements restored" in back


def test_how_long_is_guarded_is_said_in_words(
    house18: House, terminal: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGATTIC_LOGS__DIRECTORY", str(house18.database.server.log_directory))
    plan = house18.deprecate("enum:public.mood")
    out = said(terminal, "guard", "--for", "1s")
    assert f"Guarding {plan.id} for 1 second (rollback-element)" in out
    assert "1 element of it still in the attic" in out


@pytest.mark.parametrize("arguments", [("nope",), ()])
def test_what_cannot_be_guarded_is_wrong_use_before_anything_is_said(
    terminal: CommandLine, arguments: tuple[str, ...]
) -> None:
    ended = terminal("guard", *arguments, "--for", "1s")
    assert (ended.code, ended.out) == (2, "")
    assert "in the attic" in ended.err

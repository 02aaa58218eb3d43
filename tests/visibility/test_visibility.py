"""Every kind of access is seen, or the verdict does not say "ready": on real servers, at each level.

docs/visibility.md has the matrix; a test for each column holds it against what a server, its log and its
counters really show. `PGATTIC_PRINT_MATRIX=file` writes what was seen, as JSON.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from analytics.verdict import Verdict
from catalog.elements import Kind
from catalog.throwaway import EMBEDDED_BIN, ThrowawayServer
from tests.fix_server import DEBIAN_15_BIN
from tests.visibility.matrix import ROWS, Row
from tests.visibility.world import Cell, Watch, run_matrix

PAGE = Path(__file__).parents[2] / "docs" / "visibility.md"
AUDITOR = "visibility_auditor"


@dataclass(frozen=True)
class Level:
    """A level of monitoring on a server; `audited` ones need Debian's PostgreSQL 15 with pgaudit."""

    name: str
    settings: Mapping[str, str]
    sensors: bool = True
    audited: bool = False


_FULL = {
    "log_statement": "all",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
}
# On 18 the checks of foreign keys that it counts with "all" hide uses of any other table.
_COUNTED = {"pg_stat_statements.track": "top", "pg_stat_statements.max": "20000"}
LEVELS = (
    Level("minimal", {}, sensors=False),
    Level("sensors", {}),
    Level("sensors, statements", {"shared_preload_libraries": "pg_stat_statements", **_COUNTED}),
    Level(
        "sensors, pgaudit",
        {"shared_preload_libraries": "pgaudit", "pgaudit.role": AUDITOR},
        audited=True,
    ),
    Level("full", {"shared_preload_libraries": "auto_explain", **_FULL}),
    Level(
        "full, pgaudit",
        {"shared_preload_libraries": "auto_explain, pgaudit", "pgaudit.role": AUDITOR, **_FULL},
        audited=True,
    ),
)


def can_tell(level: Level, row: Row) -> bool:
    """Whether a level can tell that an element was not used; docs/verdict.md says which it takes."""
    if row.soft and row.kind is Kind.VIEW and not level.sensors:
        return False
    is_logged = "log_statement" in level.settings
    if not row.is_opaque and (is_logged or "pg_stat_statements.track" in level.settings):
        return is_logged or row.kind is not Kind.ENUM_VALUE
    if row.kind in (Kind.TABLE, Kind.MATVIEW, Kind.COLUMN):
        sees_plans = level.audited and row.kind is not Kind.COLUMN
        return not row.soft and (sees_plans or row.is_planned_visibly)
    return row.kind in (Kind.INDEX, Kind.SEQUENCE) or (row.kind is Kind.VIEW and level.audited)


def of_unused(level: Level, twin: Cell) -> Verdict:
    """The verdict on what nobody used."""
    if twin.seen or not twin.row.is_counted:
        return Verdict.NOT_READY
    return Verdict.READY if can_tell(level, twin.row) else Verdict.UNKNOWN


def told(cell: Cell) -> str:
    """A cell as the page has it."""
    sources = ", ".join(sorted(cell.seen)) or "nobody"
    return sources if cell.verdict is Verdict.NOT_READY else f"{sources} ({cell.verdict})"


def page(level: Level) -> dict[tuple[str, str], str]:
    """The cells of one level on the page, by kind and access."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, _, *body = [row for row in rows if len(row) == len(LEVELS) + 2]
    return {(row[0], row[1]): row[head.index(level.name)] for row in body}


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_every_use_is_seen_or_nothing_is_ready(level: Level, tmp_path: Path) -> None:
    if level.audited and not (DEBIAN_15_BIN.parent / "lib" / "pgaudit.so").exists():
        pytest.skip(f"no pgaudit beside {DEBIAN_15_BIN}")
    binaries = DEBIAN_15_BIN if level.audited else EMBEDDED_BIN
    with ThrowawayServer(settings=level.settings, bin_directory=binaries) as server:
        watch = Watch(server, tmp_path)
        if level.audited:
            with watch.connect() as db:
                db.execute(f"CREATE ROLE {AUDITOR}")
        if "pg_stat_statements.track" in level.settings:
            with watch.connect() as db:
                db.execute("CREATE EXTENSION pg_stat_statements")
        used, twins = run_matrix(watch, sensors=level.sensors)
    if where := os.environ.get("PGATTIC_PRINT_MATRIX"):
        path = Path(where)
        known = json.loads(path.read_text()) if path.exists() else {}
        known[level.name] = {f"{cell.row.kind}|{cell.row.access}": told(cell) for cell in used}
        path.write_text(json.dumps(known))
    # What nobody uses is ready, but for what the catalog says: otherwise the rest would prove nothing.
    for twin in twins:
        assert twin.seen <= {"catalog", "rows"}, (twin.row, twin.seen)
    assert not [
        (str(twin.row.kind), twin.row.access, wanted, twin.verdict, twin.readiness.reasons)
        for twin in twins
        if twin.verdict is not (wanted := of_unused(level, twin))
    ]
    ready = [cell.row for cell in used if cell.verdict is Verdict.READY]
    assert not [(row.kind, row.access) for row in ready if not row.blind]
    # The page says exactly what was seen, and what came to "ready" unseen.
    assert {(str(cell.row.kind), cell.row.access): told(cell) for cell in used} == page(level)


def test_each_kind_of_access_is_one_row() -> None:
    keys = [(row.kind, row.access) for row in ROWS]
    assert len(keys) == len(set(keys))
    assert all(row.blind in PAGE.read_text() for row in ROWS)

"""`ingest` and `collect` at once: both write statements and join their files; nothing is lost or doubled."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.throwaway import ThrowawayServer
from ingest.store import Store
from migrations import registry
from tests.analytics.world import Attic
from tests.ingest.fix_ingest import Workplace

_ROOT = Path(__file__).parents[2]
_ROUNDS = 10
_COUNTED = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}


@pytest.fixture
def counting() -> Iterator[tuple[str, str]]:
    """A server that counts statements, with a table in the attic: its dsn, and what the table is called."""
    with ThrowawayServer(settings=_COUNTED) as server, Database.connect(server.dsn()) as db:
        columns = ", ".join(f"counted_{number} int" for number in range(1, _ROUNDS + 1))
        db.execute(f"CREATE EXTENSION pg_stat_statements; CREATE TABLE unread ({columns})")
        registry.install(db)
        now = db.fetch_value("SELECT now()")
        yield server.dsn(), Attic(db).put("table:public.unread", now)


def started(how: str, home: Path, *more: str) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "tests.ingest.together", how, str(home), str(_ROUNDS), *more]
    return subprocess.Popen(program, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ingest_and_collect_at_once_keep_every_statement_once(
    workplace: Workplace, counting: tuple[str, str]
) -> None:
    home = workplace.folder.parent
    processes = [started("ingest", home), started("collect", home, *counting)]
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, (out, err)
    texts = Counter(str(row["text"]) for row in workplace.rows("statement", "text"))
    logged = {f"logged_{number}" for number in range(1, _ROUNDS + 1)}
    counted = {f"counted_{number}" for number in range(1, _ROUNDS + 1)}
    for name in logged | counted:
        # The table was made with these names, too.
        found = [text for text in texts if f"{name} from " in text.lower()]
        assert [texts[text] for text in found] == [1], name
    # What was logged counts once, whoever joined which files meanwhile.
    lines = Counter(row["session_line"] for row in workplace.rows("access", "session_line"))
    assert (len(lines), sum(lines.values())) == (_ROUNDS, _ROUNDS)
    samples = workplace.rows("sample", "sampled_at", "failure")
    assert [row["failure"] for row in samples] == [None] * _ROUNDS
    calls = workplace.rows("statement_counter", "sampled_at", "statement_id", "role")
    assert len({tuple(map(str, row.values())) for row in calls}) == len(calls)
    files = {name: sum(p.files for p in Store(workplace.data).partitions(name)) for name in ("statement",)}
    assert files["statement"] < 2 * _ROUNDS

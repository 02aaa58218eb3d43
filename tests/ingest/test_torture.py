"""A hundred random kills, and every record stands in the tables once."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

from ingest.running import ingest_once
from tests.ingest.fix_ingest import NOON, Workplace
from tests.ingest.test_pipeline import an_alert_each

_KILLS = 100


def test_a_hundred_random_kills_lose_and_double_nothing(workplace: Workplace) -> None:
    seed = random.randrange(10**6)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.ingest.tortured", str(workplace.folder.parent), str(_KILLS), str(seed)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
        # Not how long it takes, on any machine: only what hangs takes that long.
        timeout=1800,
    )
    assert ran.returncode == 0, (seed, ran.stderr)
    written = json.loads(ran.stdout)
    # Killed, or refused because another one was at work; nothing else.
    assert set(written["ended"]) <= {"-9", "3"}, ran.stderr
    # Most die when they have committed something, and so perhaps in the middle of the next commit.
    assert written["after"] >= _KILLS // 3, written
    workplace.alerting = an_alert_each
    workplace.now = NOON + timedelta(days=1)
    ingest_once(workplace.pipeline())
    lines = Counter(
        (row["session_id"], row["session_line"])
        for row in workplace.rows("access", "session_id", "session_line")
    )
    assert len(lines) == sum(lines.values()) == written["uses"], seed
    alerts = Counter(
        (row["origin"], row["log_offset"]) for row in workplace.rows("alert", "origin", "log_offset")
    )
    assert len(alerts) == sum(alerts.values()) == written["uses"]
    counts: Counter[str] = Counter()
    for row in workplace.rows("usage_hourly", "element", "uses"):
        counts[str(row["element"])] += int(str(row["uses"]))
    assert counts["table:public.users_old"] == written["uses"]
    assert counts["column:public.users.id"] == written["statements"]
    records = sum(int(str(row["records"])) for row in workplace.rows("coverage", "records"))
    assert records == written["uses"] + written["statements"]
    assert workplace.rows("reject", "reason") == []
    assert workplace.rows("gap", "lines") == []

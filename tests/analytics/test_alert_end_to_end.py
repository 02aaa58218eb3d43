"""From a statement to a webhook: a real server, a real ingest, and a kill between."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.database import Database
from catalog.errors import StatementFailedError
from tests.analytics.fix_webhook import Webhook, webhook
from tests.analytics.world import SCRIPT, Attic, run
from tests.fix_server import FreshDatabase
from tests.waiting import PATIENCE_SECONDS, until

__all__ = ["webhook"]


@contextmanager
def following(config: Path, webhook: Webhook) -> Iterator[subprocess.Popen[str]]:
    """An ingest that follows the log, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pgattic", "--config", str(config), "ingest", "--follow"],
        env=os.environ | {"PGATTIC_ALERTS__URLS": webhook.url, "PGATTIC_ALERTS__DIGEST": "0s"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process, process.stderr:
        assert "Following" in process.stderr.readline()
        try:
            yield process
        finally:
            process.kill()


def use(db: Database, number: int) -> None:
    """A statement that fails on the former name."""
    with pytest.raises(StatementFailedError):
        db.execute(f"SELECT count(*) AS n{number} FROM users_old")


def wait_for(webhook: Webhook, alerts: int, after: int = 0) -> None:
    """Until messages after some others have told of so many failures."""
    until(lambda: "".join(webhook.texts[after:]).count("failed with 42P01") >= alerts, "no message came")


def test_a_failing_statement_is_a_message_also_after_a_kill(
    database18: FreshDatabase, tmp_path: Path, webhook: Webhook
) -> None:
    run(database18.db, SCRIPT)
    Attic(database18.db).put("table:public.users_old", datetime.now(UTC))
    config = tmp_path / "pgattic.toml"
    config.write_text(
        f'[database]\ndsn = "{database18.dsn()}"\n[data]\ndirectory = "{tmp_path / "data"}"\n'
        f'[logs]\ndirectory = "{database18.server.log_directory}"\npoll_seconds = 0.1\n'
    )
    with Database.connect(database18.dsn(), application_name="billing") as db:
        with following(config, webhook) as process:
            use(db, 1)
            wait_for(webhook, 1)
            webhook.hangs = True
            webhook.called.clear()
            use(db, 2)
            assert webhook.called.wait(PATIENCE_SECONDS)
            os.kill(process.pid, signal.SIGKILL)
        webhook.hangs = False
        webhook.release.set()
        sent = len(webhook.calls)
        use(db, 3)
        with following(config, webhook):
            wait_for(webhook, 2, after=sent)
    assert "table:public.users_old is in use: postgres (billing" in webhook.texts[0]

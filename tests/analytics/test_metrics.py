"""Figures for Prometheus: scraped over HTTP or printed once, bounded, and honest where nothing answers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from analytics.errors import EvidenceError, MetricsAddressError
from analytics.figures import MOST_ELEMENTS, Figures, take
from analytics.metrics import as_text, serving
from catalog.database import Database
from catalog.settings import DatabaseSettings, DataSettings, PolicySettings, Settings
from ingest.schemas import Source
from ingest.store import Store
from tests.analytics.evidence import NOW, access, alerts_for, covered, rows, write
from tests.analytics.world import SCRIPT, Attic, run
from tests.command_line import CommandLine
from tests.fix_server import FreshDatabase
from tests.waiting import PATIENCE_SECONDS

HOUR = timedelta(hours=1)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels, in the order of their names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def settings(directory: Path, dsn: str = "") -> Settings:
    return Settings(database=DatabaseSettings(dsn=dsn), data=DataSettings(directory=directory))


def no_database() -> Database:
    raise AssertionError("none is configured")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "access",
        access(),
        access(),
        access(outcome="ok", source="log", element='table:public."A""b"'),
    )
    write(tmp_path, "coverage", covered(NOW - 13 * HOUR, NOW - HOUR, Source.ERROR))
    Store(tmp_path).append("alert", alerts_for(rows("access", access()), NOW), transaction=None)
    return tmp_path


def test_every_figure_of_the_evidence_is_told(data: Path) -> None:
    found = samples(as_text(take(settings(data), no_database, NOW)))
    assert found["pgattic_up",] == 1
    assert found["pgattic_database_up",] == 0
    assert found["pgattic_uses_total", "table:public.users_old", "error", "error"] == 2
    assert found["pgattic_uses_total", 'table:public."A""b"', "ok", "log"] == 1
    assert found["pgattic_coverage_ratio", "error"] == 0.5
    assert found["pgattic_coverage_ratio", "audit"] == 0
    assert ("pgattic_coverage_ratio", "counter") not in found
    assert found["pgattic_ingest_lag_seconds", "primary"] == 3600
    assert found["pgattic_last_record_timestamp_seconds", "primary"] == (NOW - HOUR).timestamp()
    assert found["pgattic_alerts_total", "former name used", "critical"] == 1
    assert found["pgattic_figures_timestamp_seconds",] == NOW.timestamp()
    assert not [key for key in found if key[0] in ("pgattic_breaker_open", "pgattic_attic_elements")]


def test_verdicts_and_the_breaker_come_from_the_database(database18: FreshDatabase, data: Path) -> None:
    db = database18.db
    run(db, SCRIPT)
    Attic(db).put("table:public.users_old", NOW - HOUR)

    def figures() -> dict[tuple[str, ...], float]:
        connect = lambda: Database.connect(database18.dsn())  # noqa: E731 (a session each time)
        return samples(as_text(take(settings(data, database18.dsn()), connect, NOW)))

    found = figures()
    assert found["pgattic_database_up",] == found["pgattic_attic_elements",] == 1
    assert found["pgattic_verdict", "table:public.users_old", "not ready"] == 1
    assert found["pgattic_breaker_open",] == 0
    db.execute("INSERT INTO pgattic.breaker (reason) VALUES ('a test')")
    assert figures()["pgattic_breaker_open",] == 1


def test_what_servers_count_is_covered_where_samples_were_taken(
    database18: FreshDatabase, data: Path
) -> None:
    write(data, "sample", *({"sampled_at": NOW - hours * HOUR} for hours in range(0, 25, 3)))
    # Its log is read no more, and nothing is asked of it.
    write(data, "coverage", covered(NOW - 200 * HOUR, NOW - 100 * HOUR, Source.ERROR, node="gone"))
    its = settings(data, database18.dsn()).model_copy(
        update={"policy": PolicySettings(retired_nodes=("gone",))}
    )
    found = samples(as_text(take(its, lambda: Database.connect(database18.dsn()), NOW)))
    ratio = {source: found["pgattic_coverage_ratio", source] for source in ("error", "counter", "statements")}
    assert ratio == {"error": 0.5, "counter": 1, "statements": 0}
    its = its.model_copy(update={"database": DatabaseSettings(dsn="")})
    assert samples(as_text(take(its, no_database, NOW)))["pgattic_coverage_ratio", "error"] == 0.5


def test_a_database_that_does_not_answer_is_a_figure(data: Path) -> None:
    dsn = "host=127.0.0.1 port=1 dbname=x connect_timeout=1"
    found = samples(as_text(take(settings(data, dsn), lambda: Database.connect(dsn), NOW)))
    assert (found["pgattic_up",], found["pgattic_database_up",]) == (1, 0)


def test_the_number_of_elements_is_bounded(tmp_path: Path) -> None:
    many = [
        access(NOW + timedelta(seconds=number), element=f"table:public.t{number}") for number in range(250)
    ]
    write(tmp_path, "access", *many)
    found = samples(as_text(take(settings(tmp_path), no_database, NOW)))
    uses = {key: value for key, value in found.items() if key[0] == "pgattic_uses_total"}
    assert len(uses) == MOST_ELEMENTS + 1
    assert uses["pgattic_uses_total", "(others)", "error", "error"] == 50
    assert ("pgattic_uses_total", "table:public.t249", "error", "error") in uses


def fetch(address: str) -> str:
    with urlopen(f"http://{address}/metrics", timeout=PATIENCE_SECONDS) as answer:
        text: str = answer.read().decode()
        return text


def counting(data: Path, calls: list[None]) -> Callable[[], Figures]:
    def figures() -> Figures:
        calls.append(None)
        return take(settings(data), no_database, NOW)

    return figures


def test_a_scrape_reads_the_evidence_only_so_often(data: Path) -> None:
    calls: list[None] = []
    with serving("127.0.0.1:0", counting(data, calls), 3600) as address:
        assert fetch(address) == fetch(address)
    assert len(calls) == 1
    with serving("127.0.0.1:0", counting(data, calls), 0) as address:
        fetch(address)
        fetch(address)
    assert len(calls) == 3


def test_evidence_that_cannot_be_read_is_a_figure(data: Path) -> None:
    def broken() -> Figures:
        raise EvidenceError("gone")

    with serving("127.0.0.1:0", broken, 0) as address:
        assert samples(fetch(address)) == {("pgattic_up",): 0}


def test_an_address_that_is_none_or_taken_is_one_clear_error(data: Path) -> None:
    figures = counting(data, [])
    for wrong in ("9187", "localhost:", "127.0.0.1:99999"):
        with pytest.raises(MetricsAddressError, match="host:port"), serving(wrong, figures, 0):
            pass
    with (
        serving("127.0.0.1:0", figures, 0) as taken,
        pytest.raises(MetricsAddressError, match="cannot listen"),
        serving(taken, figures, 0),
    ):
        pass


def test_the_command_prints_once_and_serves_until_it_is_ended(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = data / "pgattic.toml"
    config.write_text(f'[data]\ndirectory = "{data}"\n')
    once = CommandLine(config, capsys, monkeypatch)("metrics", "--once")
    assert samples(once.out)["pgattic_uses_total", "table:public.users_old", "error", "error"] == 2
    command = [sys.executable, "-m", "pgattic", "--config", str(config), "metrics"]
    served = subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    assert served.stderr is not None
    with served, served.stderr:
        address = served.stderr.readline().split("//")[1].partition("/")[0]
        assert "pgattic_up 1.0" in fetch(address)
        os.kill(served.pid, signal.SIGTERM)
        assert served.wait(PATIENCE_SECONDS) == 0

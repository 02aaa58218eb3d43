"""Fixtures of the ingest tests."""

from pathlib import Path

import pytest
from hypothesis import settings

from ingest import state
from tests.ingest.fix_ingest import Workplace

# Of what is read as logs, fewer examples tell as much.
settings.register_profile("ingest", deadline=None, max_examples=60)
settings.load_profile("ingest")


@pytest.fixture(autouse=True)
def _no_state_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of sessions is kept with every commit, also where the machine took its time for one."""
    monkeypatch.setattr(state, "_SLOW_SECONDS", float("inf"))


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An empty log folder and no evidence yet."""
    folder = tmp_path / "log"
    folder.mkdir()
    return Workplace(folder, tmp_path / "data")

"""Fixtures of the ingest tests."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.ingest.fix_ingest import Workplace

# How long an example takes says more about the other tests on the machine than about the code.
settings.register_profile("ingest", deadline=None, max_examples=60)
settings.load_profile("ingest")


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """An empty log folder and no evidence yet."""
    folder = tmp_path / "log"
    folder.mkdir()
    return Workplace(folder, tmp_path / "data")

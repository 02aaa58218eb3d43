"""Waiting for the log folder: hints come through, and an end from a signal handler never hangs."""

import signal
import time
from pathlib import Path

from ingest.watch import Watcher, ending_on_signals
from tests.waiting import PATIENCE_SECONDS


def test_a_change_wakes_the_wait_long_before_the_poll(tmp_path: Path) -> None:
    with Watcher(tmp_path, poll_seconds=10 * PATIENCE_SECONDS) as watcher:
        (tmp_path / "a.csv").write_text("x")
        # It says no where only the end of its time woke it.
        assert watcher.wait_for_change(until=time.monotonic() + PATIENCE_SECONDS)


def test_the_wait_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with Watcher(tmp_path, poll_seconds=30) as watcher:
        assert not watcher.wait_for_change(until=time.monotonic() + 0.01)


def test_signals_end_the_watch_whenever_they_come(tmp_path: Path) -> None:
    for seconds in (0.0001, 0.0005, 0.002) * 20:
        watcher = Watcher(tmp_path, poll_seconds=0.0001)
        with watcher, ending_on_signals(watcher):
            # The alarm itself ends the watch: one more signal between it and the wait could hang that.
            before = signal.signal(signal.SIGALRM, signal.getsignal(signal.SIGTERM))
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                while watcher.wait_for_change():
                    pass
            finally:
                signal.signal(signal.SIGALRM, before)

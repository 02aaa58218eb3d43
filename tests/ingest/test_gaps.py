"""Numbers of lines prove what a log has lost; what merely was not seen proves nothing."""

import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import gaps as gaps_module
from ingest import state as state_module
from ingest.gaps import LineNumbers, lines_of
from ingest.logs.csvlog import CSVLOG
from ingest.running import ingest_once
from tests.ingest.fix_ingest import NOON, Workplace, record

# Ids of sessions that began long before NOON, at NOON, and a second time with the same process number.
OLD = "6b000000.10"
_BEGAN = int((NOON + timedelta(minutes=5)).timestamp())
NEW, OTHER, AGAIN = f"{_BEGAN:x}.10", f"{_BEGAN:x}.11", f"{_BEGAN + 60:x}.10"


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def lines(*found: tuple[str, int, float]) -> bytes:
    """Records of (session, line, minutes after noon)."""
    return b"".join(
        record("x", session=session, line=line, at=at(minutes)) for session, line, minutes in found
    )


CASES = [
    pytest.param([(OLD, 7, 1), (OLD, 8, 2)], [], id="one after the other"),
    pytest.param([(OLD, 7, 1), (OLD, 10, 2)], [(1, 2, 2)], id="a hole"),
    pytest.param([(OLD, 7, 1)], [], id="began before the log"),
    pytest.param([(OLD, 7, 1), (NEW, 1, 6), (OLD, 8, 7), (NEW, 2, 8)], [], id="two sessions"),
    pytest.param([(OLD, 7, 1), (NEW, 3, 6)], [(5, 6, 2)], id="the beginning is missing"),
    pytest.param([(OLD, 7, 1), (NEW, 1, 6), (AGAIN, 1, 7), (AGAIN, 2, 8)], [], id="a recycled process"),
    pytest.param([(OLD, 7, 1), (OLD, 8, 2), (OLD, 3, 3), (OLD, 4, 4)], [], id="numbers that go back"),
    pytest.param([(OLD, 7, 1), (OLD, 9, 4), (NEW, 1, 5.5), (OLD, 11, 6)], [(1, 6, 2)], id="holes that touch"),
    pytest.param([(OLD, 7, 3), (OLD, 9, 1)], [(1, 3, 1)], id="a clock that goes back"),
]


def found_in(workplace: Workplace) -> list[tuple[object, object, object]]:
    """The gaps that the tables hold."""
    rows = workplace.rows("gap", "gap_from", "gap_to", "lines", "reason")
    return sorted((row["gap_from"], row["gap_to"], row["lines"]) for row in rows)


@pytest.mark.parametrize("batch_bytes", [300, 1 << 20])
@pytest.mark.parametrize(("records", "gaps"), CASES)
def test_a_hole_in_the_numbers_is_a_gap(
    workplace: Workplace,
    batch_bytes: int,
    records: list[tuple[str, int, float]],
    gaps: list[tuple[float, float, int]],
) -> None:
    workplace.batch_bytes = batch_bytes
    workplace.write("a.csv", lines(*records))
    summary = ingest_once(workplace.pipeline())
    assert found_in(workplace) == [(at(start), at(end), count) for start, end, count in gaps]
    assert summary.gaps == len(gaps)
    assert summary.is_complete == (not gaps)


@pytest.mark.parametrize(("records", "gaps"), CASES)
def test_a_hole_is_found_across_files_and_restarts(
    workplace: Workplace, records: list[tuple[str, int, float]], gaps: list[tuple[float, float, int]]
) -> None:
    for number, each in enumerate(records):
        workplace.write(f"{number}.csv", lines(each))
        ingest_once(workplace.pipeline())
    count = sum(int(str(lost)) for _, _, lost in found_in(workplace))
    assert count == sum(lost for _, _, lost in gaps)


def test_a_hole_is_found_after_a_run_that_was_slow_to_keep_what_it_knew(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_module, "_SLOW_SECONDS", -1.0)
    monkeypatch.setattr(state_module, "_SLOW_PAUSES", 1e9)
    for name, line in (("a.csv", 7), ("b.csv", 8)):
        workplace.write(name, lines((OLD, line, line)))
    ingest_once(workplace.pipeline())
    workplace.write("c.csv", lines((OLD, 11, 11)))
    ingest_once(workplace.pipeline())
    assert found_in(workplace) == [(at(8), at(11), 2)]


@given(st.lists(st.tuples(st.sampled_from([OLD, NEW, OTHER]), st.booleans()), max_size=40), st.integers(1, 9))
def test_exactly_the_lines_that_were_taken_out_are_missing(choices: list[tuple[str, bool]], cut: int) -> None:
    numbers = {OLD: 41, NEW: 0, OTHER: 0}
    written, taken, last_kept = [record("x", session=OLD, line=41, at=at(0))], 0, {OLD: 41, NEW: 0, OTHER: 0}
    for place, (session, is_kept) in enumerate(choices):
        numbers[session] += 1
        if is_kept:
            taken += numbers[session] - last_kept[session] - 1
            last_kept[session] = numbers[session]
            written.append(record("x", session=session, line=numbers[session], at=at(10 + place)))
    known, lost = LineNumbers(), 0
    for start in range(0, len(written), cut):
        known = LineNumbers.load(known.dump())
        reading = CSVLOG.read(b"".join(written[start : start + cut]))
        lost += sum(gap.lines for gap in known.follow(lines_of(reading.records)))
    assert lost == taken


def test_a_session_that_was_forgotten_proves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps_module, "_SESSIONS_KEPT", 2)
    known = LineNumbers()
    sessions = [f"{_BEGAN + number:x}.10" for number in range(5)]
    known.follow(lines_of(CSVLOG.read(lines((OLD, 7, 0))).records))
    for number, session in enumerate(sessions):
        assert not known.follow(lines_of(CSVLOG.read(lines((session, 1, 6 + number))).records))
    for number, session in enumerate(sessions[:3]):
        assert not known.follow(lines_of(CSVLOG.read(lines((session, 9, 20 + number))).records))


def test_a_standby_that_was_made_with_the_log_of_its_primary_loses_no_lines(workplace: Workplace) -> None:
    """The same session is in both logs, and ends in one of them earlier."""
    workplace.write("a.csv", lines((OLD, 1, 1)))
    copied = replace(workplace, folder=workplace.folder.with_name("of replica"), node="replica/1")
    shutil.copytree(workplace.folder, copied.folder)
    workplace.write("a.csv", lines((OLD, 2, 2), (OLD, 3, 3)))
    ingest_once(workplace.pipeline())
    copied.write("b.csv", lines((NEW, 1, 6)))
    for number in range(4, 8):
        ingest_once(copied.pipeline())
        workplace.write("a.csv", lines((OLD, number, number)))
        assert ingest_once(workplace.pipeline()).records == 1
        copied.write("b.csv", lines((NEW, number - 2, number + 3)))
    assert found_in(workplace) == []
    # What a server's own log has lost is still noticed.
    workplace.write("a.csv", lines((OLD, 9, 9)))
    ingest_once(workplace.pipeline())
    copied.write("b.csv", lines((NEW, 9, 11)))
    ingest_once(copied.pipeline())
    assert [count for _, _, count in found_in(workplace)] == [1, 3]


def test_a_record_that_cannot_be_read_is_a_gap_between_those_around_it(workplace: Workplace) -> None:
    workplace.write("a.csv", lines((OLD, 1, 1)), b"damage\n", lines((OLD, 2, 2)))
    assert not ingest_once(workplace.pipeline()).is_complete
    assert found_in(workplace) == [(at(1), at(2), 0)]


def test_damage_at_the_end_of_a_batch_is_a_gap_up_to_the_next_record(workplace: Workplace) -> None:
    first = lines((OLD, 1, 1)) + b"damage\n"
    workplace.batch_bytes = len(first)
    workplace.write("a.csv", first, lines((OLD, 2, 2)))
    ingest_once(workplace.pipeline())
    assert found_in(workplace) == [(at(1), at(2), 0)]


def test_damage_at_the_end_of_a_file_is_a_gap_up_to_its_last_change(workplace: Workplace) -> None:
    path: Path = workplace.write("a.csv", lines((OLD, 1, 1)), b"damage\n")
    os.utime(path, (at(3).timestamp(), at(3).timestamp()))
    ingest_once(workplace.pipeline())
    assert found_in(workplace) == [(at(1), at(3), 0)]

"""Whatever is done to a chain afterwards, verify says what and where; it says nothing of one left alone."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrations.audit.chain import GENESIS, AuditRow, link
from migrations.audit.seal import BrokenSeal, Seal, in_force, read_seals, sign
from migrations.audit.verify import Tampering, verify

KEY = b"a key that nobody guesses"


def row_after(previous: AuditRow | None, subject: str, event: str = "plan") -> AuditRow:
    sequence = previous.sequence + 1 if previous else 1
    prev_hash = previous.hash if previous else GENESIS
    entry = json.dumps({"sequence": sequence, "event": event, "subject": subject}, ensure_ascii=False)
    return AuditRow(sequence, prev_hash, link(prev_hash, entry), entry)


def chain_of(subjects: list[str]) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for subject in subjects:
        rows.append(row_after(rows[-1] if rows else None, subject))
    return rows


def seal_of(rows: list[AuditRow], count: int) -> Seal:
    return Seal("1/1", count, rows[count - 1].hash if count else GENESIS, "2026-11-23T12:00:00Z")


def stamped(row: AuditRow) -> AuditRow:
    return replace(row, hash=link(row.prev_hash, row.entry))


chains = st.lists(st.text(max_size=12), min_size=1, max_size=12).map(chain_of)


@st.composite
def sealed_chains(draw: st.DrawFn) -> tuple[list[AuditRow], list[Seal]]:
    rows = draw(chains)
    counts = draw(st.sets(st.integers(0, len(rows)), max_size=4)) | {len(rows)}
    return rows, [seal_of(rows, count) for count in sorted(counts)]


@given(sealed_chains())
def test_a_chain_that_was_left_alone_is_whole(sealed: tuple[list[AuditRow], list[Seal]]) -> None:
    rows, seals = sealed
    verdict = verify(rows, seals)
    assert verdict.is_whole
    assert (verdict.rows, verdict.head, verdict.sealed) == (len(rows), rows[-1].hash, len(rows))


@given(sealed_chains(), st.data())
def test_an_edited_row_is_named(sealed: tuple[list[AuditRow], list[Seal]], data: st.DataObject) -> None:
    rows, seals = sealed
    at = data.draw(st.integers(0, len(rows) - 1))
    change = data.draw(
        st.sampled_from(
            [
                lambda row: replace(row, entry=row.entry + " "),
                lambda row: replace(row, entry="not JSON"),
                lambda row: replace(row, prev_hash="f" * 64),
                lambda row: replace(row, hash="f" * 64),
            ]
        )
    )
    rows[at] = change(rows[at])
    assert [(problem.kind, problem.row) for problem in verify(rows).problems] == [(Tampering.EDITED, at + 1)]
    assert (Tampering.EDITED, at + 1) in {(one.kind, one.row) for one in verify(rows, seals).problems}


@given(chains, st.data())
def test_a_row_edited_and_stamped_anew_is_named_by_the_next_one(
    rows: list[AuditRow], data: st.DataObject
) -> None:
    seals = [seal_of(rows, len(rows))]
    at = data.draw(st.integers(0, len(rows) - 1))
    entry = json.dumps({"sequence": at + 1, "event": "plan", "subject": "something else entirely"})
    rows[at] = stamped(replace(rows[at], entry=entry))
    kind = Tampering.EDITED if at < len(rows) - 1 else Tampering.REWRITTEN
    problem = verify(rows, seals).problems[0]
    assert problem.kind is kind
    assert problem.row <= at + 1


@given(sealed_chains(), st.data())
def test_a_cut_tail_shows_against_the_seals_alone(
    sealed: tuple[list[AuditRow], list[Seal]], data: st.DataObject
) -> None:
    rows, seals = sealed
    kept = rows[: data.draw(st.integers(0, len(rows) - 1))]
    assert verify(kept).is_whole
    found = [(problem.kind, problem.row) for problem in verify(kept, seals).problems]
    assert found == [(Tampering.CUT, len(kept) + 1)]


@given(sealed_chains(), st.data())
def test_rows_missing_in_the_middle_are_a_gap(
    sealed: tuple[list[AuditRow], list[Seal]], data: st.DataObject
) -> None:
    rows, seals = sealed
    first = data.draw(st.integers(0, len(rows) - 1))
    after = data.draw(st.integers(first, len(rows)))
    if after == len(rows) or after == first:
        return
    found = [(one.kind, one.row) for one in verify(rows[:first] + rows[after:], seals).problems]
    assert found == [(Tampering.GAP, first + 1)]


@given(sealed_chains(), st.data())
def test_a_chain_written_anew_from_some_row_on_is_rewritten(
    sealed: tuple[list[AuditRow], list[Seal]], data: st.DataObject
) -> None:
    rows, seals = sealed
    at = data.draw(st.integers(0, len(rows) - 1))
    forged = rows[:at]
    for row in rows[at:]:
        forged.append(row_after(forged[-1] if forged else None, f"{row.content['subject']} forged"))
    assert verify(forged).is_whole
    problem = verify(forged, seals).problems[0]
    assert problem.kind is Tampering.REWRITTEN
    intact = max((seal.count for seal in seals if seal.count <= at), default=0)
    assert problem.row == intact + 1


@given(sealed_chains(), st.data(), st.booleans())
def test_a_second_row_after_the_same_one_is_a_fork(
    sealed: tuple[list[AuditRow], list[Seal]], data: st.DataObject, with_its_number: bool
) -> None:
    rows, seals = sealed
    at = data.draw(st.integers(0, len(rows) - 1))
    number = at + 1 if with_its_number else len(rows) + 1
    entry = json.dumps({"sequence": number, "event": "plan", "subject": "an intruder"})
    forged = stamped(AuditRow(number, rows[at].prev_hash, "", entry))
    together = sorted([*rows, forged], key=lambda row: row.sequence)
    assert {(one.kind, one.row) for one in verify(together, seals).problems} == {(Tampering.FORK, number)}


def test_a_tail_cut_off_and_grown_again_is_rewritten() -> None:
    rows = chain_of(["a", "b", "c", "d"])
    seals = [seal_of(rows, 2), seal_of(rows, 4)]
    grown = rows[:2]
    for subject in ("x", "y", "z"):
        grown.append(row_after(grown[-1], subject))
    assert [(one.kind, one.row) for one in verify(grown, seals).problems] == [(Tampering.REWRITTEN, 3)]


def test_what_a_seal_does_not_cover_yet_is_no_problem() -> None:
    rows = chain_of(["a", "b", "c"])
    verdict = verify(rows, [seal_of(rows, 1)])
    assert verdict.is_whole
    assert verdict.sealed == 1


def test_an_intent_without_an_outcome_is_told() -> None:
    rows = [row_after(None, "m1", "apply_intent")]
    rows.append(row_after(rows[-1], "m1", "apply_outcome"))
    rows.append(row_after(rows[-1], "m1", "rollback_intent"))
    verdict = verify(rows)
    assert verdict.is_whole
    assert verdict.unfinished == ((3, "m1"),)


def test_a_seal_comes_back_as_it_was_signed() -> None:
    seal = Seal("7/5", 12, "ab" * 32, "2026-11-23T12:00:00Z", "täglich")
    assert read_seals(sign(seal, KEY) + "\n", KEY) == [seal]


@pytest.mark.parametrize(
    "forge",
    [
        lambda line: line.replace('"count":12', '"count":11'),
        lambda line: line[:40],
        lambda line: sign(Seal("7/5", 11, "ab" * 32, "2026-11-23T12:00:00Z"), b"another key altogether"),
        lambda line: "no seal",
    ],
)
def test_a_seal_that_was_changed_is_told_by_its_line(forge: object) -> None:
    assert callable(forge)
    line = sign(Seal("7/5", 12, "ab" * 32, "2026-11-23T12:00:00Z"), KEY)
    seals = read_seals(f"{line}\n{forge(line)}\n", KEY)
    assert seals[1] == BrokenSeal(2)
    assert (Tampering.SEALS, 2) in {(one.kind, one.row) for one in verify([], seals).problems}


def test_seals_of_other_chains_and_from_before_an_acceptance_do_not_count() -> None:
    old, other = Seal("7/5", 9, "aa", "t"), Seal("7/6", 9, "bb", "t")
    accepted, newer = Seal("7/5", 3, "cc", "t", because="restored from a backup"), Seal("7/5", 4, "dd", "t")
    assert in_force([old, BrokenSeal(2), other, accepted, newer], "7/5") == [accepted, newer]
    assert in_force([old, other], "7/5") == [old]

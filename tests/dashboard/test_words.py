"""Values read as people read them, and names never become formats."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.readiness import Verdict
from dashboard.words import SOURCE_WORDS, answer_badge, between, outcome_badge, plain, prose, verdict_badge
from ingest.schemas import Source

NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)


@given(st.text())
def test_plain_text_has_no_mark_that_is_not_escaped(text: str) -> None:
    escaped = plain(text)
    assert "\n" not in escaped
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", escaped))


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("see: `pgattic readiness --rows`, a_b", r"see\: `pgattic readiness --rows`\, a\_b"),
        ("`x` and `pgattic arm", r"\`x\` and \`pgattic arm"),
        ("`pgattic ]:red[` x", r"\`pgattic \]\:red\[\` x"),
    ],
)
def test_only_commands_of_a_sentence_are_code(text: str, markdown: str) -> None:
    assert prose(text) == markdown


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_is_a_word_and_an_icon(verdict: Verdict) -> None:
    assert re.fullmatch(rf":\w+-badge\[:material/\w+: {verdict.value}\]", verdict_badge(verdict))


@pytest.mark.parametrize(("answer", "word"), [(True, "met"), (False, "not met"), (None, "cannot be known")])
def test_every_answer_is_a_word(answer: bool | None, word: str) -> None:
    assert f" {word}]" in answer_badge(answer)


def test_every_source_has_words_of_its_own() -> None:
    assert SOURCE_WORDS.keys() == set(Source)
    assert len(set(SOURCE_WORDS.values())) == len(Source)


@pytest.mark.parametrize(
    ("outcome", "sqlstate", "words"),
    [
        ("ok", None, "succeeded"),
        ("error", "42P01", "failed: table not found"),
        ("error", "55000", "failed"),
        ("error", None, "failed"),
    ],
)
def test_outcome_says_what_the_sqlstate_means(outcome: str, sqlstate: str | None, words: str) -> None:
    assert outcome_badge(outcome, sqlstate).endswith(f" {words}]")


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (timedelta(seconds=20), "2026-11-23 12:00"),
        (timedelta(hours=2), "2026-11-23 12:00 to 14:00"),
        (timedelta(days=2), "2026-11-23 12:00 to 2026-11-25 12:00"),
    ],
)
def test_a_time_says_what_both_ends_share_once(later: timedelta, words: str) -> None:
    assert between(NOON, NOON + later) == words

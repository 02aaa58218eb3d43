"""The naming convention: every name fits, differs from its neighbours, and parses back."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import NameImpossibleError
from catalog.names import MAX_NAME_BYTES, DeprecatedName, Reason, deprecated_name, parse

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2999, 12, 31))
# PostgreSQL has no NUL in names, and lone surrogates are no UTF-8.
FORMER = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=63
).filter(lambda name: len(name.encode()) <= MAX_NAME_BYTES)
REASONS = st.sampled_from(Reason)
TODAY = date(2025, 9, 28)


@given(FORMER, DAYS, REASONS)
def test_every_name_fits_and_parses_back(former: str, day: date, reason: Reason) -> None:
    name = deprecated_name(former, day, reason)
    parts = parse(name)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert parts is not None
    assert (parts.on, parts.reason, parts.serial) == (day, reason, 1)
    assert str(parts) == name


@given(st.lists(FORMER, min_size=2, max_size=30), DAYS, REASONS)
def test_names_differ_from_all_neighbours(formers: list[str], day: date, reason: Reason) -> None:
    taken: set[str] = set()
    for former in formers:
        name = deprecated_name(former, day, reason, taken)
        assert name not in taken
        assert len(name.encode()) <= MAX_NAME_BYTES
        assert (parts := parse(name)) is not None
        # What was cut off is told by a hash.
        assert parts.stem == former or former.startswith(parts.stem[: -len("_01234567")])
        taken.add(name)


@given(st.text(max_size=80))
def test_parsing_any_text_gives_parts_that_make_it_again_or_nothing(text: str) -> None:
    parts = parse(text)
    assert parts is None or str(parts) == text


def test_a_short_name_is_kept_whole() -> None:
    assert deprecated_name("users_old", TODAY, Reason.UNUSED) == "users_old_deprecated_20250928_unused"


def test_a_long_name_is_cut_at_a_character_and_gets_a_hash_of_the_whole() -> None:
    one, other = ("é" * 31 + end for end in "ab")
    names = [deprecated_name(former, TODAY, Reason.UNUSED) for former in (one, other)]
    assert names[0] != names[1]
    assert all(name.startswith("ééé") and len(name.encode()) <= MAX_NAME_BYTES for name in names)


def test_a_name_deprecated_twice_a_day_gets_a_serial() -> None:
    first = deprecated_name("t", TODAY, Reason.UNUSED)
    second = deprecated_name("t", TODAY, Reason.UNUSED, {first})
    third = deprecated_name("t", TODAY, Reason.UNUSED, {first, second})
    assert [second, third] == [f"{first}_2", f"{first}_3"]
    assert parse(third) == DeprecatedName("t", TODAY, Reason.UNUSED, 3)


@pytest.mark.parametrize(
    "text",
    [
        "users",
        "users_deprecated_20250928",
        "users_deprecated_20251332_unused",
        "users_deprecated_20250928_because",
        "_deprecated_20250928_unused",
        "users_deprecated_20250928_unused_1",
        "users_deprecated_20250928_unused_02",
    ],
)
def test_other_names_do_not_parse(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("former", ["", "a\0b"])
def test_what_is_no_identifier_gets_no_name(former: str) -> None:
    with pytest.raises(NameImpossibleError):
        deprecated_name(former, TODAY, Reason.UNUSED)

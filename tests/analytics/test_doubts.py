"""When a log may not show what its server's settings say."""

from datetime import UTC, datetime, timedelta

from analytics.doubts import DoubtfulLook, overridden, unread

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
EVER = datetime.max.replace(tzinfo=UTC)
LEVEL = frozenset({"log_min_messages"})


def at(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


def look(hour: int, own: frozenset[str] = frozenset(), oldest: int | None = None) -> DoubtfulLook:
    return DoubtfulLook(at(hour), own, None if oldest is None else at(oldest))


def wrote(hour: int, log: str | None) -> DoubtfulLook:
    return DoubtfulLook(at(hour), log=log)


def test_a_setting_of_a_role_is_in_doubt_from_the_look_before_it_to_the_look_after() -> None:
    looks = [look(0), look(1), look(2, LEVEL), look(3, LEVEL), look(4), look(5)]
    assert overridden(looks, LEVEL) == [(at(1), at(4))]


def test_sessions_that_may_have_begun_with_it_keep_it() -> None:
    looks = [look(0), look(1, LEVEL), look(2, oldest=1), look(3, oldest=1), look(4, oldest=2), look(5)]
    assert overridden(looks, LEVEL) == [(at(0), at(4))]
    assert overridden(looks[:-2], LEVEL) == [(at(0), EVER)]


def test_a_setting_that_is_back_before_they_have_ended_goes_on() -> None:
    looks = [look(0), look(1, LEVEL), look(2, oldest=1), look(3, LEVEL), look(4, oldest=3), look(5, oldest=4)]
    assert overridden(looks, LEVEL) == [(at(0), at(5))]


def test_other_settings_do_no_harm() -> None:
    assert overridden([look(0), look(1, frozenset({"work_mem"})), look(2)], LEVEL) == []


def test_what_the_first_look_sees_was_always_so() -> None:
    assert overridden([look(1, LEVEL), look(2)], LEVEL) == [(datetime.min.replace(tzinfo=UTC), at(2))]


def test_a_file_that_was_never_read_is_in_doubt_between_the_looks_at_files_that_were() -> None:
    looks = [wrote(0, "a"), wrote(1, "a"), wrote(2, "b"), wrote(3, None), wrote(4, "b"), wrote(5, "c")]
    assert unread(looks, {"a", "c"}) == [(at(1), at(5))]
    assert unread(looks, {"a", "b", "c"}) == []
    assert unread(looks, {"a", "b"}) == [(at(4), EVER)]


def test_files_that_are_called_otherwise_where_they_are_read_tell_nothing() -> None:
    assert unread([wrote(0, "a"), wrote(1, "b")], {"host1-a", "host1-b"}) == []

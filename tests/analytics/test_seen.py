"""Uses of many elements, each since a moment of its own: by the time on that day, whole on later days."""

from datetime import timedelta
from pathlib import Path

import pytest

from analytics.seen import Seen, Uses
from analytics.store import Evidence
from catalog.elements import Element
from tests.analytics.evidence import DAY, NOW, access, hourly, write

USERS = Element.parse("table:public.users_old")
ORDERS = Element.parse("table:public.orders_old")
HOUR = timedelta(hours=1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(
        tmp_path,
        "access",
        *(access(NOW + hours * HOUR, element=str(USERS)) for hours in (-30, -1, 0, 1, 30)),
        access(NOW, element=str(ORDERS), application="pg_dump", outcome="ok", sqlstate=None),
        access(NOW, element=str(ORDERS), application="pg_dump", outcome="error"),
    )
    return tmp_path


def test_each_element_is_counted_since_its_own_moment(directory: Path) -> None:
    moments = (NOW - 2 * DAY, NOW, NOW + HOUR, NOW + DAY)
    with Evidence.open(directory) as evidence:
        seen = Seen(evidence, [(USERS, moment) for moment in moments], ())
        assert [seen.of([USERS], moment).uses for moment in moments] == [5, 3, 2, 1]
        assert seen.of([USERS], NOW).last_at == NOW + 30 * HOUR
        assert seen.of([ORDERS], NOW) == Uses()


def test_what_a_known_reader_did_stands_apart_unless_it_failed(directory: Path) -> None:
    with Evidence.open(directory) as evidence:
        found = Seen(evidence, [(ORDERS, NOW)], ["pg_dump"]).of([ORDERS, USERS], NOW)
    assert (found.uses, found.used_by, found.ignored) == (1, {"pg_dump"}, {"pg_dump": 1})


def test_an_hour_counts_whole_if_its_last_use_is_after_the_moment(tmp_path: Path) -> None:
    write(
        tmp_path,
        "usage_hourly",
        hourly(str(USERS), NOW - DAY, uses=100),
        hourly(str(USERS), NOW, uses=10, last_at=NOW + HOUR / 2),
        hourly(str(USERS), NOW + DAY, uses=1),
    )
    moments = (NOW - 2 * DAY, NOW + HOUR / 4, NOW + HOUR)
    with Evidence.open(tmp_path) as evidence:
        seen = Seen(evidence, [(USERS, moment) for moment in moments], ())
        assert [seen.of([USERS], moment).uses for moment in moments] == [111, 11, 1]

"""The verdict: what each rule says, and that nothing unknown or used is ever ready."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.coverage import summarise
from analytics.readiness import Facts, Readiness, Verdict, assess
from catalog.closure import Dependant
from catalog.counters import Baseline
from catalog.elements import Element
from catalog.settings import PolicySettings
from catalog.snapshot import AtticEntry
from ingest.schemas import Source
from tests.analytics.evidence import DAY, NOW

POLICY = PolicySettings(cooling_off_days=30, quiet_days=30, coverage_wanted=0.99)
SINCE = NOW - 40 * DAY
TABLE = Element.parse("table:public.users_old")
COLUMN = Element.parse("column:public.orders.legacy")
DEPRECATED = "users_old_deprecated_20261013_unused"


def entry(element: Element = TABLE, since: datetime = SINCE, *, counted: bool = True) -> AtticEntry:
    baseline = Baseline(0, 0, since, since, None) if counted else None
    return AtticEntry(element, DEPRECATED, "m1", "unused", 1, baseline, since, None, since)


def facts(element: Element = TABLE, since: datetime = SINCE, covered: float = 1.0, **given: object) -> Facts:
    seen = [(since, since + covered * (NOW - since))] if covered else []
    found = Facts(
        present=replace(element, name=DEPRECATED),
        uses=0,
        last_use_at=None,
        used_by=(),
        coverage=summarise(Source.ERROR, since, NOW, [seen]),
        counted=0,
        dependants=(),
        reappeared=None,
    )
    return replace(found, **given)  # type: ignore[arg-type]


def met(found: Readiness, name: str) -> bool | None:
    return next(rule.met for rule in found.rules if rule.name == name)


def test_ready_when_every_rule_is_met() -> None:
    found = assess(entry(), facts(), POLICY, NOW)
    assert found.verdict is Verdict.READY
    assert (found.reasons, found.earliest) == ((), None)
    assert all(rule.met and rule.finding and rule.source for rule in found.rules)


@pytest.mark.parametrize(
    ("changed", "rule", "verdict", "says"),
    [
        (
            {"uses": 3, "last_use_at": NOW - DAY, "used_by": ("etl",)},
            "no use seen",
            Verdict.NOT_READY,
            "3 uses seen since the rename by etl, the last one 1 day ago",
        ),
        ({"uses": 1, "last_use_at": NOW + DAY}, "no use seen", Verdict.NOT_READY, "1 use seen"),
        ({"uses": 1}, "no use seen", Verdict.NOT_READY, "1 use seen"),
        (
            {"covered": 0.5},
            "log coverage",
            Verdict.NOT_READY,
            "50 % of the log since the rename was read, 99 % wanted; longest gap 20 days from 2026-11-02",
        ),
        ({"covered": 0.0}, "log coverage", Verdict.UNKNOWN, "nothing was read of the log"),
        ({"covered": 0.0}, "no use seen", Verdict.UNKNOWN, "a use could not have been seen"),
        (
            {"counted": 12},
            "counters unchanged",
            Verdict.NOT_READY,
            "12 scans or written rows counted since the rename",
        ),
        ({"counted": None}, "counters unchanged", Verdict.UNKNOWN, "restarted"),
        (
            {"dependants": (Dependant("view", "public.v", "refers to it"),)},
            "nothing depends on it",
            Verdict.NOT_READY,
            "still referred to: view public.v refers to it",
        ),
        (
            {"reappeared": "public.users_old exists again"},
            "former name not taken again",
            Verdict.NOT_READY,
            "public.users_old exists again",
        ),
        ({"present": None}, "in its place", Verdict.NOT_READY, "gone from the catalog"),
        (
            {"present": Element.parse("table:public.moved")},
            "in its place",
            Verdict.NOT_READY,
            "renamed it to table:public.moved",
        ),
    ],
)
def test_each_fact_against_it_is_a_reason(
    changed: dict[str, object], rule: str, verdict: Verdict, says: str
) -> None:
    found = assess(entry(), facts(**changed), POLICY, NOW)  # type: ignore[arg-type]
    assert found.verdict is verdict
    assert met(found, rule) is (None if verdict is Verdict.UNKNOWN else False)
    assert says in " / ".join(found.reasons)


def test_a_use_long_ago_is_history() -> None:
    found = assess(entry(), facts(uses=2, last_use_at=NOW - 31 * DAY), POLICY, NOW)
    assert found.verdict is Verdict.READY


def test_a_backup_never_proved_is_in_the_way() -> None:
    found = assess(replace(entry(), backup_proved_at=None), facts(), POLICY, NOW)
    assert (found.verdict, met(found, "backup proved")) == (Verdict.NOT_READY, False)


def test_without_counters_at_the_rename_a_table_is_unknown() -> None:
    assert assess(entry(counted=False), facts(), POLICY, NOW).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("column:public.orders.legacy", "SELECT *"),
        ("constraint:public.orders.total_check", "enforced"),
        ("enum:public.mood", "no use of a type"),
    ],
)
def test_what_nothing_counts_is_judged_by_the_log_and_says_so(text: str, says: str) -> None:
    element = Element.parse(text)
    found = assess(entry(element, counted=False), facts(element, counted=None), POLICY, NOW)
    assert found.verdict is Verdict.READY
    assert "counters unchanged" not in [rule.name for rule in found.rules]
    assert says in " ".join(rule.finding for rule in found.rules)


def test_a_constraint_with_an_index_is_judged_by_its_counters_too() -> None:
    element = Element.parse("constraint:public.orders.orders_code_key")
    found = assess(entry(element), facts(element, counted=4), POLICY, NOW)
    assert met(found, "counters unchanged") is False


def test_reasons_begin_with_what_is_certain() -> None:
    found = assess(entry(), facts(counted=None, uses=1), POLICY, NOW)
    assert [rule.met for rule in found.rules if rule.finding in found.reasons] == [False, None]
    assert found.reasons[0].startswith("1 use seen")


@pytest.mark.parametrize(
    ("since", "changed", "earliest"),
    [
        pytest.param(NOW - DAY, {}, NOW + 29 * DAY, id="cooling off"),
        pytest.param(SINCE, {"uses": 1, "last_use_at": NOW - 10 * DAY}, NOW + 20 * DAY, id="a use"),
        # 0.9 of 40 days leaves 4 days unseen, which are 1 % after 400 days.
        pytest.param(SINCE, {"covered": 0.9}, NOW + 360 * DAY, id="coverage"),
        pytest.param(SINCE, {"counted": 3}, None, id="time does not help against counters"),
        pytest.param(NOW - DAY, {"reappeared": "x"}, None, id="time does not help against a name"),
    ],
)
def test_earliest_is_when_time_alone_would_do(
    since: datetime, changed: dict[str, object], earliest: datetime | None
) -> None:
    found = assess(entry(since=since), facts(since=since, **changed), POLICY, NOW)  # type: ignore[arg-type]
    assert found.verdict is Verdict.NOT_READY
    if earliest is None:
        assert found.earliest is None
    else:
        assert found.earliest is not None
        assert abs(found.earliest - earliest) < timedelta(seconds=1)


def test_a_policy_that_wants_all_of_the_log_is_never_met_after_a_gap() -> None:
    policy = POLICY.model_copy(update={"coverage_wanted": 1.0})
    found = assess(entry(), facts(covered=0.9), policy, NOW)
    assert (found.verdict, found.earliest) == (Verdict.NOT_READY, None)


moments = st.datetimes(datetime(2026, 9, 1), datetime(2026, 12, 31)).map(
    lambda t: t.replace(tzinfo=NOW.tzinfo)
)
days = st.floats(0, 60)


@given(
    element=st.sampled_from(
        [TABLE, COLUMN, Element.parse("enum:public.mood"), Element.parse("index:public.i")]
    ),
    since=moments,
    has_baseline=st.booleans(),
    is_proved=st.booleans(),
    uses=st.integers(0, 3),
    last_use_at=st.none() | moments,
    covered=st.floats(0, 1),
    counted=st.none() | st.integers(0, 3),
    depends=st.booleans(),
    is_present=st.booleans(),
    policy=st.builds(PolicySettings, cooling_off_days=days, quiet_days=days, coverage_wanted=st.floats(0, 1)),
)
def test_ready_only_with_coverage_and_nothing_unknown(
    element: Element,
    since: datetime,
    has_baseline: bool,
    is_proved: bool,
    uses: int,
    last_use_at: datetime | None,
    covered: float,
    counted: int | None,
    depends: bool,
    is_present: bool,
    policy: PolicySettings,
) -> None:
    given_entry = replace(
        entry(element, since, counted=has_baseline), backup_proved_at=since if is_proved else None
    )
    given_facts = facts(
        element,
        since,
        covered if since < NOW else 0.0,
        uses=uses,
        last_use_at=last_use_at,
        counted=counted,
        dependants=(Dependant("view", "v", "refers to it"),) if depends else (),
        **({} if is_present else {"present": None}),
    )
    found = assess(given_entry, given_facts, policy, NOW)
    is_countable = has_baseline or element.kind in ("table", "index")
    if found.verdict is Verdict.READY:
        assert given_facts.coverage.covered_seconds > 0
        assert given_facts.coverage.fraction >= policy.coverage_wanted
        assert NOW - since >= timedelta(days=policy.cooling_off_days)
        assert (uses == 0 and last_use_at is None) or (
            last_use_at is not None and NOW - last_use_at >= timedelta(days=policy.quiet_days)
        )
        assert not is_countable or (has_baseline and counted == 0)
        assert not depends
        assert is_present
        assert is_proved
        assert (found.reasons, found.earliest) == ((), None)
    else:
        assert found.reasons
        assert found.earliest is None or found.earliest >= NOW

"""The verdict: what each rule says, and that nothing unknown or used is ever ready."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.counting import Step
from analytics.facts import CountedUses
from analytics.readiness import Facts, Readiness, Verdict, assess
from catalog.closure import Dependant
from catalog.counters import Baseline
from catalog.elements import Element
from catalog.settings import PolicySettings
from catalog.snapshot import AtticEntry
from ingest.schemas import Source
from tests.analytics.evidence import DAY, NOW

POLICY = PolicySettings(cooling_off_days=30, quiet_days=30, coverage_wanted=0.99)
SCANS = Step("primary", NOW - 2 * DAY, NOW - DAY, 12, 0)
SINCE = NOW - 40 * DAY
TABLE = Element.parse("table:public.users_old")
COLUMN = Element.parse("column:public.orders.legacy")
COUNTED = ("table", "index", "column")
DEPRECATED = "users_old_deprecated_20261013_unused"


def entry(element: Element = TABLE, since: datetime = SINCE, *, counted: bool = True) -> AtticEntry:
    baseline = Baseline(0, 0, since, since, None) if counted else None
    return AtticEntry(element, DEPRECATED, "m1", "unused", 1, baseline, since, None, since)


def facts(element: Element = TABLE, since: datetime = SINCE, covered: float = 1.0, **given: object) -> Facts:
    """What speaks for a removal, but for what is given; the log was read, and counters kept, for a part."""
    seen = [(since, since + covered * (NOW - since))] if covered else []
    steps = given.pop("steps", ())
    found = Facts(
        since=since,
        until=NOW,
        present=replace(element, name=DEPRECATED),
        watched={source: {"primary": seen} for source in (Source.ERROR, Source.COUNTER)},
        counted=CountedUses(steps) if element.kind in COUNTED else None,  # type: ignore[arg-type]
        nodes=("primary",),
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
            {"steps": (SCANS,)},
            "counters unchanged",
            Verdict.NOT_READY,
            "12 scans or written rows counted since the rename, 12 unexplained uses",
        ),
        ({"counted": None}, "counters unchanged", Verdict.UNKNOWN, "no server counted it"),
        (
            {"standbys": 1},
            "every server watched",
            Verdict.UNKNOWN,
            "1 standby server of it, 0 of them watched",
        ),
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("constraint:public.orders.total_check", "enforced"),
        ("enum:public.mood", "no use of a type"),
    ],
)
def test_what_nothing_counts_is_judged_by_the_log_and_says_so(text: str, says: str) -> None:
    element = Element.parse(text)
    found = assess(entry(element, counted=False), facts(element), POLICY, NOW)
    assert found.verdict is Verdict.READY
    assert "counters unchanged" not in [rule.name for rule in found.rules]
    assert says in " ".join(rule.finding for rule in found.rules)


def test_a_constraint_with_an_index_is_judged_by_its_counters_too() -> None:
    element = Element.parse("constraint:public.orders.orders_code_key")
    found = assess(entry(element), facts(element, counted=CountedUses((SCANS,))), POLICY, NOW)
    assert met(found, "counters unchanged") is False


def test_reasons_begin_with_what_is_certain() -> None:
    found = assess(entry(), facts(standbys=1, uses=1), POLICY, NOW)
    assert [rule.met for rule in found.rules if rule.finding in found.reasons] == [False, None]
    assert found.reasons[0].startswith("1 use seen")


@pytest.mark.parametrize(
    ("since", "changed", "earliest"),
    [
        pytest.param(NOW - DAY, {}, NOW + 29 * DAY, id="cooling off"),
        pytest.param(SINCE, {"uses": 1, "last_use_at": NOW - 10 * DAY}, NOW + 20 * DAY, id="a use"),
        # 0.9 of 40 days leaves 4 days unseen, which are 1 % after 400 days.
        pytest.param(SINCE, {"covered": 0.9}, NOW + 360 * DAY, id="coverage"),
        pytest.param(SINCE, {"steps": (SCANS,)}, NOW + 29 * DAY, id="a counted use"),
        pytest.param(SINCE, {"counted": None}, None, id="time does not help where nothing counts"),
        pytest.param(NOW - DAY, {"reappeared": "x"}, None, id="time does not help against a name"),
    ],
)
def test_earliest_is_when_time_alone_would_do(
    since: datetime, changed: dict[str, object], earliest: datetime | None
) -> None:
    found = assess(entry(since=since), facts(since=since, **changed), POLICY, NOW)  # type: ignore[arg-type]
    assert found.verdict is not Verdict.READY
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


@pytest.mark.parametrize(
    ("present", "how", "verdict"),
    [
        pytest.param((), {}, Verdict.READY, id="nobody used its table at all"),
        pytest.param((SCANS,), {}, Verdict.UNKNOWN, id="its table was used, perhaps by SELECT *"),
        pytest.param((SCANS,), {"audit": "all"}, Verdict.READY, id="audited all the time"),
        pytest.param((SCANS,), {"log": "all"}, Verdict.READY, id="every statement logged"),
        pytest.param(
            (SCANS,), {"log": "all", "opaque": 1}, Verdict.UNKNOWN, id="a DO block may have used it"
        ),
    ],
)
def test_a_column_is_ready_only_where_a_use_without_its_name_would_show(
    present: tuple[Step, ...], how: dict[str, object], verdict: Verdict
) -> None:
    seen = facts(COLUMN, steps=present, opaque=how.pop("opaque", 0))
    everything = {"primary": [(SINCE, NOW)]}
    seen = replace(seen, watched={**seen.watched, **{Source(name): everything for name in how}})
    found = assess(entry(COLUMN), seen, POLICY, NOW)
    assert (found.verdict, "SELECT *" in " ".join(rule.finding for rule in found.rules)) == (verdict, True)


def test_every_server_must_have_been_watched() -> None:
    watched = {source: {"primary": [(SINCE, NOW)]} for source in (Source.ERROR, Source.COUNTER)}
    two = facts(nodes=("primary", "replica"), watched=watched)
    found = assess(entry(), two, POLICY, NOW)
    assert found.verdict is Verdict.UNKNOWN
    assert "nothing of replica" in " ".join(found.reasons)
    both = {source: {**nodes, "replica": [(SINCE, NOW)]} for source, nodes in watched.items()}
    assert assess(entry(), replace(two, watched=both, standbys=1), POLICY, NOW).verdict is Verdict.READY


def test_one_of_two_sources_is_enough_on_each_server() -> None:
    watched = {
        Source.ERROR: {"primary": [(SINCE, NOW)], "replica": [(SINCE, NOW)]},
        Source.COUNTER: {"primary": [(SINCE, NOW - 20 * DAY)], "replica": [(SINCE, NOW)]},
        Source.AUDIT: {"primary": [(NOW - 21 * DAY, NOW)], "replica": []},
    }
    seen = facts(nodes=("primary", "replica"), watched=watched)
    assert assess(entry(), seen, POLICY, NOW).verdict is Verdict.READY
    blind = {**watched, Source.AUDIT: {"primary": [], "replica": []}}
    assert assess(entry(), replace(seen, watched=blind), POLICY, NOW).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("policy", "rule", "says", "earliest"),
    [
        (
            {"month_ends": 3},
            "month-ends seen",
            "1 month-end watched since the rename, at least 3 wanted",
            datetime(2027, 1, 2, tzinfo=NOW.tzinfo),
        ),
        (
            {"quarter_ends": 1},
            "quarter-ends seen",
            "0 quarter-ends watched since the rename, at least 1 wanted",
            datetime(2027, 1, 2, tzinfo=NOW.tzinfo),
        ),
        ({"backup_max_age_days": 39}, "backup proved", "40 days ago; not longer than 39 days wanted", None),
        ({"removal_approvals": 2}, "approved", "1 approval of its plan by anna, 2 wanted", None),
    ],
)
def test_what_the_policy_wants_besides(
    policy: dict[str, object], rule: str, says: str, earliest: datetime | None
) -> None:
    given_entry = replace(entry(), approved_by=("anna",))
    assert assess(given_entry, facts(), POLICY, NOW).verdict is Verdict.READY
    found = assess(given_entry, facts(), POLICY.model_copy(update=policy), NOW)
    assert (found.verdict, met(found, rule), found.earliest) == (Verdict.NOT_READY, False, earliest)
    assert says in found.reasons[0]
    # The same of one kind alone.
    own = PolicySettings.model_validate({**POLICY.model_dump(), "table": policy})
    assert assess(given_entry, facts(), own, NOW).reasons == found.reasons
    other = PolicySettings.model_validate({**POLICY.model_dump(), "index": policy})
    assert assess(given_entry, facts(), other, NOW).verdict is Verdict.READY


def test_an_old_session_may_go_on_using_an_enum_without_its_name() -> None:
    enum = Element.parse("enum:public.mood")
    old, new = SINCE - DAY, SINCE + DAY
    for began, verdict in ((old, Verdict.NOT_READY), (new, Verdict.READY), (None, Verdict.READY)):
        seen = facts(enum, oldest_session_at=began)
        assert assess(entry(enum, counted=False), seen, POLICY, NOW).verdict is verdict


def test_uses_by_known_readers_are_told_and_do_not_count() -> None:
    found = assess(entry(), facts(ignored=(("pg_dump", 40),)), POLICY, NOW)
    assert found.verdict is Verdict.READY
    assert any("not counted: 40 by pg_dump" in rule.finding for rule in found.rules)


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
    ends=st.integers(0, 2),
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
    ends: int,
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
        counted=None
        if counted is None
        else CountedUses((Step("primary", NOW - DAY, NOW, counted, 0),) if counted else ()),
        dependants=(Dependant("view", "v", "refers to it"),) if depends else (),
        **({} if is_present else {"present": None}),
    )
    policy = policy.model_copy(update={"month_ends": ends})
    found = assess(given_entry, given_facts, policy, NOW)
    if found.verdict is Verdict.READY:
        assert 0 < covered >= policy.coverage_wanted - 1e-9
        assert ends <= 3
        assert NOW - since >= timedelta(days=policy.cooling_off_days)
        assert (uses == 0 and last_use_at is None) or (
            last_use_at is not None and NOW - last_use_at >= timedelta(days=policy.quiet_days)
        )
        assert element.kind == "enum" or counted is not None
        # A policy without a quiet time has nothing against a use a moment ago.
        assert element.kind == "enum" or counted == 0 or policy.quiet_days == 0
        assert not depends
        assert is_present
        assert is_proved
        assert (found.reasons, found.earliest) == ((), None)
    else:
        assert found.reasons
        assert found.earliest is None or found.earliest >= NOW

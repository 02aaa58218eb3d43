"""The verdict: what each rule says, and that nothing unknown or used is ever ready."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.counting import Step
from analytics.coverage import Watched
from analytics.facts import CountedUses
from analytics.readiness import Facts, Readiness, Verdict, assess
from catalog.attic import AtticEntry
from catalog.closure import Dependant
from catalog.counters import Baseline
from catalog.elements import Element, Kind
from catalog.holders import Holder
from catalog.policy import KindPolicy
from catalog.settings import PolicySettings
from ingest.schemas import Source
from tests.analytics.evidence import DAY, NOW

POLICY = PolicySettings(cooling_off_days=30, quiet_days=30, coverage_wanted=0.99)
AUDITED = POLICY.model_copy(update={"column": KindPolicy(sources=("error", "audit"))})
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
    # What nothing counts is for a log of all statements to tell.
    sources = [Source.ERROR, Source.COUNTER, *([] if element.kind in COUNTED else [Source.LOG])]
    found = Facts(
        since=since,
        until=NOW,
        present=replace(element, name=DEPRECATED),
        watched={source: {"primary": seen} for source in sources},
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


def without(seen: Facts, *sources: Source) -> Facts:
    return replace(seen, watched={one: found for one, found in seen.watched.items() if one not in sources})


@pytest.mark.parametrize(
    ("text", "told_by"),
    [
        ("constraint:public.orders.total_check", (Source.LOG, Source.STATEMENTS)),
        ("enum:public.mood", (Source.LOG, Source.STATEMENTS)),
        ("view:public.active", (Source.LOG, Source.STATEMENTS, Source.AUDIT)),
        ("enum_value:public.mood.bad", (Source.LOG,)),
    ],
)
def test_what_nothing_counts_is_judged_by_whoever_sees_all_statements(
    text: str, told_by: tuple[Source, ...]
) -> None:
    element = Element.parse(text)
    seen = facts(element, held=())
    assert "counters unchanged" not in [rule.name for rule in judge(element, seen).rules]
    everything = seen.watched[Source.ERROR]
    for source in (Source.LOG, Source.STATEMENTS, Source.AUDIT, Source.SENSOR):
        only = without(seen, Source.LOG)
        # Nothing of these kinds but a view can be granted to pgaudit's role.
        only = replace(
            only, watched={**only.watched, source: everything}, is_fully_audited=element.kind is Kind.VIEW
        )
        wanted = Verdict.READY if source in told_by else Verdict.UNKNOWN
        assert judge(element, only).verdict is wanted, source


def test_a_function_that_puts_statements_together_blinds_the_statement_log() -> None:
    element = Element.parse("enum:public.mood")
    found = judge(element, facts(element, dynamic=("public.partition_maker",)))
    assert found.verdict is Verdict.UNKNOWN
    assert "public.partition_maker" in " ".join(found.notes)


def judge(element: Element, seen: Facts, policy: PolicySettings = POLICY) -> Readiness:
    return assess(entry(element, counted=False), seen, policy, NOW)


KEY = Element.parse("constraint:public.orders.total_check")
WRITTEN = Step("primary", NOW - 2 * DAY, NOW - DAY, 0, 12)


@pytest.mark.parametrize(
    ("enforced", "verdict", "says"),
    [
        pytest.param(
            CountedUses((WRITTEN,)), Verdict.NOT_READY, "12 rows written to public.orders", id="written"
        ),
        pytest.param(CountedUses((SCANS,)), Verdict.UNKNOWN, "groups by the primary key", id="only read"),
        pytest.param(CountedUses(), Verdict.READY, "", id="nobody wrote"),
        pytest.param(
            CountedUses((replace(WRITTEN, start=NOW - 40 * DAY, end=NOW - 35 * DAY),)),
            Verdict.READY,
            "",
            id="written long ago",
        ),
        pytest.param(
            None, Verdict.UNKNOWN, "no server counted rows written to public.orders", id="not counted"
        ),
    ],
)
def test_a_row_that_a_constraint_checked_is_a_use_of_it(
    enforced: CountedUses | None, verdict: Verdict, says: str
) -> None:
    seen = facts(KEY, checks=("public.orders",), enforced=enforced)
    found = judge(KEY, seen)
    assert found.verdict is verdict
    assert says in " ".join(found.reasons)
    assert met(found, "no row checked by it") is {Verdict.READY: True, Verdict.NOT_READY: False}.get(verdict)
    if verdict is not Verdict.READY:
        assert "[policy.constraint] enforcement_is_use = false" in " ".join(found.reasons)
    # A person can decide that it is none; then the notes say so, with the figure.
    policy = PolicySettings.model_validate(
        {**POLICY.model_dump(), "constraint": {"enforcement_is_use": False}}
    )
    decided = judge(KEY, seen, policy)
    assert decided.verdict is Verdict.READY
    says_so = "a person decided that this is no use" in decided.notes[0]
    assert says_so is (verdict is not Verdict.READY)


def test_a_checked_row_is_history_after_the_quiet_time() -> None:
    found = judge(KEY, facts(KEY, checks=("public.orders",), enforced=CountedUses((WRITTEN,))))
    assert found.earliest == WRITTEN.end + timedelta(days=30)


def test_a_constraint_that_checks_nothing_is_not_enforced() -> None:
    found = judge(KEY, facts(KEY))
    assert (found.verdict, found.notes[0].startswith("nobody sees")) == (Verdict.READY, True)


VALUE = Element.parse("enum_value:public.mood.bad")
HOLDER = Holder(9, "public", "people", "mood", DEPRECATED, is_foreign=False, is_plain=True, holds=None)


@pytest.mark.parametrize(
    ("held", "verdict", "says"),
    [
        pytest.param(None, Verdict.UNKNOWN, "nobody looked", id="nobody looked"),
        pytest.param((), Verdict.READY, "", id="no column of the type"),
        pytest.param((HOLDER,), Verdict.UNKNOWN, "`pgattic readiness --rows`", id="not common"),
        pytest.param(
            (replace(HOLDER, holds=True),), Verdict.NOT_READY, "as of the last ANALYZE", id="common"
        ),
        pytest.param((replace(HOLDER, holds=True, is_read=True),), Verdict.NOT_READY, "rows of", id="read"),
        pytest.param((replace(HOLDER, holds=False, is_read=True),), Verdict.READY, "", id="no row"),
        pytest.param(
            (replace(HOLDER, holds=False), replace(HOLDER, problem="statement timeout")),
            Verdict.UNKNOWN,
            "public.people.mood: statement timeout",
            id="one could not be read",
        ),
    ],
)
def test_a_value_that_rows_hold_is_used(held: tuple[Holder, ...] | None, verdict: Verdict, says: str) -> None:
    found = judge(VALUE, facts(VALUE, held=held))
    assert found.verdict is verdict
    assert says in " ".join(found.reasons)


@pytest.mark.parametrize(
    ("changed", "shim", "verdict", "says"),
    [
        ({}, None, Verdict.READY, ""),
        ({"is_planned_visibly": False}, None, Verdict.UNKNOWN, "no B-tree index"),
        ({"oldest_session_at": SINCE - DAY}, None, Verdict.UNKNOWN, "may have planned"),
        ({"oldest_session_at": SINCE + DAY}, None, Verdict.READY, ""),
        # A session from before the last use that was counted may have planned at that time.
        (
            {"oldest_session_at": SINCE + DAY, "steps": (replace(SCANS, start=SINCE, end=SINCE + 2 * DAY),)},
            None,
            Verdict.UNKNOWN,
            "may have planned",
        ),
        ({}, 77, Verdict.UNKNOWN, "its former name goes on working"),
    ],
)
def test_statements_that_touch_no_row_must_show_too(
    changed: dict[str, object], shim: int | None, verdict: Verdict, says: str
) -> None:
    policy = POLICY.model_copy(update={"quiet_days": 1})
    seen = facts(**changed)  # type: ignore[arg-type]
    found = assess(replace(entry(), shim_oid=shim), seen, policy, NOW)
    assert found.verdict is verdict
    assert says in " ".join(found.reasons)
    # Whoever sees all statements sees these.
    by_statements: Watched = {Source.STATEMENTS: {"primary": [(SINCE, NOW)]}}
    told: Watched = {**seen.watched, **by_statements}
    seen = replace(seen, watched=told)
    assert assess(replace(entry(), shim_oid=shim), seen, policy, NOW).verdict is Verdict.READY


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
        assert found.undated
    else:
        assert found.earliest is not None
        assert found.undated is None
        assert abs(found.earliest - earliest) < timedelta(seconds=1)


def test_a_policy_that_wants_all_of_the_log_is_never_met_after_a_gap() -> None:
    policy = POLICY.model_copy(update={"coverage_wanted": 1.0})
    found = assess(entry(), facts(covered=0.9), policy, NOW)
    assert (found.verdict, found.earliest) == (Verdict.NOT_READY, None)
    assert found.undated == (
        "the gaps of log coverage will always be more than policy.coverage_wanted allows"
    )


def test_why_there_is_no_earliest_date_is_said() -> None:
    """What waiting does not help with: a log that nobody reads, counts that nobody takes, the catalog."""
    watched = {source: {"primary": [(SINCE, NOW)]} for source in (Source.ERROR, Source.COUNTER)}
    seen = facts(nodes=("primary", "replica1"), watched=watched)
    found = assess(entry(), seen, POLICY, NOW)
    assert (found.earliest, found.undated) == (
        None,
        "the log of replica1 was never read since the rename",
    )
    watched[Source.ERROR]["replica1"] = [(SINCE, NOW)]
    found = assess(entry(), replace(seen, watched=watched, reappeared="users_old"), POLICY, NOW)
    assert found.undated == (
        "nothing of replica1 was watched by counter or audit since the rename;"
        " waiting does not help with: former name not taken again"
    )
    found = assess(entry(COLUMN), facts(COLUMN), AUDITED, NOW)
    assert found.undated == "audit alone can not tell"
    assert "an audit alone does not see every use of it" in " ".join(found.reasons)


moments = st.datetimes(datetime(2026, 9, 1), datetime(2026, 12, 31)).map(
    lambda t: t.replace(tzinfo=NOW.tzinfo)
)
days = st.floats(0, 60)


@pytest.mark.parametrize(
    ("present", "how", "verdict"),
    [
        pytest.param((), {}, Verdict.READY, id="nobody used its table at all"),
        pytest.param((SCANS,), {}, Verdict.UNKNOWN, id="its table was used, perhaps by SELECT *"),
        pytest.param((SCANS,), {"audit": "all"}, Verdict.UNKNOWN, id="an audit sees no whole rows"),
        pytest.param((SCANS,), {"statements": "all"}, Verdict.READY, id="all calls counted"),
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
    assert found.verdict is verdict


def test_every_server_must_have_been_watched() -> None:
    watched = {source: {"primary": [(SINCE, NOW)]} for source in (Source.ERROR, Source.COUNTER)}
    two = facts(nodes=("primary", "replica"), watched=watched)
    found = assess(entry(), two, POLICY, NOW)
    assert found.verdict is Verdict.UNKNOWN
    assert "nothing of replica" in " ".join(found.reasons)
    both = {source: {**nodes, "replica": [(SINCE, NOW)]} for source, nodes in watched.items()}
    assert assess(entry(), replace(two, watched=both, standbys=1), POLICY, NOW).verdict is Verdict.READY


def test_one_of_two_sources_is_enough_on_each_server() -> None:
    watched: Watched = {
        Source.ERROR: {"primary": [(SINCE, NOW)], "replica": [(SINCE, NOW)]},
        Source.COUNTER: {"primary": [(SINCE, NOW - 20 * DAY)], "replica": [(SINCE, NOW)]},
        Source.AUDIT: {"primary": [(NOW - 21 * DAY, NOW)], "replica": []},
    }
    seen = facts(nodes=("primary", "replica"), watched=watched, is_fully_audited=True)
    assert assess(entry(), seen, POLICY, NOW).verdict is Verdict.READY
    assert assess(entry(), replace(seen, is_fully_audited=False), POLICY, NOW).verdict is Verdict.UNKNOWN
    blind: Watched = {**watched, Source.AUDIT: {"primary": [], "replica": []}}
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


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            replace(SCANS, reads=0, looks=1),
            "1 look into it (blocks fetched without a scan: by ctid, or planned only) counted since",
        ),
        (
            replace(SCANS, reads=0, rewrites=1),
            "1 new file of its rows (REFRESH, TRUNCATE or another rewrite) counted since the rename",
        ),
        (replace(SCANS, writes=2), "14 scans or written rows counted since the rename"),
    ],
)
def test_what_was_counted_is_told_by_its_kind(step: Step, said: str) -> None:
    found = assess(entry(), facts(steps=(step,)), POLICY, NOW)
    assert (found.verdict, said in " ".join(found.reasons)) == (Verdict.NOT_READY, True)


def test_reads_of_a_sequence_are_counted() -> None:
    element = Element.parse("sequence:public.numbers")
    found = assess(entry(element), facts(element, counted=CountedUses((SCANS,))), POLICY, NOW)
    assert (found.verdict, "12 reads counted" in " ".join(found.reasons)) == (Verdict.NOT_READY, True)

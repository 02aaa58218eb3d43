"""Overrides: somebody answers for one check, with a reason, and it stays in sight."""

import json
from datetime import UTC, datetime

import pytest

from catalog.elements import Element
from catalog.names import Reason
from catalog.reading import read_snapshot
from migrations import audit, workflow
from migrations.errors import OverrideError, RefusedError
from migrations.findings import Finding, Severity
from migrations.overrides import NOT_OVERRIDABLE, Override, apply_to, merged, parse, parse_all, used
from tests.migrations.fix_shop import Shop

OLD = Element.parse("table:public.users_old")
VIEW = "CREATE VIEW v AS SELECT name FROM users_old"


def finding(check: str, severity: Severity = Severity.BLOCK) -> Finding:
    return Finding(check, severity, str(OLD), "view public.v reads it", "Change the view first")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("dependants=goes next week", Override("dependants", "goes next week")),
        ("  dependants = a = b  ", Override("dependants", "a = b")),
    ],
)
def test_an_override_is_a_check_and_a_reason(text: str, meant: Override) -> None:
    assert parse(text) == meant
    assert parse(str(meant)) == meant


@pytest.mark.parametrize("text", ["", "dependants", "dependants=", "dependants=  ", "=because"])
def test_an_override_without_check_or_reason_is_refused(text: str) -> None:
    with pytest.raises(OverrideError, match="a check and a reason are wanted") as caught:
        parse(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("check", NOT_OVERRIDABLE)
def test_some_checks_are_never_overridden(check: str) -> None:
    with pytest.raises(OverrideError, match=f"check {check}: cannot be overridden"):
        parse(f"{check}=I know better")
    with pytest.raises(OverrideError, match="cannot be overridden"):
        apply_to([finding(check)], [Override(check, "from a plan that somebody wrote by hand")])


def test_two_reasons_for_one_check_are_refused() -> None:
    assert len(parse_all(["a=x", "b=y"])) == 2
    with pytest.raises(OverrideError, match="a: is overridden twice"):
        parse_all(["a=x", "a=y"])


def test_an_overridden_block_becomes_a_warning_with_the_reason() -> None:
    found = (finding("dependants"), finding("use-logged"), finding("coverage", Severity.INFO))
    answered = apply_to(found, [Override("dependants", "goes next week")])
    assert [(one.check, one.severity, one.overridden) for one in answered] == [
        ("use-logged", Severity.BLOCK, None),
        ("dependants", Severity.WARN, "goes next week"),
        ("coverage", Severity.INFO, None),
    ]
    assert used(answered) == {"dependants": "goes next week"}
    assert apply_to(answered, [Override("dependants", "later")]) == answered


def test_what_does_not_block_needs_no_answer() -> None:
    found = (finding("coverage", Severity.WARN),)
    assert apply_to(found, [Override("coverage", "fine")]) == found
    assert not used(found)


def test_the_reason_in_the_plan_stands() -> None:
    planned, given = Override("a", "reviewed"), Override("a", "typed")
    assert merged([planned], [given, Override("b", "more")]) == (planned, Override("b", "more"))


def test_a_plan_with_an_override_is_applied_and_the_audit_trail_says_why(shop18: Shop) -> None:
    shop18.db.execute(VIEW)
    now = datetime.now(UTC)
    plan = workflow.prepare(
        shop18.db,
        shop18.settings,
        [OLD],
        Reason.UNUSED,
        now,
        overrides=[Override("dependants", "the view goes next week")],
    )
    assert plan.overrides == (Override("dependants", "the view goes next week"),)
    assert used(plan.findings) == {"dependants": "the view goes next week"}
    shop18.apply(plan)
    assert not read_snapshot(shop18.db).exists(OLD)
    rows = [json.loads(row.entry) for row in audit.read(shop18.db)]
    details = [row["detail"] for row in rows if row["event"] == "override"]
    assert details
    assert all(detail["check"] == "dependants" for detail in details)
    assert all(detail["reason"] == "the view goes next week" for detail in details)


def test_without_the_override_the_same_plan_is_refused(shop18: Shop) -> None:
    shop18.db.execute(VIEW)
    plan = shop18.plan(str(OLD))
    with pytest.raises(RefusedError, match="--override"):
        shop18.apply(plan)
    with pytest.raises(RefusedError):
        workflow.carry_out(
            shop18.db,
            shop18.settings,
            plan,
            datetime.now(UTC),
            on_step=lambda _: None,
            overrides=[Override("use-logged", "another check")],
        )
    assert read_snapshot(shop18.db).exists(OLD)

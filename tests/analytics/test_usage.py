"""Usage: who, when, from where, with which statement."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.errors import EvidenceError
from analytics.store import Evidence
from analytics.usage import hourly_detail, usage_by_element, uses_of
from catalog.elements import Element
from ingest.store import Store
from tests.analytics.evidence import DAY, NOW, access, hourly, write

USERS = Element.parse("table:public.users_old")
ORDERS = Element.parse("table:public.orders")


def test_no_evidence_at_all_is_no_use_and_no_error(tmp_path: Path) -> None:
    with Evidence.open(tmp_path / "nothing here yet") as evidence:
        assert usage_by_element(evidence) == []
        assert uses_of(evidence, USERS) == []
        assert hourly_detail(evidence, NOW) == {}


def test_uses_are_put_together_by_element(tmp_path: Path) -> None:
    later = NOW + timedelta(minutes=5)
    write(tmp_path, "access", access(), access(later, role="etl", application=None, client=None))
    write(
        tmp_path,
        "access",
        access(NOW - DAY, outcome="ok", operation="write", sqlstate=None, statement_id="s3"),
    )
    with Evidence.open(tmp_path) as evidence:
        (found,) = usage_by_element(evidence)
        (recent,) = usage_by_element(evidence, later)
    assert found.element == USERS
    assert (found.uses, found.errors, found.reads, found.writes, found.statements) == (3, 2, 2, 1, 2)
    assert (found.first_at, found.last_at) == (NOW - DAY, later)
    assert found.roles == ("etl", "report_job")
    assert found.applications == ("monthly_report",)
    assert found.clients == ("127.0.0.1",)
    assert (recent.uses, recent.roles) == (1, ("etl",))


def test_uses_of_an_element_carry_their_statement(tmp_path: Path) -> None:
    write(tmp_path, "access", access(), access(NOW + DAY), access(statement_id="s9", role="etl"))
    write(tmp_path, "access", access(element="table:public.other"))
    # A statement can stand in several rows; a use must not be counted once for each.
    write(
        tmp_path,
        "statement",
        {"statement_id": "s1", "first_seen_at": NOW},
        {"statement_id": "s1", "first_seen_at": NOW + DAY},
    )
    with Evidence.open(tmp_path) as evidence:
        first, second = uses_of(evidence, USERS)
    assert (first.uses, first.statement, first.first_at, first.last_at) == (
        2,
        "SELECT count(*) FROM users_old",
        NOW,
        NOW + DAY,
    )
    assert (second.uses, second.role, second.statement) == (1, "etl", None)


def test_what_pgattic_did_itself_is_no_use_but_its_errors_are_shown(tmp_path: Path) -> None:
    own: dict[str, Any] = {"application": "pgattic"}
    write(tmp_path, "access", access(outcome="ok", operation="ddl", sqlstate=None, **own))
    write(tmp_path, "usage_hourly", hourly(str(USERS), **own))
    with Evidence.open(tmp_path) as evidence:
        assert usage_by_element(evidence) == []
        assert hourly_detail(evidence, NOW - DAY) == {}
    write(tmp_path, "access", access(**own))
    with Evidence.open(tmp_path) as evidence:
        assert usage_by_element(evidence)[0].errors == 1


def test_an_hour_counts_whole_when_its_last_use_is_recent(tmp_path: Path) -> None:
    since = NOW + timedelta(minutes=30)
    write(
        tmp_path,
        "usage_hourly",
        hourly("table:public.orders", NOW, uses=4, last_at=since + timedelta(minutes=1)),
        hourly("table:public.orders", NOW, uses=7),
        hourly('column:public.orders."Odd.Name"', since, uses=2),
    )
    with Evidence.open(tmp_path) as evidence:
        found = {element: one.uses for element, one in hourly_detail(evidence, since).items()}
    assert found == {ORDERS: 4, Element.parse('column:public.orders."Odd.Name"'): 2}


def test_evidence_survives_names_with_quotes(tmp_path: Path) -> None:
    odd = Element.parse('table:public."it\'s; a ""name"""')
    write(tmp_path, "access", access(element=str(odd)))
    with Evidence.open(tmp_path) as evidence:
        assert usage_by_element(evidence)[0].element == odd
        assert uses_of(evidence, odd)[0].uses == 1


def test_damaged_evidence_is_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path, "access", access())
    for file in Store(tmp_path).files("access"):
        Path(file).write_bytes(b"not parquet")
    with pytest.raises(EvidenceError, match="cannot be read"), Evidence.open(tmp_path) as evidence:
        usage_by_element(evidence)

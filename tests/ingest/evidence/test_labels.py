"""The deprecated label of an enum value in a constant: an ambiguous use, whatever the statement."""

from dataclasses import replace
from datetime import timedelta

import pytest

from catalog.objects import Enum
from ingest.evidence.accesses import Observed, Reader
from ingest.logs.csvlog import read_records
from ingest.meaning.world import History
from tests.ingest.fix_ingest import NOON, entry, record, shop

LABEL = "it's_ok_deprecated_20261122_unused"
VALUE = 'enum_value:public.mood."it\'s ok"'
AFTER = NOON + timedelta(minutes=5)


def observe(*records: bytes, encoding: str = "UTF8") -> list[Observed]:
    attic = (entry("enum:public.mood", "mood_dep", 20), entry(VALUE, LABEL, 21))
    enums = (Enum(20, "public", "mood_dep", (LABEL,), None, (21,)),)
    snapshot = replace(shop(), enums=enums, attic=attic, encoding=encoding)
    return Reader(History(snapshot)).observe(read_records(b"".join(records)).records)


def of_value(found: list[Observed]) -> list[tuple[str, bool, str]]:
    return [
        (one.use.operation, one.use.ambiguous, one.source) for one in found if str(one.use.element) == VALUE
    ]


WRITTEN = LABEL.replace("'", "''")


COMPARED = f"select 1 from orders where state = '{WRITTEN}'"
PARAMETER = "execute <unnamed>: select 1 from orders where state = $1"
PLAN = (
    "duration: 1.2 ms  plan:\nQuery Text: select f()\nResult  (cost=0.00..0.01 rows=1 width=4)\n"
    f"  One-Time Filter: ('{WRITTEN}'::text = 'x')"
)
AUDIT = f'AUDIT: OBJECT,1,1,READ,SELECT,TABLE,public.orders,"{COMPARED}",<none>'


@pytest.mark.parametrize(
    ("message", "more", "source"),
    [
        pytest.param(f"statement: {COMPARED}", {}, "log", id="compared"),
        pytest.param(f"statement: select '{WRITTEN}'", {}, "log", id="alone"),
        pytest.param(PARAMETER, {"detail": f"Parameters: $1 = '{WRITTEN}'"}, "log", id="parameter"),
        pytest.param(PLAN, {}, "plan", id="plan"),
        pytest.param("division by zero", {"sqlstate": "22012", "sql": COMPARED}, "error", id="failed"),
        pytest.param(AUDIT, {}, "audit", id="audit"),
    ],
)
def test_wherever_the_label_stands_the_value_may_be_used(
    message: str, more: dict[str, str], source: str
) -> None:
    assert of_value(observe(record(message, at=AFTER, **more))) == [("read", True, source)]  # type: ignore[arg-type]


def test_statements_that_differ_in_constants_alone_are_told_apart() -> None:
    texts = ["ok", WRITTEN, "bad", WRITTEN, "ok"]
    records = [
        record(f"statement: select 1 from orders where state = '{text}'", at=AFTER, session=f"6b035698.{n}")
        for n, text in enumerate(texts, 1)
    ]
    found = observe(*records)
    assert len(of_value(found)) == 2
    # Each still counts as what else it uses.
    assert sum(str(one.use.element) == "table:public.orders" for one in found) == len(texts)


def test_a_cast_to_the_type_counts_once() -> None:
    found = observe(record(f"statement: select '{WRITTEN}'::mood_dep", at=AFTER))
    assert of_value(found) == [("read", False, "log")]


def test_before_the_rename_the_label_means_nothing() -> None:
    before = record(f"statement: select '{WRITTEN}'", at=NOON - timedelta(minutes=5))
    assert of_value(observe(before)) == []


def test_no_constant_is_kept() -> None:
    found = observe(record(f"statement: select 1 from orders where state = '{WRITTEN}'", at=AFTER))
    assert all(one.statement is None or "deprecated" not in one.statement.text for one in found)


def test_what_is_no_statement_is_no_use() -> None:
    assert observe(record(f"checkpoint complete: {LABEL}", at=AFTER)) == []

"""What the checks advise of parents and children is done here, on real servers, and works."""

from datetime import UTC, datetime

import pytest

from catalog.elements import Element
from catalog.names import Reason
from migrations import workflow
from migrations.errors import RefusedError
from migrations.findings import Finding
from migrations.overrides import Override
from migrations.plan import Plan
from migrations.rollback import rollback
from tests.migrations.fix_shop import Shop

MADE = """
CREATE TABLE event (id int CONSTRAINT event_key UNIQUE, note text, kind text) PARTITION BY LIST (id);
CREATE TABLE event_1 PARTITION OF event FOR VALUES IN (1) PARTITION BY LIST (id);
CREATE TABLE event_1a PARTITION OF event_1 FOR VALUES IN (1);
CREATE INDEX event_kind ON event (kind);
CREATE TABLE "Parent" (note text);
CREATE TABLE child (own int) INHERITS ("Parent");
CREATE INDEX child_note ON child (note);
CREATE VIEW notes AS SELECT note FROM event_1a;
"""
NOTE = "column:public.event.note"


@pytest.fixture
def family(shop: Shop) -> Shop:
    shop.db.execute(MADE)
    shop.db.execute("SELECT pg_stat_force_next_flush()")
    shop.db.execute("SELECT pg_stat_reset()")
    return shop


def found_of(shop: Shop, *elements: str) -> list[Finding]:
    checks = ("inherited-by", "part-of-parent", "dependants")
    return [one for one in shop.plan(*elements).findings if one.check in checks]


def planned(shop: Shop, element: str, *checks: str) -> Plan:
    overrides = [Override(check, "nobody uses it there") for check in checks]
    wanted = [Element.parse(element)]
    return workflow.prepare(
        shop.db, shop.settings, wanted, Reason.UNUSED, datetime.now(UTC), overrides=overrides
    )


def columns(shop: Shop, name: str) -> dict[str, str]:
    """The column of each table of the family whose name begins with that, by table."""
    rows = shop.db.fetch(
        "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid"
        " WHERE starts_with(a.attname, %s) AND c.relname ~ '^(event|Parent|child)'"
        " AND c.relkind IN ('r', 'p')",
        [name],
    )
    return {row["relname"]: row["attname"] for row in rows}


def test_a_column_is_renamed_in_every_child_with_that_of_the_parent(family: Shop) -> None:
    one, below = found_of(family, NOTE)
    assert "partition public.event_1 has the column from public.event, and it is renamed there" in one.message
    assert "column:public.event_1.note" in (one.todo or "")
    assert "partition public.event_1a has the column from public.event_1," in below.message
    assert below.message.endswith("; there it is used by view public.notes")

    with pytest.raises(RefusedError):
        family.apply(planned(family, NOTE))
    plan = planned(family, NOTE, "inherited-by")
    family.apply(plan)
    (step,) = plan.steps
    after = {relation: name for relation, name in columns(family, "note").items() if "event" in relation}
    assert after == dict.fromkeys(("event", "event_1", "event_1a"), step.deprecated_name)

    rollback(family.db, migration_id=plan.id)
    assert set(columns(family, "note").values()) == {"note"}


def test_an_inheriting_table_is_told_with_what_it_has_of_its_own(family: Shop) -> None:
    (finding,) = found_of(family, 'column:public."Parent".note')
    assert finding.message.endswith("; there it is used by index public.child_note")


@pytest.mark.parametrize("column", [NOTE, 'column:public."Parent".note'])
def test_the_line_that_takes_a_child_out_is_one(family: Shop, column: str) -> None:
    finding = found_of(family, column)[0]
    _, _, line = (finding.todo or "").rpartition(": ")
    family.db.execute(line)
    assert not found_of(family, column)
    (step,) = planned(family, column).steps
    family.db.execute(step.up[0])
    child = "event_1" if column == NOTE else "child"
    assert columns(family, "note")[child] == "note"


@pytest.mark.parametrize(
    "element", ["table:public.event", "index:public.event_kind", "constraint:public.event.event_key"]
)
def test_what_has_parts_goes_with_all_that_the_findings_name(family: Shop, element: str) -> None:
    family.db.execute("DROP VIEW notes")
    wanted = {element}
    while found := found_of(family, *wanted):
        named = {word for one in found for word in (one.todo or "").split() if word.startswith(element[:5])}
        assert named - wanted, "the advice leads nowhere"
        wanted |= named
    assert len(wanted) == 3
    plan = family.plan(*wanted)
    family.apply(plan)
    assert len(rollback(family.db, migration_id=plan.id).restored) == 3


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("table:public.event_1a", "table:public.event_1"),
        ("index:public.event_1a_kind_idx", "index:public.event_1_kind_idx"),
        ("constraint:public.event_1a.event_1a_id_key", "constraint:public.event_1.event_1_id_key"),
    ],
)
def test_a_part_blocks_and_names_what_it_is_a_part_of(family: Shop, part: str, whole: str) -> None:
    (finding,) = (one for one in found_of(family, part) if one.check == "part-of-parent")
    assert finding.message.startswith("parent public.event_1")
    assert f"Put {whole} into the plan, too" in (finding.todo or "")

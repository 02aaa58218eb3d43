"""A thousand elements in one plan: chosen by pattern, planned, shown in one screen, applied, brought back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.counters import read_counters
from catalog.elements import Kind
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.terminal import console
from migrations import show, workflow
from migrations.apply import apply
from migrations.checks import blocking
from migrations.inputs.choose import choose
from migrations.plan import load_plan, save_plan
from migrations.rollback import rollback
from tests.migrations.fix_shop import Shop

EACH = 250
SCHEMA = f"""
CREATE SCHEMA big;
DO $$
BEGIN
    FOR i IN 1..{EACH} LOOP
        EXECUTE format('CREATE TABLE big.t%1$s_old (id int)', i);
        EXECUTE format(
            'CREATE TABLE big.k%1$s (id int, a int CONSTRAINT small_%1$s CHECK (a < 9), legacy text)', i);
        EXECUTE format('CREATE INDEX tmp_%1$s ON big.k%1$s (a)', i);
    END LOOP;
END
$$;
SELECT pg_stat_force_next_flush();
SELECT pg_stat_reset();
"""
PATTERNS = ("table:big.t*_old", "column:big.k*.legacy", "index:big.tmp_*", "constraint:big.*.small_*")


def test_a_thousand_elements_go_there_and_back(
    shop18: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = shop18.db
    db.execute(SCHEMA)
    before = read_snapshot(db)
    wishes = choose(before, read_counters(db), texts=PATTERNS)
    plan = workflow.prepare(db, shop18.settings, wishes, Reason.UNUSED, datetime.now(UTC))
    assert len(plan.steps) == len(plan.review.dossiers) == 4 * EACH
    assert len({(step.element.parent, step.deprecated_name) for step in plan.steps}) == 4 * EACH
    assert not blocking(plan.findings)
    path = tmp_path / "plan.json"
    save_plan(plan, path)

    monkeypatch.setattr(console, "width", 100)
    show.print_plan(plan, path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 60
    assert max(map(len, lines)) <= 100 + len(str(path))
    assert any("1,000 elements" in line for line in lines)
    assert lines[-1].startswith("Review it, then `pgattic apply ")

    loaded = load_plan(path)
    assert loaded == plan
    apply(db, loaded)
    inside = read_snapshot(db)
    assert sum(entry.is_in_attic for entry in inside.attic) == 4 * EACH
    assert not any(inside.exists(step.element) for step in plan.steps)
    rollback(db, migration_id=plan.id)
    after = read_snapshot(db)
    assert after.fingerprint(plan.elements) == before.fingerprint(plan.elements)
    assert (after.relations, after.indexes, after.constraints) == (
        before.relations,
        before.indexes,
        before.constraints,
    )


def test_the_tables_to_dump_are_counted_once(shop18: Shop) -> None:
    plan = shop18.plan(
        "column:public.orders.legacy", "constraint:public.orders.total_check", "table:public.users_old"
    )
    assert [(table.schema, table.name) for table in plan.review.tables_to_dump] == [
        ("public", "orders"),
        ("public", "users_old"),
    ]
    sizes = {relation.name: relation.total_bytes for relation in read_snapshot(shop18.db).relations}
    assert plan.review.bytes_to_dump == sizes["orders"] + sizes["users_old"]
    by_kind = {dossier.element.kind: dossier for dossier in plan.review.dossiers}
    assert by_kind[Kind.COLUMN].tables == ("public.orders",)
    assert by_kind[Kind.TABLE].bytes == sizes["users_old"]
    assert plan.review.policy == shop18.settings.policy.model_dump(mode="json")


def test_a_plan_tells_who_wanted_it_and_what_holds_it(
    shop18: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop18.db.execute("CREATE VIEW v AS SELECT name FROM users_old")
    plan = shop18.plan("table:public.users_old")
    (dossier,) = plan.review.dossiers
    assert dossier.dependants == ("view public.v refers to it",)
    assert dossier.origins == ("command line",)
    show.print_plan(plan, Path("plan.json"))
    shown = " ".join(capsys.readouterr().out.split())
    assert "held by: view public.v refers to it" in shown
    assert "the rows of 1 table" in shown
    assert "`apply` refuses it as it is" in shown
    assert "Review it" not in shown

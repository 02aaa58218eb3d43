"""What names mean when: paths, the attic, rollbacks, words, and logs without a catalog."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from catalog.elements import Element
from catalog.objects import Call, Enum, Function, StoredUse, Trigger
from catalog.snapshot import Snapshot
from ingest.grammar.parse import references
from ingest.grammar.references import SetPath
from ingest.meaning.resolve import path_effects, resolve
from ingest.meaning.world import GRACE, History, NamesAlone, World
from tests.ingest.fix_ingest import DEPRECATED, NOON, entry, relation, shop
from tests.ingest.golden import shown

AFTER = NOON + timedelta(minutes=5)
UNTIL = NOON + timedelta(minutes=10)
LATER = NOON + timedelta(days=1)


def uses(
    sql: str, snapshot: Snapshot | None = None, at: datetime = AFTER, path: tuple[str, ...] | None = None
) -> list[str]:
    world = History(snapshot or shop()).world(at)
    found = resolve(references(sql), world, path)
    return [shown(use).replace("public.", "") for use in found]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("public",), ["read table:orders"]),
        (("nowhere", "archive", "public"), ["read table:archive.orders"]),
        (None, ["read table:orders ambiguous", "read table:archive.orders ambiguous"]),
        ((), ["read table:orders ambiguous", "read table:archive.orders ambiguous"]),
        (("nowhere",), ["read table:orders ambiguous", "read table:archive.orders ambiguous"]),
    ],
)
def test_an_unqualified_name_is_looked_for_along_the_path(
    path: tuple[str, ...] | None, expected: list[str]
) -> None:
    assert uses("select count(*) from orders", path=path) == expected


def test_a_sure_use_makes_an_unsure_one_of_the_same_element_superfluous() -> None:
    found = uses("select count(*) from public.orders union select count(*) from orders")
    assert found == ["read table:orders", "read table:archive.orders ambiguous"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select legacy from", ["read column:orders.legacy ambiguous"]),
        ("selec legacy_dep frm x", ["read column:orders.legacy ambiguous"]),
        ("?? users_old ??", ["read table:users_old ambiguous"]),
        ("?? orders_idx_dep ??", ["read index:orders_idx ambiguous"]),
        ("?? users email ??", ["read table:users ambiguous", "read column:users.email ambiguous"]),
        ("?? email ??", []),
    ],
)
def test_the_words_of_what_cannot_be_parsed_may_mean_elements(sql: str, expected: list[str]) -> None:
    assert uses(sql) == expected


def back(seconds: float) -> list[str]:
    """Uses by both names at a time around a rollback."""
    restored = replace(entry("table:public.clients", "clients_dep", 30), restored_at=UNTIL)
    column = replace(entry("column:public.bills.legacy", "legacy_dep", 31), restored_at=UNTIL)
    index = replace(entry("index:public.orders_idx", "orders_idx_gone", 10), restored_at=UNTIL)
    base = shop()
    snapshot = replace(
        base,
        relations=(*base.relations, relation(30, "clients", "id"), relation(31, "bills", "id", "legacy")),
        indexes=(replace(base.indexes[0], name="orders_idx"),),
        attic=(restored, column, index),
    )
    at = UNTIL + timedelta(seconds=seconds)
    sql = (
        "select 1 from clients; select 1 from clients_dep; select legacy from bills;"
        " select legacy_dep from bills; reindex index orders_idx; reindex index orders_idx_gone"
    )
    return sorted({use.rpartition(" ")[2] for use in uses(sql, snapshot, at)} - {"table:bills"})


def test_both_names_are_known_while_a_rollback_commits() -> None:
    every = ["column:bills.legacy", "index:orders_idx", "table:clients"]
    assert [back(seconds) for seconds in (-1, 0, 1, GRACE.seconds + 1)] == [every] * 4
    history = History(
        replace(shop(), attic=(replace(entry("table:public.a", "a_dep", 2), restored_at=UNTIL),))
    )
    element = Element.parse("table:public.a")
    moments = (UNTIL - timedelta(seconds=1), UNTIL, UNTIL + GRACE - timedelta(seconds=1), UNTIL + GRACE)
    # Whichever moment of a stretch is asked for first.
    assert [element in history.world(moment).attic for moment in reversed(moments)] == [
        False,
        True,
        True,
        True,
    ]


def test_what_is_stored_follows_a_rename_and_what_is_text_does_not() -> None:
    """A generated column and a trigger of a renamed table; its function's body says the former name."""
    base = shop()
    body = "BEGIN UPDATE orders SET total = NEW.legacy; RETURN NEW; END"
    snapshot = replace(
        base,
        functions=(Function(40, "public", "touch", "plpgsql", body, "", ()),),
        triggers=(
            Trigger("public", "orders", "touch", "public", "touch", ("update",), columns=("legacy_dep",)),
        ),
        stored_uses=(
            StoredUse(
                "generated column", "public", "orders", "total", "public", "orders", "relation", "legacy_dep"
            ),
        ),
    )
    via = "via generated column:orders.total"
    assert uses("update public.orders set legacy_dep = 1", snapshot) == [
        "write table:orders",
        "write column:orders.legacy",
        "read column:orders.legacy implicit " + via,
        "write table:orders ambiguous via trigger:orders.touch",
        "write table:archive.orders ambiguous via trigger:orders.touch",
        "write column:orders.total via trigger:orders.touch",
    ]
    assert uses("update public.orders set user_id = 1", snapshot) == [
        "write table:orders", "write column:orders.user_id"
    ]  # fmt: skip


def test_of_many_partitions_only_those_in_the_attic_are_told() -> None:
    base = shop()
    parts = [relation(100 + n, f"part_{n}", "id") for n in range(1000)]
    links = [
        StoredUse("partition", "public", None, part.name, "public", "users", "relation", None)
        for part in parts
    ]
    few = replace(base, relations=(*base.relations, *parts[:3]), stored_uses=tuple(links[:3]))
    assert len(uses("select 1 from users", few)) == 4
    attic = (entry("table:public.part_seven", "part_7", 107),)
    many = replace(base, relations=(*base.relations, *parts), stored_uses=tuple(links), attic=attic)
    assert uses("select 1 from users", many) == [
        "read table:users", "read table:part_seven implicit via table:users"
    ]  # fmt: skip
    assert uses("select 1 from part_3", many) == [
        "read table:part_3", "read table:users implicit via table:part_3"
    ]  # fmt: skip


def test_a_label_is_an_element_of_its_own() -> None:
    base = shop()
    snapshot = replace(
        base,
        enums=(Enum(20, "public", "mood", ("sad", "ok_dep"), None, (21, 22)),),
        attic=(entry("enum_value:public.mood.ok", "ok_dep", 22),),
    )
    assert uses("select 'ok_dep'::mood, 'sad'::mood, 'other'::mood", snapshot) == [
        "read enum:mood", "read enum_value:mood.ok", "read enum_value:mood.sad"
    ]  # fmt: skip
    assert uses("select 'ok'::mood", snapshot, NOON - timedelta(seconds=1))[1:] == ["read enum_value:mood.ok"]


def test_functions_that_call_each_other_end() -> None:
    base = shop()
    functions = (
        Function(40, "public", "a", "sql", "SELECT b(), id FROM users", "", ()),
        Function(41, "public", "b", "sql", "SELECT a()", "", ()),
    )
    found = uses("select b()", replace(base, functions=functions))
    assert found == ["read table:users via function:b", "read column:users.id via function:b"]


def test_a_function_that_sets_the_path_leaves_it_unknown() -> None:
    functions = (
        Function(40, "public", "tenant", "sql", "SELECT set_config('search_path', $1, false)", "", ()),
        Function(41, "public", "outer_one", "sql", "SELECT tenant('x')", "", ()),
        Function(42, "public", "own", "sql", "SELECT tenant('x')", "", (), "archive"),
    )
    world = World(replace(shop(), functions=functions), None)
    assert path_effects(references("select outer_one()"), world) == (SetPath(()),)
    assert path_effects(references("select count(*) from users"), world) == ()


def test_event_triggers_and_aggregates_are_functions_too() -> None:
    base = shop()
    functions = (Function(40, "public", "seen", "sql", "SELECT count(id) FROM users", "", ()),)
    calls = (Call("event trigger", "", "", "on_ddl", 40), Call("function", "public", "", "total", 40))
    snapshot = replace(base, functions=functions, calls=calls)
    assert uses("select total(id) from public.orders", snapshot)[-2:] == [
        "read table:users via function:seen", "read column:users.id via function:seen"
    ]  # fmt: skip
    assert uses("create view v as select 1", snapshot) == [
        "read table:users ambiguous via function:seen", "read column:users.id ambiguous via function:seen"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select a from app.t", ["read table:app.t", "read column:app.t.a"]),
        ("select a from t", ["read table:t ambiguous", "read column:t.a ambiguous"]),
        ("select x.a, b from app.t x, app.u", [
            "read table:app.t", "read table:app.u", "read column:app.t.a",
            "read column:app.t.b ambiguous", "read column:app.u.b ambiguous",
        ]),
        ("update app.t set a = 1", ["write table:app.t", "write column:app.t.a"]),
        (f"select email from public.{DEPRECATED}", ["read table:users_old", "read column:users_old.email"]),
        ("select b_deprecated_20261122_unused from app.t", ["read table:app.t", "read column:app.t.b"]),
        (f"?? {DEPRECATED} and others", ["read table:users_old ambiguous"]),
        ("select relname from pg_class, information_schema.tables", []),
        ("with c as (select 1) select * from c", []),
        ("drop index app.i", ["ddl index:app.i"]),
        ("alter table app.t drop constraint c", ["ddl table:app.t", "ddl constraint:app.t.c"]),
        ("select 'x'::mood_deprecated_20261122_unused", ["read enum:mood ambiguous"]),
        ("select run('delete from app.t')", ["write table:app.t ambiguous"]),
    ],
)  # fmt: skip
def test_without_a_catalog_statements_speak_for_themselves(sql: str, expected: list[str]) -> None:
    assert uses(sql, NamesAlone()) == expected


def test_without_a_catalog_deprecated_names_are_tracked() -> None:
    world = History(NamesAlone()).world(LATER)
    resolve(references(f"select b_deprecated_20261122_unused from {DEPRECATED}, app.t"), world)
    assert {str(element) for element in world.attic} == {
        "table:public.users_old", "column:public.users_old.b", "column:app.t.b"
    }  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "select * from pg_sequences",
        "select last_value from pg_catalog.pg_sequences where increment_by = 1",
        "select pg_sequence_last_value(oid) from pg_class",
        "SELECT seqrelid, last_value FROM pg_catalog.pg_sequence, pg_get_sequence_data(seqrelid)",
    ],
)
def test_who_reads_the_values_of_sequences_perhaps_reads_each_in_the_attic(sql: str) -> None:
    renamed = relation(30, "numbers_dep", kind="S")
    found = replace(
        shop(),
        relations=(*shop().relations, renamed, relation(31, "others", kind="S")),
        attic=(*shop().attic, entry("sequence:public.numbers", "numbers_dep", 30)),
    )
    assert uses(sql, found) == ["read sequence:numbers implicit ambiguous"]
    assert uses("select * from pg_sequence", found) == []

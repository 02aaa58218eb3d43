"""What statements refer to."""

import pytest

from ingest.grammar.parse import references, relation_positions

# statement → relations (name:operation, * where all columns are meant), columns (name:operation@candidates)
_CASES = [
    ("select a from t", "t:read", "a:read@t"),
    ("select * from t", "t:read t:read*", ""),
    ("table t", "t:read t:read*", ""),
    ("select count(*) from t", "t:read", ""),
    ("select u.a from app.t u", "app.t:read", "a:read@app.t"),
    ("select app.t.a from app.t", "app.t:read", "a:read@app.t"),
    ("select app.t.a from t", "t:read", "a:read@t"),
    ("select u.* from t u, v", "t:read v:read t:read*", ""),
    ("select row_to_json(t) from t", "t:read t:read*", "t:read@t"),
    ("select legacy(t) from t", "t:read t:read*", "t:read@t legacy:read@t"),
    ("select (t).a, (t).* from t", "t:read t:read*", "a:read@t"),
    ("select x from t as x (y)", "t:read*", "x:read@t"),
    ("select a from t join v using (k)", "t:read v:read", "k:read@t k:read@v a:read@t,v"),
    ("select new.a", "", "a:read@new"),
    ("select 1 from t where exists (select 1 from v where x = t.y)", "t:read v:read", "x:read@v|t y:read@t"),
    ("with t as (select a from v) select a from t", "v:read", "a:read@v"),
    ("with recursive r as (select a from t union select r.a from r) select * from r", "t:read", "a:read@t"),
    ("select s.a from (select a from t) s", "t:read", "a:read@t"),
    ("select a from t union all select b from v", "t:read v:read", "a:read@t b:read@v"),
    ("select a from t for update of t", "t:read", "a:read@t"),
    ("select x into n from t", "n:ddl t:read", "x:read@t"),
    ("insert into t values (1)", "t:write*", ""),
    ("insert into t default values", "t:write", ""),
    ("insert into t (a) select b from v", "t:write v:read", "a:write@t b:read@v"),
    ("insert into t (a) values (1) returning *", "t:write t:read*", "a:write@t"),
    (
        "insert into t (a) values (1) on conflict (b) do update set c = excluded.d",
        "t:write t:write",
        "a:write@t c:write@t d:read@t b:read@t",
    ),
    ("update t set a = b where c = 1", "t:write", "a:write@t b:read@t c:read@t"),
    ("update t set a = v.b from v", "t:write v:read", "a:write@t b:read@v"),
    ("delete from t using v where t.a = v.b", "t:write v:read", "a:read@t b:read@v"),
    (
        "merge into t using v on t.id = v.k when matched then update set a = v.b",
        "t:write v:read",
        "id:read@t k:read@v b:read@v a:write@t",
    ),
    ("copy t to stdout", "t:read*", ""),
    ("copy t (a) from stdin", "t:write", "a:write@t"),
    ("copy (select a from t) to stdout", "t:read", "a:read@t"),
    ("truncate t, app.v", "t:write app.v:write", ""),
    ("lock table t", "t:read", ""),
    ("explain select a from t", "t:read", "a:read@t"),
    ("prepare p as select a from t where b = $1", "t:read", "a:read@t b:read@t"),
    ("declare c cursor for select a from t", "t:read", "a:read@t"),
    ("create view v as select a from t", "v:ddl t:read", "a:read@t"),
    ("create table n as select a from t", "n:ddl t:read", "a:read@t"),
    ("create table n (a int references p (id), like l)", "n:ddl p:ddl l:ddl*", "id:ddl@p"),
    ("refresh materialized view m", "m:ddl", ""),
    ("alter table t drop column a", "t:ddl", "a:ddl@t"),
    ("alter table t rename column a to b", "t:ddl", "a:ddl@t"),
    ("alter table t rename to v", "t:ddl", ""),
    ("create index on t (a) where b > 1", "t:ddl", "a:ddl@t b:read@t"),
    ("drop table if exists app.t, v", "app.t:ddl v:ddl", ""),
    ("comment on column app.t.a is 'x'", "app.t:ddl", "a:ddl@app.t"),
    ("grant select on t to public", "t:ddl", ""),
    ("vacuum analyze t", "t:ddl", ""),
    ("select 1; select a from t", "t:read", "a:read@t"),
    ("do $$ begin perform 1 from t; end $$", "t:read", ""),
    (
        "create rule r as on delete to t do also delete from v where a = old.a",
        "t:ddl v:ddl",
        "a:ddl@v|t a:ddl@t",
    ),
    ("select 't'::regclass, nextval('app.s')", "t:read app.s:write", ""),
    ('select "A" from "T"', "T:read", "A:read@T"),
    ("select 1", "", ""),
]


@pytest.mark.parametrize(("sql", "relations", "columns"), _CASES)
def test_a_statement_refers_to(sql: str, relations: str, columns: str) -> None:
    found = references(sql)
    assert found.is_parsed
    shown = [f"{_dotted(r.relation)}:{r.operation}{'*' * r.is_whole}" for r in found.relations]
    assert sorted(shown) == sorted(relations.split())
    shown = [
        f"{c.name}:{c.operation}@{'|'.join(','.join(map(_dotted, level)) for level in c.levels)}"
        for c in found.columns
    ]
    assert sorted(shown) == sorted(columns.split())


@pytest.mark.parametrize(
    ("sql", "types", "indexes", "constraints"),
    [
        ("select 'ok'::mood, cast(a as app.color) from t", "mood app.color", "", ""),
        ("create table t (a mood[])", "mood", "", ""),
        ("drop type mood", "mood", "", ""),
        ("alter type app.mood add value 'x'", "app.mood", "", ""),
        ("reindex index app.i", "", "app.i", ""),
        ("drop index i", "", "i", ""),
        ("alter index i rename to j", "", "i", ""),
        ("alter index i set (fillfactor = 50)", "", "i", ""),
        ("cluster t using i", "", "i", ""),
        ("alter table t replica identity using index i", "", "i", ""),
        ("alter table t drop constraint c", "", "", "t/c"),
        ("alter table app.t rename constraint c to d", "", "", "app.t/c"),
        ("insert into t values (1) on conflict on constraint c do nothing", "", "", "t/c"),
        ("set constraints c deferred", "", "", "/c"),
    ],
)
def test_a_statement_names(sql: str, types: str, indexes: str, constraints: str) -> None:
    found = references(sql)
    assert [_dotted(use.name) for use in found.types] == types.split()
    assert [_dotted(use.name) for use in found.indexes] == indexes.split()
    shown = [f"{_dotted(c.relation) if c.relation else ''}/{c.name}" for c in found.constraints]
    assert shown == constraints.split()


@pytest.mark.parametrize(
    ("sql", "labels"),
    [
        ("select 'ok'::mood, '{ok,\"sad\"}'::app.mood[]", ["mood ok", "app.mood ok", "app.mood sad"]),
        ("alter type mood rename value 'ok' to 'fine'", ["mood ok"]),
        ("select 'x'::text, '2026-01-01'::date, '{}'::jsonb, 'x'::varchar(3)", []),
        (f"select '{'x' * 64}'::mood", []),
    ],
)
def test_a_constant_of_a_user_s_type_may_be_a_label(sql: str, labels: list[str]) -> None:
    found = references(sql)
    assert [f"{_dotted(use.type)} {use.label}" for use in found.labels] == labels
    assert found.is_literal_sensitive is bool(labels)


@pytest.mark.parametrize(
    ("sql", "is_sensitive"),
    [
        ("select 't'::regclass", True),
        ("select nextval('s')", True),
        ("select has_table_privilege('t', 'select')", True),
        ("select query_to_xml('select 1', true, true, '')", True),
        ("select set_config('search_path', 'a', true)", True),
        ("set search_path = a", True),
        ("do 'begin end'", True),
        ("create function f() returns int language sql as 'select 1'", True),
        ("select my_function('x')", True),
        ("select my_function($1), my_function(1), my_function(a) from t", False),
        ("select app.lower('x')", True),
        ("select lower('x'), pg_catalog.lower('y'), date_trunc('day', now())", False),
        ("select a from t where b = 'x' and c like 'y%' and d in ('z')", False),
        ("insert into t values ('x')", False),
        ("set time zone 'UTC'", False),
    ],
)
def test_constants_that_name_something_are_told(sql: str, is_sensitive: bool) -> None:
    assert references(sql).is_literal_sensitive is is_sensitive


def test_text_that_a_function_may_run_is_read_as_a_statement_or_as_words() -> None:
    found = references("select run('delete from t'), run('app.\"T\" or so')")
    assert [_dotted(use.relation) for one in found.possible for use in one.relations] == ["t"]
    assert found.words == {"app", "T", "or", "so"}
    assert found.relations == ()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ('select legacy from "Orders" where', {"select", "legacy", "from", "Orders", "where"}),
        ("SELECT * FROM Users_Old WHERE name = 'it", {"select", "from", "users_old", "where", "name", "it"}),
        ("x := 'public.t'", {"x", "public", "t"}),
        ("b " + "a" * 70, {"b", "a" * 63}),
    ],
)
def test_of_what_cannot_be_parsed_the_words_are_kept(sql: str, words: set[str]) -> None:
    found = references(sql)
    assert not found.is_parsed
    assert found.words == words


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("create view v as select 1", True),
        ("select 1 into t", True),
        ("do $$ begin create table t (); end $$", True),
        ("select 1", False),
        ("explain select 1", False),
        ("vacuum", False),
    ],
)
def test_definitions_are_told_from_other_statements(sql: str, expected: bool) -> None:
    assert references(sql).is_definition is expected


@pytest.mark.parametrize("sql", ["select from from", "", "x := (select 1)", "'", "\0"])
def test_what_is_not_sql_refers_to_nothing(sql: str) -> None:
    assert references(sql).relations == ()


def test_a_relation_s_position_counts_characters() -> None:
    sql = "select 'é', t.a from app.t"
    assert relation_positions(sql) == frozenset({sql.index("app.t") + 1})


def _dotted(name: tuple[str | None, str]) -> str:
    return ".".join(part for part in name if part)

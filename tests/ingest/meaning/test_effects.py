"""What statements do to their session."""

import pytest

from ingest.grammar.parse import references
from ingest.grammar.references import Effect, Forget, Keep, RunKept, SetPath, SetRole, Transaction


@pytest.mark.parametrize(
    ("sql", "effects"),
    [
        ('set search_path to "$user", A, "B"', [SetPath(("$user", "a", "B"))]),
        ("set search_path = 'a, b'", [SetPath(("a, b",))]),
        ("set local search_path = a", [SetPath(("a",), is_local=True)]),
        ("set schema 'a'", [SetPath(("a",))]),
        ("reset search_path", [SetPath(None)]),
        ("set search_path to default", [SetPath(None)]),
        ("reset all", [SetPath(None)]),
        ("select set_config('search_path', 'a, \"B c\"', true)", [SetPath(("a", "B c"), is_local=True)]),
        ("select set_config('Search_Path', $1, false)", [SetPath(())]),
        ("select set_config('role', 'x', false)", [SetRole()]),
        ("select set_config('work_mem', '1', false)", []),
        ("select set_config($1, $2, false)", []),
        ("set role x", [SetRole()]),
        ("reset session authorization", [SetRole()]),
        ("set session characteristics as transaction read only", []),
        ("set time zone 'UTC'", []),
        ("begin", [Transaction("begin")]),
        ("start transaction", [Transaction("begin")]),
        ("end", [Transaction("commit")]),
        ("prepare transaction 'x'", [Transaction("commit")]),
        ("abort and chain", [Transaction("rollback"), Transaction("begin")]),
        ("savepoint s; rollback to s; release s", [Transaction("rollback to")]),
        ("commit prepared 'x'", []),
        ("prepare p as select 1", [Keep("prepared", "p")]),
        ("execute p (1)", [RunKept("prepared", "p")]),
        ("explain analyze execute p", [RunKept("prepared", "p")]),
        ("create table t as execute p", [RunKept("prepared", "p")]),
        ("deallocate p", [Forget("prepared", "p")]),
        ("deallocate all", [Forget("prepared")]),
        ("declare c cursor for select 1", [Keep("cursor", "c")]),
        ("fetch 3 from c", [RunKept("cursor", "c")]),
        ("move c", [RunKept("cursor", "c")]),
        ("delete from t where current of c", [RunKept("cursor", "c")]),
        ("close c", [Forget("cursor", "c")]),
        ("close all", [Forget("cursor")]),
        ("discard all", [Forget("cursor"), SetRole(), SetPath(None), Forget("prepared")]),
        ("discard temp", []),
        ("begin; set local search_path = a; commit", [
            Transaction("begin"), SetPath(("a",), is_local=True), Transaction("commit")
        ]),
        ("do $$ begin set local search_path = a; end $$", [SetPath(("a",), is_local=True)]),
    ],
)  # fmt: skip
def test_a_statement_does_to_its_session(sql: str, effects: list[Effect]) -> None:
    assert list(references(sql).effects) == effects

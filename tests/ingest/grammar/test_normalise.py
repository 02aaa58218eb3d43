"""What is stored of a statement holds no constant of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.evidence.statements import Statements
from ingest.grammar.normalise import normalise, statement_id, without_values

_CANARY = "kanarienvogel"
_LITERALS = st.sampled_from(
    [
        f"'{_CANARY}'",
        f"e'\\'{_CANARY}'",
        f"U&'{_CANARY}'",
        f"N'{_CANARY}'",
        f"$${_CANARY}$$",
        f"$x${_CANARY}'$x$",
        f"'{_CANARY}''{_CANARY}'",
        f"'a'\n'{_CANARY}'",
        "7355608",
        "-7355608",
        "7355608.5e3",
        "0x7355608",
        "b'101110101'",
        "x'7355608ff'",
        f"interval '{_CANARY}'",
        f"'{_CANARY}'::text",
        f"/* {_CANARY} */ 1",
        f"1 -- {_CANARY}\n",
    ]
)


@given(
    st.lists(_LITERALS, min_size=1, max_size=6), st.sampled_from(["select {}", "insert into t values ({})"])
)
def test_no_constant_survives(literals: list[str], shape: str) -> None:
    statement = Statements().of(shape.format(", ".join(literals)))
    assert statement.references.is_parsed
    for secret in (_CANARY, "7355608", "1011"):
        assert secret not in statement.text


@given(
    st.text(alphabet="ab'\"$;-/*(),. \n\\eExX01", max_size=30).map(lambda text: f"select {text} '{_CANARY}'")
)
def test_no_constant_survives_in_broken_statements(sql: str) -> None:
    text = Statements().of(sql).text
    assert f"'{_CANARY}" not in text


@pytest.mark.parametrize(
    ("sql", "normalised"),
    [
        ("select  1,\n 2", "select $1, $2"),
        ("select $2, 'x'", "select $2, $3"),
        ("select * from t where a = -5", "select * from t where a = $1"),
        ("select a - 5", "select a - $1"),
        ("select a -- why\n from t", "select a from t"),
        ("do $$ begin perform 'x'; end $$", "do $1"),
        ("select interval '1 day'", "select interval $1"),
        ('select "Q" from t', 'select "Q" from t'),
        ("select 'unterminated", None),
    ],
)
def test_a_statement_is_stored_as(sql: str, normalised: str | None) -> None:
    assert normalise(sql) == normalised


@given(st.integers(), st.text(alphabet="abc ", max_size=5))
def test_statements_that_differ_in_constants_are_one(number: int, text: str) -> None:
    statements = Statements()
    one = statements.of(f"select a from t where b = {number} and c = '{text}'")
    assert one.statement_id == statements.of("select a from t where b = 5 and c = 'x'").statement_id


def test_of_what_is_not_sql_only_the_length_is_stored() -> None:
    statement = Statements().of("selec John from Doe")
    assert statement.text == "<unreadable statement, 19 characters>"
    assert not statement.references.is_parsed
    assert statement.statement_id == statement_id(statement.text)


def test_a_very_deep_statement_is_not_parsed_and_does_no_harm() -> None:
    sql = "select " + "(" * 20_000 + "1" + ")" * 20_000
    assert not Statements().of(sql).references.is_parsed


@pytest.mark.parametrize(
    ("sql", "normalised"),
    [
        ("select a from t where b in (1, 2,3) and c = 4", "select a from t where b in ($1, ...) and c = $2"),
        ("select a in ($1, $2, $3), 5", "select a in ($1, ...), $2"),
        ("select a in (-1, +2, 'x')", "select a in ($1, +$2, $3)"),
        ("select a in (1)", "select a in ($1)"),
        ("select a in (b, c)", "select a in (b, c)"),
        ("select a in (select 1)", "select a in (select $1)"),
        ("select a = any (array[1, 2])", "select a = any (array[$1, ...])"),
        ("select (a, b) in ((1, 2), (3, 4))", "select (a, b) in (($1, $2), ...)"),
        ("insert into t values (1, 'a'), (2, 'b') returning 3",
         "insert into t values ($1, $2), ... returning $3"),
        ("insert into t values (1, now()), (2, now()), (3, null)",
         "insert into t values ($1, now()), ..., ($2, null)"),
        ("select a in (1, 2", "select a in ($1, $2"),
        ("values (1, 2), (3", "values ($1, $2), ($3"),
    ],
)  # fmt: skip
def test_lists_of_values_are_folded(sql: str, normalised: str) -> None:
    assert normalise(sql) == normalised


@given(st.lists(st.sampled_from(["1", "-2", "'x'", "$1"]), min_size=2, max_size=5))
def test_lists_of_any_length_are_one_statement(items: list[str]) -> None:
    sql = f"select a from t where b in ({', '.join(items)})"
    assert normalise(sql) == f"select a from t where b in ({'$1'}, ...)"


@pytest.mark.parametrize(
    "sql",
    [
        "select 'x', 1.5, e'y', b'1', x'f', $$z$$ from t where a = -2",
        "declare c cursor for select interval '1 day'",
    ],
)
def test_without_values_a_statement_still_parses(sql: str) -> None:
    text = without_values(sql)
    assert text is not None
    assert not set("15xyzf2") & set(text.replace("x''", "").replace("for", "").replace("from", ""))
    assert Statements().of(text).references == Statements().of(sql).references
    assert without_values("select 'unterminated") is None

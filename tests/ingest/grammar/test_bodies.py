"""Bodies of functions, taken apart: code, constants, queries."""

import pytest

from ingest.grammar.bodies import Body, read_body
from ingest.grammar.parse import body_references
from ingest.schemas import Operation

PLPGSQL = """
DECLARE n int; r orders%rowtype;
BEGIN
  SELECT count(*) INTO n FROM users_old WHERE name = 'secret'; -- of old
  n := (SELECT max(id) FROM assigned);
  EXECUTE 'DELETE FROM built';
  FOR r IN SELECT * FROM looped LOOP n = n + 1; END LOOP;
  IF EXISTS (SELECT FROM asked) THEN PERFORM f(n); END IF;
  RETURN n;
EXCEPTION WHEN undefined_table THEN RETURN 0;
END
"""


def relations(body: Body | None) -> set[str]:
    assert body is not None
    assert body.references is not None
    return {use.relation[1] for one in body.references for use in one.relations}


def test_the_queries_and_expressions_of_plpgsql_are_found() -> None:
    body = read_body("plpgsql", PLPGSQL)
    assert relations(body) == {"users_old", "assigned", "looped", "asked"}


def test_constants_and_comments_are_told_from_code() -> None:
    body = read_body("plpgsql", PLPGSQL)
    assert body is not None
    assert body.constants.splitlines()[:2] == ["'secret'", "'DELETE FROM built'"]
    assert "secret" not in body.code
    assert "of old" not in f"{body.code}{body.constants}"


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN NEW.x := 1; RETURN NEW; END",
        "BEGIN RETURN QUERY SELECT id FROM t; END",
        "DECLARE x int; BEGIN x := 1; END",
        "BEGIN RETURN 1; END",
    ],
)
def test_a_body_is_parsed_whatever_it_returns(text: str) -> None:
    body = read_body("plpgsql", text)
    assert body is not None
    assert body.references is not None


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("plpgsql", "DECLARE a app.mood; b mood[]; c app.t%ROWTYPE; BEGIN END", "t | mood mood"),
        ("plpgsql", "DECLARE a CONSTANT t.c%TYPE := (SELECT 1 FROM d); BEGIN END", "d t c |"),
        ("plpgsql", "DECLARE r record; BEGIN r.a := 1; FOR r IN SELECT 1 FROM t LOOP END LOOP; END", "t a |"),
        ("plpgsql", "DECLARE c CURSOR (x int) FOR SELECT a FROM t; BEGIN OPEN c(1); END", "t a |"),
        ("plpgsql", "<<o>> DECLARE x int; BEGIN DECLARE y app.t; BEGIN y.a := 1; END; END", "a | t"),
        ("sql", "BEGIN ATOMIC SELECT a FROM t; INSERT INTO v VALUES (1); END", "t v a |"),
        ("sql", "RETURN (SELECT max(a) FROM t)", "t a |"),
        ("sql", "SELECT a FROM t; DELETE FROM v", "t v a |"),
    ],
)
def test_a_body_refers_to(language: str, text: str, expected: str) -> None:
    found = body_references(language, text)
    assert found.is_parsed
    assert not found.words
    names = sorted(use.relation[1] for use in found.relations) + [use.name for use in found.columns]
    types = [use.name[1] for use in found.types]
    wanted = expected.split("|")
    assert sorted(names) == sorted(wanted[0].split())
    assert types == wanted[1].split()
    operations = {*(use.operation for use in found.relations), *(use.operation for use in found.columns)}
    assert Operation.DDL not in operations


def test_what_a_body_runs_as_text_is_possible() -> None:
    run = ("EXECUTE 'DELETE FROM t' USING 1", "RETURN QUERY EXECUTE 'SELECT * FROM ' || quote_ident('v')")
    text = f"BEGIN {'; '.join(run)}; END"
    found = body_references("plpgsql", text)
    assert [use.relation[1] for one in found.possible for use in one.relations] == ["t"]
    assert "v" in found.words


@pytest.mark.parametrize("text", ["SELECT FROM WHERE users_old", "import users_old", "'users_old"])
def test_of_a_body_that_is_no_sql_the_words_are_kept(text: str) -> None:
    found = body_references("plpython3u", text)
    assert not found.is_parsed
    assert "users_old" in found.words


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("plpgsql", "no language"),
        ("sql", "SELECT FROM WHERE"),
        ("c", "users_old"),
        ("plpgsql", "-- $pgattic$"),
    ],
)
def test_what_cannot_be_parsed_keeps_its_words(language: str, text: str) -> None:
    body = read_body(language, text)
    assert body is not None
    assert body.references is None
    assert body.queries is None


def test_what_has_no_words_is_nothing() -> None:
    assert read_body("plpgsql", "'never closed") is None

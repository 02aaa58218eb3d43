"""Bodies of functions, taken apart: code, constants, queries."""

import pytest

from ingest.bodies import Body, read_body

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

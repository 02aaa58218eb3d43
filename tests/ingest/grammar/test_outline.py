"""An outline has every name of a query, and is made of plain queries alone."""

import pytest

from ingest.grammar.normalise import normalise
from ingest.grammar.outline import outline
from ingest.grammar.parse import references
from ingest.grammar.planned import planned
from ingest.grammar.references import References
from tests.ingest.golden import cases

# As pg_stat_statements writes them: without constants.
TEXTS = sorted({text for case in cases() if (text := normalise(case.sql)) is not None})
OUTLINED = [text for text in TEXTS if outline(text) is not None]


def names(found: References) -> set[str]:
    """All that a statement names."""
    named: list[tuple[str | None, ...]] = [use.relation for use in found.relations]
    named += [*(use.name for use in found.types), *(use.name for use in found.indexes)]
    named += [*found.functions, *(key.relation for key in found.keys)]
    named += [name for column in found.columns for level in column.levels for name in level]
    parts = {part for name in named for part in name if part is not None}
    return parts | {use.name for use in found.columns} | {use.name for use in found.constraints}


@pytest.mark.parametrize("text", OUTLINED)
def test_an_outline_has_all_that_a_query_names(text: str) -> None:
    found, whole = outline(text), references(text)
    assert found is not None
    assert names(whole) <= found.names
    assert {use.event for use in whole.relations} <= {None, *found.events}
    assert not whole.is_definition
    assert not (*whole.possible, *whole.words, *whole.labels)


@pytest.mark.parametrize("text", OUTLINED)
def test_its_relations_are_those_that_are_planned(text: str) -> None:
    found, whole = outline(text), planned(text)
    assert found is not None
    assert whole is not None
    assert found.relations == whole.relations


def test_most_golden_queries_have_one() -> None:
    queries = [
        text for text in TEXTS if text.lower().startswith(("select", "with", "insert", "update", "delete"))
    ]
    assert len(OUTLINED) > len(queries) / 2


@pytest.mark.parametrize(
    ("text", "relation"),
    [
        ('SELECT 1 FROM "a""b" x', ((None, 'a"b'), True)),
        (r'SELECT 1 FROM "a\b"', ((None, r"a\b"), False)),
        ('SELECT 1 FROM S."Ä b"."c"', (("Ä b", "c"), False)),
        ("SELECT 1 FROM ONLY USERS AS u", ((None, "users"), True)),
        (f"SELECT 1 FROM {'x' * 70}", ((None, "x" * 63), False)),
        ('SELECT 1 FROM U&"d\\0061t" d', ((None, "dat"), True)),
        ("DELETE FROM public.users u", (("public", "users"), True)),
        ("MERGE INTO t AS x USING u ON true WHEN MATCHED THEN DELETE", ((None, "t"), True)),
        ("WITH a AS (UPDATE b SET c = $1 RETURNING *) SELECT FROM a x", ((None, "b"), False)),
    ],
)
def test_names_stand_as_they_are_looked_up(text: str, relation: tuple[tuple[str | None, str], bool]) -> None:
    found = outline(text)
    assert found is not None
    assert relation in found.relations
    assert relation[0][1] in found.names
    whole = planned(text)
    assert whole is not None
    assert found.relations == whole.relations


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN PERFORM 1 FROM users; END $$",
        "SELECT nextval('users_id_seq')",
        "SELECT to_regclass('us'\n'ers')",
        "SELECT query_to_xml($$SELECT 1 FROM users$$, true, true, $1)",
        "SELECT * INTO copy FROM users",
        "SELECT id FROM users u FOR UPDATE OF u",
        "CREATE VIEW v AS SELECT 1",
        "SELECT 1; DROP TABLE users",
        "PREPARE p AS SELECT 1",
        "SELECT FROM WHERE",
        "SELECT '",
        "SELECT id FROM users WHERE name = 'cut of",
    ],
)
def test_what_may_hide_a_name_has_none(text: str) -> None:
    assert outline(text) is None

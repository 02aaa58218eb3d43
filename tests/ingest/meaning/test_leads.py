"""Whatever a golden case uses, a name in it leads there: nothing that is used is passed over at a glance."""

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest

from catalog.attic import AtticEntry
from catalog.elements import Element, Kind
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from catalog.throwaway import ThrowawayServer
from ingest.evidence.called import CalledReader, Entry
from ingest.grammar.normalise import normalise
from ingest.grammar.outline import outline
from ingest.grammar.parse import references
from ingest.meaning import leads as leading
from ingest.meaning.leads import Leads
from ingest.meaning.resolve import resolve
from ingest.meaning.world import World
from tests.analytics.world import run
from tests.fix_server import fresh_database
from tests.ingest.golden import SCHEMA, Case, cases

# A name with a schema can mean something else than without.
NAMED_TWICE = """
CREATE SCHEMA twice;
CREATE TYPE twice.feeling AS ENUM ('x');
CREATE TABLE app.named_twice (id int);
CREATE DOMAIN twice.named_twice AS twice.feeling;
CREATE SEQUENCE twice.numbers;
"""
LeadsTo = Callable[[Element], Leads]
DAY = datetime(2026, 11, 1, tzinfo=UTC)
CASES = [case for case in cases() if outline(normalise(case.sql) or "no sql") is not None]
# Of every kind, those that most golden cases use.
IN_ATTIC = 2


@pytest.fixture(scope="module")
def snapshot(server18: ThrowawayServer) -> Iterator[Snapshot]:
    for database in fresh_database(server18):
        database.db.execute(SCHEMA)
        run(database.db, NAMED_TWICE)
        yield read_snapshot(database.db)


@pytest.fixture(scope="module")
def world(snapshot: Snapshot) -> World:
    return World(snapshot, None)


@pytest.fixture(scope="module")
def used(world: World) -> dict[str, set[Element]]:
    """What each case uses, by its name."""
    found = {}
    for case in CASES:
        uses = resolve(references(normalise(case.sql) or ""), world, case.path)
        found[case.id] = {use.element for use in uses}
    return found


@pytest.fixture(scope="module")
def leads(world: World) -> LeadsTo:
    return cache(lambda element: Leads(world, frozenset({element}), frozenset()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_name_leads_to_what_is_used(leads: LeadsTo, used: dict[str, set[Element]], case: Case) -> None:
    found = outline(normalise(case.sql) or "")
    assert found is not None
    assert [each for each in used[case.id] if not leads(each).any_of(found.names, found.events)] == []


def test_names_that_come_and_go_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of temporary tables, while the catalog stays as it is for weeks."""

    class Name(str):
        """One that can be watched."""

    monkeypatch.setattr(leading, "_NAMES_KEPT", 10, raising=False)
    leads = Leads(world, frozenset(), frozenset())
    watched = []
    for number in range(100):
        name = Name(f"temporary_{number}")
        leads.any_of([name], frozenset())
        watched.append(weakref.ref(name))
    del name
    gc.collect()
    assert sum(each() is not None for each in watched) <= 10


def test_most_names_lead_nowhere(leads: LeadsTo, used: dict[str, set[Element]]) -> None:
    """Else nothing is spared, and the test above proves nothing."""
    everything = sorted(set().union(*used.values()), key=str)[::5]
    outlines = [outline(normalise(case.sql) or "") for case in CASES]
    passed = [
        not leads(each).any_of(found.names, found.events)
        for each in everything
        for found in outlines
        if found
    ]
    assert sum(passed) > len(passed) * 3 / 4


def in_attic(snapshot: Snapshot, element: Element) -> AtticEntry:
    """An element as if its present name were the deprecated one."""
    oid = snapshot.oid(element)
    assert oid is not None
    former = replace(element, name=f"{element.name}_before")
    return AtticEntry(former, element.name, "m", "unused", oid, None, DAY, None, None)


def most_used(used: dict[str, set[Element]], kind: Kind) -> list[Element]:
    """The elements of a kind, those that most cases use first."""
    found = [each for elements in used.values() for each in elements if each.kind is kind]
    return sorted(set(found), key=lambda each: (-found.count(each), str(each)))


@pytest.mark.parametrize("version", [150000, 180000])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_glance_tells_what_a_look_into_the_text_tells(
    snapshot: Snapshot, used: dict[str, set[Element]], kind: Kind, version: int
) -> None:
    """Of every golden statement, with its constants and without them."""
    texts = [text for case in cases() for text in (case.sql, normalise(case.sql)) if text is not None]
    entries = [Entry(number, True, "app", True, text, 1, 1, 0.5) for number, text in enumerate(texts)]
    elements = most_used(used, kind)[:IN_ATTIC]
    attic = tuple(in_attic(snapshot, element) for element in elements)
    known = replace(snapshot, attic=attic, server_version=version)
    glance, thorough = (
        CalledReader(is_thorough=is_thorough).read(entries, known, set(), sees_nested=True)
        for is_thorough in (False, True)
    )
    assert sorted(map(repr, glance.rows)) == sorted(map(repr, thorough.rows))
    assert sorted(map(repr, glance.texts)) == sorted(map(repr, thorough.texts))


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("SELECT $1::twice.named_twice", "enum:twice.feeling"),
        ("SELECT last_value FROM pg_sequences", "sequence:twice.numbers"),
        ("SELECT last_value FROM pg_catalog.pg_sequences WHERE schemaname = $1", "sequence:twice.numbers"),
    ],
)
def test_what_no_golden_case_says_leads_there_too(snapshot: Snapshot, text: str, element: str) -> None:
    assert outline(text) is not None
    entry = in_attic(snapshot, Element.parse(element))
    found = CalledReader().read(
        [Entry(1, True, "app", True, text, 1, 1, 0.5)],
        replace(snapshot, attic=(entry,)),
        set(),
        sees_nested=True,
    )
    assert [row["element"] for row in found.rows] == [str(entry.element)]


@pytest.mark.parametrize("role", ["app", "pgattic"])
def test_a_dump_that_pgattic_makes_reads_sequences_and_uses_none(snapshot: Snapshot, role: str) -> None:
    entry = in_attic(snapshot, Element.parse("sequence:twice.numbers"))
    text = "SELECT seqrelid, last_value FROM pg_catalog.pg_sequence, pg_get_sequence_data(seqrelid)"
    found = CalledReader().read(
        [Entry(1, True, role, True, text, 1, 1, 0.5)],
        replace(snapshot, attic=(entry,)),
        {"pgattic"},
        sees_nested=True,
    )
    assert len(found.rows) == (role == "app")

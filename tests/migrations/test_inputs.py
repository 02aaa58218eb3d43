"""Inputs of a plan: patterns, lists, scans, reports of other programs; all of an input or nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Its types are a package of their own.
import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.counters import Counter, CounterSample
from catalog.elements import Element, Kind, quote_identifier
from catalog.names import Reason
from catalog.reading import read_snapshot
from catalog.snapshot import Snapshot
from catalog.throwaway import ThrowawayServer
from migrations import registry
from migrations.apply import apply
from migrations.errors import InputError, PlanError
from migrations.inputs.choose import choose
from migrations.inputs.patterns import is_pattern, parse_pattern
from migrations.inputs.reports import Report, schema_text
from migrations.inputs.wishes import Wish
from migrations.plan import make_plan
from tests.fix_server import FreshDatabase, fresh_database

DOCS = Path(__file__).parent.parent.parent / "docs"
SCHEMA = """
CREATE SCHEMA app;
CREATE TABLE users_old (id int PRIMARY KEY, legacy_a text, legacy_b text);
CREATE TABLE orders_old (id int, legacy_a text);
CREATE TABLE "Weird*Old" (id int);
CREATE TABLE "Big_old" (id int);
CREATE TABLE app.carts_old (id int);
CREATE TABLE live (id int);
CREATE INDEX tmp_small ON orders_old (id);
CREATE INDEX tmp_big ON users_old (legacy_a);
INSERT INTO users_old SELECT g, repeat('x', 100), NULL FROM generate_series(1, 2000) g;
CREATE TABLE events (day date, legacy_x int CONSTRAINT x_check CHECK (legacy_x > 0)) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE gone (id int, legacy_z int);
CREATE INDEX tmp_gone ON gone (id);
CREATE TABLE stray_deprecated_20250101_unused (id int);
"""
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(server18: ThrowawayServer) -> Iterator[Snapshot]:
    """A catalog with `gone` in the attic."""
    for database in fresh_database(server18):
        registry.install(database.db)
        database.db.execute(SCHEMA)
        plan = make_plan(
            read_snapshot(database.db),
            [Element.parse("table:public.gone")],
            reason=Reason.UNUSED,
            environment="development",
            role="dba",
            now=NOW,
        )
        apply(database.db, plan)
        yield read_snapshot(database.db)


def sample(*counters: Counter) -> CounterSample:
    return CounterSample(NOW, NOW, None, {counter.oid: counter for counter in counters})


def chosen(world: Snapshot, **inputs: Any) -> list[str]:
    return [str(wish.element) for wish in choose(world, sample(), **inputs)]


def listed(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refused(world: Snapshot, **inputs: Any) -> str:
    with pytest.raises(InputError) as caught:
        choose(world, sample(), **inputs)
    return "\n".join([str(caught.value), *caught.value.details])


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("table:public.*_old", ["public.users_old", "public.orders_old", 'public."Big_old"']),
        ("table:*.carts_old", ["app.carts_old"]),
        ("TABLE:Public.USERS_*", ["public.users_old"]),
        ("table:public.?ive", ["public.live"]),
        ("table:public.users_ol?", ["public.users_old"]),
        ('table:public."Weird*Old"', ['public."Weird*Old"']),
        ('table:public."Weird*"*', ['public."Weird*Old"']),
        ('table:public."Big"*', ['public."Big_old"']),
        ("column:public.users_old.legacy_*", ["public.users_old.legacy_a", "public.users_old.legacy_b"]),
        # The partition has the column from its parent, and `gone` is in the attic with all its columns.
        ("column:*.*.legacy_x", ["public.events.legacy_x"]),
        ("column:*.*.legacy_?", ["public.events.legacy_x", "public.users_old.legacy_a"]),
        ("constraint:*.*.x_check", ["public.events.x_check"]),
        ("index:*.tmp_*", ["public.tmp_small", "public.tmp_big"]),
        ("index:public.*", ["public.tmp_small", "public.tmp_big"]),
    ],
)
def test_a_pattern_means_what_is_live_and_stands_alone(
    world: Snapshot, pattern: str, meant: list[str]
) -> None:
    found = {text.partition(":")[2] for text in chosen(world, texts=[pattern])}
    assert set(meant) <= found
    if "legacy_?" not in pattern:
        assert found == set(meant)
    assert not any("gone" in name or "deprecated" in name or "events_1" in name for name in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("table:public.nothing_*", "matches no table of database"),
        ("table:public.gone*", "matches only what is deprecated already"),
        ("table:public.stray_*", "matches only what is deprecated already"),
        ("index:public.*_pkey", "renamed with something else"),
        ("tables:public.*", "unknown kind 'tables'"),
        ("public.*", "no kind before a colon"),
        ("column:public.*", "2 parts where column has 3"),
        ("table:public.*.x", "3 parts where table has 2"),
        ("table:public.a b*", "not an identifier"),
        ("table:public.*.", "not an identifier"),
        ('table:public."open*', "not an identifier"),
        ("table:public.gone", "is already in the attic as gone_deprecated_20261123_unused"),
        ("table:public.user_old", "Did you mean table:public.users_old?"),
    ],
)
def test_what_means_nothing_is_an_error_that_says_so(world: Snapshot, text: str, said: str) -> None:
    message = refused(world, texts=["table:public.live", text])
    assert "command line, argument 2" in message
    assert said in message


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=2, max_size=2
    )
)
def test_a_quoted_name_is_never_a_pattern_and_matches_itself(parts: list[str]) -> None:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in parts)
    element = Element(Kind.TABLE, *parts)
    assert not is_pattern(f"table:{quoted}")
    assert parse_pattern(f"table:{quoted}").matches(element)
    assert parse_pattern(f"table:{quote_identifier(parts[0])}.*").matches(element)


def test_a_list_holds_texts_patterns_and_mappings(world: Snapshot, tmp_path: Path) -> None:
    text = """\
# what the team agreed on
- table:public.live
- table:public.*_old
- element: column:public.orders_old.legacy_a
  reason: refactor
  note: replaced in May
"""
    path = listed(tmp_path / "list.yaml", text)
    wishes = {str(wish.element): wish for wish in choose(world, sample(), lists=[path])}
    assert len(wishes) == 5
    legacy = wishes["column:public.orders_old.legacy_a"]
    assert (legacy.reason, legacy.note, legacy.confidence) == (Reason.REFACTOR, "replaced in May", None)
    assert wishes["table:public.live"].origins == (f"list {path}",)


def test_json_and_yaml_lists_say_the_same(world: Snapshot, tmp_path: Path) -> None:
    content = ["table:public.live", {"element": "index:*.tmp_*", "note": "n"}]
    as_json = listed(tmp_path / "list.json", content)
    without_suffix = listed(tmp_path / "list", content)
    as_yaml = listed(tmp_path / "list.yml", "- table:public.live\n- {element: 'index:*.tmp_*', note: n}\n")
    assert chosen(world, lists=[as_json]) == chosen(world, lists=[as_yaml])
    assert chosen(world, lists=[without_suffix]) == chosen(world, lists=[as_yaml])


def test_what_scan_printed_is_a_list_with_confidences(world: Snapshot, tmp_path: Path) -> None:
    candidates: list[dict[str, object]] = [
        {"element": element, "confidence": sure, "reason": "unused", "evidence": ["seen"], "bytes": 1}
        for element, sure in (("table:public.live", 0.4), ("table:public.users_old", 0.8))
    ]
    content = {"candidates": candidates, "unjudged": ["constraints: only exact repetitions"]}
    path = listed(tmp_path / "scan.json", content)
    assert chosen(world, lists=[path]) == ["table:public.users_old", "table:public.live"]
    assert chosen(world, lists=[path], min_confidence=0.5) == ["table:public.users_old"]
    with pytest.raises(PlanError, match=r"confidence of 0\.9 or more; the best has 0\.8"):
        choose(world, sample(), lists=[path], min_confidence=0.9)
    del candidates[1]["evidence"]
    message = refused(world, lists=[listed(path, content)])
    assert "key candidates, item 2: key 'evidence' is missing" in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- table:public.live\n- 7\n", "item 2 (line 2): found 7, expected an element or pattern"),
        ("- element: table:public.live\n  reason: bored\n", "item 1, key reason (line 2): found 'bored'"),
        (
            "- element: table:public.live\n  reason: bored\n",
            "unused, performance, migration, refactor, security",
        ),
        ("- element: table:public.live\n  note: 2026-05-01\n", "key note (line 2): found datetime.date"),
        ("- note: what\n", "item 1 (line 1): key 'element' is missing"),
        ("- table: public.live\n", "unknown key 'table', expected element, reason, note"),
        ("- element: table:public.nope\n", "item 1, key element (line 1): table:public.nope: does not exist"),
        ("- ''\n", "no kind before a colon"),
        ("-\n", "found nothing"),
        ("live: true\n", "expected a list of elements"),
        ("", "found nothing, expected a list of elements"),
        ("- [a\n", "not YAML at line 2"),
        ("- !!python/object/apply:os.system [exit]\n", "not YAML at line 1"),
        ("- {element: a, element: b}\n", "key 'element' stands twice"),
        ("- 2026-02-30\n", "not YAML"),
        ("&a [*a]", "item 1 (line 1): found [["),
    ],
)
def test_a_bad_yaml_list_is_located(world: Snapshot, tmp_path: Path, text: str, said: str) -> None:
    path = listed(tmp_path / "list.yaml", text)
    message = refused(world, lists=[path])
    assert message.startswith(str(path))
    assert said in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'["table:public.live",', "not JSON at line 1"),
        (b'[{"element": "a", "element": "b"}]', "key 'element' stands twice"),
        (b"\xff\xfe", "is not UTF-8 at byte 1"),
        (b"[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_is_refused(
    world: Snapshot, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(content)
    assert said in refused(world, lists=[path])


def test_files_that_cannot_be_read(world: Snapshot, tmp_path: Path) -> None:
    assert "no such file" in refused(world, lists=[tmp_path / "absent.yaml"])
    assert "is a directory" in refused(world, reports=[tmp_path])


def test_nested_aliases_take_no_time(world: Snapshot, tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert "expected a list" in refused(world, lists=[listed(tmp_path / "laughs.yaml", "\n".join(lines))])


def report(*elements: object, **head: object) -> dict[str, object]:
    return {"version": 1, "analyser": "miner 2", **head, "elements": list(elements)}


GOOD = {"element": "table:public.live", "confidence": 0.7, "evidence": "nobody"}


def test_a_report_becomes_wishes(world: Snapshot, tmp_path: Path) -> None:
    full = GOOD | {"reason": "security", "performance_impact": "much"}
    found = choose(
        world, sample(), reports=[listed(tmp_path / "r.json", report(full, database=world.database))]
    )
    assert found == (
        Wish(
            Element.parse("table:public.live"),
            ("report of miner 2",),
            Reason.SECURITY,
            None,
            0.7,
            "much",
            ("nobody",),
        ),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "found [], expected a mapping with version, analyser, database, elements"),
        ({}, "key 'version' is missing"),
        (report(version=2), "key version: found 2, expected the version of this format, 1"),
        (report(analyser=""), "key analyser: found ''"),
        (report(made="today"), "unknown key 'made'"),
        (report(database="other"), "found 'other', expected"),
        (report(7), "key elements, item 1: found 7, expected a mapping with element, confidence"),
        (report(GOOD, GOOD | {"confidence": 1.5}), "item 2, key confidence: found 1.5, expected how sure"),
        (report(GOOD | {"confidence": "0.5"}), "found '0.5'"),
        (report(GOOD | {"confidence": True}), "found true"),
        (report(GOOD | {"confidence": float("nan")}), "found nan"),
        (report(GOOD | {"reason": "old"}), "key reason: found 'old', expected why to deprecate it, one of"),
        (report(GOOD | {"evidence": ["a"]}), "key evidence: found ['a'], expected what was observed"),
        (report(GOOD | {"sure": True}), "unknown key 'sure', expected element, confidence"),
        (report({"element": "table:public.live"}), "key 'confidence' is missing"),
        (
            report(GOOD | {"element": "table:public.*"}),
            "item 1, key element: 'table:public.*': not an identifier",
        ),
        (report(GOOD | {"element": "table:public.nope"}), "table:public.nope: does not exist in database"),
        (report(GOOD | {"element": "table:public.gone"}), "is already in the attic"),
    ],
)
def test_a_bad_report_is_located_and_nothing_of_it_taken(
    world: Snapshot, tmp_path: Path, content: object, said: str
) -> None:
    path = listed(tmp_path / "report.json", content)
    message = refused(world, texts=["table:public.users_old"], reports=[path])
    assert str(path) in message
    assert said in message


def test_a_report_in_yaml_says_the_line(world: Snapshot, tmp_path: Path) -> None:
    text = (
        "version: 1\nanalyser: a\nelements:\n- element: table:public.live\n  confidence: 7\n  evidence: e\n"
    )
    message = refused(world, reports=[listed(tmp_path / "report.yaml", text)])
    assert "key elements, item 1, key confidence (line 5): found 7" in message


def test_every_bad_entry_is_named_up_to_ten(world: Snapshot, tmp_path: Path) -> None:
    bad = [GOOD | {"confidence": 7}, GOOD | {"element": "table:public.nope"}, "x"]
    path = listed(tmp_path / "few.json", report(*bad))
    with pytest.raises(InputError, match="3 things are wrong and no entry was taken:") as caught:
        choose(world, sample(), reports=[path])
    assert [f"item {n}" in detail for n, detail in zip((1, 3, 2), caught.value.details, strict=True)] == [
        True
    ] * 3
    many = listed(tmp_path / "many.json", [f"table:public.nope{n}" for n in range(500)])
    with pytest.raises(
        InputError, match="500 things are wrong and no entry was taken, the first 10 are"
    ) as caught:
        choose(world, sample(), lists=[many])
    assert len(caught.value.details) == 10


def test_candidates_are_ordered_by_confidence_then_gain(world: Snapshot, tmp_path: Path) -> None:
    names = ("index:public.tmp_small", "index:public.tmp_big", "table:public.live", "table:app.carts_old")
    sure = (0.9, 0.9, 0.9, 0.95)
    entries = [GOOD | {"element": name, "confidence": c} for name, c in zip(names, sure, strict=True)]
    path = listed(tmp_path / "report.json", report(*entries))
    found = chosen(world, reports=[path], texts=["table:public.orders_old"])
    # First what a person named, then the surest, then the greatest.
    assert found == [
        "table:public.orders_old",
        "table:app.carts_old",
        "index:public.tmp_big",
        "index:public.tmp_small",
        "table:public.live",
    ]


def test_equal_indexes_are_ordered_by_the_writes_that_they_cost(world: Snapshot) -> None:
    by_name = {relation.name: relation.oid for relation in world.relations}
    same_size = {index.name: index.bytes for index in world.indexes}
    assert same_size["tmp_small"] != same_size["tmp_big"]
    pair = ["column:public.users_old.legacy_b", "constraint:public.users_old.users_old_pkey"]
    busy = Counter(by_name["users_old"], 0, 500, None)
    wishes = choose(world, sample(busy), texts=pair)
    assert [str(wish.element) for wish in wishes] == pair[::-1]


def test_an_element_named_twice_is_one_wish(world: Snapshot, tmp_path: Path) -> None:
    path = listed(tmp_path / "report.json", report(GOOD | {"performance_impact": "slow"}))
    (wish,) = choose(world, sample(), texts=["table:public.live", "table:public.l*"], reports=[path])
    assert wish.origins == ("command line", "report of miner 2")
    assert (wish.confidence, wish.performance_impact, wish.evidence) == (None, "slow", ("nobody",))


def test_two_reasons_for_one_element_are_refused(world: Snapshot, tmp_path: Path) -> None:
    entries = [{"element": "table:public.live", "reason": reason} for reason in ("refactor", "security")]
    message = refused(world, lists=[listed(tmp_path / "list.json", entries)])
    assert (
        "item 2, key element: table:public.live has the reason security here and refactor before" in message
    )


def test_the_published_schema_is_that_of_the_code() -> None:
    assert (DOCS / "analyser.schema.json").read_text() == schema_text()


def test_the_documented_report_is_good() -> None:
    page = (DOCS / "analyser.md").read_text()
    example = json.loads(page.partition("```json\n")[2].partition("```")[0])
    jsonschema.Draft202012Validator(json.loads(schema_text())).validate(example)
    parsed = Report.model_validate(example)
    assert [one.reason for one in parsed.elements] == [Reason.PERFORMANCE, Reason.UNUSED]
    for key in Report.model_fields:
        assert f"`{key}`" in page
    for key in type(parsed.elements[0]).model_fields:
        assert f"`elements[].{key}`" in page


@pytest.mark.parametrize("bad", [{"confidence": 2}, {"element": ""}, {"reason": "old"}, {"more": 1}])
def test_the_published_schema_refuses_what_the_code_refuses(bad: dict[str, object]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
    assert validator.is_valid(report(GOOD))
    assert not validator.is_valid(report(GOOD | bad))


def test_a_list_comes_through_standard_input(database18: FreshDatabase, tmp_path: Path) -> None:
    registry.install(database18.db)
    database18.db.execute("CREATE TABLE users_old (id int)")
    config = tmp_path / "pgattic.toml"
    config.write_text(f'[database]\ndsn = "{database18.dsn()}"\nenvironment = "development"\n')
    command = [sys.executable, "-m", "pgattic", "--config", str(config), "plan", "--list", "-", "--json"]
    ended = subprocess.run(
        command, input="- table:public.*_old\n", capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ended.returncode == 0, ended.stderr
    plan = json.loads(ended.stdout)
    assert [step["element"] for step in plan["steps"]] == ["table:public.users_old"]
    assert plan["review"]["dossiers"][0]["origins"] == ["list standard input"]

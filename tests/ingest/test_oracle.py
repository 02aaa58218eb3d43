"""PostgreSQL's own word against ours: what pgaudit and auto_explain say that a statement touched is found.

One workload runs on a real server that logs each statement, its plan and (15) pgaudit lines about it. Ingest
gets the catalog's snapshot and the lines about statements alone; the others are the truth it is held against.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catalog.database import identifier
from catalog.elements import Element, Kind, split_path
from catalog.reading import read_snapshot
from ingest.evidence.accesses import Reader
from ingest.evidence.audit_lines import uses_of_audit
from ingest.evidence.languages import MessageKind
from ingest.evidence.plans import uses_of_plan
from ingest.evidence.statements import Statements
from ingest.logs.records import RECORD
from ingest.meaning.world import History, World
from ingest.schemas import Source
from tests.fix_server import FreshDatabase, fresh_database
from tests.ingest.fix_log import Told, connect, rows_of, told

FOLDER = Path(__file__).parent / "oracle"
ROLES = ("app", "report", "stranger")
RELATIONS = (Kind.TABLE, Kind.VIEW, Kind.MATVIEW, Kind.SEQUENCE)
STATEMENTS = (MessageKind.STATEMENT, MessageKind.EXECUTE)
_IN_PLAN = re.compile(
    r"^\s*(?:->  )?[A-Z][\w ]*?(?: using (\S+))? on (\S+)(?: \S+)?(?:  \(cost|$)", re.MULTILINE
)
_BITMAP = re.compile(r"Bitmap Index Scan on (\S+)")


@dataclass
class Step:
    """One statement of the workload: the records of its own lines, and what the server says it touched."""

    sql: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    audits: list[Told] = field(default_factory=list)
    plans: list[Told] = field(default_factory=list)


@dataclass
class Oracle:
    """A finished workload and the catalog that it ran on."""

    history: History
    world: World
    steps: list[Step]

    def relations(self, names: Iterable[str]) -> set[Element]:
        """The elements of relations as the server writes their names; its own catalogs are none."""
        found = set()
        for name in names:
            schema, bare = split_path(name)[-2:]
            tables = self.world.tables.get(bare, ())
            found |= {table.element for table in tables if table.schema == schema and table.element}
        return found

    def audited(self, line: Told) -> set[Element]:
        """What a line of pgaudit is about, read without any code of ours."""
        fields = next(csv.reader([line.statement]))
        # Without a command it tells another permission of a view that has a line of its own.
        return self.relations([fields[6]] if "." in fields[6] and fields[4] != "???" else [])

    def planned(self, plan: Told) -> set[Element]:
        """The relations of a plan in verbose text."""
        names = (name for _, name in _IN_PLAN.findall(plan.message.text))
        return self.relations(name for name in names if "." in name and "*" not in name)

    def truth(self, step: Step) -> set[Element]:
        """All that the server says the statement touched."""
        return set().union(*map(self.audited, step.audits), *map(self.planned, step.plans))


def sessions(roles: dict[str, str]) -> Iterator[tuple[str, list[tuple[str, list[Any] | None]]]]:
    """The workload: roles, each with the statements of its session and their parameters."""
    parameters: list[Any] | None = None
    statements: list[tuple[str, list[Any] | None]] = []
    blocks = (FOLDER / "workload.sql").read_text().strip().split("\n\n")
    role = ""
    for block in blocks[1:]:
        if block.startswith("-- as "):
            if statements:
                yield role, statements
            role, statements = roles[block.removeprefix("-- as ")], []
        elif block.startswith("-- with "):
            parameters = [int(each) for each in block.removeprefix("-- with ").split(",")]
        else:
            statements.append((block, parameters))
            parameters = None
    yield role, statements


def ran(database: FreshDatabase, roles: dict[str, str]) -> list[Step]:
    """Run the workload, and read what the server wrote about each statement."""
    for role, statements in sessions(roles):
        with connect(database, role) as session:
            for sql, parameters in statements:
                session.execute(sql, parameters)
    rows = [row for row in rows_of(database) if row["sqlstate"] == b"00000"]
    by_session: dict[bytes, list[Step]] = {}
    for row, each in zip(rows, told(rows), strict=True):
        steps = by_session.setdefault(row["session_id"], [])
        if each.kind in STATEMENTS:
            steps.append(Step(each.statement))
            steps[-1].rows.append(row)
        elif each.kind is MessageKind.AUDIT:
            steps[-1].audits.append(each)
        elif each.kind is MessageKind.PLAN:
            step_of(each, steps).plans.append(each)
        else:
            raise AssertionError(f"what is this? {each.message.text}")
    return [step for steps in by_session.values() for step in steps]


def step_of(plan: Told, steps: list[Step]) -> Step:
    """The statement that a plan belongs to: a cursor's is written when the cursor is closed."""
    sql = plan.message.text.partition("Query Text: ")[2].partition("\n")[0]
    declared = (step for step in reversed(steps) if step.sql == sql and sql.startswith("DECLARE"))
    return next(declared, steps[-1])


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def oracle(request: pytest.FixtureRequest) -> Iterator[Oracle]:
    for database in fresh_database(request.getfixturevalue(f"talkative{request.param}")):
        roles = {name: f"{name}_of_{database.name}" for name in ROLES} | {"owner": "postgres"}
        for name in ROLES:
            database.db.execute(f"CREATE ROLE {identifier(roles[name])} LOGIN")
        database.db.execute((FOLDER / "schema.sql").read_text().format(**roles))
        for setting in (
            f"ROLE {roles['app']} SET search_path = shop, tenant_a",
            f"ROLE {roles['report']} IN DATABASE {database.name} SET search_path = shop, tenant_b",
            f"DATABASE {database.name} SET search_path = public, tenant_a",
        ):
            database.db.execute(f"ALTER {setting}")
        snapshot = read_snapshot(database.db)
        history = History(snapshot)
        yield Oracle(history, history.world(snapshot.taken_at), ran(database, roles))
        for name in ROLES:
            database.db.execute(f"DROP OWNED BY {roles[name]}; DROP ROLE {roles[name]}")


def found(oracle: Oracle) -> Iterator[tuple[Step, set[Element]]]:
    """Each statement, and what ingest finds from its own line alone."""
    reader = Reader(oracle.history)
    for step in oracle.steps:
        records = pa.Table.from_pylist(step.rows, schema=RECORD)
        yield step, {each.use.element for each in reader.observe(records, sees_all=True)}


def test_every_relation_that_the_server_touched_is_found(oracle: Oracle) -> None:
    before: set[Element] = set()
    missed = []
    for step, elements in found(oracle):
        # What was put off to the end of a transaction was found at the statement that put it off.
        missing = oracle.truth(step) - elements - (before if step.sql == "COMMIT" else set())
        missed += [f"{element}: {step.sql}" for element in sorted(missing)]
        before |= elements
    assert not missed, "\n".join(missed)


# What ingest tells beyond the server, and why that is right: the element, to which statement it is added, and
# the reason. A use that may have been is told, because a name that may be in use must not go.
EXPLAINED = (
    (
        "table:shop.members",
        "order|tax|total|extremes",
        "a policy of orders reads it, which does not bind the owner",
    ),
    ("table:shop.rates", "limits|capped|overloaded|liars|index|regions|once", "as above: a policy of limits"),
    ("table:shop.rates", "DELETE", "as above: the default of a key to a row that went"),
    ("sequence:shop.*", "INSERT|setval", "pgaudit says nothing about sequences"),
    ("table:shop.archive", "total", "a branch of total_of that was not taken"),
    ("table:parts.p0[67]", "everywhere", "a branch of it that was not taken"),
    ("table:.*", "everywhere", "what follows from the order that it does not close"),
    (
        "table:shop.events_202[56]",
        "events|shop.products",
        "a partition that the plan pruned, or no row went to",
    ),
    ("table:shop.regions_all", "regions", "a partition that a row went to, which pgaudit does not tell"),
    ("table:shop.limits|table:audit.entries", "UPDATE shop.regions", "the row could have moved, and did not"),
    ("table:shop.(special_)?things", "things", "a table and those that inherit from it stand for each other"),
    (
        "table:shop.(orders|order_lines|members|events|liars)",
        "ON CONFLICT",
        "keys that it might have changed",
    ),
    ("table:shop.(customers|categories)", "INSERT", "the other side of a foreign key that was NULL"),
    ("table:shop.settings", "country", "a default that the statement gave a value for"),
    ("table:shop.blocked", "overloaded", "the other function of the same name"),
    ("table:tenant_b.notes", "which", "the function of the same name in the other schema"),
    ("table:audit.entries", "best", "a row trigger, and the statement changed no row"),
    ("table:shop.(limits|rates)", "COPY", "a condition and an index, and there was no row"),
    ("table:(audit.entries|shop.orders)", "comments|payments", "put off to the end of the transaction"),
    ("table:.*notes", "SET LOCAL", "within one string the search_path is not followed"),
    ("table:.*notes", "^SELECT id FROM notes", "after ROLLBACK TO nobody knows what is set"),
    (
        "table:shop.seen",
        "^(CREATE|DROP|REFRESH|SELECT id INTO)",
        "an event trigger, which is for CREATE VIEW",
    ),
    (".*", "^(PREPARE|DECLARE)", "what was kept may run"),
    (".*", "^FETCH", "the server tells of a cursor once"),
    ("table:.*", "^(ALTER|TRUNCATE|CREATE INDEX)", "pgaudit does not tell what definitions are about"),
    ("matview:shop.revenue|table:shop.members", "^REFRESH", "as above, and the policy once more"),
)


@pytest.mark.pg15
def test_what_ingest_adds_to_the_servers_word_is_explained(oracle: Oracle) -> None:
    if not any(step.audits for step in oracle.steps):
        pytest.skip("without pgaudit the server does not tell enough")
    unexplained = [
        f"{element}: {step.sql}"
        for step, elements in found(oracle)
        for element in sorted(elements - oracle.truth(step))
        if element.kind in RELATIONS
        and not any(
            re.fullmatch(what, str(element)) and re.search(where, step.sql) for what, where, _ in EXPLAINED
        )
    ]
    assert not unexplained, "\n".join(unexplained)


def test_nothing_that_the_server_wrote_is_left_unrecognised(oracle: Oracle) -> None:
    """The same log read whole: every source speaks, and none of what it says about relations is new."""
    rows = [
        row
        for step in oracle.steps
        for row in (*step.rows, *(each.row for each in (*step.audits, *step.plans)))
    ]
    records = pa.Table.from_pylist(sorted(rows, key=lambda row: int(row["log_offset"])), schema=RECORD)
    evidence = Reader(oracle.history).rows(records, node="primary", origin="x", known=set(), sees_all=True)
    assert evidence.unrecognised == 0
    by_source: dict[str, set[str]] = {}
    for use in evidence.usage_hourly.select(["source", "element"]).to_pylist():
        by_source.setdefault(use["source"], set()).add(use["element"])
    is_audited = any(step.audits for step in oracle.steps)
    assert by_source.keys() == {Source.LOG, Source.PLAN} | ({Source.AUDIT} if is_audited else set())
    assert any(element.startswith("index:") for element in by_source[Source.PLAN])
    is_relation = re.compile("|".join(RELATIONS))
    for source in by_source.keys() - {Source.LOG}:
        assert {e for e in by_source[source] if is_relation.match(e)} <= by_source[Source.LOG]


def test_the_workload_is_worth_something(oracle: Oracle) -> None:
    """An oracle that says nothing would prove nothing."""
    touched = set().union(*map(oracle.truth, oracle.steps))
    assert len(touched) > 20
    assert len(oracle.steps) > 80


def test_plans_alone_tell_all_their_relations_and_indexes(oracle: Oracle) -> None:
    statements = Statements()
    indexes = set()
    for step in oracle.steps:
        for plan in step.plans:
            uses = {use.element for use in uses_of_plan(plan.message, statements, oracle.world, None)}
            assert oracle.planned(plan) <= uses, step.sql
            text = plan.message.text
            names = {name for name, _ in _IN_PLAN.findall(text) if name} | set(_BITMAP.findall(text))
            known = {e for name in names for e in oracle.world.indexes.get(name, ())}
            assert known <= uses, step.sql
            indexes |= known
    assert len(indexes) > 5


@pytest.mark.pg15
def test_lines_of_pgaudit_alone_tell_all_that_they_name(oracle: Oracle) -> None:
    statements = Statements()
    lines = [line for step in oracle.steps for line in step.audits]
    for line in lines:
        uses = {use.element for use in uses_of_audit(line.message, statements, oracle.world, None)}
        assert oracle.audited(line) <= uses, line.message.text

"""Every golden case: what ingest says that a statement uses, and that a real server takes the statement."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from pglast import ast
from pglast.parser import parse_sql

from catalog.database import Database
from catalog.reading import read_snapshot
from ingest.grammar.parse import references
from ingest.meaning.resolve import resolve
from ingest.meaning.world import World
from tests.fix_server import fresh_database
from tests.ingest.golden import SCHEMA, Case, cases, shown

CASES = list(cases())
# Of these there is nothing that an element could be named in.
NAMELESS = {
    "AlterCollationStmt", "AlterDatabaseRefreshCollStmt", "AlterDatabaseSetStmt", "AlterDatabaseStmt",
    "AlterDefaultPrivilegesStmt", "AlterEventTrigStmt", "AlterExtensionStmt", "AlterFdwStmt",
    "AlterForeignServerStmt", "AlterOpFamilyStmt", "AlterOperatorStmt", "AlterRoleSetStmt", "AlterRoleStmt",
    "AlterSubscriptionStmt", "AlterSystemStmt", "AlterTSConfigurationStmt", "AlterTSDictionaryStmt",
    "AlterTableMoveAllStmt", "AlterTableSpaceOptionsStmt", "AlterUserMappingStmt", "CheckPointStmt",
    "CreateAmStmt", "CreateConversionStmt", "CreateEventTrigStmt", "CreateExtensionStmt", "CreateFdwStmt",
    "CreateForeignServerStmt", "CreateOpFamilyStmt", "CreatePLangStmt", "CreateRoleStmt",
    "CreateTableSpaceStmt", "CreateUserMappingStmt", "CreatedbStmt", "DropOwnedStmt", "DropRoleStmt",
    "DropSubscriptionStmt", "DropTableSpaceStmt", "DropUserMappingStmt", "DropdbStmt", "GrantRoleStmt",
    "ImportForeignSchemaStmt", "LoadStmt", "ReassignOwnedStmt", "UnlistenStmt",
}  # fmt: skip
# Parts that only the server's analysis or PL/pgSQL makes.
NO_STATEMENTS = {"PLAssignStmt", "RawStmt", "SetOperationStmt"}


@dataclass(frozen=True)
class Golden:
    """The schema of the cases on a real server, and its names."""

    db: Database
    world: World

    def run(self, case: Case) -> None:
        """Run the statement as if nothing had happened."""
        if case.alone:
            self.db.execute(case.sql)
            return
        with suppress(_Enough), self.db.transaction():
            self.db.execute(case.sql)
            raise _Enough


class _Enough(Exception):  # noqa: N818 it is no error
    """The statement ran; its transaction is to be rolled back."""


@pytest.fixture(scope="module", params=["18", pytest.param("15", marks=pytest.mark.pg15)])
def golden(request: pytest.FixtureRequest) -> Iterator[Golden]:
    for database in fresh_database(request.getfixturevalue(f"server{request.param}")):
        database.db.execute(SCHEMA)
        database.db.execute("SET search_path = app, public")
        yield Golden(database.db, World(read_snapshot(database.db), None))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_statement_uses(golden: Golden, case: Case) -> None:
    found = references(case.sql)
    assert found.is_parsed
    uses = [shown(use) for use in resolve(found, golden.world, case.path)]
    assert sorted(uses) == sorted(case.uses)
    if case.not_run is None and golden.db.server_version >= case.since * 10_000:
        golden.run(case)


def test_no_kind_of_statement_is_forgotten() -> None:
    seen = {type(node).__name__ for case in CASES for node in _nodes(parse_sql(case.sql))}
    every = {name for name in dir(ast) if name.endswith("Stmt")}
    assert every - seen - NAMELESS - NO_STATEMENTS == set()
    assert not seen & NAMELESS


def _nodes(node: Any) -> Iterator[Any]:
    if isinstance(node, tuple):
        for item in node:
            yield from _nodes(item)
    elif isinstance(node, ast.Node):
        yield node
        for name in node:
            yield from _nodes(getattr(node, name))

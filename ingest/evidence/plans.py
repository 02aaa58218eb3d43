"""What a plan that auto_explain logged proves to be in use: relations, indexes, constraints.

A node of a plan says its relation, with its schema only where `auto_explain.log_verbose` is on, and the index
that it reads, which is in the schema of its table. No other source tells which index served a statement.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from ingest.evidence.messages import Message
from ingest.evidence.plan_formats import Plan, read_plan
from ingest.evidence.statements import Statements
from ingest.grammar.references import ConstraintUse, NamedUse, References, RelationUse
from ingest.meaning.resolve import Use, resolve
from ingest.meaning.world import World
from ingest.schemas import Operation

_BEGINNING = re.compile(r"duration: [0-9.]+ ms  plan:\n")
_IDENTIFIER = r'(?:[A-Za-z_][\w$]*|"[^"]+")'
# `PL/pgSQL function app.f(integer) line 1 at SQL statement`, in whatever language the words are.
_FUNCTION = re.compile(rf"PL/\w+.*?({_IDENTIFIER}(?:\.{_IDENTIFIER})?)\(", re.ASCII)
_DO_BLOCK = re.compile(r"PL/\w+.*inline_code_block", re.ASCII)


def planned_sql(text: str) -> str | None:
    """The statement that a plan is of, or None where the line is no plan that can be read."""
    plan = _read(text)
    return plan.sql if plan else None


def uses_of_plan(
    message: Message, statements: Statements, world: World, path: tuple[str, ...] | None
) -> Iterator[Use]:
    """The uses that a plan proves, and those that its statement names; `message.text` is the whole line.

    The plan of a statement within a function says so in its context: its uses came through that function.
    """
    plan = _read(message.text)
    if plan is None:
        return
    via = _function(message.context, plan.sql)
    proved = {(use.element, use.operation): use for use in _proved(plan, world)}
    for use in resolve(statements.of(plan.sql).references, world, path):
        # The statement tells more of a use than the plan does, except which of several elements it is of.
        by_plan = proved.pop((use.element, use.operation), None)
        is_unsure = use.ambiguous and (by_plan is None or by_plan.ambiguous)
        yield Use(use.element, use.operation, use.implicit, is_unsure, use.via or via)
    for use in proved.values():
        yield Use(use.element, use.operation, use.implicit, use.ambiguous, use.via or via)


@lru_cache(maxsize=1)
def _read(text: str) -> Plan | None:
    # Who asks for the statement of a line asks for its uses next.
    beginning = _BEGINNING.match(text)
    return read_plan(text[beginning.end() :]) if beginning else None


def _proved(plan: Plan, world: World) -> tuple[Use, ...]:
    # A name without a schema is not to be looked for along search_path: it is just not told.
    named = References(
        is_parsed=True,
        relations=tuple(RelationUse(name, operation) for name, operation in plan.relations),
        indexes=tuple(NamedUse(name, Operation.READ) for name in plan.indexes),
        constraints=tuple(ConstraintUse(name, None, Operation.READ) for name in plan.constraints),
    )
    return resolve(named, world)


def _function(context: str, sql: str) -> str | None:
    """The innermost function that a context tells; the statement's own text is no part of that."""
    for frame in context.replace(sql, "").split("\n")[:2]:
        if _DO_BLOCK.match(frame):
            return "do block"
        function = _FUNCTION.search(frame)
        if function:
            return f"function:{function[1]}"
    return None

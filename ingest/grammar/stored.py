"""Understands what the catalog stores as text: foreign keys, and rules, which views are too."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pglast import ast
from pglast.enums import CmdType
from pglast.parser import ParseError, parse_sql

from ingest.grammar.definitions import StatementWalk
from ingest.grammar.expressions import name_of, strings
from ingest.grammar.parse import references
from ingest.grammar.references import Name, References


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: its columns, those of the other table (none for its primary key), and its actions.

    The actions are PostgreSQL's letters: a no action, r restrict, c cascade, n set null, d set default.
    """

    columns: tuple[str, ...]
    keys: tuple[str, ...]
    on_delete: str
    on_update: str


@lru_cache(maxsize=10_000)
def foreign_key(definition: str) -> ForeignKey | None:
    """A foreign key as pg_get_constraintdef() writes it, or None where that is not understood."""
    try:
        added: Any = parse_sql(f"ALTER TABLE t ADD {definition}")[0].stmt
    except (ParseError, RecursionError, ValueError):
        return None
    command = added.cmds[0].def_
    if not isinstance(command, ast.Constraint) or command.pktable is None:
        return None
    return ForeignKey(
        tuple(strings(command.fk_attrs)),
        tuple(strings(command.pk_attrs)),
        str(command.fk_del_action or "a"),
        str(command.fk_upd_action or "a"),
    )


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule: what it is for (`select` makes a view), and what its actions refer to.

    Of a view whose rows can be written, `base` is what is behind it, and `shown` its columns by the view's.
    """

    event: str
    references: References
    base: Name | None = None
    shown: tuple[tuple[str, str], ...] = ()


_RULE_EVENTS = {
    CmdType.CMD_SELECT: "select",
    CmdType.CMD_INSERT: "insert",
    CmdType.CMD_UPDATE: "update",
    CmdType.CMD_DELETE: "delete",
}


@lru_cache(maxsize=10_000)
def rule_text(definition: str) -> RuleText | None:
    """A rule as pg_get_ruledef() writes it, or None where that is not understood."""
    try:
        rule: Any = parse_sql(definition)[0].stmt
    except (ParseError, RecursionError, ValueError):
        return None
    walk = StatementWalk(references)
    walk.rule(rule)
    base, shown = _updatable(rule.actions[0]) if rule.event == CmdType.CMD_SELECT else (None, ())
    return RuleText(_RULE_EVENTS[rule.event], walk.references(), base, shown)


def _updatable(query: Any) -> tuple[Name | None, tuple[tuple[str, str], ...]]:
    """The one relation that a view shows rows of, and its columns by those of the view."""
    sources: tuple[Any, ...] = query.fromClause or ()
    if len(sources) != 1 or not isinstance(sources[0], ast.RangeVar):
        return None, ()
    shown = [
        (target.name or strings(target.val.fields)[-1], strings(target.val.fields)[-1])
        for target in query.targetList or ()
        if isinstance(target.val, ast.ColumnRef) and strings(target.val.fields)
    ]
    return name_of(sources[0]), tuple(shown)

"""What a statement does to its session: search_path, role, transactions, statements kept by name."""

from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import DiscardMode, TransactionStmtKind, VariableSetKind

from ingest.grammar.paths import as_path
from ingest.grammar.references import Effect, Forget, Keep, RunKept, SetPath, SetRole, Transaction

_PATH = "search_path"
_ROLES = frozenset({"role", "session_authorization"})
_STEPS: dict[TransactionStmtKind, Transaction] = {
    TransactionStmtKind.TRANS_STMT_BEGIN: Transaction("begin"),
    TransactionStmtKind.TRANS_STMT_START: Transaction("begin"),
    TransactionStmtKind.TRANS_STMT_COMMIT: Transaction("commit"),
    # The transaction goes on without its session.
    TransactionStmtKind.TRANS_STMT_PREPARE: Transaction("commit"),
    TransactionStmtKind.TRANS_STMT_ROLLBACK: Transaction("rollback"),
    TransactionStmtKind.TRANS_STMT_ROLLBACK_TO: Transaction("rollback to"),
}
_ARGUMENTS_OF_SET_CONFIG = 3
# "$user" stands for itself until the session's role is known.
_AS_WRITTEN = "$user"


def effects_of(statement: Any) -> Iterator[Effect]:
    """The effects of one statement of a string, without those of the queries within it."""
    while isinstance(statement, (ast.ExplainStmt, ast.CreateTableAsStmt)):
        # EXPLAIN EXECUTE and CREATE TABLE … AS EXECUTE.
        statement = statement.query
    match statement:
        case ast.VariableSetStmt():
            yield from _setting(statement)
        case ast.TransactionStmt() if statement.kind in _STEPS:
            yield _STEPS[statement.kind]
            if statement.chain:
                yield Transaction("begin")
        case ast.DiscardStmt():
            yield from _discard(statement.target)
        case _:
            yield from _kept(statement)


def _kept(statement: Any) -> Iterator[Effect]:
    match statement:
        case ast.PrepareStmt():
            yield Keep("prepared", str(statement.name))
        case ast.ExecuteStmt():
            yield RunKept("prepared", str(statement.name))
        case ast.DeallocateStmt():
            yield Forget("prepared", statement.name)
        case ast.DeclareCursorStmt():
            yield Keep("cursor", str(statement.portalname))
        case ast.FetchStmt():
            yield RunKept("cursor", str(statement.portalname))
        case ast.ClosePortalStmt():
            yield Forget("cursor", statement.portalname)
        case _:
            return


def set_config(arguments: tuple[Any, ...]) -> Effect | None:
    """The effect of a call of set_config(); the empty path where its value is not known."""
    name = constant(arguments[0]) if arguments else None
    if not isinstance(name, str) or len(arguments) != _ARGUMENTS_OF_SET_CONFIG:
        return None
    setting, is_local = constant(arguments[1]), constant(arguments[2])
    if name.lower() in _ROLES:
        return SetRole()
    if name.lower() != _PATH:
        return None
    return SetPath(as_path(setting, _AS_WRITTEN) if isinstance(setting, str) else (), is_local is True)


def constant(node: Any) -> str | int | bool | None:
    """The value of a constant, of whatever type it is cast to, or None."""
    if isinstance(node, ast.TypeCast):
        return constant(node.arg)
    if not isinstance(node, ast.A_Const) or node.isnull:
        return None
    match node.val:
        case ast.String(sval=text):
            return str(text)
        case ast.Integer(ival=number):
            return int(number or 0)
        case ast.Boolean(boolval=value):
            return bool(value)
        case _:
            return None


def _setting(statement: Any) -> Iterator[Effect]:
    is_local = bool(statement.is_local)
    if statement.kind == VariableSetKind.VAR_RESET_ALL:
        # RESET ALL leaves the role as it is.
        yield SetPath(None)
    elif statement.name in _ROLES:
        yield SetRole()
    elif statement.name == _PATH:
        match statement.kind:
            case VariableSetKind.VAR_SET_VALUE:
                # Each value is one name, commas and all.
                values = (constant(value) for value in statement.args or ())
                yield SetPath(tuple(str(value) for value in values if value is not None), is_local)
            case VariableSetKind.VAR_SET_DEFAULT | VariableSetKind.VAR_RESET:
                yield SetPath(None, is_local)
            case _:
                return


def _discard(target: Any) -> Iterator[Effect]:
    if target == DiscardMode.DISCARD_ALL:
        # As documented: CLOSE ALL, SET SESSION AUTHORIZATION DEFAULT, RESET ALL, DEALLOCATE ALL.
        yield Forget("cursor")
        yield SetRole()
        yield SetPath(None)
        yield Forget("prepared")

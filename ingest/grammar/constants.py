"""Names within constants: what `'t'::regclass`, nextval('s') and functions that run text may mean."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from pglast import ast

from catalog.elements import split_path
from catalog.errors import ElementSyntaxError
from catalog.names import MAX_NAME_BYTES
from ingest.grammar.references import Name
from ingest.schemas import Operation


def _each(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRITERS = frozenset({"nextval", "setval"})
# They take names as text: of a relation, and some of its column after it.
_OF_RELATIONS = _WRITERS | _each(
    """
    brin_desummarize_range brin_summarize_new_values brin_summarize_range currval gin_clean_pending_list
    has_any_column_privilege has_column_privilege has_sequence_privilege has_table_privilege
    pg_column_is_updatable pg_extension_config_dump pg_get_replica_identity_index pg_get_sequence_data
    pg_get_serial_sequence pg_get_viewdef pg_index_column_has_property pg_index_has_property pg_indexes_size
    pg_partition_ancestors pg_partition_root pg_partition_tree pg_relation_filenode pg_relation_filepath
    pg_relation_is_publishable pg_relation_is_updatable pg_relation_size pg_sequence_last_value pg_table_size
    pg_total_relation_size row_security_active table_to_xml table_to_xml_and_xmlschema table_to_xmlschema
    to_regclass
    """
)
_OF_TYPES = frozenset({"has_type_privilege", "to_regtype", "to_regtypemod"})
_RUN_TEXT = _each(
    """
    pg_clear_attribute_stats pg_clear_relation_stats pg_get_object_address pg_restore_attribute_stats
    pg_restore_relation_stats query_to_xml query_to_xml_and_xmlschema query_to_xmlschema ts_rewrite ts_stat
    """
)
# Operators of the server's own types; a user's of the same name would be looked for in every statement.
OPERATORS = _each(
    "= <> < > <= >= + - * / % ^ | & # || ~~ !~~ ~~* !~~* ~ !~ ~* !~* -> ->> #> #>> @> <@ ? ?| ?& && @@ <->"
)
# Constants of these are told by their values, of which there are too many to look at each.
_TYPES = _each(
    """
    bit bool box bpchar bytea char cid cidr circle date datemultirange daterange float4 float8 inet int2 int4
    int4multirange int4range int8 int8multirange int8range interval json jsonb jsonpath line lseg macaddr
    macaddr8 money name numeric nummultirange numrange oid path pg_lsn pg_snapshot point polygon refcursor
    regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole text
    tid time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector
    txid_snapshot uuid varbit varchar xid xid8 xml
    """
)
# PostgreSQL folds no other letters.
_TO_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_SURELY_SHORT = MAX_NAME_BYTES // 4
_WORD = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')


def names_something(function: Name) -> bool:
    """Whether constants among a function's arguments may name something; any function of a user's may."""
    schema, name = function
    if name in _OF_RELATIONS or name in _OF_TYPES or name in _RUN_TEXT:
        return True
    return schema not in (None, "pg_catalog") or (schema is None and name not in _builtin())


def relations_in_call(function: Name, arguments: tuple[Any, ...]) -> Iterator[tuple[Name, Operation]]:
    """The relations that constants of a call of the server's own functions may name."""
    if function[1] in _OF_RELATIONS:
        operation = Operation.WRITE if function[1] in _WRITERS else Operation.READ
        for text in texts(arguments):
            name = name_in(text)
            if name:
                yield name, operation


def columns_in_call(function: Name, arguments: tuple[Any, ...]) -> Iterator[str]:
    """The columns that constants of a call may name."""
    if function[1] in ("has_column_privilege", "pg_get_serial_sequence"):
        yield from texts(arguments)


def type_in_call(function: Name, arguments: tuple[Any, ...]) -> Iterator[Name]:
    """The types that constants of a call of the server's own functions may name."""
    if function[1] in _OF_TYPES:
        for text in texts(arguments):
            name = name_in(text.removesuffix("[]"))
            if name:
                yield name


def may_run(function: Name) -> bool:
    """Whether a function may run its arguments as statements, or put them into one."""
    return function[1] in _RUN_TEXT or (
        function[1] not in _OF_RELATIONS and function[1] not in _OF_TYPES and names_something(function)
    )


def texts(node: Any) -> Iterator[str]:
    """The constants of text that stand in an expression, or several, themselves."""
    match node:
        case ast.A_Const(val=ast.String(sval=text)):
            yield str(text)
        case tuple():
            for item in node:
                yield from texts(item)
        case ast.TypeCast() | ast.NamedArgExpr() | ast.CollateClause():
            yield from texts(node.arg)
        case _:
            return


def all_texts(node: Any) -> Iterator[str]:
    """The constants of text anywhere in an expression: what a statement may be put together from."""
    match node:
        case ast.A_Const(val=ast.String(sval=text)):
            yield str(text)
        case tuple():
            for item in node:
                yield from all_texts(item)
        case ast.Node():
            for name in node:
                yield from all_texts(getattr(node, name))
        case _:
            return


def is_made_by_users(type_names: Sequence[str]) -> bool:
    """Whether a type is none of the server's own, so that it may be an enum."""
    return bool(type_names) and type_names[0] != "pg_catalog" and type_names[-1] not in _TYPES


def labels_in(text: str) -> Iterator[str]:
    """The items of an array as one writes it in a constant: `{sad,"ok"}`."""
    for item in text.strip().removeprefix("{").removesuffix("}").split(","):
        yield item.strip().strip('"')


def name_in(text: str) -> Name | None:
    """The name that a text is, as `::regclass` reads it, or None."""
    try:
        parts = split_path(text.strip())
    except ElementSyntaxError:
        return None
    return (parts[-2] if len(parts) > 1 else None), parts[-1]


def words_in(text: str) -> Iterator[str]:
    """All that may be an identifier in a text of any kind, as PostgreSQL would store it."""
    for match in _WORD.finditer(text):
        yield as_stored(match[1].replace('""', '"') if match[1] else match[2].translate(_TO_LOWER))


def as_stored(name: str) -> str:
    """A name as PostgreSQL keeps it: longer ones are cut without a word."""
    return name.encode()[:MAX_NAME_BYTES].decode(errors="ignore") if len(name) > _SURELY_SHORT else name


@cache
def _builtin() -> frozenset[str]:
    """The functions of pg_catalog (PostgreSQL 18) that an application can call with arguments."""
    return frozenset((files("ingest.grammar") / "builtin_functions.txt").read_text(encoding="utf-8").split())

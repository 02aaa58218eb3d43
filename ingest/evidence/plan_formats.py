"""Reads the formats that auto_explain writes plans in (text, JSON, YAML, XML) into one shape.

Of a plan only names are read. Its conditions and its output hold constants, and are passed over.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import yaml

from ingest.grammar.references import Name
from ingest.schemas import Operation

# Ten times as fast, where it was compiled; as safe in any case.
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WRITES = frozenset({"Insert", "Update", "Delete", "Merge"})
_XML_LISTS = frozenset({"Plans", "Triggers", "Target Tables", "Conflict Arbiter Indexes"})

_IDENTIFIER = r'(?:[a-z_][a-z0-9_$]*|"(?:[^"\n]|"")+")'
_QUALIFIED = rf"(?:{_IDENTIFIER}\.)?{_IDENTIFIER}"
_PART = re.compile(_IDENTIFIER)
_QUERY = "Query Text: "
# The first line with costs is the top of the plan: what stands before it is the statement and its parameters.
_TOP = re.compile(r"^[A-Z][^\n]*  \(cost=\d+\.\d+\.\.\d", re.MULTILINE)
_PARAMETERS = re.compile(r"^Query Parameters: ", re.MULTILINE)
_NODE = re.compile(
    rf"""(?P<indent>\s*)(?:->\s+)?(?:Async\s|Parallel\s)*(?:
        Bitmap\ Index\ Scan\ on\ (?P<bitmap>{_IDENTIFIER})
      | (?:Foreign\ )?(?P<write>Insert|Update|Delete|Merge)\ on\ (?P<target>{_QUALIFIED})
      | (?:Seq|Sample|Tid(?:\ Range)?|Bitmap\ Heap|Foreign|Index(?:\ Only)?|Custom)\ Scan
        (?:\ Backward)?(?:\ \([^)\n]*\))?(?:\ using\ (?P<index>{_IDENTIFIER}))?
        \ on\ (?P<relation>{_QUALIFIED})
    )(?:\s|$)""",
    re.VERBOSE,
)
# Here, and with triggers, names are not quoted.
_ARBITERS = re.compile(r"\s*Conflict Arbiter Indexes: (.+)")
# A join that a foreign server does: `Relations: (app.a) INNER JOIN (app.b x)`.
_RELATIONS = re.compile(r"\s*Relations: (.+)")
_JOINED = re.compile(rf"\(({_QUALIFIED})(?: {_IDENTIFIER})?\)")
_CONSTRAINT = re.compile(r"Trigger (?:.+? )?for constraint (.+?)(?: on .+)?: (?:time|calls)=")


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: its statement, and the names of what its nodes and triggers use; None for an untold schema."""

    sql: str
    relations: tuple[tuple[Name, Operation], ...]
    indexes: tuple[Name, ...]
    constraints: tuple[str, ...]


def read_plan(text: str) -> Plan | None:
    """Read what follows `plan:`, in whatever format it is; None where it is in none of them."""
    try:
        if text.startswith("{"):
            return _from_tree(json.loads(text))
        if text.startswith("<explain"):
            return _from_tree(_as_tree(ElementTree.fromstring(text)))  # noqa: S314 expat bounds what entities do
        if text.startswith(f'{_QUERY}"'):
            return _from_tree(yaml.load(text, Loader=_YAML_LOADER))  # noqa: S506 both loaders are safe
    except (ValueError, RecursionError, yaml.YAMLError, ElementTree.ParseError):
        # An expression of a function may begin with a quoted name, as YAML's texts do.
        pass
    return _from_text(text) if text.startswith(_QUERY) else None


def _from_tree(tree: Any) -> Plan | None:
    sql = tree.get("Query Text") if isinstance(tree, dict) else None
    if not isinstance(sql, str):
        return None
    relations: dict[tuple[Name, Operation], None] = {}
    indexes: dict[Name, None] = {}
    for node, schema in _nodes(tree.get("Plan")):
        operation = Operation.WRITE if node.get("Operation") in _WRITES else Operation.READ
        for place in (node, *_items(node.get("Target Tables"))):
            if "Relation Name" in place:
                relations[(place.get("Schema"), place["Relation Name"]), operation] = None
        for name in _JOINED.findall(node.get("Relations", "")):
            relations[_name(name), Operation.READ] = None
        names = [node["Index Name"]] if "Index Name" in node else []
        indexes |= {(schema, name): None for name in (*names, *_items(node.get("Conflict Arbiter Indexes")))}
    constraints = (trigger.get("Constraint Name") for trigger in _items(tree.get("Triggers")))
    return Plan(sql, tuple(relations), tuple(indexes), tuple(dict.fromkeys(filter(None, constraints))))


def _nodes(top: Any) -> Iterator[tuple[dict[str, Any], str | None]]:
    """The nodes of a plan, each with the schema of the nearest relation from it upwards."""
    waiting: list[tuple[Any, str | None]] = [(top, None)]
    while waiting:
        node, schema = waiting.pop()
        if isinstance(node, dict):
            schema = node.get("Schema", schema)
            yield node, schema
            waiting += [(child, schema) for child in reversed(_items(node.get("Plans")))]


def _items(value: Any) -> list[Any]:
    # YAML and XML write an empty list as nothing at all.
    return value if isinstance(value, list) else []


def _as_tree(element: ElementTree.Element) -> Any:
    """XML as JSON would have it."""
    name = _tag(element)
    if name in _XML_LISTS:
        return [_as_tree(child) for child in element]
    if len(element):
        return {_tag(child): _as_tree(child) for child in element}
    return element.text or ""


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].replace("-", " ")


def _from_text(text: str) -> Plan | None:
    top = _TOP.search(text, len(_QUERY))
    if top is None:
        return None
    parameters = _PARAMETERS.search(text, len(_QUERY), top.start())
    sql = text[len(_QUERY) : (parameters or top).start()].rstrip("\n")
    relations: dict[tuple[Name, Operation], None] = {}
    indexes: dict[Name, None] = {}
    constraints: dict[str, None] = {}
    # The relations that the line at hand may be below, each with how far it is indented.
    above: list[tuple[int, str | None]] = []
    for line in text[top.start() :].splitlines():
        node = _NODE.match(line)
        if node is None:
            schema = above[-1][1] if above else None
            if arbiters := _ARBITERS.match(line):
                indexes |= {(schema, name): None for name in arbiters[1].split(", ")}
            elif joined := _RELATIONS.match(line):
                relations |= {(_name(each), Operation.READ): None for each in _JOINED.findall(joined[1])}
            elif constraint := _CONSTRAINT.match(line):
                constraints[constraint[1]] = None
            continue
        indent = len(node["indent"])
        while above and above[-1][0] >= indent:
            above.pop()
        if node["bitmap"]:
            indexes[(above[-1][1] if above else None), _unquoted(node["bitmap"])] = None
            continue
        name = _name(node["target"] or node["relation"])
        relations[name, Operation.WRITE if node["write"] else Operation.READ] = None
        above.append((indent, name[0]))
        if node["index"]:
            indexes[name[0], _unquoted(node["index"])] = None
    return Plan(sql, tuple(relations), tuple(indexes), tuple(constraints))


def _name(qualified: str) -> Name:
    parts = [_unquoted(part) for part in _PART.findall(qualified)]
    return (parts[-2] if len(parts) > 1 else None), parts[-1]


def _unquoted(identifier: str) -> str:
    return identifier[1:-1].replace('""', '"') if identifier.startswith('"') else identifier

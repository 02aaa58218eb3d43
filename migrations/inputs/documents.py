"""Documents: a YAML or JSON file as plain values, and the line on which each of them stands."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from catalog.errors import os_error_as
from migrations.errors import InputError

STANDARD_INPUT = Path("-")
Place = tuple[int | str, ...]

# The parser in C where there is one: the same safe types, a tenth of the time.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """A file's content; `lines` has a place for every value of a YAML file, and nothing for JSON."""

    name: str
    value: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def at(self, place: Place) -> str:
        """A place as people find it: `item 3, key confidence (line 12)`."""
        words = [f"item {part + 1}" if isinstance(part, int) else f"key {part}" for part in place]
        line = next(
            (self.lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in self.lines), None
        )
        return ", ".join(words) + (f" (line {line})" if line else "")


def read_document(path: Path) -> Document:
    """Read a file, or standard input for `-`; raise InputError that says where it is not what it should be.

    A file called *.json is JSON, *.yaml and *.yml are YAML; any other is JSON if it begins like it.
    """
    name, text = _read(path)
    suffix = path.suffix.lower()
    is_json = suffix == ".json" or (suffix not in (".yaml", ".yml") and text.lstrip()[:1] in ("{", "["))
    try:
        return _json(name, text) if is_json else _yaml(name, text)
    except RecursionError:
        raise InputError("is nested too deeply", where=name) from None


def _read(path: Path) -> tuple[str, str]:
    name = "standard input" if path == STANDARD_INPUT else str(path)
    with os_error_as(InputError, "cannot be read", where=name):
        content = sys.stdin.buffer.read() if path == STANDARD_INPUT else path.read_bytes()
    try:
        return name, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 at byte {error.start + 1}", where=name) from None


def _json(name: str, text: str) -> Document:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise InputError(f"key {key!r} stands twice in one object", where=name)
            found[key] = value
        return found

    try:
        return Document(name, json.loads(text, object_pairs_hook=once))
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON at line {error.lineno}, character {error.colno}: {error.msg.lower()}", where=name
        ) from None


def _yaml(name: str, text: str) -> Document:
    try:
        # Safe types only, as yaml.safe_load gives them; the nodes are kept for their line numbers.
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            value = loader.construct_document(node) if node else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"at line {mark.line + 1}, character {mark.column + 1}: " if mark else ""
        raise InputError(f"not YAML {where}{error.problem or error.context}", where=name) from None
    except yaml.YAMLError as error:
        raise InputError(f"not YAML: {error}", where=name) from None
    except ValueError as error:
        # Such as the date 2025-02-30.
        raise InputError(f"not YAML: {error}", where=name) from None
    return Document(name, value, dict(_lines(name, node, (), set())) if node else {})


def _lines(name: str, node: Any, place: Place, known: set[int]) -> Iterator[tuple[Place, int]]:
    yield place, node.start_mark.line + 1
    # An alias is the same node again: following each of them could take for ever.
    if id(node) in known:
        return
    known.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _lines(name, child, (*place, index), known)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                where = f"{name}, line {key.start_mark.line + 1}"
                raise InputError(f"key {key.value!r} stands twice in one mapping", where=where)
            seen.add(key.value)
            yield from _lines(name, child, (*place, key.value), known)

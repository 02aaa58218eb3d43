"""What texts of pg_stat_statements were found to mean, kept in a file from one run of `collect` to the next.

It only saves time: a file that is missing, torn, or was written under other circumstances is as good as none.
No text is in it, only hashes of texts and the elements that calls of them may hide a use of. What uses the
attic is not kept: those are few, and are looked into each time.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from catalog.elements import Element
from catalog.errors import PgatticError
from catalog.files import write_atomically
from ingest.evidence.statements import Statement
from ingest.grammar.paths import Path as SearchPath
from ingest.meaning.resolve import Use

# Ten times what pg_stat_statements has room for unless it is told otherwise: some 2 MB.
_MOST = 50_000
_HASH_BYTES = 16
# The code that decides what texts mean.
_PACKAGES = ("catalog", "ingest")


class Meaning(NamedTuple):
    """What a text may have used: uses of the attic by a `statement`, and what it may hide a use of.

    `is_unknown` where it says names that nothing has.
    """

    uses: tuple[Use, ...] = ()
    statement: Statement | None = None
    may: frozenset[Element] = frozenset()
    may_be_anything: bool = False
    is_unknown: bool = False


@dataclass
class Meanings:
    """The file at a path, and what is to be in it next: whatever is asked for, or found anew."""

    path: Path
    _made_by: str = ""
    _known: Mapping[str, Meaning] = field(default_factory=dict)
    _next: dict[str, Meaning] = field(default_factory=dict)
    _has_new: bool = False

    def begin(self, circumstances: object) -> None:
        """From now on texts are looked into under these: all that decides what they mean, by its repr."""
        made_by = _hash(_code() + repr(circumstances).encode(errors="surrogatepass"))
        if made_by != self._made_by:
            self._made_by, self._next, self._has_new = made_by, {}, False
            self._known = self._load()

    def get(self, text: str, path: SearchPath | None) -> Meaning | None:
        """What a text was found to mean under a search_path."""
        key = _key(text, path)
        found = self._known.get(key)
        if found is not None:
            self._next[key] = found
        return found

    def keep(self, text: str, path: SearchPath | None, meaning: Meaning) -> None:
        """Remember what was found."""
        if not meaning.uses and len(self._next) < _MOST:
            self._next[_key(text, path)] = meaning
            self._has_new = True

    def save(self) -> None:
        """Write what was asked for and found since the last time, if anything of it is new."""
        if self._has_new:
            # Who cannot write here is told so by the evidence.
            with suppress(OSError):
                write_atomically(self.path, self._content())
            self._known = self._next
        self._next, self._has_new = {}, False

    def _content(self) -> bytes:
        numbers: dict[Meaning, int] = {}
        texts = {key: numbers.setdefault(found, len(numbers)) for key, found in self._next.items()}
        meanings = [
            [sorted(map(str, found.may)), found.may_be_anything, found.is_unknown] for found in numbers
        ]
        content = json.dumps({"made_by": self._made_by, "meanings": meanings, "texts": texts}).encode()
        return _hash(content).encode() + b"\n" + content

    def _load(self) -> Mapping[str, Meaning]:
        with suppress(OSError, ValueError, KeyError, TypeError, IndexError, PgatticError):
            mark, _, content = self.path.read_bytes().partition(b"\n")
            if mark.decode() != _hash(content):
                return {}
            found = json.loads(content)
            if found["made_by"] != self._made_by:
                return {}
            meanings = [
                Meaning(may=frozenset(map(Element.parse, may)), may_be_anything=anything, is_unknown=unknown)
                for may, anything, unknown in found["meanings"]
            ]
            return {key: meanings[number] for key, number in islice(found["texts"].items(), _MOST)}
        return {}


def _key(text: str, path: SearchPath | None) -> str:
    return _hash(f"{path!r}\n{text}".encode(errors="surrogatepass"))


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[: 2 * _HASH_BYTES]


@cache
def _code() -> bytes:
    """What tells this pgattic from every other one, released or not."""
    found = hashlib.sha256(version("pglast").encode())
    root = Path(__file__).parents[2]
    for package in _PACKAGES:
        for file in sorted((root / package).rglob("*")):
            if file.suffix in (".py", ".sql", ".txt"):
                found.update(file.read_bytes())
    return found.digest()

"""Takes the bodies of functions apart: what is code, what is text, and which queries are in it."""

from dataclasses import dataclass
from functools import lru_cache

from pglast.parser import scan

from ingest.grammar.normalise import CONSTANTS, normalise
from ingest.grammar.parse import references
from ingest.grammar.plpgsql import code_of
from ingest.grammar.references import References


@dataclass(frozen=True, slots=True)
class Body:
    """A body taken apart.

    `code` is without comments and constants, `constants` are the texts that a statement made at run time may
    be put together from. `queries` are the statements and expressions of the code, without constants too, and
    `references` what each refers to; both are None where the body could not be parsed.
    """

    code: str
    constants: str
    queries: tuple[str, ...] | None = None
    references: tuple[References, ...] | None = None


@lru_cache(maxsize=10_000)
def read_body(language: str, text: str) -> Body | None:
    """Take a body apart, or give None where not even its words can be told."""
    code = normalise(text)
    if code is None:
        return None
    constants = "\n".join(
        text[token.start : token.end + 1] for token in scan(text) if token.name in CONSTANTS
    )
    found = code_of(language, text)
    if found is None:
        return Body(code, constants)
    parsed = tuple(references(query) for query in found.queries)
    if not all(one.is_parsed for one in parsed):
        return Body(code, constants)
    return Body(code, constants, tuple(normalise(query) or query for query in found.queries), parsed)

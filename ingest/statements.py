"""The statements seen: normalised and parsed once each, however often they run."""

from dataclasses import dataclass
from functools import lru_cache

from ingest.normalise import normalise, statement_id, unreadable
from ingest.parse import references
from ingest.references import References

# Enough for the distinct texts of a busy application; with constants in them most texts come once.
_TEXTS_KEPT = 4096
_STATEMENTS_KEPT = 65_536
# A text of many megabytes is a bulk load; it is not worth a place in memory for the next time.
_LONGEST_KEPT = 16_384


@dataclass(frozen=True, slots=True)
class Statement:
    """One distinct normalised statement; `text` may be stored."""

    statement_id: str
    text: str
    references: References


class Statements:
    """Finds the statement of a text as logged."""

    def __init__(self) -> None:
        self._by_normalised: dict[str, Statement] = {}
        self._of_short = lru_cache(_TEXTS_KEPT)(self._find)

    def of(self, sql: str) -> Statement:
        """The statement that a text is; of what is not SQL only its length is told."""
        return self._of_short(sql) if len(sql) <= _LONGEST_KEPT else self._find(sql)

    def _find(self, sql: str) -> Statement:
        normalised = normalise(sql)
        if normalised is None:
            return _placeholder(sql)
        known = self._by_normalised.get(normalised)
        if known is not None:
            return known
        # The text itself is parsed: `interval '1 day'` has no grammar with a parameter in it.
        found = references(sql)
        if not found.is_parsed:
            return _placeholder(sql)
        statement = Statement(statement_id(normalised), normalised, found)
        if len(self._by_normalised) >= _STATEMENTS_KEPT:
            self._by_normalised.clear()
        self._by_normalised[normalised] = statement
        return statement


def _placeholder(sql: str) -> Statement:
    text = unreadable(sql)
    return Statement(statement_id(text), text, References(is_parsed=False))

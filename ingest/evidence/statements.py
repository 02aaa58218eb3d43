"""The statements seen: normalised and parsed once each, however often they run."""

from dataclasses import dataclass

from ingest.evidence.caches import Cache
from ingest.grammar.normalise import normalise, statement_id, unreadable
from ingest.grammar.parse import references
from ingest.grammar.references import References

# Room for the distinct statements of a busy application, and for as many texts as repeat word by word.
_CACHE_BYTES = 24 * 1024 * 1024
# What a statement takes besides its text: the names in it, as objects.
_OVERHEAD = 3_000


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One distinct normalised statement; `text` may be stored.

    Where constants name something there is one of these for each text, of one `statement_id`.
    """

    statement_id: str
    text: str
    references: References

    @property
    def is_told_by_shape(self) -> bool:
        """Whether every text that differs in constants alone is this very statement."""
        return self.references.is_parsed and not self.references.is_literal_sensitive


class Statements:
    """Finds the statement of a text as logged."""

    def __init__(self) -> None:
        self._by_normalised: Cache[str, Statement] = Cache(_CACHE_BYTES)
        self._by_text: Cache[str, Statement] = Cache(_CACHE_BYTES)

    def of(self, sql: str) -> Statement:
        """The statement that a text is; of what is not SQL only its length is told."""
        return self._by_text.get(sql) or self._by_text.keep(sql, self._find(sql), _size(sql))

    def _find(self, sql: str) -> Statement:
        normalised = normalise(sql)
        if normalised is not None:
            known = self._by_normalised.get(normalised)
            if known is not None:
                return known
        # The text itself is parsed: `interval '1 day'` has no grammar with a parameter in it.
        found = references(sql)
        if normalised is None or not found.is_parsed:
            text = unreadable(sql)
            return Statement(statement_id(text), text, found)
        statement = Statement(statement_id(normalised), normalised, found)
        if statement.is_told_by_shape:
            self._by_normalised.keep(normalised, statement, _size(normalised))
        return statement


def _size(text: str) -> int:
    return len(text) + _OVERHEAD

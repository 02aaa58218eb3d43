"""Words of a text: what a body of a function may name."""

import re
from functools import lru_cache

_WORD = re.compile(r"\w+")


@lru_cache(maxsize=10_000)
def words(text: str) -> frozenset[str]:
    """Every word of a text, case-folded; kept, as each body is asked for every element."""
    return frozenset(word.casefold() for word in _WORD.findall(text))


def is_word(name: str) -> bool:
    """Whether a name is one word."""
    return _WORD.fullmatch(name) is not None

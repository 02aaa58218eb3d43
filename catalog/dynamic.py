"""Functions that run statements which they put together: what these use, no text tells."""

import re

from catalog.objects import Function
from catalog.snapshot import Snapshot

# Their bodies are read statement by statement; of the others nobody knows what they send to the server.
_READ = ("sql", "plpgsql")
_NO_STATEMENTS = ("c", "internal")
# EXECUTE of one constant says what it runs; of anything else it does not.
_PUT_TOGETHER = re.compile(r"\bEXECUTE\s+(?!'(?:[^']|'')*'\s*(?:;|INTO\b|USING\b))", re.IGNORECASE)


def dynamic_functions(snapshot: Snapshot) -> tuple[str, ...]:
    """The functions that may run any statement, by name."""
    return tuple(sorted({f"{one.schema}.{one.name}" for one in snapshot.functions if _is_dynamic(one)}))


def _is_dynamic(function: Function) -> bool:
    if function.language in _NO_STATEMENTS:
        return False
    if function.language not in _READ:
        return True
    return function.body is not None and _PUT_TOGETHER.search(function.body) is not None

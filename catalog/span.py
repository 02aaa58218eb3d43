"""Lengths of time as people write them in the configuration and on the command line."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def span(text: object) -> timedelta:
    """Read `500ms`, `30s`, `10m`, `2h` or `7d`. Raises ValueError."""
    if isinstance(text, timedelta):
        return text
    found = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError("a length of time is wanted, as '30s', '10m', '2h' or '7d'")
    return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


Span = Annotated[timedelta, BeforeValidator(span)]

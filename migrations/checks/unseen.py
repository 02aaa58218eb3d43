"""Which functions can nobody look into?"""

import re
from collections.abc import Iterator

from catalog.objects import Function
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity

_READ = frozenset({"sql", "plpgsql"})
_BUILDS = re.compile(r"\bEXECUTE\b", re.IGNORECASE)
_SHOWN = 3


def check(situation: Situation) -> Iterator[Finding]:
    """A name can be built from parts at run time, or be hidden in a compiled library."""
    functions = situation.snapshot.functions
    foreign = [function for function in functions if function.language not in _READ]
    if foreign:
        languages = ", ".join(sorted({function.language for function in foreign}))
        yield Finding(
            "unseen-language",
            Severity.WARN,
            "database",
            f"{_named(foreign)}: written in {languages}, which cannot be looked into but for whole words",
            "Ask who wrote them whether they use what is to be renamed",
        )
    building = [f for f in functions if f.language == "plpgsql" and _BUILDS.search(f.body or "")]
    if building:
        yield Finding(
            "dynamic-sql",
            Severity.INFO,
            "database",
            f"{_named(building)}: builds statements at run time, which may name anything",
            "Read them; a name that stands in one whole is found by the check function-body",
        )


def _named(functions: list[Function]) -> str:
    shown = ", ".join(f"{function.schema}.{function.name}" for function in functions[:_SHOWN])
    more = len(functions) - _SHOWN
    count = "function" if len(functions) == 1 else f"{len(functions)} functions:"
    return f"{count} {shown}{f' and {more} more' if more > 0 else ''}"

"""Is there something about the name?"""

from collections.abc import Iterator

from catalog.elements import quote_identifier
from catalog.names import parse
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """A name that looks deprecated already, and one that logs do not show as it is."""
    for element in situation.elements:
        found = parse(element.name)
        if found:
            yield Finding(
                "already-deprecated",
                Severity.BLOCK,
                str(element),
                f"has a deprecated name already: {found.stem}, {found.reason} since {found.on:%Y-%m-%d}",
                "See `pgattic status`; what somebody renamed by hand gets its former name back by hand first",
            )
        elif quote_identifier(element.name) != element.name:
            yield Finding(
                "quoted-name",
                Severity.INFO,
                str(element),
                "has to be quoted in SQL; in the server's messages its name stands without quotes",
                "Who writes it without quotes means another element: see both in the usage",
            )

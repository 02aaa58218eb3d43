"""Does a foreign table read the element, here or from elsewhere?"""

from collections.abc import Iterator

from catalog.elements import Element, Kind, quote_identifier
from catalog.objects import CHILDREN
from migrations.checks.situation import Situation
from migrations.checks.surroundings import ForeignTable
from migrations.findings import Finding, Severity

_READABLE = (Kind.TABLE, Kind.COLUMN, Kind.VIEW, Kind.MATVIEW)


def check(situation: Situation) -> Iterator[Finding]:
    """Foreign tables name what they read; those of other databases cannot be seen from here."""
    for element in situation.elements:
        if element.kind not in _READABLE:
            continue
        for foreign in situation.foreign_tables:
            yield from _sends_own_column(situation, element, foreign)
            yield from _reads(situation, element, foreign)
    if any(element.kind in _READABLE for element in situation.elements):
        sessions = situation.server.foreign_sessions
        yield Finding(
            "foreign-readers",
            Severity.WARN if sessions else Severity.INFO,
            "database",
            f"{sessions} sessions of postgres_fdw are connected now: another database reads this one"
            if sessions
            else "a database that reads this one through a foreign table cannot be seen from here",
            "Look for foreign tables (\\det+ in psql) in the databases that may read this one",
        )


def _sends_own_column(situation: Situation, element: Element, foreign: ForeignTable) -> Iterator[Finding]:
    """A column renamed in a parent is renamed in its foreign children too, and asked for by the new name."""
    if element.kind is not Kind.COLUMN or element.name not in foreign.columns_by_own_name:
        return
    uses = situation.snapshot.stored_uses_of("relation", element.schema, element.parent or "")
    if any((use.schema, use.name) == (foreign.schema, foreign.name) and use.kind in CHILDREN for use in uses):
        yield Finding(
            "foreign-table",
            Severity.BLOCK,
            str(element),
            f"is a column of foreign table {_path(foreign)} too, which asks server {foreign.server} for it by"
            " its own name",
            f"First ALTER FOREIGN TABLE {_path(foreign)} ALTER COLUMN {quote_identifier(element.name)}"
            f" OPTIONS (ADD column_name '{element.name}')",
        )


def _reads(situation: Situation, element: Element, foreign: ForeignTable) -> Iterator[Finding]:
    name = foreign.remote_table or foreign.name
    schema = foreign.remote_schema or foreign.schema
    if foreign.wrapper != "postgres_fdw" or (schema, name) != (
        element.schema,
        element.parent or element.name,
    ):
        return
    is_here = foreign.remote_database in (None, situation.snapshot.database)
    if is_here and (foreign.schema, foreign.name) != (schema, name):
        yield Finding(
            "foreign-table",
            Severity.BLOCK,
            str(element),
            f"may be what foreign table {_path(foreign)} reads, through server {foreign.server}",
            "Change or remove the foreign table first, or make sure that its server is another one",
        )


def _path(foreign: ForeignTable) -> str:
    return ".".join(quote_identifier(part) for part in (foreign.schema, foreign.name))

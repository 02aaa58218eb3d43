"""The columns whose rows can hold a value of an enum type, and whether they do.

A value that rows hold is used by them, although nobody says its label. The planner's statistics know the most
common values; for certain only the rows themselves do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from catalog.database import OWN_NOTE, Database, identifier, load_sql
from catalog.elements import quote_identifier
from catalog.errors import DatabaseError, LockTimeoutError, StatementFailedError

_CANCELLED = "57014"
# One scan of the table, by this session alone: that is what is noted, and what its indexes do not count.
_ONE_SCAN = (
    "SET LOCAL row_security = off; SET LOCAL constraint_exclusion = off; SET LOCAL enable_indexscan = off;"
    " SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;"
    " SET LOCAL max_parallel_workers_per_gather = 0"
)


@dataclass(frozen=True, slots=True)
class Holder:
    """A column of a table, materialized view or foreign table whose rows can hold a value, by its label now.

    `is_plain` where its type is the enum itself, not something made of it. `holds` is None where that is not
    known, for the reason in `problem` where the rows were to be read; `is_read` tells that they were.
    """

    relation_oid: int
    schema: str
    relation: str
    column: str
    label: str
    is_foreign: bool
    is_plain: bool
    holds: bool | None
    is_read: bool = False
    problem: str | None = None

    def __str__(self) -> str:
        return ".".join(quote_identifier(part) for part in (self.schema, self.relation, self.column))


# By the OID of the value.
Holders = Mapping[int, tuple[Holder, ...]]


def read_holders(db: Database) -> dict[int, tuple[Holder, ...]]:
    """What the catalog and the statistics say of every value in the attic."""
    found: dict[int, list[Holder]] = {}
    values = db.fetch(
        "SELECT object_oid::bigint AS oid FROM pgattic.element"
        " WHERE kind = 'enum_value' AND deprecated_at IS NOT NULL AND restored_at IS NULL"
    )
    for row in values:
        found[row["oid"]] = []
    for row in db.fetch(load_sql("catalog", "holders")) if values else ():
        # Not to be among the most common values proves nothing.
        holds = True if row.pop("is_common") else None
        found.setdefault(row.pop("value"), []).append(Holder(**row, holds=holds))
    return {oid: tuple(holders) for oid, holders in found.items()}


def look_at_rows(db: Database, holders: Holders) -> dict[int, tuple[Holder, ...]]:
    """Read the rows of every column, one statement a column, each for as long as a statement may take.

    Scans are noted in the registry, so that they do not count as use.
    """
    return {oid: tuple(_looked(db, some)) for oid, some in holders.items()}


def _looked(db: Database, holders: Iterable[Holder]) -> Iterable[Holder]:
    for holder in holders:
        began_at = db.fetch_value("SELECT clock_timestamp()")
        try:
            with db.transaction():
                db.execute(_ONE_SCAN)
                holds = bool(db.fetch_value(_question(holder), [holder.label]))
            found = replace(holder, holds=holds, is_read=True)
        except StatementFailedError as error:
            found = replace(holder, holds=None, problem=error.what)
            # What was cut off has scanned; what was refused has not.
            if error.sqlstate != _CANCELLED or isinstance(error, LockTimeoutError):
                yield found
                continue
        if not holder.is_foreign:
            try:
                db.execute(
                    "INSERT INTO pgattic.own_scan (relation, at, scans) VALUES (%s, %s, 1)",
                    [holder.relation_oid, began_at],
                )
            except DatabaseError as error:
                found = replace(found, problem=f"its scan could not be noted as pgattic's own: {error.what}")
        yield found


def _question(holder: Holder) -> str:
    column = identifier(holder.column).replace("%", "%%")
    holds = f"{column} = %s"
    if not holder.is_plain:
        # How a label stands in an array, a range or a row as text: quoted or not, which is left out of both.
        quotes = "'\"\\', ''"
        holds = f"strpos(translate({column}::text, {quotes}), translate(%s, {quotes})) > 0"
    relation = identifier(holder.schema, holder.relation).replace("%", "%%")
    only = "" if holder.is_foreign else "ONLY "
    return f"SELECT {OWN_NOTE} EXISTS (SELECT FROM {only}{relation} WHERE {holds})"  # noqa: S608

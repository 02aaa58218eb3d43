"""Row proof: after a rollback, compare the rows of its tables with those in the backup before the rename.

The elements are back already: what differs are rows that somebody wrote meanwhile, and theirs to keep.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analytics.sentences import count
from catalog.database import OWN_NOTE, Database, identifier, load_sql
from catalog.elements import quote_identifier
from catalog.errors import DatabaseError
from migrations import integrity, registry
from migrations.fingerprints import fingerprint, pin_output
from migrations.restoring import Restoration


@dataclass(frozen=True)
class RowProof:
    """One table then and now.

    `rows_now` is an estimate of PostgreSQL unless `is_exact`, and None where the table could not be read, for
    the reason in `problem`; `same_content` is None where no checksum was asked for.
    """

    table: str
    rows_then: int
    rows_now: int | None
    is_exact: bool
    same_content: bool | None = None
    problem: str | None = None

    @property
    def is_same(self) -> bool:
        """Whether it was counted and has as many rows as then, with the same content where that was read."""
        return self.is_exact and self.rows_now == self.rows_then and self.same_content is not False

    def __str__(self) -> str:
        then = f"{self.table}: {count(self.rows_then, 'row')} in the backup before the rename"
        if self.rows_now is None:
            return f"{then}; could not be compared: {self.problem}"
        if not self.is_exact:
            return f"{then}, about {self.rows_now:,} now (an estimate of PostgreSQL: --fingerprint counts)"
        if self.same_content:
            return f"{then}, the same {self.rows_now:,} now, with the same content"
        if self.same_content is False and self.rows_now == self.rows_then:
            return f"{then}, as many now, but with other content: somebody wrote into it"
        if self.rows_now != self.rows_then:
            return f"{then}, {self.rows_now:,} now: somebody wrote into it"
        return f"{then}, {self.rows_now:,} now"


def prove_rows(
    db: Database, restored: Sequence[Restoration], *, count_up_to_bytes: int, with_checksum: bool
) -> list[RowProof]:
    """Compare each table that was backed up; count those up to a size, read all of them for checksums."""
    wanted = _backed_up(db, restored)
    if not wanted:
        return []
    try:
        return [
            _prove(db, table, wanted[table["oid"]], count_up_to_bytes, with_checksum)
            for table in db.fetch(load_sql("migrations", "tables_now"), {"oids": list(wanted)})
        ]
    except DatabaseError as error:
        # The rollback is done and committed: that it cannot be proved now is no failure of it.
        return [
            RowProof(
                ".".join(quote_identifier(part) for part in (then["schema"], then["name"])),
                then["rows"],
                None,
                is_exact=False,
                problem=error.what,
            )
            for then in wanted.values()
        ]


def own_scans(db: Database, since: datetime) -> Counter[int]:
    """How many scans of each table, by OID, were made here since then: nobody's use."""
    rows = db.fetch(
        "SELECT relation::bigint AS oid, sum(scans)::integer AS scans FROM pgattic.own_scan"
        " WHERE at > %s GROUP BY 1",
        [since],
    )
    return Counter({row["oid"]: row["scans"] for row in rows})


def _backed_up(db: Database, restored: Sequence[Restoration]) -> dict[int, dict[str, Any]]:
    """Fingerprints in the newest backup of the migrations of the tables of restored elements, by OID."""
    items = [one.item for one in restored]
    touched = {seen.relation_oid for seen in integrity.observe(db, items)}
    migrations = {item.migration_id for item in items}
    found: dict[int, dict[str, Any]] = {}
    # Newest first, and the first one seen stays.
    for backup in registry.backups_of(db):
        if backup.migration_id in migrations:
            for table in backup.tables:
                if table["oid"] in touched:
                    found.setdefault(table["oid"], table)
    return found


def _prove(
    db: Database, table: dict[str, Any], then: dict[str, Any], count_up_to_bytes: int, with_checksum: bool
) -> RowProof:
    name = ".".join(quote_identifier(part) for part in (table["schema"], table["name"]))
    if table["rows_hidden"]:
        return RowProof(
            name, then["rows"], None, is_exact=False, problem="row security hides rows of it from this role"
        )
    if not with_checksum and table["bytes"] > count_up_to_bytes:
        return RowProof(name, then["rows"], table["estimated_rows"], is_exact=False)
    same = None
    with db.transaction():
        pin_output(db)
        if with_checksum:
            db.execute("SET LOCAL statement_timeout = 0")
            now = fingerprint(db, table["oid"], table["schema"], table["name"])
            rows, same = now.rows, now.checksum == then["checksum"]
        else:
            # A scan of an index would count as a use of that.
            db.execute("SET LOCAL enable_indexonlyscan = off")
            quoted = identifier(table["schema"], table["name"])
            rows = db.fetch_value(f"SELECT {OWN_NOTE} count(*) FROM {quoted}")  # noqa: S608 (quoted)
        for part in table["parts"]:
            db.execute("INSERT INTO pgattic.own_scan (relation, scans) VALUES (%s, 1)", [part])
    return RowProof(name, then["rows"], rows, is_exact=True, same_content=same)

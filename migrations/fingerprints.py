"""Row fingerprints: how many rows a table has and a checksum over them all, to compare copies with."""

from dataclasses import dataclass

from catalog.database import Database, identifier, load_sql


@dataclass(frozen=True)
class TableFingerprint:
    """The content of one table; `checksum` does not depend on the order of its rows.

    `oid` is the table's in the database that the rows were first read from.
    """

    oid: int
    schema: str
    name: str
    rows: int
    checksum: str


def fingerprint(db: Database, oid: int, schema: str, name: str) -> TableFingerprint:
    """Read a whole table, within a transaction that has run `pin_output`."""
    row = db.fetch_one(load_sql("migrations", "row_fingerprint").format(table=identifier(schema, name)))
    assert row is not None
    return TableFingerprint(oid, schema, name, row["rows"], row["checksum"])


def pin_output(db: Database) -> None:
    """Set what the text of a value depends on, for the rest of the transaction."""
    db.execute(load_sql("migrations", "pin_output"))

"""Whether the server writes down what sensors say."""

from catalog.database import Database, load_sql


def why_unlogged(db: Database) -> tuple[str, ...]:
    """Where the lines of sensors are lost, in words; nothing where all of them are written."""
    return tuple(str(row["why"]) for row in db.fetch(load_sql("migrations", "sensors_unlogged")))

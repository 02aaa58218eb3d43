"""Integrity: what identifies the data behind an element, so that a rollback proves that it never changed.

A rename must leave all of it as it was: a difference within one apply or rollback is an error. A difference
between the apply and the rollback is somebody else's work (rows written through a view, a VACUUM FULL): data
that is theirs, so it is told, not refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from pydantic import TypeAdapter

from catalog.database import Database, Json, load_sql
from catalog.elements import Element, Kind
from migrations.errors import IntegrityError


class Identified(Protocol):
    """What finds an element again: a step of a plan, or a row of the registry."""

    @property
    def element(self) -> Element: ...

    @property
    def object_oid(self) -> int: ...

    @property
    def column_number(self) -> int | None: ...


@dataclass(frozen=True)
class Observation:
    """An element as the catalog knows it, without its names.

    `relation_oid` is the table, index or other relation whose storage it is, None for a type; `filenodes` are
    the files of that relation and its partitions, by OID; `rows_written` counts rows since the last reset of
    the statistics; `column_type` is for people, as a type can be renamed too; `note` is the comment that the
    apply wrote.
    """

    relation_oid: int | None
    filenodes: dict[str, int] = field(default_factory=dict)
    estimated_rows: int | None = None
    rows_written: int | None = None
    column_type: str | None = None
    type_oid: int | None = None
    type_modifier: int | None = None
    labels: tuple[str, ...] | None = None
    index_shape: str | None = None
    comment: str | None = None
    owner: str | None = None
    grants: str | None = None
    note: str | None = None


_ADAPTER = TypeAdapter(Observation)


def observe(db: Database, items: Sequence[Identified]) -> list[Observation]:
    """Look elements up in the catalog, in the order given; reads no rows of theirs and locks nothing."""
    rows = db.fetch(
        load_sql("migrations", "observed"),
        {
            "kinds": [item.element.kind.value for item in items],
            "oids": [item.object_oid for item in items],
            "column_numbers": [item.column_number for item in items],
        },
    )
    return [_ADAPTER.validate_python({**row, "position": None}) for row in rows]


def record(
    db: Database, migration_id: str, items: Sequence[Identified], before: Sequence[Observation]
) -> None:
    """Keep what identifies elements that were just renamed; call it in the transaction of their renames.

    `before` was observed in the same transaction, before the renames. Raises IntegrityError where they
    changed more than names.
    """
    after = observe(db, items)
    require_same(items, before, after)
    rows = [
        {
            "oid": item.object_oid,
            "column_number": item.column_number,
            "integrity": asdict(replace(now, note=now.comment, comment=None)),
        }
        for item, now in zip(items, after, strict=True)
    ]
    db.execute(load_sql("migrations", "record_integrity"), {"migration_id": migration_id, "rows": Json(rows)})


def read(stored: dict[str, object] | None) -> Observation | None:
    """An observation as the registry has it; None for elements renamed before it kept any."""
    return _ADAPTER.validate_python(stored) if stored else None


def require_same(
    items: Sequence[Identified], before: Sequence[Observation], after: Sequence[Observation]
) -> None:
    """Raise IntegrityError where renames changed more than names; call it in their transaction."""
    for item, then, now in zip(items, before, after, strict=True):
        changed = [word for name, word in _MUST_STAY.items() if getattr(then, name) != getattr(now, name)]
        if changed:
            raise IntegrityError(
                f"its {' and '.join(changed)} changed within the rename; nothing was kept of it",
                where=str(item.element),
                todo="Find out which trigger or other session did that before you go on",
            )


def changes(element: Element, then: Observation, now: Observation) -> Iterator[str]:
    """What became of an element between two moments, in words; nothing where all of it stayed."""
    if then.filenodes.keys() != now.filenodes.keys():
        yield "partitions were added or taken away since"
    elif then.filenodes != now.filenodes:
        by = "REINDEX" if element.kind is Kind.INDEX else "VACUUM FULL, CLUSTER, TRUNCATE or ALTER TABLE"
        yield f"its files were written anew since ({by})"
    if None not in (then.rows_written, now.rows_written) and element.kind is not Kind.INDEX:
        written = (now.rows_written or 0) - (then.rows_written or 0)
        if written > 0:
            yield f"{written:,} rows were written since, as PostgreSQL counted"
        elif written < 0:
            yield "rows written since cannot be told: the counters were reset"
    if (then.type_oid, then.type_modifier) != (now.type_oid, now.type_modifier):
        yield f"its type was {then.column_type} and is {now.column_type} now"
    if then.labels != now.labels:
        yield f"its values were {_listed(then.labels)} and are {_listed(now.labels)} now"
    if then.owner != now.owner:
        yield f"its owner was {then.owner} and is {now.owner} now"
    if then.grants != now.grants:
        yield "its grants were changed since, and stay as they are now"


# The labels of an enum type may change within a plan that renames one of them.
_MUST_STAY = {
    "relation_oid": "OID",
    "filenodes": "files",
    "type_oid": "type",
    "type_modifier": "length or precision",
    "index_shape": "definition",
    "owner": "owner",
    "grants": "grants",
}


def _listed(labels: tuple[str, ...] | None) -> str:
    return ", ".join(labels or ()) or "none"

"""Tables, indexes, columns and enums that nothing speaks for."""

from collections.abc import Collection, Iterator
from datetime import timedelta

from analytics.observed import REPEATED, Candidate, Observed, columns_of, is_plain_table
from analytics.sentences import count, duration, percent
from catalog.closure import mentions
from catalog.elements import Element, Kind
from catalog.objects import Constraint, Index, Relation


def unused_tables(seen: Observed) -> Iterator[Candidate]:
    """Tables that counters saw nobody read or write, on any server."""
    for table in seen.snapshot.relations:
        element = Element(Kind.TABLE, table.schema, table.name)
        quiet = seen.quiet(table.oid)
        if not is_plain_table(table) or quiet is None:
            continue
        if any(item in seen.hourly for item in columns_of(table)) or not seen.is_free(element):
            continue
        since, was_used = seen.quiet_since[table.oid].since, seen.quiet_since[table.oid].was_used
        yield Candidate(
            element,
            seen.counted_confidence(quiet),
            "not read or written of late" if was_used else "never read or written",
            (
                f"0 reads and 0 writes counted in {duration(quiet)}, since {since:%Y-%m-%d %H:%M}",
                "no view, function, foreign key or other element refers to it",
                seen.what_logs_say,
            ),
            table.total_bytes,
        )


def unused_indexes(seen: Observed, gone: Collection[Element]) -> Iterator[Candidate]:
    """Indexes that nothing scans and nothing needs; `gone` are tables that are candidates themselves."""
    # Two indexes can each make the other dispensable, but not both: those already found count as gone.
    found: set[int] = set()
    for index in seen.snapshot.indexes:
        element = Element(Kind.INDEX, index.schema, index.name)
        quiet = seen.quiet(index.oid)
        table = seen.snapshot.relation(index.schema, index.table)
        if quiet is None or not table or table.kind != "r" or table.extension is not None:
            continue
        if not _is_plain_index(index) or index.bytes < seen.policy.min_index_bytes:
            continue
        if Element(Kind.TABLE, index.schema, index.table) in gone or seen.is_deprecated(element):
            continue
        if not seen.is_free(element):
            continue
        others = [other for other in _others_on_table(seen, index) if other.oid not in found]
        twins = [other for other in others if other.definition == index.definition]
        if not twins and _is_needed_by_foreign_key(seen, index, others):
            continue
        found.add(index.oid)
        yield _index_candidate(seen, element, index, twins, quiet)


def _index_candidate(
    seen: Observed, element: Element, index: Index, twins: list[Index], quiet: timedelta
) -> Candidate:
    counted = (
        f"0 scans counted in {duration(quiet)}, since {seen.quiet_since[index.oid].since:%Y-%m-%d %H:%M}"
    )
    if twins:
        repeats = f"{index.schema}.{twins[0].name} has the same definition"
        return Candidate(element, REPEATED, "repeats another index", (repeats, counted), index.bytes)
    facts = (counted, "enforces nothing and no foreign key needs it", seen.what_logs_say)
    reason = "not scanned of late" if seen.quiet_since[index.oid].was_used else "never scanned"
    return Candidate(element, seen.counted_confidence(quiet), reason, facts, index.bytes)


def _is_plain_index(index: Index) -> bool:
    is_marked = index.is_replica_identity or index.is_clustered
    bound = index.is_unique or index.is_primary or is_marked or index.constraint is not None
    # An index on an expression also gives the planner statistics that nothing counts.
    return index.is_valid and not bound and not index.has_expressions and not index.is_partition


def _others_on_table(seen: Observed, index: Index) -> Iterator[Index]:
    for other in seen.snapshot.indexes:
        same_table = (other.schema, other.table) == (index.schema, index.table)
        # What is in the attic is on its way out and makes nothing dispensable.
        is_going = seen.is_deprecated(Element(Kind.INDEX, other.schema, other.name))
        if same_table and other.oid != index.oid and other.is_valid and not is_going:
            yield other


def _is_needed_by_foreign_key(seen: Observed, index: Index, others: list[Index]) -> bool:
    for constraint in seen.snapshot.constraints:
        same_table = (constraint.schema, constraint.table) == (index.schema, index.table)
        if constraint.type != "f" or not same_table or not _serves(index, constraint):
            continue
        if not any(_serves(other, constraint) and _is_whole_btree(other) for other in others):
            return True
    return False


def _is_whole_btree(index: Index) -> bool:
    return "USING btree" in index.definition and " WHERE " not in index.definition


def _serves(index: Index, constraint: Constraint) -> bool:
    return set(index.columns[: len(constraint.columns)]) == set(constraint.columns)


def unused_columns(seen: Observed) -> Iterator[Candidate]:
    """Columns that no statement named while every statement was logged and others of their table were."""
    if not seen.is_logged:
        return
    for table in seen.snapshot.relations:
        used = seen.hourly.get(Element(Kind.TABLE, table.schema, table.name))
        named = [column for column in columns_of(table) if column in seen.hourly]
        # Without a use of some other column, nothing shows that uses of columns would have been noticed.
        if not is_plain_table(table) or used is None or used.implicit_uses or not named:
            continue
        if _is_read_whole(seen, table):
            continue
        for element in columns_of(table):
            if seen.is_free(element):
                facts = (
                    f"its table was used {count(used.uses, 'time')} in {duration(seen.window)}",
                    f"{count(len(named), 'other column')} of it named in statements, this one never",
                    f"all statements were logged {percent(seen.logged.fraction)} of that time",
                    "no index, constraint, view, function or other element refers to it",
                )
                confidence = seen.named_confidence
                yield Candidate(element, confidence, "never named while its table was used", facts, 0)


def _is_read_whole(seen: Observed, table: Relation) -> bool:
    """Whether a function may read all columns of a table without naming them."""
    return any(
        f.body and mentions(f.body, table.name) and ("*" in f.body or "%rowtype" in f.body.lower())
        for f in seen.snapshot.functions
    )


def unused_enums(seen: Observed) -> Iterator[Candidate]:
    """Enum types that nothing has."""
    if not seen.is_long_enough:
        return
    for enum in seen.snapshot.enums:
        element = Element(Kind.ENUM, enum.schema, enum.name)
        if seen.is_free(element):
            yield Candidate(
                element,
                seen.counted_confidence(),
                "no column or function has its type",
                ("no column, function, domain, default or cast uses it", seen.what_logs_say),
                0,
            )

"""The policy: when an element counts as unused, and when a removal would be safe. Cautious by default.

`[policy]` holds for all; `[policy.table]`, `[policy.column]` … say otherwise for one kind.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from catalog.elements import Kind
from catalog.section import Days, Fraction, NotNegative, Positive, Section

SOURCES = ("error", "log", "sensor", "audit", "counter", "statements")
OR = "|"


def _of_sources(wanted: str) -> str:
    parts = [part.strip() for part in wanted.split(OR)]
    if unknown := [part for part in parts if part not in SOURCES]:
        raise ValueError(f"{unknown[0]!r} is no source; write one of {', '.join(SOURCES)}, or several as a|b")
    return OR.join(parts)


# One source that must have watched, or several of which one must have: `counter|audit`.
Watch = Annotated[str, AfterValidator(_of_sources)]

# What could have seen any use of a kind, besides what the catalog says of views, functions and keys.
_WATCHED_BY: dict[Kind, tuple[str, ...]] = {
    # A table is also used by its deprecated name, by plans that know its OID, by cascades.
    Kind.TABLE: ("error", "counter|audit"),
    Kind.MATVIEW: ("error", "counter|audit"),
    # Nobody names an index that a query uses.
    Kind.INDEX: ("error", "counter"),
    # SELECT *, INSERT without columns and COPY use a column without naming it. The counters of its table see
    # that, as long as the whole table is not used; auditing a column sees no whole row (`row_to_json(t)`).
    Kind.COLUMN: ("error", "log|statements|counter"),
    # Its new name works too (ON CONFLICT ON CONSTRAINT, SET CONSTRAINTS), and no counter shows that it was
    # used; rows that it checks are counted.
    Kind.CONSTRAINT: ("error", "counter", "log|statements"),
    # A type's new name works, and nothing counts it.
    Kind.ENUM: ("error", "log|statements"),
    # Its new label is a constant: the log alone has that.
    Kind.ENUM_VALUE: ("error", "log"),
    # A view's new name works, and nothing counts reads of a view.
    Kind.VIEW: ("error", "audit|log|statements"),
    # The name in nextval('…') is a constant, or an OID; the blocks of a sequence show it all the same.
    Kind.SEQUENCE: ("error", "counter"),
}


class KindPolicy(Section):
    """What the policy says otherwise of one kind of element; what is not set is as for all."""

    cooling_off_days: Days | None = None
    quiet_days: Days | None = None
    coverage_wanted: Fraction | None = None
    sources: tuple[Watch, ...] | None = Field(
        default=None, min_length=1, description="what must have watched; `a|b` where one of both will do"
    )
    month_ends: NotNegative | None = None
    quarter_ends: NotNegative | None = None
    backup_max_age_days: Days | None = None
    removal_approvals: NotNegative | None = None
    enforcement_is_use: bool | None = None


class RemovalPolicy(Section):
    """The policy of a verdict on one kind of element, with nothing left open."""

    cooling_off_days: Days
    quiet_days: Days
    coverage_wanted: Fraction
    sources: tuple[Watch, ...]
    month_ends: NotNegative
    quarter_ends: NotNegative
    backup_max_age_days: Days
    removal_approvals: NotNegative
    enforcement_is_use: bool

    @property
    def cooling_off(self) -> timedelta:
        """How long it must have been in the attic."""
        return timedelta(days=self.cooling_off_days)

    @property
    def quiet(self) -> timedelta:
        """How long ago its last use must be."""
        return timedelta(days=self.quiet_days)

    @property
    def every_source(self) -> frozenset[str]:
        """Each source that is asked for, also as one of several."""
        return frozenset(source for watch in self.sources for source in watch.split(OR))


class PolicySettings(Section):
    """When an element counts as unused, and when a removal would be safe. Cautious by default."""

    observed_days: Days = 30
    cooling_off_days: Days = 30
    quiet_days: Days = 30
    coverage_wanted: Fraction = 0.99
    coverage_required: Fraction = 0
    month_ends: NotNegative = 1
    quarter_ends: NotNegative = 0
    backup_max_age_days: Days = Field(default=365, description="0: a proof of any age will do")
    removal_approvals: NotNegative = 0
    enforcement_is_use: bool = Field(
        default=True, description="whether a constraint is used by checking the rows that are written"
    )
    collect_max_gap_hours: Annotated[float, Field(gt=0)] = 48
    same_settings_minutes: NotNegative = 0
    known_readers: tuple[str, ...] = ("pg_dump", "pgattic")
    unread_standbys: NotNegative = 0
    retired_nodes: tuple[str, ...] = ()
    min_age_days: Days = 7
    max_transaction_seconds: Positive = 300
    max_replication_lag_seconds: Positive = 30
    max_slot_lag_bytes: Positive = 1_073_741_824
    backup_max_age_hours: Positive = 24
    min_index_bytes: NotNegative = 1_048_576
    lock_failures_allowed: NotNegative = 2
    errors_allowed: NotNegative = 20
    errors_minutes: Positive = 10
    count_rows_up_to_bytes: NotNegative = 8_388_608
    approvals_wanted: NotNegative = 0
    approval_max_age_days: Days = 7
    table: KindPolicy = KindPolicy()
    column: KindPolicy = KindPolicy()
    index: KindPolicy = KindPolicy()
    constraint: KindPolicy = KindPolicy()
    enum: KindPolicy = KindPolicy()
    enum_value: KindPolicy = KindPolicy()
    view: KindPolicy = KindPolicy()
    matview: KindPolicy = KindPolicy()
    sequence: KindPolicy = KindPolicy()

    def of(self, kind: Kind) -> RemovalPolicy:
        """What a verdict on one kind of element goes by."""
        own: KindPolicy = getattr(self, kind.value)
        given = {key: value for key in own.model_fields_set if (value := getattr(own, key)) is not None}
        common = {key: getattr(self, key) for key in RemovalPolicy.model_fields if key != "sources"}
        # All of it was checked when it was read; a thousand verdicts ask for it.
        return RemovalPolicy.model_construct(**{**common, "sources": _WATCHED_BY[kind], **given})

    def said(self) -> tuple[tuple[str, str], ...]:
        """Every key that is set, with its value as text: `policy.table.month_ends` as `table.month_ends`."""
        found: list[tuple[str, str]] = []
        for key, value in self.model_dump().items():
            if isinstance(value, dict):
                found += [(f"{key}.{part}", _text(own)) for part, own in value.items() if own is not None]
            else:
                found.append((key, _text(value)))
        return tuple(found)


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

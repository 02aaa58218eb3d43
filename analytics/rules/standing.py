"""Where the element stands: for how long, what holds on to it, whether it could come back; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from analytics.facts import Facts
from analytics.rules.rule import NAMED_AT_MOST, Rule
from analytics.sentences import count, duration, listed
from catalog.attic import AtticEntry
from catalog.elements import quote_identifier
from catalog.policy import RemovalPolicy


def long_enough(entry: AtticEntry, policy: RemovalPolicy, now: datetime) -> Rule:
    """It was in the attic for long enough."""
    age = now - entry.deprecated_at
    finding = f"in the attic for {duration(age)}, at least {duration(policy.cooling_off)} wanted"
    return Rule("time in the attic", age >= policy.cooling_off, finding, "registry")


def in_place(entry: AtticEntry, facts: Facts) -> Rule:
    """It is still where it was put."""
    name, source = "in its place", "catalog"
    if facts.present is None:
        gone = quote_identifier(entry.deprecated_name)
        return Rule(name, False, f"{gone} is gone from the catalog", source)
    if facts.present.name != entry.deprecated_name:
        return Rule(name, False, f"somebody renamed it to {facts.present}", source)
    if facts.is_moved:
        finding = (
            f"its schema or table was renamed, it is {facts.present} now: uses of its former name there are"
            f" not recognised; what helps: to roll {entry.element} back and deprecate it again"
        )
        return Rule(name, False, finding, source)
    return Rule(name, True, f"still there as {facts.present}", source)


def not_open(facts: Facts) -> Iterator[Rule]:
    """No open transaction holds on to it: what that has used is counted when it ends."""
    if facts.open_uses:
        finding = f"its uses are counted when it ends: {listed(_transactions(facts), NAMED_AT_MOST)}"
        yield Rule("no open transaction", None, finding, "pg_locks")


def _transactions(facts: Facts) -> list[str]:
    return [
        (f"prepared transaction {use.prepared_as!r}" if use.prepared_as else "a transaction")
        + f" of {use.role or 'an unknown role'}{f' ({use.application})' if use.application else ''}"
        + (f", open since {use.since:%Y-%m-%d %H:%M}" if use.since else "")
        for use in facts.open_uses
    ]


def independent(facts: Facts) -> Rule:
    """Nothing live refers to it."""
    name, source = "nothing depends on it", "catalog"
    if not facts.dependants:
        return Rule(name, True, "no view, function, foreign key or other element refers to it", source)
    who = listed([str(dependant) for dependant in facts.dependants], NAMED_AT_MOST)
    return Rule(name, False, f"still referred to: {who}", source)


def name_free(entry: AtticEntry, facts: Facts) -> Rule:
    """Nothing else has its former name."""
    name, source = "former name not taken again", "catalog"
    if facts.reappeared:
        finding = f"{facts.reappeared}: uses go there and do not fail, so they cannot be seen"
        return Rule(name, False, finding, source)
    return Rule(name, True, f"nothing is called {entry.element} now", source)


def backed_up(entry: AtticEntry, policy: RemovalPolicy, now: datetime) -> Rule:
    """A backup was proved by restoring it, not too long ago."""
    name, source = "backup proved", "registry"
    proved_at, oldest = entry.backup_proved_at, timedelta(days=policy.backup_max_age_days)
    if proved_at is None:
        return Rule(name, False, "no backup of it was proved by restoring it", source)
    finding = f"backup proved by a restore at {proved_at:%Y-%m-%d %H:%M}"
    if oldest and now - proved_at > oldest:
        finding += f", {duration(now - proved_at)} ago; not longer than {duration(oldest)} wanted"
        finding += f": `pgattic prove {entry.migration_id}` restores it once more"
        return Rule(name, False, finding, source)
    return Rule(name, True, finding, source)


def approved(entry: AtticEntry, policy: RemovalPolicy) -> Iterator[Rule]:
    """Others than the one who applied the plan agreed with it."""
    if policy.removal_approvals:
        who = entry.approved_by
        by = f" by {listed(who, NAMED_AT_MOST)}" if who else ""
        finding = f"{count(len(who), 'approval')} of its plan{by}, {policy.removal_approvals} wanted"
        yield Rule("approved", len(who) >= policy.removal_approvals, finding, "registry")

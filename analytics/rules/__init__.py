"""The rules of a verdict: each says whether it is met, with its figure and where that comes from; pure."""

from analytics.rules.notes import notes
from analytics.rules.rule import Rule
from analytics.rules.standing import (
    approved,
    backed_up,
    in_place,
    independent,
    long_enough,
    name_free,
    not_open,
)
from analytics.rules.unnamed import enforcement, not_held
from analytics.rules.uses import called, counted, counts, unused
from analytics.rules.watched import (
    all_watched,
    covered,
    every_server,
    former_name_watched,
    never_covered,
    no_old_session,
    rowless,
    turns_seen,
)

__all__ = [
    "Rule",
    "all_watched",
    "approved",
    "backed_up",
    "called",
    "counted",
    "counts",
    "covered",
    "enforcement",
    "every_server",
    "former_name_watched",
    "in_place",
    "independent",
    "long_enough",
    "name_free",
    "never_covered",
    "no_old_session",
    "not_held",
    "not_open",
    "notes",
    "rowless",
    "turns_seen",
    "unused",
]

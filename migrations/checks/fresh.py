"""Is the element so new that nobody can have come to use it yet?"""

from collections.abc import Iterator
from datetime import timedelta

from analytics.sentences import duration, listed
from migrations.checks.situation import Situation
from migrations.findings import Finding, Severity


def check(situation: Situation) -> Iterator[Finding]:
    """What was made or altered lately is being worked on; what PostgreSQL does not know is said."""
    wanted = timedelta(days=situation.policy.min_age_days)
    youngest = situation.now - wanted
    unknown = []
    for element, age in situation.ages.items():
        if age.changed_at and age.changed_at > youngest:
            yield Finding(
                "fresh",
                Severity.BLOCK,
                str(element),
                f"was made or altered at {age.changed_at:%Y-%m-%d %H:%M} UTC,"
                f" less than {duration(wanted)} ago",
                "Ask who did it; what is new may wait for its first use",
            )
        elif not age.changed_at and not (age.existed_at and age.existed_at <= youngest):
            unknown.append(str(element))
    if unknown and situation.policy.min_age_days:
        known = f"{listed(unknown, 3)} {'is' if len(unknown) == 1 else 'are'}"
        yield Finding(
            "age-unknown",
            Severity.INFO,
            "database",
            f"nobody knows how old {known}: PostgreSQL keeps no time of creation",
            "With track_commit_timestamp = on the server knows, for what is made from then on",
        )

"""How long: `15m`, `2h`, `1d12h`, as people write it."""

import re
from datetime import timedelta

_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def duration_of(text: str) -> timedelta | None:
    """The time that a text says, or None where it says none; raises OverflowError where that is too long."""
    found = _PARTS.fullmatch(text.strip())
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

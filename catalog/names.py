"""The naming convention: `{former}_deprecated_{YYYYMMDD}_{reason}`, and what keeps it within 63 bytes.

PostgreSQL silently cuts an identifier at 63 *bytes* (NAMEDATALEN - 1) and so would lose date and reason,
so a former name that is too long is cut here, at a character border, and gets a hash of the whole:
`{start}_{hash}_deprecated_…`. A name already taken gets `_2`, `_3`… at its end. The registry holds the
former name; `parse` gives back the parts that the name itself shows.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from catalog.errors import NameImpossibleError

MAX_NAME_BYTES = 63
_HASH_DIGITS = 8
_MAX_SERIAL = 9999
_HIDDEN = "_behind_view"


class Reason(StrEnum):
    """Why an element was deprecated."""

    UNUSED = "unused"
    PERFORMANCE = "performance"
    MIGRATION = "migration"
    REFACTOR = "refactor"
    SECURITY = "security"


_SHAPE = re.compile(
    rf"(?P<stem>.+)_deprecated_(?P<day>\d{{8}})_(?P<reason>{'|'.join(Reason)})(?:_(?P<serial>[2-9]|[1-9]\d{{1,3}}))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class DeprecatedName:
    """The parts of a deprecated name.

    `stem` is the former name, or its start and hash where it was too long; `serial` is 1 unless a neighbour
    had the name already.
    """

    stem: str
    on: date
    reason: Reason
    serial: int = 1

    def __str__(self) -> str:
        return self.stem + _suffix(self.on, self.reason, self.serial)


def deprecated_name(former: str, on: date, reason: Reason, taken: Collection[str] = ()) -> str:
    """Make the deprecated name for `former`, different from every name in `taken`.

    Raises NameImpossibleError for a name that no PostgreSQL identifier can be, or after 9,999 neighbours.
    """
    if not former or "\0" in former:
        raise NameImpossibleError(f"PostgreSQL has no identifier {former!r}")
    for serial in range(1, _MAX_SERIAL + 1):
        suffix = _suffix(on, reason, serial)
        name = _stem(former, suffix) + suffix
        if name not in taken:
            return name
    raise NameImpossibleError(f"every deprecated name up to serial {_MAX_SERIAL} is taken", where=former)


def hidden_name(former: str, taken: Collection[str] = ()) -> str:
    """Make the name of a table that is behind a view of its own name, different from every name in `taken`.

    It does not follow the convention of deprecated names: the table is in full use.
    """
    for serial in range(1, _MAX_SERIAL + 1):
        suffix = _HIDDEN if serial == 1 else f"{_HIDDEN}_{serial}"
        name = _stem(former, suffix) + suffix
        if name not in taken:
            return name
    raise NameImpossibleError(f"every hidden name up to serial {_MAX_SERIAL} is taken", where=former)


def parse(name: str) -> DeprecatedName | None:
    """Give the parts of a deprecated name, or None where `name` does not follow the convention."""
    match = _SHAPE.fullmatch(name)
    if match is None:
        return None
    try:
        on = datetime.strptime(match["day"], "%Y%m%d").date()
    except ValueError:
        return None
    return DeprecatedName(match["stem"], on, Reason(match["reason"]), int(match["serial"] or 1))


def _suffix(on: date, reason: Reason, serial: int) -> str:
    tail = f"_{serial}" if serial > 1 else ""
    return f"_deprecated_{on:%Y%m%d}_{reason}{tail}"


def _stem(former: str, suffix: str) -> str:
    room = MAX_NAME_BYTES - len(suffix)
    # No server encoding needs more bytes than UTF-8 does, so what fits here fits everywhere.
    encoded = former.encode()
    if len(encoded) <= room:
        return former
    mark = "_" + hashlib.sha256(former.encode()).hexdigest()[:_HASH_DIGITS]
    # Cutting the bytes can leave half a character behind, which "ignore" drops whole.
    return encoded[: room - len(mark)].decode(errors="ignore") + mark

"""The search_path: in which schemas, and in what order, a session looks for a name without one.

A path is a tuple of schema names. `pg_catalog` and the schema of temporary tables are searched too, but hold
no elements, and so are not added here.
"""

import re
from collections.abc import Sequence

from catalog.snapshot import Snapshot

Path = tuple[str, ...]

_USER = "$user"
_ITEM = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(?:,|$)')


def as_path(setting: str | Sequence[str], role: str) -> Path:
    """The schemas of a search_path.

    `setting` is its text as the server shows it (`"$user", public`), or its names one by one as SET takes
    them; `role` is whose session it is, for "$user".
    """
    names = _names(setting) if isinstance(setting, str) else setting
    return tuple(role if name == _USER else name for name in names)


def default_path(snapshot: Snapshot, role: str) -> Path | None:
    """The path that a session of a role in the snapshot's database begins with, or None where nobody knows.

    As the server does: a setting for the role in this database goes before one for the role, that before one
    for the database, and that before the server's.
    """
    ranks = ((role, True), (role, False), (None, True), (None, False))
    settings = {(each.role, each.is_of_database): each.setting for each in snapshot.search_paths}
    found = next((settings[rank] for rank in ranks if rank in settings), None)
    return None if found is None else as_path(found, role)


def _names(setting: str) -> list[str]:
    found = (
        (quoted.replace('""', '"') if plain is None else plain.lower())
        for quoted, plain in ((match[1], match[2]) for match in _ITEM.finditer(setting))
    )
    return [name for name in found if name]

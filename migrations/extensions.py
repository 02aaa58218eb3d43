"""Extensions that the server of a restore proof cannot make.

It is another PostgreSQL than the user's: it has its own extensions, and preloads no library. What it cannot
make is left out, as most of it (pgaudit, pg_cron, …) is no part of any table. Whatever does need it then
fails to restore, and the proof with it.
"""

import re
from collections.abc import Collection, Mapping

from catalog.database import Database, identifier
from catalog.errors import DatabaseError, StatementFailedError
from catalog.throwaway import ThrowawayServer

_PROBE = "pgattic_extensions"
# A line of `pg_restore --list`: number, OIDs, kind, schema (none), name, owner (none).
_EXTENSION = re.compile(r"\d+; \d+ \d+ EXTENSION - (.+?) *")
_COMMENT = re.compile(r'\d+; \d+ \d+ (?:COMMENT|SECURITY LABEL) - EXTENSION "?(.+?)"? *')


def named_in(contents: str) -> list[str]:
    """The extensions in a list of contents that `pg_restore --list` made, in the order of their restore."""
    return [found[1] for line in contents.splitlines() if (found := _EXTENSION.fullmatch(line))]


def cannot_be_made(server: ThrowawayServer, names: Collection[str]) -> dict[str, str]:
    """Try to make extensions on a server; return those that it cannot, with why in its words."""
    if not names:
        return {}
    with Database.connect(server.dsn()) as admin:
        admin.execute(f"CREATE DATABASE {_PROBE} TEMPLATE template0")
    refused: dict[str, str] = {}
    for name in names:
        try:
            # Each in a session of its own, as a library that must be preloaded may end it.
            with Database.connect(server.dsn(_PROBE)) as db:
                db.execute(f"CREATE EXTENSION IF NOT EXISTS {identifier(name)}")
        except StatementFailedError as error:
            refused[name] = error.what.removesuffix(f" (SQLSTATE {error.sqlstate})")
        except DatabaseError as error:
            refused[name] = error.what
    return refused


def contents_without(contents: str, names: Collection[str]) -> str:
    """A list of contents for `pg_restore --use-list` that leaves extensions out."""
    kept = (line for line in contents.splitlines() if _extension_of(line) not in names)
    return "".join(f"{line}\n" for line in kept)


def in_words(refused: Mapping[str, str]) -> str:
    """The extensions and why each cannot be made."""
    word = "extension" if len(refused) == 1 else "extensions"
    return f"{word} {', '.join(f'{name} ({why})' for name, why in refused.items())}"


def _extension_of(line: str) -> str | None:
    found = _EXTENSION.fullmatch(line) or _COMMENT.fullmatch(line)
    return found[1] if found else None

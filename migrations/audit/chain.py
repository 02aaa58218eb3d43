"""The chain: each row's hash covers its entry and the hash of the row before; pure.

What is hashed are the characters as they are stored, never values read back from columns: a time that lost
its microseconds, or JSON written anew in another order, would look like a forgery.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

# What the first row has for the hash of the row before.
GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditRow:
    """One row as it is stored; `entry` is JSON."""

    sequence: int
    prev_hash: str
    hash: str
    entry: str

    @property
    def content(self) -> dict[str, Any]:
        """What the entry says; nothing where somebody made it something else than a JSON object."""
        try:
            content = json.loads(self.entry)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def is_whole(self) -> bool:
        """Whether the row by itself is as it was written."""
        return self.hash == link(self.prev_hash, self.entry) and self.content.get("sequence") == self.sequence


def link(prev_hash: str, entry: str) -> str:
    """The hash of a row; the registry's function `append_audit` computes the same."""
    return hashlib.sha256(f"{prev_hash}\n{entry}".encode("utf-8", "surrogatepass")).hexdigest()

"""Seals: how long the chain was and what its last hash was, signed and kept outside the database.

Whoever owns the database can write the whole chain anew, or cut off its end, and leave a chain that is right
in itself. A seal shows both, as long as the key is not theirs. One line of the file is one seal:
`<hmac-sha256> <json>`; what is signed are the characters of the JSON as they stand there.
"""

import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from catalog.errors import os_error_as
from migrations.errors import SealError

SHORTEST_KEY = 16


@dataclass(frozen=True)
class Seal:
    """The state of one database's chain at one moment.

    `because` is given where a person accepted the chain as it was, whatever earlier seals said of it.
    """

    chain: str
    count: int
    head: str
    at: str
    because: str | None = None


@dataclass(frozen=True)
class BrokenSeal:
    """A line that our key did not sign as it stands."""

    line: int


def sign(seal: Seal, key: bytes) -> str:
    """The line of a seal."""
    body = json.dumps(asdict(seal), separators=(",", ":"))
    return f"{_mac(body, key)} {body}"


def read_seals(text: str, key: bytes) -> list[Seal | BrokenSeal]:
    """Every seal of a file's content, those of other databases too; pure."""
    return [_read(line, number, key) for number, line in enumerate(text.splitlines(), start=1) if line]


def in_force(seals: list[Seal | BrokenSeal], chain: str) -> list[Seal | BrokenSeal]:
    """What speaks of one chain since a person last accepted it; broken lines may be of any chain."""
    own = [seal for seal in seals if isinstance(seal, BrokenSeal) or seal.chain == chain]
    accepted = [number for number, seal in enumerate(own) if isinstance(seal, Seal) and seal.because]
    return own[accepted[-1] :] if accepted else own


def load(path: Path, key: bytes) -> list[Seal | BrokenSeal]:
    """Read a file of seals; none where there is no file yet. Raises SealError where it cannot be read."""
    try:
        return read_seals(path.read_text(encoding="utf-8", errors="replace"), key)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SealError(f"cannot be read: {(error.strerror or 'error').lower()}", where=str(path)) from error


def append(path: Path, line: str) -> None:
    """Add one line and flush it to the disk; raises SealError."""
    what = "the seal of the audit trail cannot be written"
    with os_error_as(SealError, what, where=path, todo="Check audit.seal_file"):
        path.parent.mkdir(parents=True, exist_ok=True)
        torn = path.is_file() and path.stat().st_size > 0 and not _ends_with_newline(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            # One write, so that two processes cannot mix their lines.
            file.write(b"\n" * torn + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _read(line: str, number: int, key: bytes) -> Seal | BrokenSeal:
    mac, _, body = line.partition(" ")
    if not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        return BrokenSeal(number)
    return Seal(**json.loads(body))


def _mac(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()

"""Where ingest keeps what it knows of one server's log, beside the evidence tables of all."""

from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

# A file name has 255 bytes.
_LONGEST = 150


def node_file(data_directory: Path, name: str, node: str) -> Path:
    """A file of its own for each server, whatever characters its name has."""
    quoted = quote(node, safe="")
    if len(quoted) > _LONGEST:
        quoted = sha256(node.encode()).hexdigest()
    return data_directory / f"{name}.{quoted}"

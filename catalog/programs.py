"""PostgreSQL's own programs on this machine: their version, and the extensions that come with them."""

import re
import subprocess
from pathlib import Path


def version_of(program: Path) -> tuple[str, int]:
    """What a program says with `--version`, and its major version; 0 where it says none. Raises OSError."""
    result = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    text = result.stdout.strip()
    found = re.search(r"(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", text)
    return text, int(found[1]) if found else 0


def extensions_beside(bin_directory: Path) -> frozenset[str] | None:
    """The extensions that a server of these programs has files of; None where that cannot be told."""
    try:
        result = subprocess.run(
            [str(bin_directory / "pg_config"), "--sharedir"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    folder = Path(result.stdout.strip()) / "extension"
    return frozenset(path.stem for path in folder.glob("*.control")) or None

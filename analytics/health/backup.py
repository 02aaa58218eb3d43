"""Whether the programs on this machine can make the backup that `apply` begins with, and prove it."""

from pathlib import Path

from analytics.health.check import Check, Facts
from analytics.sentences import listed
from catalog.programs import extensions_beside, version_of
from catalog.throwaway import EMBEDDED_BIN

_NAME = "backup programs"
_AT_MOST = 5
_SET = "Set backup.bin_directory to the bin folder of PostgreSQL"


def tools(facts: Facts, server_version: int, bin_directory: Path | None) -> Check:
    """Programs as new as the server, and a server for the proof that has the extensions of the database."""
    folder, wanted = bin_directory or EMBEDDED_BIN, server_version // 10_000
    todo = f"{_SET} {wanted} or newer"
    for program in ("pg_dump", "pg_restore"):
        try:
            said, version = version_of(folder / program)
        except OSError as error:
            reason = (error.strerror or "it cannot be run").lower()
            return Check(_NAME, False, f"no {program} in {folder}: {reason}", todo)
        if version < wanted:
            finding = f"{said or program} in {folder} is older than the server ({wanted})"
            return Check(_NAME, False, f"{finding}: no backup can be made, so nothing can be renamed", todo)
    offered = extensions_beside(folder)
    installed = [name for name in facts["extensions"].split(", ") if name]
    found = f"pg_dump {version} in {folder}"
    if offered is None and installed:
        finding = f"{found}; which extensions a server of it has cannot be told: pg_config is not there"
        return Check(_NAME, None, finding, f"{_SET} {wanted} that has pg_config")
    missing = [name for name in installed if name not in (offered or ())]
    if missing:
        finding = (
            f"{found}; the throw-away server that proves a backup has no {listed(missing, _AT_MOST)}: where a"
            " table, a type or a view of the database needs it, `apply` stops at the proof"
        )
        todo = f"{_SET} {wanted} with these extensions, as the one that the server itself runs"
        return Check(_NAME, None, finding, todo)
    told = f"has every extension of this database ({listed(installed, _AT_MOST)})" if installed else ""
    return Check(_NAME, True, "; a server of it ".join(filter(None, [found, told])), None)

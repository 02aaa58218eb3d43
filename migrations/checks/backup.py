"""Can a backup be made before the rename, and is the one that was made good and fresh enough?"""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from analytics.sentences import duration
from catalog.database import Database
from catalog.settings import PolicySettings
from catalog.terminal import size
from migrations import registry
from migrations.checks.situation import Situation
from migrations.errors import BackupError, RefusedError
from migrations.findings import Finding, Severity
from migrations.plan import Plan
from migrations.programs import program
from migrations.review import tables_with_rows

# The restore proof holds the rows once more, in a throw-away server beside the backup or in /tmp.
_ROOM_FOR_PROOF = 2


def check(situation: Situation) -> Iterator[Finding]:
    """Programs, folder and room for the backup that every apply begins with."""
    for what, todo in (*_programs(situation), *_folder(situation), *_pooler(situation)):
        yield Finding("backup-impossible", Severity.BLOCK, "database", what, todo)


def require_proof(db: Database, plan: Plan, policy: PolicySettings, now: datetime) -> None:
    """Raise RefusedError unless a backup for the plan was proved by a restore and is fresh enough."""
    proved = [
        backup for backup in registry.backups_of(db) if backup.migration_id == plan.id and backup.proved_at
    ]
    todo = "Apply again: it begins with a new backup and its proof"
    if not proved:
        raise RefusedError(
            "no backup of it was proved by a restore; nothing was changed", where=plan.id, todo=todo
        )
    age = now - max(backup.made_at for backup in proved)
    if age > timedelta(hours=policy.backup_max_age_hours):
        raise RefusedError(
            f"its backup is {duration(age)} old, the policy allows"
            f" {duration(timedelta(hours=policy.backup_max_age_hours))}; nothing was changed",
            where=plan.id,
            todo=f"{todo}; raise policy.backup_max_age_hours where that takes as long",
        )


def _programs(situation: Situation) -> Iterator[tuple[str, str]]:
    for name in ("pg_dump", "pg_restore"):
        try:
            program(name, situation.backup.bin_directory, situation.snapshot.server_version)
        except BackupError as error:
            yield f"no backup can be made: {error.what} in {error.where}", error.todo or ""
            return


def _folder(situation: Situation) -> Iterator[tuple[str, str]]:
    folder = _first_existing(situation.backup.directory)
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield (
            f"no backup can be made: {folder} is no folder that may be written",
            "Set backup.directory to one that may",
        )
        return
    wanted = _ROOM_FOR_PROOF * _bytes_of_tables(situation)
    free = shutil.disk_usage(folder).free
    if wanted > free:
        yield (
            f"no backup can be made: {folder} has {size(free)} left, this may need {size(wanted)}",
            "Make room, or set backup.directory to where there is more",
        )


def _pooler(situation: Situation) -> Iterator[tuple[str, str]]:
    if situation.is_pooled and not situation.backup.dsn:
        what = (
            "no backup can be made: database.dsn leads to a pooler, and what pg_dump sets in its session (an"
            " empty search_path) would stay in the sessions of the application"
        )
        yield what, "Set backup.dsn to the server itself"


def _bytes_of_tables(situation: Situation) -> int:
    tables = tables_with_rows(situation.elements, situation.snapshot)
    return sum(table.total_bytes for table in tables)


def _first_existing(folder: Path) -> Path:
    return next((path for path in (folder, *folder.parents) if path.exists()), folder)

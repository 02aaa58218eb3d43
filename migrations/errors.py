"""What can go wrong between a plan and its rollback."""

from catalog.errors import WRONG_USE, PgatticError


class MigrationError(PgatticError):
    """Something about plans, backups, renames or the registry."""


class PlanError(MigrationError):
    """A plan cannot be made, or a file is not a plan."""

    exit_code = WRONG_USE


class PlanDriftedError(MigrationError):
    """The plan no longer fits the database, or the file is not as it was reviewed."""


class RefusedError(MigrationError):
    """A safety check blocks the change."""


class BackupError(MigrationError):
    """A backup could not be made."""


class RestoreProofError(BackupError):
    """A backup was made, but restoring it did not give the same rows."""


class RegistryError(MigrationError):
    """The registry is missing, or newer than this program."""


class RollbackError(MigrationError):
    """An element cannot go back to its former name."""

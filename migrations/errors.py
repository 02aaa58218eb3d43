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


class InputError(PlanError):
    """Elements were named that cannot be taken; none of the others was."""


class OverrideError(MigrationError):
    """An override says too little, or its check cannot be overridden."""

    exit_code = WRONG_USE


class ApprovalError(RefusedError):
    """Other roles have not approved the plan, or not lately enough."""


class BackupError(MigrationError):
    """A backup could not be made."""


class BackupDamagedError(BackupError):
    """Files of a backup are gone, or are not what was written."""


class RestoreProofError(BackupError):
    """A backup was made, but restoring it did not give the same rows."""


class ProofServerError(BackupError):
    """The server of the restore proof lacks what the backup needs; that says nothing against the backup."""


class RegistryError(MigrationError):
    """The registry is missing, or newer than this program."""


class SealError(MigrationError):
    """The audit trail cannot be sealed, or its seals cannot be read."""

    exit_code = WRONG_USE


class BreakerOpenError(RefusedError):
    """Something went wrong before, and nobody has said yet that it is understood."""


class RollbackError(MigrationError):
    """An element cannot go back to its former name."""


class NothingInAtticError(MigrationError):
    """Of what is named (a migration, an element, a time), or of all, nothing is in the attic."""

    exit_code = WRONG_USE

    def __init__(self, what: str = "nothing of it is in the attic", *, where: str) -> None:
        super().__init__(what, where=where, todo="`pgattic status` lists the migrations and their elements")


class CheckpointError(MigrationError):
    """A checkpoint or a moment is named that is none."""

    exit_code = WRONG_USE


class IntegrityError(MigrationError):
    """What is behind an element is no longer what was renamed."""

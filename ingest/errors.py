"""What can go wrong while logs become evidence.

IngestError
├── LogsUnavailableError    the folder of logs is absent, unreadable, or has no log in it
├── StoreError              the evidence tables cannot be read or written
├── AlreadyRunningError     another ingest works on the same evidence tables
└── WorkerLostError         a process of --workers ended before its work was done
"""

from catalog.errors import WRONG_USE, PgatticError


class IngestError(PgatticError):
    """Something about reading logs or keeping evidence."""


class LogsUnavailableError(IngestError):
    """There are no logs to read where the configuration, or --logs, says."""

    exit_code = WRONG_USE


class StoreError(IngestError):
    """The evidence tables cannot be read or written."""

    exit_code = WRONG_USE


class AlreadyRunningError(IngestError):
    """Another ingest holds the lock of the evidence tables."""


class WorkerLostError(IngestError):
    """A worker process ended without a word; it may have been killed."""

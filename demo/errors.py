"""The errors of the demonstration.

DemoError
├── FolderUnusableError   --keep names a folder that holds something already, or cannot be made
└── StepFailedError       a step did not end as the story needs it
"""

from catalog.errors import WRONG_USE, PgatticError


class DemoError(PgatticError):
    """Something about the demonstration."""


class FolderUnusableError(DemoError):
    """The folder to keep the demo in holds something already, or cannot be made."""

    exit_code = WRONG_USE


class StepFailedError(DemoError):
    """A step of the story did not end as expected; its output stands above."""

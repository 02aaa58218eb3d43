"""The errors of the dashboard.

DashboardError
├── PortInUseError          another program listens on the port that was asked for
├── AddressUnusableError    this machine cannot listen on the address that was asked for
└── StartFailedError        Streamlit ended before it answered
"""

from typing import ClassVar

from catalog.errors import WRONG_USE, PgatticError


class DashboardError(PgatticError):
    """Something about the Streamlit app."""


class PortInUseError(DashboardError):
    """Another program listens on the port."""

    exit_code: ClassVar[int] = WRONG_USE


class AddressUnusableError(DashboardError):
    """The address is none of this machine's, or the port needs rights that we have not got."""

    exit_code: ClassVar[int] = WRONG_USE


class StartFailedError(DashboardError):
    """Streamlit ended before it answered."""

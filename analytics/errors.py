"""The errors of the analysis.

AnalyticsError
├── EvidenceError           the evidence tables cannot be read
├── UnknownElementError     an element that is neither in the attic nor in the catalog
├── AlertStateError         what was acknowledged or delivered cannot be read or written
├── NotDeliveredError       a message did not arrive, as far as we know
├── MetricsAddressError     metrics cannot be served there
└── ReportError             a report that cannot be written
"""

from typing import ClassVar

from catalog.errors import WRONG_USE, PgatticError


class AnalyticsError(PgatticError):
    """Something about the evidence or what is made of it."""


class EvidenceError(AnalyticsError):
    """The evidence tables cannot be read."""


class UnknownElementError(AnalyticsError):
    """No element has that name now, and none in the attic had it."""

    exit_code: ClassVar[int] = WRONG_USE


class ReportError(AnalyticsError):
    """A report cannot be written where it was asked for."""

    exit_code: ClassVar[int] = WRONG_USE


class AlertStateError(AnalyticsError):
    """The files that remember acknowledgements and deliveries cannot be read or written."""


class NotDeliveredError(AnalyticsError):
    """A message did not arrive, as far as we know; says why without naming the address."""


class MetricsAddressError(AnalyticsError):
    """Metrics cannot be served at an address."""

    exit_code: ClassVar[int] = WRONG_USE

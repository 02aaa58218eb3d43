"""The audit trail: what was decided and done, in a chain that shows when somebody changed it afterwards."""

from migrations.audit.configuration import note_configuration
from migrations.audit.log import Event, newest, read, record, reserve
from migrations.audit.sealing import chain_of, seal_now, sealing

__all__ = [
    "Event",
    "chain_of",
    "newest",
    "note_configuration",
    "read",
    "record",
    "reserve",
    "seal_now",
    "sealing",
]

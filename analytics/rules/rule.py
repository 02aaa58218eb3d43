"""What a rule says."""

from dataclasses import dataclass

# So many names are told one by one.
NAMED_AT_MOST = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition; `met` is None where it cannot be known, `source` says where its figure comes from."""

    name: str
    met: bool | None
    finding: str
    source: str

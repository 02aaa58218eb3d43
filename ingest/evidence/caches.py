"""A dictionary that forgets: whatever a log holds, what was learned about it stays within bounds."""

from collections.abc import Hashable
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


class Cache(Generic[_Key, _Value]):
    """Keeps values up to a total size, in bytes as far as they can be told; then begins anew.

    To begin anew costs a little time now and then; to keep a record of what was used last costs it always.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._values: dict[_Key, _Value] = {}
        self.get = self._values.get

    def __len__(self) -> int:
        return len(self._values)

    def keep(self, key: _Key, value: _Value, size: int) -> _Value:
        """Remember a value of about this many bytes, key and all; gives it back."""
        # What is too large would throw everything else out.
        if size <= self._max_bytes // 16:
            if self._bytes + size > self._max_bytes:
                self._values.clear()
                self._bytes = 0
            self._values[key] = value
            self._bytes += size
        return value

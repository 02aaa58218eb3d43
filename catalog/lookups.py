"""Look-ups: what has a key, of one part or several, found without a look at everything."""

from collections.abc import Iterable
from typing import Generic, TypeVar, TypeVarTuple

Key = TypeVarTuple("Key")
Item = TypeVar("Item")


class One(Generic[*Key, Item]):
    """At most one item for a key: `relation("public", "orders")`, None where nothing has it."""

    def __init__(self, pairs: Iterable[tuple[tuple[*Key], Item]]) -> None:
        self._items = dict(pairs)

    def __call__(self, *key: *Key) -> Item | None:
        return self._items.get(key)


class Many(Generic[*Key, Item]):
    """Any number of items for a key, in their order: `triggers_of("public", "orders")`."""

    def __init__(self, pairs: Iterable[tuple[tuple[*Key], Item]]) -> None:
        found: dict[tuple[*Key], list[Item]] = {}
        for key, item in pairs:
            found.setdefault(key, []).append(item)
        self._items = {key: tuple(items) for key, items in found.items()}

    def __call__(self, *key: *Key) -> tuple[Item, ...]:
        return self._items.get(key, ())

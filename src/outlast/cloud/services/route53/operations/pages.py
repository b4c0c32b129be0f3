"""Pages of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from outlast.cloud.services.route53.errors import InvalidInput

Item = TypeVar("Item")


class Page(NamedTuple, Generic[Item]):
    """Items of one page, and the first of the next (None at the end)."""

    items: Sequence[Item]
    following: Item | None
    size: int


def page(items: Sequence[Item], max_items: str | None, most: int = 100) -> Page[Item]:
    """The first page of `items`; raises InvalidInput when `max_items` is no positive number."""
    size = most
    if max_items is not None:
        if not max_items.isascii() or not max_items.isdigit() or int(max_items) < 1:
            raise InvalidInput(f"Invalid value for parameter MaxItems: {max_items}")
        size = min(int(max_items), most)
    return Page(items[:size], items[size] if len(items) > size else None, size)

"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from outlast.cloud.contract import ValidationException

Item = TypeVar("Item")
PAGE = 100


def page(items: Sequence[Item], token: str | None, size: int = PAGE) -> tuple[Sequence[Item], dict[str, Any]]:
    """The items after `token`, and the NextToken member when more follow; raises ValidationException."""
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise ValidationException("NextToken is invalid")
    start = int(token or 0)
    end = start + size
    return items[start:end], ({"NextToken": str(end)} if end < len(items) else {})


def shown(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None and value != ""}


def seconds(at_ms: int | None) -> float | None:
    """Epoch milliseconds as the epoch seconds of the wire."""
    return None if at_ms is None else at_ms / 1000

"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from outlast.cloud.services.cloudwatch.errors import InvalidNextToken

Item = TypeVar("Item")


def page(items: Sequence[Item], token: str | None, size: int) -> tuple[Sequence[Item], dict[str, Any]]:
    """The items after `token`, and the NextToken member when more follow; raises InvalidNextToken."""
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise InvalidNextToken(f"Invalid next token: {token}")
    start = int(token or 0)
    end = start + size
    return items[start:end], ({"NextToken": str(end)} if end < len(items) else {})


def shown(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}

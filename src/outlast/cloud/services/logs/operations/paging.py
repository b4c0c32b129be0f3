"""Pages of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from outlast.cloud.services.logs.errors import InvalidParameterException

Item = TypeVar("Item")


def page(items: Sequence[Item], token: str | None, size: int) -> tuple[Sequence[Item], dict[str, Any]]:
    """The items after `token`, and the nextToken member when more follow; raises InvalidParameterException."""
    if token is not None and not (token.isdigit() and int(token) <= len(items)):
        raise InvalidParameterException("The specified nextToken is invalid.")
    start = int(token or 0)
    end = start + size
    return items[start:end], ({"nextToken": str(end)} if end < len(items) else {})


def shown(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def plain_name(name: str | None, identifier: str | None) -> str:
    """The group's name out of a request that gives a name, or an identifier (a name or an ARN), but not both."""
    if (name is None) == (identifier is None):
        raise InvalidParameterException("Exactly one of logGroupName and logGroupIdentifier must be specified.")
    found = str(name or identifier)
    return found.split(":", 6)[-1].removesuffix(":*") if found.startswith("arn:") else found

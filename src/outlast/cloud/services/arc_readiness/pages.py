"""Listings in pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from outlast.cloud.services.arc_readiness.errors import ValidationException

DEFAULT_ITEMS = 100


def page(member: str, rows: Sequence[Any], next_token: str | None, max_results: int | None) -> dict[str, Any]:
    """One page of `rows`; the token says how many were shown before."""
    start = _read(next_token) if next_token else 0
    end = start + (max_results or DEFAULT_ITEMS)
    reply: dict[str, Any] = {member: list(rows[start:end])}
    if end < len(rows):
        reply["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return reply


def _read(token: str) -> int:
    try:
        return max(0, int(base64.urlsafe_b64decode(token.encode())))
    except (binascii.Error, ValueError):
        raise ValidationException("NextToken is not valid.") from None

"""Listings in pages, as IAM's Marker and MaxItems want them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/programming.html#UsingQueryAPI_Pagination
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

from outlast.cloud.services.iam.errors import ValidationError

DEFAULT_ITEMS = 100


def page(
    member: str, rows: Sequence[tuple[str, Any]], marker: str, max_items: int, shape: Callable[[Any], Any] | None = None
) -> dict[str, Any]:
    """One page of `rows` (sort key, value), which are in order; the next begins after the last key of this one."""
    after = _decoded(marker) if marker else ""
    rest = [row for row in rows if row[0] > after] if after else list(rows)
    chosen = rest[:max_items]
    reply: dict[str, Any] = {
        member: [value if shape is None else shape(value) for _, value in chosen],
        "IsTruncated": len(rest) > len(chosen),
    }
    if reply["IsTruncated"]:
        reply["Marker"] = base64.b64encode(chosen[-1][0].encode()).decode()
    return reply


def _decoded(marker: str) -> str:
    try:
        return base64.b64decode(marker, validate=True).decode()
    except (binascii.Error, ValueError):
        raise ValidationError("Invalid Marker.") from None

"""How the looks call other services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Misread(Exception):
    """The ARN is not in the format that ARC expects of its resource type."""


class Ask(Protocol):
    """A call as the service's own role; raises Fault."""

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], region: str | None = None
    ) -> dict[str, Any]: ...

    def now_s(self) -> float: ...


def split(arn: str, service: str, marker: str) -> tuple[str, str]:
    """(Region, what follows `marker`) of an ARN of `service`; raises Misread."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != service or marker not in parts[5]:
        raise Misread(f"{arn} is not the ARN of a resource of this type.")
    return parts[3], parts[5].split(marker, 1)[1]

"""Calls as a stack makes them, straight to the Region's pipeline as root."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Stack
from tests.wire.iam.inside import ACCOUNT, ROOT, Inside


class StackCalls:
    """`Calls` of the contract; sleeping takes no time."""

    def __init__(self, inside: Inside) -> None:
        self._region = inside.gate.region

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]:
        root = self._region.identities.owner(ROOT[0], None, 0).principal
        return await self._region.aws(service, operation, params, principal=root)

    async def sleep(self, seconds: float) -> None:
        return None


def stack(logical_id: str) -> Stack:
    """A stack called `s`."""
    return Stack("s", "arn:aws:cloudformation:s", "us-east-1", ACCOUNT, logical_id, "ABCDEFGHIJKL")

"""Wire calls of a stack: as its principal, retried while throttled, with scalars in the form the API wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Fault, Principal, Region
from outlast.cloud.services.cloudformation.deploy.scalars import settle

THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
UNAVAILABLE = frozenset({"InternalFailure", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException"})
UNKNOWN_ROLE = ("cannot be assumed by", "Please grant trust permission for")
"""How services say that they cannot use a role: it may have been made a moment ago and not be known here yet."""
READS = ("Describe", "Get", "List", "Head")
MAX_TRIES = 8
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0


class StackCalls:
    """The `Calls` that resource types receive."""

    def __init__(self, region: Region, principal: Principal) -> None:
        self._region = region
        self._principal = principal

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]:
        """One call; waited out are throttling, a role so new that it is not known here yet, and unavailable services
        for operations that only read."""
        settled = settle(service, operation, params)
        wait_s = FIRST_WAIT_S
        for left in range(MAX_TRIES - 1, -1, -1):
            try:
                return await self._region.aws(service, operation, settled, principal=self._principal, region=region)
            except Fault as fault:
                if left == 0 or not may_pass(fault, operation):
                    raise
            await self._region.clock.sleep(wait_s * (0.5 + self._region.entropy.uniform()))
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        raise AssertionError("unreachable")

    async def sleep(self, seconds: float) -> None:
        """Wait between two polls of a status."""
        await self._region.clock.sleep(seconds)


def may_pass(fault: Fault, operation: str) -> bool:
    """Whether the same call may succeed when it is made again a little later."""
    if fault.code in THROTTLED or any(told in fault.message for told in UNKNOWN_ROLE):
        return True
    return fault.code in UNAVAILABLE and operation.startswith(READS)

"""Functions on their way from Pending to Active, and updates from InProgress to Successful.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from outlast.cloud.contract import Fault
from outlast.cloud.services.lambda_.model import Version

if TYPE_CHECKING:
    from outlast.cloud.services.lambda_.state import LambdaState


class Provisioner:
    """Prepares one version after the other; what was under way when a Region died is taken up again."""

    def __init__(self, state: LambdaState) -> None:
        self._state = state
        self._some = asyncio.Event()

    def wake(self) -> None:
        """Something is Pending or InProgress."""
        self._some.set()

    def _waiting(self) -> list[Version]:
        return [
            version
            for function in self._state.functions.values()
            for version in (function.latest, *function.versions.values())
            if version.state == "Pending" or version.update_status == "InProgress"
        ]

    async def run(self) -> None:
        """Work for ever; costs nothing while every function is settled."""
        self._some.set()
        while True:
            await self._some.wait()
            self._some.clear()
            for version in self._waiting():
                await self._prepare(version)
            await self._state.region.engine.settled()

    async def _prepare(self, version: Version) -> None:
        state = self._state
        try:
            await state.fleet.prepare(version)
        except Fault as fault:
            if version.state == "Pending":
                state.set_version(version, state="Failed", state_reason=fault.message)
            else:
                state.set_version(version, update_status="Failed")
            return
        state.set_version(version, state="Active", state_reason="", update_status="Successful")

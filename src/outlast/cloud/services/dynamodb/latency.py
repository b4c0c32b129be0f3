"""SuccessfulRequestLatency, measured up to the moment when the answer may leave: after the sync that it rests on.

An operation is a plain function that ends before its writes are durable. So it notes its start; once the loop turns,
one task for all requests of that turn waits for the engine and adds what each took.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from outlast.cloud.contract.meter import Series
from outlast.cloud.engine import StorageUnavailable

if TYPE_CHECKING:
    from outlast.cloud.contract import Region

MAX_PENDING = 10_000


class Latencies:
    """Requests whose answer waits for the engine."""

    __slots__ = ("_pending", "_region", "_task", "now_s")

    def __init__(self, region: Region) -> None:
        self._region = region
        self._pending: list[tuple[Series, float]] = []
        self._task: asyncio.Task[None] | None = None
        self.now_s = region.clock.monotonic_s

    def note(self, series: Series, began_s: float) -> None:
        """Count a request that began at `began_s` (monotonic) as answered when the engine has settled."""
        pending = self._pending
        if self._region.engine.is_settled:
            series.add(round((self.now_s() - began_s) * 1000, 2))
            return
        if len(pending) < MAX_PENDING:
            pending.append((series, began_s))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._pending:
                taken, self._pending = self._pending, []
                try:
                    await self._region.engine.settled()
                except StorageUnavailable:
                    continue
                now_s = self.now_s()
                for series, began_s in taken:
                    series.add(round((now_s - began_s) * 1000, 2))
        finally:
            self._task = None

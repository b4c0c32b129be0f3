"""The clock's twin: virtual time, with a skew for each Region."""

from __future__ import annotations

import asyncio

EPOCH_MS = 1_700_000_000_000


class SimulatedClock:
    """One Region's clock on the running virtual loop."""

    __slots__ = ("_loop", "skew_ms")

    def __init__(self, skew_ms: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return EPOCH_MS + round(self._loop.time() * 1000) + self.skew_ms

    def now_s(self) -> float:
        return EPOCH_MS / 1000 + self._loop.time() + self.skew_ms / 1000

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

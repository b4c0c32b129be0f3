"""The door to time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time, elapsed time and sleep."""

    def now_ms(self) -> int:
        """Wall time in whole milliseconds since 1970-01-01T00:00:00Z; may step."""
        ...

    def now_s(self) -> float:
        """Wall time in seconds since 1970-01-01T00:00:00Z; may step."""
        ...

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; zero yields to the event loop once."""
        ...


class RealClock:
    """The machine's clock, with a skew that a fault may set."""

    __slots__ = ("skew_ms",)

    def __init__(self, skew_ms: int = 0) -> None:
        self.skew_ms = skew_ms

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.skew_ms

    def now_s(self) -> float:
        return time.time() + self.skew_ms / 1000

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

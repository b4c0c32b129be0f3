"""The hybrid logical clock that stamps writes."""

from __future__ import annotations

from outlast.cloud.effects import Clock

COUNTER_BITS = 16


class HybridClock:
    """Stamps that never go back, follow the wall clock, and pass every stamp heard of."""

    __slots__ = ("_clock", "last")

    def __init__(self, clock: Clock, last: int) -> None:
        self._clock = clock
        self.last = last

    def tick(self) -> int:
        """A stamp greater than every stamp given out or heard of before."""
        stamp = self._clock.now_ms() << COUNTER_BITS
        last = self.last
        self.last = stamp = stamp if stamp > last else last + 1
        return stamp

    def hear(self, stamp: int) -> None:
        """Take note of a stamp from elsewhere."""
        if stamp > self.last:
            self.last = stamp


def stamp_ms(stamp: int) -> int:
    """The milliseconds since the epoch in a stamp."""
    return stamp >> COUNTER_BITS

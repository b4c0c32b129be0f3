"""How fast groups may follow one another while the base is behind: no faster than it drains."""

from __future__ import annotations

from outlast.cloud.effects import Clock
from outlast.cloud.engine.layout import Writes

FIRST_DRAIN_BYTES_S = 20_000_000.0
BEHIND_S, FAR_BEHIND_S = 0.1, 5.0
"""The longest that one group makes the next one wait."""


class Pace:
    """Measures the base and holds groups back."""

    __slots__ = ("_clock", "_drain_bytes_s", "_not_before_s")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._not_before_s = 0.0
        self._drain_bytes_s = FIRST_DRAIN_BYTES_S

    @property
    def wait_s(self) -> float:
        """How long the next group has to wait; 0 or less: not at all."""
        return self._not_before_s - self._clock.monotonic_s() if self._not_before_s else 0.0

    def drained(self, n_bytes: int, took_s: float) -> None:
        """The base has taken a table."""
        self._drain_bytes_s = 0.5 * self._drain_bytes_s + 0.5 * n_bytes / took_s

    def slow_down(self, waiting: list[Writes], *, far_behind: bool) -> None:
        """The base is behind: the next group waits until it has had time for what waits now."""
        n_bytes = sum(len(key) + len(value or b"") for writes in waiting for key, value in writes.items())
        rate, most_s = (self._drain_bytes_s / 2, FAR_BEHIND_S) if far_behind else (self._drain_bytes_s, BEHIND_S)
        self._not_before_s = self._clock.monotonic_s() + min(most_s, n_bytes / rate)

    def free(self) -> None:
        """The base keeps up."""
        self._not_before_s = 0.0

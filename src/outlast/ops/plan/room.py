"""Whether a Region has room for a load: what it lets in, how many functions run at once, how many retries it bears.

A Region that takes over also takes the retries of whoever was let down. What is left of its limits is a budget for
them: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outlast.ops.plan.facts import Capacity

HEADROOM: Final = 0.8
"""A Region is full at this share of its limits."""


@dataclass(frozen=True, slots=True)
class Room:
    """A load against a Region's limits. `rate`: requests a second; `duration_ms`: of a function run, None: unknown."""

    rate: float
    capacity: Capacity
    duration_ms: float | None = None

    @property
    def runs(self) -> float | None:
        """Function runs at once."""
        return None if self.duration_ms is None else self.rate * self.duration_ms / 1000

    @property
    def shares(self) -> tuple[float, ...]:
        """The share of each limit that is used, as far as both are known."""
        pairs = ((self.rate, self.capacity.throttle_rps), (self.runs, self.capacity.concurrency))
        return tuple(used / max(limit, 1e-9) for used, limit in pairs if used is not None and limit is not None)

    @property
    def full(self) -> bool:
        """Whether any limit is nearly reached."""
        return any(share > HEADROOM for share in self.shares)

    @property
    def retries(self) -> int | None:
        """How often every request could be sent again before the Region is full; None when that is not known."""
        used = max(self.shares, default=None)
        if used is None or not self.rate:
            return None
        return max(0, int(HEADROOM / used) - 1) if used else None

    @property
    def left(self) -> float | None:
        """Requests a second that could still come before the Region is full; None when no limit of it is known."""
        used = max(self.shares, default=None)
        if not used:
            return None
        return max(0.0, self.rate * (HEADROOM / used - 1))

    @property
    def text(self) -> str:
        """In words, with what is known."""
        limit, runs, most = self.capacity.throttle_rps, self.runs, self.capacity.concurrency
        told = [f"{self.rate:.1f} requests a second" + (f" of {limit:.0f} let in" if limit is not None else "")]
        if runs is not None and most is not None:
            told.append(f"{runs:.1f} function runs at once of {most}")
        if self.retries is not None:
            told.append(f"retry budget: {self.retries} of each request, {self.left or 0:.1f} a second")
        return "; ".join(told)

"""The limit on changes per endpoint: three a second, with a small burst.

https://docs.aws.amazon.com/r53recovery/latest/dg/routing-control.quotas.html
"""

from __future__ import annotations

PER_SECOND = 3.0
BURST = 6.0


class Bucket:
    """Tokens that come back with time."""

    def __init__(self, now_s: float) -> None:
        self._tokens = BURST
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Take one token; False when there is none. `now_s` is monotonic."""
        self._tokens = min(BURST, self._tokens + (now_s - self._at_s) * PER_SECOND)
        self._at_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

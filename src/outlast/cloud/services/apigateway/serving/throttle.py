"""Token buckets: a steady rate and a burst above it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ACCOUNT_RATE: Final = 10_000.0
ACCOUNT_BURST: Final = 5_000


@dataclass(slots=True)
class Bucket:
    """`rate` tokens a second flow in, up to `burst`."""

    rate: float
    burst: float
    tokens: float
    at_s: float

    @classmethod
    def full(cls, rate: float, burst: float, now_s: float) -> Bucket:
        """A bucket nobody has drawn from."""
        return cls(rate, burst, burst, now_s)

    def take(self, now_s: float) -> bool:
        """Draw one token; False when there is none."""
        if now_s > self.at_s:
            self.tokens = min(self.burst, self.tokens + (now_s - self.at_s) * self.rate)
            self.at_s = now_s
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class Throttle:
    """The account's bucket in this Region, and one for each method with limits of its own; bounded."""

    MAX_BUCKETS: Final = 10_000

    def __init__(self, now_s: float, rate: float = ACCOUNT_RATE, burst: float = ACCOUNT_BURST) -> None:
        self._account = Bucket.full(rate, burst, now_s)
        self._methods: dict[str, Bucket] = {}

    def admit(self, key: str, limits: tuple[float, float] | None, now_s: float) -> bool:
        """Whether a request to the method `key` with (rate, burst) may pass."""
        if limits is not None and not self._bucket(key, limits, now_s).take(now_s):
            return False
        return self._account.take(now_s)

    def _bucket(self, key: str, limits: tuple[float, float], now_s: float) -> Bucket:
        bucket = self._methods.get(key)
        if bucket is None or (bucket.rate, bucket.burst) != limits:
            if len(self._methods) >= self.MAX_BUCKETS:
                self._methods.clear()
            bucket = Bucket.full(*limits, now_s)
            self._methods[key] = bucket
        return bucket

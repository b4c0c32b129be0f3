"""Response rate limiting: answers by UDP can be sent to a forged address, so no network gets the same one too often.

After the scheme that BIND, Knot and NSD share: answers are accounted by client network and by what is being answered;
above the rate they are dropped, and each `slip`-th of them is sent truncated, so that a real client in that network
comes back by TCP, whose address cannot be forged. Loopback cannot be forged from outside and is not limited.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto


class Verdict(Enum):
    """What becomes of an answer."""

    SEND = auto()
    DROP = auto()
    TRUNCATE = auto()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_s` equal answers and `total_per_s` answers in all to one client network; 0 switches a limit off.

    A network is a /24 of IPv4 and a /56 of IPv6. Unused allowance lasts for `burst_s` seconds.
    """

    per_s: float = 25.0
    total_per_s: float = 2_000.0
    burst_s: float = 4.0
    slip: int = 2
    accounts: int = 20_000
    """How many accounts are kept; the one unused for longest goes first."""


class _Account:
    __slots__ = ("allowance", "refused", "seen_s")

    def __init__(self, allowance: float, seen_s: float) -> None:
        self.allowance = allowance
        self.seen_s = seen_s
        self.refused = 0


class RateLimiter:
    """Accounts of recent answers; bounded."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._accounts: OrderedDict[tuple[str, object], _Account] = OrderedDict()

    def network(self, address: str) -> str | None:
        """The network to account `address` to; None when it is exempt."""
        if self._limit.per_s <= 0 and self._limit.total_per_s <= 0:
            return None
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return address
        if ip.is_loopback:
            return None
        return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 56), strict=False).network_address)

    def judge(self, network: str, subject: object, now_s: float) -> Verdict:
        """Account one answer about `subject` to `network` at `now_s` (any clock that only grows)."""
        for key, rate in (((network, subject), self._limit.per_s), ((network, None), self._limit.total_per_s)):
            if rate <= 0:
                continue
            account = self._account(key, rate, now_s)
            if account.allowance >= 1:
                account.allowance -= 1
                continue
            account.refused += 1
            slips = self._limit.slip > 0 and account.refused % self._limit.slip == 0
            return Verdict.TRUNCATE if slips else Verdict.DROP
        return Verdict.SEND

    def _account(self, key: tuple[str, object], rate: float, now_s: float) -> _Account:
        most = rate * self._limit.burst_s
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(most, now_s)
            if len(self._accounts) > self._limit.accounts:
                self._accounts.popitem(last=False)
            return account
        self._accounts.move_to_end(key)
        account.allowance = min(most, account.allowance + (now_s - account.seen_s) * rate)
        account.seen_s = now_s
        return account

"""What customers do, and when: seeded, so that two runs of one seed ask for the same things at the same times."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class Want:
    """One thing a customer asks for. Orders name their product; reads name an order."""

    operation: str
    order_id: str
    customer_id: str = ""
    product_id: str = ""

    def body(self) -> dict[str, str] | None:
        """The JSON body; None for a read."""
        if self.operation == "read":
            return None
        return {"order_id": self.order_id, "customer_id": self.customer_id, "product_id": self.product_id}


@dataclass(frozen=True, slots=True)
class Stock:
    """The sample data that the run was filled with; ids as the service's fill makes them.

    `<prefix><coast>-` has products of one coast's own; those of `<prefix>both-` are wanted on both coasts at once.
    """

    prefix: str
    customers: int
    own: int
    contested: int

    def own_prefix(self, coast: str) -> str:
        """Prefix of one coast's own sample data."""
        return f"{self.prefix}{coast}-"

    @property
    def contested_prefix(self) -> str:
        """Prefix of the products that both coasts want."""
        return f"{self.prefix}both-"


class Workload:
    """The wants of one coast.

    Every `contested_every_s` another product comes into fashion, and the next order of each coast is for it: this is
    how one product can be sold in two Regions at once. 0 leaves every coast to its own products.
    """

    def __init__(
        self,
        stock: Stock,
        coast: str,
        seed: int,
        *,
        order_share: float = 0.6,
        contested_every_s: float = 10.0,
    ) -> None:
        self._stock = stock
        self._coast = coast
        self._random = random.Random(f"{seed}/{coast}")
        self._order_share = order_share
        self._contested_every_s = contested_every_s
        self._fashion = -1
        self._sold = 0
        self._count = 0
        self._known: deque[str] = deque(maxlen=REMEMBERED)

    def arrivals(self, rate_per_s: float) -> Iterator[float]:
        """Seconds between one request and the next, without end: customers come independently of one another."""
        while True:
            yield self._random.expovariate(rate_per_s)

    def client(self, clients: int) -> int:
        """Which client asks next."""
        return self._random.randrange(clients)

    def next(self, now_s: float) -> Want:
        """What is asked for at `now_s`, epoch seconds."""
        if self._known and self._random.random() >= self._order_share:
            return Want("read", self._random.choice(self._known))
        self._count += 1
        order_id = f"{self._stock.own_prefix(self._coast)}o-{self._count:06d}"
        customer = f"{self._stock.own_prefix(self._coast)}c-{self._random.randrange(self._stock.customers):05d}"
        return Want("order", order_id, customer, self._product(now_s))

    def acknowledged(self, order_id: str) -> None:
        """Remember an order that may be read from now on."""
        self._known.append(order_id)

    def _product(self, now_s: float) -> str:
        fashion = int(now_s / self._contested_every_s) if self._contested_every_s else -1
        if fashion != self._fashion:
            self._fashion = fashion
            return f"{self._stock.contested_prefix}p-{fashion % self._stock.contested:05d}"
        number = self._sold
        self._sold += 1
        return f"{self._stock.own_prefix(self._coast)}p-{number % self._stock.own:05d}"

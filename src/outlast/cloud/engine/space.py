"""A space: one ordered map from bytes to bytes inside an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout
from outlast.cloud.engine.version import PLAIN_BYTES, decode, value_of

if TYPE_CHECKING:
    from outlast.cloud.engine.engine import Engine
    from outlast.cloud.engine.outbox import Outbox
    from outlast.cloud.engine.transaction import Transaction


@dataclass(slots=True)
class Change:
    """One item that changes, as `derive` and subscribers see it. Made for every write, so not frozen; never changed.

    `origin` is the Region that wrote it, `stamp` its hybrid logical clock reading (milliseconds << 16 | counter),
    `replicated` whether it came from another Region, `context` what the writer gave about its request.
    """

    space: Space
    key: bytes
    old: bytes | None
    new: bytes | None
    origin: str
    stamp: int
    replicated: bool
    context: bytes


@dataclass(frozen=True, slots=True)
class Replica:
    """One other Region's copy of a space, as seen from here.

    `status` is CREATING (existing items are still being sent) or ACTIVE; `backlog` counts writes it has not
    acknowledged; `lag_ms` is the age of the oldest of them, 0 when there is none.
    """

    status: str
    backlog: int
    lag_ms: int


Derive = Callable[[Change, "Transaction"], None]
Subscriber = Callable[[Change], None]


class Space:
    """An ordered durable map. Reads see every applied write; writes go through `Engine.begin`."""

    __slots__ = ("_end", "_engine", "_prefix", "derive", "name", "number", "outbox", "replicas", "subscribers")

    def __init__(self, engine: Engine, name: str, number: int, replicas: tuple[str, ...]) -> None:
        self._engine = engine
        self._prefix = layout.item_prefix(number)
        self._end = layout.successor(self._prefix)
        self.name = name
        self.number = number
        self.replicas = replicas
        self.derive: Derive | None = None
        self.outbox: Outbox | None = None
        self.subscribers: list[Subscriber] = []

    def __repr__(self) -> str:
        return f"Space({self.name!r})"

    def get(self, key: bytes) -> bytes | None:
        """The value of `key`, or None. Raises Damaged when it cannot be read."""
        return value_of(self._engine.store.get(self._prefix + key))

    def stamped(self, key: bytes) -> tuple[int, bytes | None] | None:
        """Stamp and value of the version that is held, a deletion's too; None when there is none. Raises Damaged."""
        stored = self._engine.store.get(self._prefix + key)
        if stored is None:
            return None
        held = decode(stored)
        return held.stamp, held.value

    def range(
        self, start: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Pairs with `start` <= key < `end` (None: to the end), in key order.

        Lazy. Consume it without awaiting: what is written meanwhile may or may not be seen.
        """
        first, last = self.bounds(start, end)
        cut = layout.PREFIX_BYTES
        for page in self._engine.store.pages(first, last, reverse=reverse):
            for key, stored in page:
                if stored[0] == 0:
                    yield key[cut:], stored[PLAIN_BYTES:]
                else:
                    value = value_of(stored)
                    if value is not None:
                        yield key[cut:], value

    def bounds(self, start: bytes, end: bytes | None) -> tuple[bytes, bytes]:
        """Store keys for a range of this space's keys."""
        return self._prefix + start, self._end if end is None else self._prefix + end

    def raw(self, key: bytes) -> bytes:
        """The store's key for a key of this space."""
        return self._prefix + key

    def subscribe(self, callback: Subscriber) -> None:
        """Call `callback(change)` after each change that came from another Region was applied. It must not raise."""
        self.subscribers.append(callback)

    def set_replicas(self, regions: tuple[str, ...]) -> None:
        """Let exactly `regions` (other Regions) hold copies; existing items are sent to new ones."""
        self._engine.set_replicas(self, regions)

    def send_again(self) -> None:
        """Send all items to all replicas once more: a Region that had sent something to only some of them is gone."""
        if self.outbox is not None:
            for stream in self.outbox.streams.values():
                self._engine.replication.send_all(stream)
            self._engine.replication.wake(self.outbox)

    def replica_status(self) -> dict[str, Replica]:
        """Each replica's state as seen from here."""
        return self._engine.replication.status(self)

    def lag_ms(self, peer: str) -> int:
        """The age in milliseconds of the oldest write that `peer` has not acknowledged; 0 when there is none."""
        replica = self.replica_status().get(peer)
        return 0 if replica is None else replica.lag_ms


def stripped(pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Store pairs as space pairs: no prefix, no version, no tombstones."""
    cut = layout.PREFIX_BYTES
    for key, stored in pairs:
        value = value_of(stored)
        if value is not None:
            yield key[cut:], value

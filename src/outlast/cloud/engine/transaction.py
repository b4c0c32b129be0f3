"""Transactions: synchronous, serial, atomic."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout, version
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.merge import merged
from outlast.cloud.engine.space import Change, Space, stripped

if TYPE_CHECKING:
    from outlast.cloud.engine.engine import Engine
    from outlast.cloud.engine.outbox import Outbox


class Transaction:
    """Reads and writes that happen together or not at all. Use as `with engine.begin() as tx`, without awaiting.

    Reads see the transaction's own writes. Leaving the block applies it; an exception discards it.
    """

    __slots__ = ("_engine", "_stamp", "logged", "soon", "writes")

    def __init__(self, engine: Engine, soon: bool = True) -> None:
        self.soon = soon
        self._engine = engine
        self._stamp = 0
        self.logged: dict[bytes, tuple[Outbox, int, bytes]] = {}
        self.writes: Writes = {}

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.finish(self, apply=kind is None)

    @property
    def stamp(self) -> int:
        """The hybrid logical clock reading that all writes of this transaction carry."""
        if self._stamp == 0:
            self._stamp = self._engine.clock.tick()
        return self._stamp

    def get(self, space: Space, key: bytes) -> bytes | None:
        """The value of `key`, or None."""
        return version.value_of(self.read(space.raw(key)))

    def read(self, raw: bytes) -> bytes | None:
        """What the store holds at a store key, under this transaction's writes."""
        writes = self.writes
        if raw in writes:
            return writes[raw]
        return self._engine.store.get(raw)

    def range(
        self, space: Space, start: bytes = b"", end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """As `Space.range`, seeing this transaction's writes made before the call."""
        first, last = space.bounds(start, end)
        stored = self._engine.store.range(first, last, reverse=reverse)
        writes = self.writes
        keys = sorted((key for key in writes if first <= key < last), reverse=reverse)
        if not keys:
            return stripped(stored)
        return stripped(merged(iter([(key, writes[key]) for key in keys]), stored, reverse))

    def put(self, space: Space, key: bytes, value: bytes, context: bytes = b"") -> None:
        """Set `key` to `value`. `context` says something about the request, for derive and the conflict ledger."""
        raw = space.raw(key)
        engine = self._engine
        stamp = self.stamp
        derive = space.derive
        outbox = space.outbox
        old = self.read(raw) if outbox is not None or derive is not None else None
        if outbox is not None:
            self.writes[raw] = version.following(old, engine.origin, stamp, value, context)
            self.logged[raw] = outbox, stamp, context
        else:
            self.writes[raw] = version.prefix(engine.origin, stamp) + value
        if derive is not None:
            derive(Change(space, key, version.value_of(old), value, engine.region, stamp, False, context), self)

    def delete(self, space: Space, key: bytes, context: bytes = b"") -> None:
        """Remove `key`; nothing happens when it is not there."""
        raw = space.raw(key)
        stored = self.read(raw)
        old = version.value_of(stored)
        if old is None:
            return
        engine = self._engine
        stamp = self.stamp
        outbox = space.outbox
        if outbox is not None:
            self.writes[raw] = version.following(stored, engine.origin, stamp, None, context)
            self.writes[layout.tombstone_key(stamp, space.number, key)] = b""
            self.logged[raw] = outbox, stamp, context
            engine.replication.tombstones.schedule()
        else:
            self.writes[raw] = None
        if space.derive is not None:
            space.derive(Change(space, key, old, None, engine.region, stamp, False, context), self)

    def log(self) -> None:
        """Tell the logs of replicated spaces what this transaction has written."""
        unrecorded = self._engine.replication.unrecorded
        for raw, (outbox, stamp, context) in self.logged.items():
            outbox.append(stamp, raw, context)
            unrecorded[outbox] = None

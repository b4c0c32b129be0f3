"""The conflict ledger: every write that was overwritten by one that did not know of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from outlast.cloud.engine import layout
from outlast.cloud.engine.clock import stamp_ms
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.messages import pack, unpack
from outlast.cloud.engine.store import Store

MAX_BYTES = 64 * 1024 * 1024
MAX_AGE_MS = 7 * 24 * 3600 * 1000
TRIM_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Side:
    """One of two writes that did not know of each other. `value` is None for a deletion."""

    region: str
    stamp: int
    value: bytes | None
    context: bytes

    @property
    def written_ms(self) -> int:
        """When it was written, by its Region's hybrid logical clock."""
        return stamp_ms(self.stamp)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A write overwritten by a concurrent one. Several Regions note it, each once, with the first winner that it saw.

    `history` is the loser's version without its value: which writes went into it. `number`: its place in this ledger.
    """

    space: str
    key: bytes
    winner: Side
    loser: Side
    noticed_ms: int
    history: bytes = b""
    number: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        """Names the two writes: stamp and Region of the winner and of the loser."""
        sides = (self.winner, self.loser)
        return "-".join(f"{side.stamp:016x}@{side.region}" for side in sides)


def _pack_side(side: Side) -> list[bytes]:
    value = b"\0" if side.value is None else b"\1" + side.value
    return [side.region.encode(), side.stamp.to_bytes(8, "big"), value, side.context]


def _read_side(parts: list[bytes]) -> Side:
    value = None if parts[2] == b"\0" else parts[2][1:]
    return Side(parts[0].decode(), int.from_bytes(parts[1], "big"), value, parts[3])


class Ledger:
    """Conflicts in the order in which they were noticed, bounded by age and size; the oldest go first.

    Each record begins with the number of bytes ever written before it, so that the size is known without a scan. A
    second key finds an item's conflicts, and one by its loser, so that none is noted twice; a third keeps the lost
    version of a write that was made here, so that Regions that have not seen it yet can still be told.
    """

    def __init__(self, store: Store, max_bytes: int = MAX_BYTES, max_age_ms: int = MAX_AGE_MS) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._max_age_ms = max_age_ms
        self.load()

    def load(self) -> None:
        """Take the durable state again."""
        end = layout.successor(layout.LEDGER)
        last = next(self._store.range(layout.LEDGER, end, reverse=True), None)
        self._number = 0 if last is None else int.from_bytes(last[0][-8:], "big")
        self._written = 0 if last is None else int.from_bytes(last[1][:8], "big") + len(last[1])
        first = next(self._store.range(layout.LEDGER, end), None)
        self._first = self._number + 1 if first is None else int.from_bytes(first[0][-8:], "big")

    def __len__(self) -> int:
        return self._number - self._first + 1

    def add(self, conflict: Conflict, lost: bytes | None, writes: Writes) -> None:
        """Note a conflict in `writes`, with the encoded loser when it was written here; once only.

        Lets go of what is too old or too much.
        """
        known = _loser_key(conflict)
        if known in writes or self._store.get(known) is not None:
            return
        writes[known] = (self._number + 1).to_bytes(8, "big")
        if lost is not None:
            writes[lost_key(conflict.space, conflict.key, conflict.loser.stamp)] = lost
        parts = [conflict.space.encode(), conflict.key, conflict.noticed_ms.to_bytes(8, "big")]
        record = pack([*parts, *_pack_side(conflict.winner), *_pack_side(conflict.loser), conflict.history])
        self._number += 1
        writes[self._key(self._number)] = self._written.to_bytes(8, "big") + record
        self._written += len(record) + 8
        for _ in range(TRIM_AT_ONCE):
            if self._first >= self._number:
                return
            key = self._key(self._first)
            oldest = writes.get(key) or self._store.get(key)
            if oldest is not None:
                too_much = self._written - int.from_bytes(oldest[:8], "big") > self._max_bytes
                old = _read(oldest)
                if not too_much and conflict.noticed_ms - old.noticed_ms <= self._max_age_ms:
                    return
                writes[key] = writes[_loser_key(old)] = None
                writes[lost_key(old.space, old.key, old.loser.stamp)] = None
            self._first += 1

    def conflicts(self, space: str | None, since_ms: int, now_ms: int, after: int = 0) -> Iterator[Conflict]:
        """Conflicts noticed at or after `since_ms` and not too old, oldest first, that follow number `after`.

        Lazy; consume without awaiting.
        """
        since_ms = max(since_ms, now_ms - self._max_age_ms)
        for key, stored in self._store.range(self._key(after + 1), layout.successor(layout.LEDGER)):
            conflict = _read(stored, int.from_bytes(key[-8:], "big"))
            if conflict.noticed_ms >= since_ms and (space is None or conflict.space == space):
                yield conflict

    def of_item(self, space: str, key: bytes) -> Iterator[Conflict]:
        """The conflicts of one item, in no order. Lazy; consume without awaiting."""
        prefix = _item_key(space, key)
        for _, number in self._store.range(prefix, layout.successor(prefix)):
            stored = self._store.get(layout.LEDGER + number)
            if stored is not None:
                yield _read(stored, int.from_bytes(number, "big"))

    @staticmethod
    def _key(number: int) -> bytes:
        return layout.LEDGER + number.to_bytes(8, "big")


def _loser_key(conflict: Conflict) -> bytes:
    loser = f"{conflict.loser.stamp:016x}@{conflict.loser.region}"
    return _item_key(conflict.space, conflict.key) + hashlib.sha256(loser.encode()).digest()[:16]


def _item_key(space: str, key: bytes) -> bytes:
    """What the keys of an item's conflicts begin with."""
    return layout.LEDGER_ID + hashlib.sha256(pack([space.encode(), key])).digest()[:16]


def lost_key(space: str, key: bytes, stamp: int) -> bytes:
    """Where the version of a write made here is kept after it lost a conflict."""
    digest = hashlib.sha256(pack([space.encode(), key])).digest()
    return layout.LOST + digest[:16] + stamp.to_bytes(8, "big")


def _read(stored: bytes, number: int = 0) -> Conflict:
    parts = unpack(stored[8:])
    noticed_ms = int.from_bytes(parts[2], "big")
    history = parts[11] if len(parts) > 11 else b""
    winner, loser = _read_side(parts[3:7]), _read_side(parts[7:11])
    return Conflict(parts[0].decode(), parts[1], winner, loser, noticed_ms, history, number)

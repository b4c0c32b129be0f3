"""Lets go of tombstones once no older write of their item can still arrive.

A tombstone of a replicated space goes when it is older than the retention, every replica has everything that was
written here up to it, and every replica says that this Region has everything written there up to it (the question
also moves the replica's clock past the tombstone). Without that, a write that waited behind a cut link would bring a
deleted item back. One timer for the oldest tombstone; none when there is none. A Region that is asked looks at once
whether its own may go: one that keeps a deletion which others have forgotten would take their next write of that item
for one that did not know of it.

A Region whose folder was put back from an older copy may still have the item. So for each writer it is kept up to which
stamp everything of it had been here when a tombstone went: such a write that comes again, for an item that is not here,
is of an item that was deleted, and is answered with that deletion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlast.cloud.effects import LinkDown
from outlast.cloud.engine import layout, version
from outlast.cloud.engine.clock import stamp_ms
from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.messages import CHANNEL, CLEAN, pack, unpack
from outlast.cloud.engine.outbox import Outbox
from outlast.cloud.engine.streams import ACTIVE
from outlast.cloud.engine.version import Version, decode

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication
    from outlast.cloud.engine.space import Space
    from outlast.cloud.engine.transaction import Transaction

RETENTION_MS = 3600 * 1000
STEP = 200
AGAIN = b"deleted again"
"""Said in place of the request that a deletion was made by."""


class Tombstones:
    """The deletions that are still remembered."""

    def __init__(self, replication: Replication, retention_ms: int = RETENTION_MS) -> None:
        self._home = replication
        self._engine = replication.engine
        self._scheduled = False
        self._looked_ms = -retention_ms
        self.retention_ms = retention_ms
        self.load()

    def load(self) -> None:
        """Take the durable state again."""
        self._forgotten: dict[int, dict[int, int]] = {}
        for key, stored in self._engine.store.range(layout.FORGOTTEN, layout.successor(layout.FORGOTTEN)):
            space = self._forgotten.setdefault(int.from_bytes(key[1:5], "big"), {})
            space[key[5]] = int.from_bytes(stored, "big")

    def was_deleted(self, space: Space, origin: int, stamp: int) -> bool:
        """Whether that write, of an item that is not here, has been here, so that the item was deleted since."""
        forgotten = self._forgotten.get(space.number)
        return forgotten is not None and stamp <= forgotten.get(origin, 0)

    def delete_again(self, tx: Transaction, space: Space, key: bytes, item: Version) -> None:
        """Send everybody the deletion of an item, with the smallest stamp that it can have had."""
        own, raw, stamp = self._engine.origin, space.raw(key), item.stamp + 1
        tx.writes[raw] = version.following(version.encode(item), own, stamp, None, AGAIN)
        tx.writes[layout.tombstone_key(stamp, space.number, key)] = b""
        if space.outbox is not None:
            tx.logged[raw] = space.outbox, stamp, AGAIN
        self.schedule()

    def _forget(self, number: int, stamp: int, writes: Writes) -> None:
        """A tombstone goes: everything that the replicas had written up to it is here."""
        outbox = self._home.outbox_numbered(number)
        if outbox is None:
            return  # it has no replicas, and nobody was asked
        forgotten = self._forgotten.setdefault(number, {})
        for origin in (self._engine.origin, *[self._home.number_of(peer) for peer in outbox.streams]):
            if stamp > forgotten.get(origin, 0) and origin >= 0:
                forgotten[origin] = stamp
                writes[layout.forgotten_prefix(number) + bytes((origin,))] = stamp.to_bytes(8, "big")

    def schedule(self) -> None:
        """There is at least one tombstone: look again when it is old enough."""
        if not self._scheduled:
            self._scheduled = True
            self._home.later(self.retention_ms / 1000, self._due)

    def _due(self) -> None:
        self._scheduled = False
        self._home.spawn(self.collect())

    def _first(self, after_ms: int = 0) -> bytes | None:
        start = layout.tombstone_key(max(0, after_ms) << 16, 0, b"")
        found = next(self._engine.store.range(start, layout.successor(layout.TOMBSTONE)), None)
        return None if found is None else found[0]

    def _follow(self) -> None:
        """A peer is letting go of what is old: see to it that here too it goes, if it was not tried lately."""
        now_ms = self._engine.effects.clock.now_ms()
        lately = now_ms - self._looked_ms < self.retention_ms // 2
        first = self._first(self._looked_ms - self.retention_ms + 1 if lately else 0)
        if first is not None and stamp_ms(int.from_bytes(first[1:9], "big")) <= now_ms - self.retention_ms:
            self._home.spawn(self.collect())

    async def collect(self) -> int:
        """Remove what may go; how many went."""
        removed = 0
        self._looked_ms = self._engine.effects.clock.now_ms()
        limit = self._looked_ms - self.retention_ms
        clean: dict[int, bool] = {}
        stamp = max(self._engine.clock.last, 0)
        start = layout.TOMBSTONE
        while True:
            notes: list[bytes] = []
            for key, _ in self._engine.store.range(start, layout.successor(layout.TOMBSTONE)):
                if stamp_ms(int.from_bytes(key[1:9], "big")) > limit or len(notes) == STEP:
                    break
                notes.append(key)
            if not notes:
                break
            for number in {int.from_bytes(note[9:13], "big") for note in notes}:
                if number not in clean:
                    clean[number] = await self._is_clean(number, min(stamp, (limit << 16) | 0xFFFF))
            try:
                removed += self._remove([note for note in notes if clean[int.from_bytes(note[9:13], "big")]])
            except StorageUnavailable:
                break
            start = notes[-1] + b"\0"
            await self._engine.effects.clock.sleep(0)
        if self._first() is not None:
            self.schedule()
        return removed

    def _remove(self, notes: list[bytes]) -> int:
        writes: Writes = {}
        for note in notes:
            writes[note] = None
            raw = layout.ITEM + note[9:]
            stored = self._engine.store.get(raw)
            if stored is not None:
                item = decode(stored)
                if item.value is None and item.stamp == int.from_bytes(note[1:9], "big"):
                    writes[raw] = None
                    self._forget(int.from_bytes(note[9:13], "big"), item.stamp, writes)
        self._engine.store.check()
        self._home.lineage.keep(writes)  # what the replicas said was said by folders as new as this
        self._engine.store.submit(writes)
        return len(notes)

    async def _is_clean(self, number: int, stamp: int) -> bool:
        outbox = self._home.outbox_numbered(number)
        if outbox is None:
            return self._engine.is_unreplicated(number)
        if not all(_has_all(outbox, peer, stamp) for peer in outbox.streams):
            return False
        message = pack([CLEAN, self._home.lineage.standing_now(), stamp.to_bytes(8, "big"), outbox.name.encode()])
        for peer in tuple(outbox.streams):
            try:
                answer = unpack(await self._engine.effects.network.ask(peer, CHANNEL, message))
                if len(answer) != 2 or answer[1] != b"\1" or not self._home.greetings.heard(peer, answer[0]):
                    return False
            except (LinkDown, ValueError):
                return False
        return True

    def answer(self, peer: str, parts: list[bytes]) -> bytes:
        """For each space asked about: 1 when the peer has everything written here up to the stamp and always will."""
        stamp = int.from_bytes(parts[0], "big")
        self._follow()
        self._engine.clock.hear(stamp)
        self._engine.store.check()
        self._engine.store.submit({})  # a group of its own makes the clock durable
        answers = []
        for name in parts[1:]:
            space = self._engine.opened(name.decode())
            answers.append(space is not None and space.outbox is not None and _has_all(space.outbox, peer, stamp))
        return bytes(answers)


def _has_all(outbox: Outbox, peer: str, stamp: int) -> bool:
    stream = outbox.streams.get(peer)
    if stream is None or stream.status != ACTIVE:
        return False
    first = outbox.first_stamp(stream.acked)
    return first is None or first > stamp

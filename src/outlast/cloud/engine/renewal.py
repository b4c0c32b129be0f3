"""What a Region does that finds its folder to be an older copy: it goes on as another.

It takes a new identity, as one whose disk was lost: its peers send it everything, and one another. It keeps what it
has and sends all of it to all of them. What was written here since the copy was put back is the new identity's: items
are marked so, one after another, before anything is sent or taken. For the old identity's later writes, which this
folder has forgotten and the peers have not, must not pass for known to those that were made here since.

The change is one commit, which also notes that the marking is to be done; a Region that dies in between goes on with
it. Nobody is told of the new identity before that is durable.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outlast.cloud.engine import layout, version
from outlast.cloud.engine.clock import stamp_ms
from outlast.cloud.engine.errors import IdentitiesUsedUp, StorageUnavailable
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.streams import restarted
from outlast.cloud.engine.version import MAX_SEEN, SEEN

if TYPE_CHECKING:
    from outlast.cloud.engine.catalogue import Catalogue
    from outlast.cloud.engine.replication import Replication

STEP = 500
RETRY_S = 1.0
NOTE = struct.Struct(">BBQ")


@dataclass(frozen=True, slots=True)
class OlderCopy:
    """The Region's folder was an older copy, by what `peer` knew; what it wrote since `since_ms` is another's now."""

    peer: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Fork:
    """Writes of Region number `old` with greater stamps than `since` are those of number `new`."""

    old: int
    new: int
    since: int

    def marked(self, stored: bytes) -> bytes | None:
        """The encoded item as it is to be stored; None when nothing changes."""
        if not stored[0] & SEEN and (stored[1] != self.old or int.from_bytes(stored[2:10], "big") <= self.since):
            return None
        item = version.decode(stored)
        seen = dict(item.seen)
        if self.old in seen:
            seen[self.old] = min(seen[self.old], self.since)
        origin = item.origin
        if origin == self.old and item.stamp > self.since:
            origin = self.new
            seen.pop(self.new, None)
            if self.since:
                seen[self.old] = self.since
        kept = tuple(sorted(sorted(seen.items(), key=lambda entry: entry[1])[-MAX_SEEN:]))
        marked = version.encode(replace(item, origin=origin, seen=kept))
        return None if marked == stored else marked


class Renewal:
    """The change of identity, when there is one."""

    def __init__(self, replication: Replication, catalogue: Catalogue) -> None:
        self._home = replication
        self._catalogue = catalogue
        self._store = replication.engine.store
        self._observers: list[Callable[[OlderCopy], None]] = []
        self._fork: Fork | None = None
        self._found: tuple[str, int] | None = None
        note = self._store.get(layout.RENEWAL_KEY)
        if note is not None:
            self._fork = Fork(*NOTE.unpack_from(note))
            replication.spawn(self._run())

    @property
    def is_running(self) -> bool:
        """Whether the change goes on: nothing is sent to peers or taken from them meanwhile."""
        return self._fork is not None or self._found is not None

    def observe(self, observer: Callable[[OlderCopy], None]) -> None:
        """Call `observer` when the folder turns out to be an older copy."""
        self._observers.append(observer)

    def begin(self, peer: str, stamp: int) -> None:
        """A peer, whose clock had reached `stamp`, knows more of this Region than its folder holds."""
        self._home.engine.clock.hear(stamp)
        self._found = peer, self._home.lineage.unproven_since(peer)
        self._home.greetings.forget()
        self._home.restart()
        self._home.spawn(self._run())
        for observer in self._observers:
            observer(OlderCopy(peer, stamp_ms(self._found[1])))

    def note_again(self, writes: Writes) -> None:
        """Add to `writes`, when the store lacks it: everything is owed to everybody, and to be marked first."""
        if self._fork is not None and self._store.get(layout.RENEWAL_KEY) is None:
            self._fork = replace(self._fork, new=self._home.origin)  # its number may have been lost with the note
            writes[layout.RENEWAL_KEY] = NOTE.pack(self._fork.old, self._fork.new, self._fork.since)
            self._owe_everything(writes)

    def _owe_everything(self, writes: Writes) -> None:
        """Every replica of every space, open or not, is to get all items."""
        for stream in self._home.streams():
            stream.restart(stream.identity)
            writes[stream.key] = stream.encode()
        for key, stored in self._store.range(layout.STREAM, layout.successor(layout.STREAM)):
            if key not in writes:
                writes[key] = restarted(stored)

    async def _run(self) -> None:
        while self.is_running:
            try:
                self._change()
            except IdentitiesUsedUp as error:
                self._home.engine.refusals.untaken(self._found[0] if self._found is not None else "any peer", error)
                return  # it serves what it has, alone
            except StorageUnavailable:
                await self._home.engine.effects.clock.sleep(RETRY_S)
                continue
            try:
                await self._home.engine.settled()
                await self._mark()
            except StorageUnavailable:
                await self._home.engine.effects.clock.sleep(RETRY_S)
        self._home.restart()

    def _change(self) -> None:
        """Take the new identity, in one commit; or note again what the store has lost of it."""
        writes: Writes = {}
        self._store.check()
        if self._found is not None:
            old, new = self._home.lineage.renew(writes)
            self._fork, self._found = Fork(old, new, self._found[1]), None
        else:
            self._home.lineage.note_again(writes)
        self._home.engine.origin = self._home.origin
        self.note_again(writes)
        if writes:
            self._store.submit(writes)

    async def _mark(self) -> None:
        fork = self._fork
        if fork is None:
            return
        reached = (self._store.get(layout.RENEWAL_KEY) or b"")[NOTE.size :]
        for number in self._catalogue.replicated():
            prefix = layout.item_prefix(number)
            start, end = max(prefix, reached), layout.successor(prefix)
            while start < end:
                writes: Writes = {}
                start = self._step(fork, start, end, writes)
                writes[layout.RENEWAL_KEY] = NOTE.pack(fork.old, fork.new, fork.since) + start
                await self._keep(writes)
        await self._keep({layout.RENEWAL_KEY: None})
        self._fork = None

    async def _keep(self, writes: Writes) -> None:
        self._store.check()
        self._store.submit(writes)
        await self._home.engine.settled()

    def _step(self, fork: Fork, start: bytes, end: bytes, writes: Writes) -> bytes:
        """Mark some items in `writes`; where the next step begins."""
        pairs: Iterator[tuple[bytes, bytes]] = self._store.range(start, end)
        for seen, (raw, stored) in enumerate(pairs):
            if seen == STEP:
                return raw
            marked = fork.marked(stored)
            if marked is not None:
                writes[raw] = marked
        return end

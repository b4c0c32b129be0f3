"""Tells a peer whose answers do not come what is owed to it: through a link that is cut the other way, it may hear.

What is told so stays owed, and is sent again once the peer answers; versions make that harmless. Each write is told
once, and again after a while, for the link may have been cut this way too; ever more seldom. At most MAX_RECORDS of
each space are told beyond what is acknowledged, MAX_UNDER_WAY small messages wait for the link, and no memory is kept
of what was told but a number for each space.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from outlast.cloud.effects import LinkDown
from outlast.cloud.engine.errors import StorageUnavailable
from outlast.cloud.engine.messages import CHANNEL, Batch, pack_batch
from outlast.cloud.engine.streams import ACTIVE, Stream

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication

MAX_RECORDS = 100_000
MAX_UNDER_WAY = 8
MESSAGE_ITEMS = 250
MESSAGE_BYTES = 32 * 1024
PACE_S = 0.02
LEAVE_S = 15.0
AGAIN_S = 10.0
LAST_AGAIN_S = 600.0


class Unheard:
    """The way to a peer that does not answer."""

    def __init__(self, replication: Replication, peer: str) -> None:
        self._home = replication
        self._clock = replication.engine.effects.clock
        self._peer = peer
        self._going = self._running = False
        self._wake = asyncio.Event()
        self._told: dict[Stream, int] = {}
        self._under_way = 0
        self._begun_s = 0.0
        self._again_s = AGAIN_S

    def wake(self) -> None:
        """Something may be owed."""
        self._wake.set()

    def begin(self) -> None:
        """The peer does not answer what has left."""
        if not self._going:
            self._going = True
            self._told.clear()
            self._begun_s, self._again_s = self._clock.monotonic_s(), AGAIN_S
            if not self._running:
                self._running = True
                self._home.spawn(self._run())

    def end(self) -> None:
        """The peer answers, or what is sent does not even leave."""
        self._going = False
        self._wake.set()

    async def _run(self) -> None:
        try:
            while self._going and not self._home.closing:
                self._wake.clear()
                message = self._next() if self._under_way < MAX_UNDER_WAY else None
                if message is None:
                    await self._home.pause_until(self._wake, self._again_s)
                    self._begin_again()
                    continue
                try:
                    await self._home.engine.settled()
                except StorageUnavailable:
                    self._told.clear()  # the writes that come next take the numbers of those that were lost
                    await self._home.pause_until(self._wake, AGAIN_S)
                    continue
                self._under_way += 1
                self._home.spawn(self._tell(message))
                await self._clock.sleep(PACE_S)
        finally:
            self._running = False

    def _begin_again(self) -> None:
        if self._clock.monotonic_s() - self._begun_s >= self._again_s:
            self._told.clear()
            self._begun_s, self._again_s = self._clock.monotonic_s(), min(2 * self._again_s, LAST_AGAIN_S)

    async def _tell(self, message: bytes) -> None:
        try:
            await self._home.engine.effects.network.tell(self._peer, CHANNEL, message, LEAVE_S)
        except LinkDown:
            self.end()
        finally:
            self._under_way -= 1
            self._wake.set()

    def _next(self) -> bytes | None:
        """The next writes of the first space that has some; None when all that may be told has been."""
        for stream in self._home.streams_to(self._peer):
            outbox = stream.outbox
            after = max(self._told.get(stream, 0), stream.acked)
            if stream.paused or stream.status != ACTIVE or not after < min(outbox.last, stream.acked + MAX_RECORDS):
                continue
            piece = outbox.owed(after, self._home.origin, MESSAGE_ITEMS, MESSAGE_BYTES)
            self._told[stream] = piece.last
            return pack_batch(self._home.lineage.standing(), Batch(self._home.names(), (piece.section,)))
        return None

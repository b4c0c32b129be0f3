"""Says in the log that writes are refused, and that they are let in again: one line each, however many met it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from outlast.cloud.engine.errors import EngineError, IdentitiesUsedUp, StorageUnavailable

if TYPE_CHECKING:
    from outlast.cloud.engine.engine import Engine

log = logging.getLogger("outlast.engine")
LOOK_S = 10.0


class Refusals:
    """Watches one engine. Nothing runs while writes succeed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._told = ""
        self._watching = False
        self._untaken: set[str] = set()
        engine.store.on_failure(self._failed)

    def _failed(self) -> None:
        """Writes were lost: tell why, when that is new."""
        try:
            self._engine.store.check()
        except StorageUnavailable as error:
            if str(error) != self._told:
                self._told = str(error)
                log.warning("%s", error)
        if not self._watching:
            self._watching = True
            self._engine.replication.spawn(self._watch())

    def untaken(self, peer: str, error: EngineError) -> None:
        """Nothing can be exchanged with a peer for want of an identity: tell why, once in a process."""
        if isinstance(error, IdentitiesUsedUp) and peer not in self._untaken:
            self._untaken.add(peer)
            log.error("nothing is exchanged with %s: %s", peer, error)

    async def _watch(self) -> None:
        """Try with a group of no writes, now and then, until one is durable."""
        while True:
            await self._engine.effects.clock.sleep(LOOK_S)
            try:
                self._engine.store.check()
                self._engine.store.submit({})
                await self._engine.settled()
            except StorageUnavailable:
                continue
            self._told, self._watching = "", False
            log.warning("writes are let in again")
            return

"""Before a Region that was away answers again, it asks the others what it has missed.

A name server that does not answer is passed over by resolvers; one that answers from an old copy sends traffic where
it should no longer go. So a Region asks first, for a bounded time: without an answer it serves what it knows, since
answering must not depend on others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import orjson

from outlast.cloud.effects import LinkDown
from outlast.cloud.services.route53.state import State

CHANNEL: Final = "route53.newest"
ASK_S: Final = 1.0
WAIT_S: Final = 10.0
"""How long the copies may be on their way; a greeting, a sender's longest pause and long delays of replication fit."""
LOOK_EVERY_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Newest:
    """What a Region serves: versions by zone, conclusions by health check; `current` once it has caught up itself."""

    zones: dict[str, int]
    healthy: dict[str, bool]
    current: bool


class CatchingUp:
    """One Region's questions at its start, and its answers to those of others."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._current = False
        state.region.network.serve(CHANNEL, self._answer)

    async def _answer(self, _peer: str, _message: bytes) -> bytes:
        state = self._state
        zones = {zone_id: state.plane.version(zone_id) for zone_id in state.zones}
        return orjson.dumps({"zones": zones, "healthy": state.board.plain(), "current": self._current})

    async def run(self) -> None:
        """Return once this Region answers as the others do, or when that takes too long."""
        state = self._state
        clock, network = state.region.clock, state.region.network
        held = frozenset(state.zones)
        until_s = clock.monotonic_s() + WAIT_S
        answers = await asyncio.gather(*(self._ask(peer) for peer in network.peers))
        told = {peer: answer for peer, answer in zip(network.peers, answers, strict=True) if answer is not None}
        for answer in told.values():
            if answer.current:
                state.board.remember(answer.healthy)
                state.conclude()
                break
        while self._is_behind(told, held) and clock.monotonic_s() < until_s:
            await clock.sleep(LOOK_EVERY_S)
        state.conclude()
        self._current = True

    async def _ask(self, peer: str) -> Newest | None:
        try:
            return Newest(**orjson.loads(await self._state.region.network.ask(peer, CHANNEL, b"", ASK_S)))
        except LinkDown:
            return None

    def _is_behind(self, told: dict[str, Newest], held: frozenset[str]) -> bool:
        """The home Region writes the zones: its copy is the newest, unless it came back with an empty disk."""
        state = self._state
        if state.region.name == state.home and held:
            return False
        at_home = told.get(state.home)
        if at_home is not None and any(zone_id in state.zones for zone_id in held - at_home.zones.keys()):
            return True
        newest = told.values() if at_home is None else (at_home,)
        return any(state.plane.version(zone_id) < version for each in newest for zone_id, version in each.zones.items())

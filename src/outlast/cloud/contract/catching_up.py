"""Before a Region that was away answers again, it waits for what a control plane changed meanwhile.

A policy that was taken back, or a safety rule that was made, while the Region was down must count there once it is up.
So a Region asks the home Region for a digest of each shelf and waits, for a bounded time, until its own are the same.
Where the home does not answer the Region soon goes by what it holds: data planes depend on no other Region. Where the
home answers, and what it says is not here yet, the Region knows that it is behind, and waits longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from outlast.cloud.contract.region import Region
from outlast.cloud.contract.shelf import Shelf
from outlast.cloud.effects import LinkDown

ASK_S: Final = 1.0
WAIT_S: Final = 3.0
"""How long the home may take to answer."""
BEHIND_S: Final = 10.0
"""How long copies may be on their way while the home answers; a greeting, a sender's pause and long delays fit."""
LOOK_EVERY_S: Final = 0.02


class CatchingUp:
    """One Region's question at its start, and the home Region's answer to those of others.

    `channel` names the conversation; `shelves` are spread from `home`.
    """

    def __init__(self, region: Region, channel: str, home: str, shelves: Mapping[str, Shelf]) -> None:
        self._region = region
        self._channel = channel
        self._home = home
        self._shelves = shelves
        region.network.serve(channel, self._answer)

    def _digests(self) -> dict[str, str]:
        return {name: shelf.digest() for name, shelf in self._shelves.items()}

    async def _answer(self, _peer: str, _message: bytes) -> bytes:
        return orjson.dumps(self._digests())

    async def run(self) -> None:
        """Return once this Region holds what its home holds, or when that takes too long."""
        region, clock = self._region, self._region.clock
        if self._home not in region.network.peers:
            return
        begun_s = clock.monotonic_s()
        until_s = begun_s + WAIT_S
        while clock.monotonic_s() < until_s:
            try:
                told = orjson.loads(await region.network.ask(self._home, self._channel, b"", ASK_S))
            except LinkDown:
                if not any(map(len, self._shelves.values())):
                    return  # it holds nothing that it could go by
            else:
                if told == self._digests():
                    return
                until_s = min(clock.monotonic_s() + WAIT_S, begun_s + BEHIND_S)
            await clock.sleep(LOOK_EVERY_S)

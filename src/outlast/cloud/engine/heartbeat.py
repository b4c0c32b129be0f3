"""How long each peer has not answered: known from what is sent anyway, and from a greeting to those that were silent.

Only whoever calls `beat` makes the engine send anything here. At most MAX_UNDER_WAY greetings wait for one peer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from outlast.cloud.effects import LinkDown
from outlast.cloud.engine.messages import CHANNEL, unpack

if TYPE_CHECKING:
    from outlast.cloud.engine.replication import Replication

SILENT_S = 0.9
TIMEOUT_S = 15.0
MAX_UNDER_WAY = 16


class Heartbeats:
    """The moments of the peers' last answers, for the peers of the last `beat`."""

    def __init__(self, replication: Replication) -> None:
        self._home = replication
        self._clock = replication.engine.effects.clock
        self._answered_s: dict[str, float] = {}
        self._under_way: Counter[str] = Counter()

    def answered(self, peer: str) -> None:
        """The peer has answered a message of this Region."""
        if peer in self._answered_s:
            self._answered_s[peer] = self._clock.monotonic_s()

    def beat(self, peers: Iterable[str]) -> dict[str, int]:
        """Milliseconds since each of `peers` last answered, from its first beat on; the silent ones are greeted."""
        now_s = self._clock.monotonic_s()
        self._answered_s = {peer: self._answered_s.get(peer, now_s) for peer in peers}
        for peer, answered_s in self._answered_s.items():
            if now_s - answered_s >= SILENT_S and self._under_way[peer] < MAX_UNDER_WAY:
                self._under_way[peer] += 1
                self._home.spawn(self._greet(peer))
        return {peer: round(1000 * (now_s - answered_s)) for peer, answered_s in self._answered_s.items()}

    async def _greet(self, peer: str) -> None:
        greetings = self._home.greetings
        try:
            answer = await self._home.engine.effects.network.ask(peer, CHANNEL, greetings.hello(peer), TIMEOUT_S)
            greetings.take(peer, unpack(answer))
        except (LinkDown, ValueError):
            return  # the age goes on rising, which is what a silent peer looks like
        else:
            self.answered(peer)
        finally:
            self._under_way[peer] -= 1

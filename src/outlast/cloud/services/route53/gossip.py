"""What Regions tell each other about health, and the queries they answered, over links that may be cut.

Every Region sends what its own checkers saw since it last told a peer, and now and then everything, so that a peer that
was away or did not know the health check yet catches up. Freshness is judged by when a view arrives, never by the
sender's clock.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

import orjson

from outlast.cloud.effects import LinkDown
from outlast.cloud.services.route53.health import Outcome, View
from outlast.cloud.services.route53.state import State

HEALTH_CHANNEL: Final = "route53.health"
QUERIES_CHANNEL: Final = "route53.queries"
EVERYTHING_EVERY_S: Final = 5.0
TIMEOUT_S: Final = 2.0


class Gossip:
    """One Region's side of the exchange."""

    def __init__(self, state: State) -> None:
        self._state = state
        network = state.region.network
        self._fresh: dict[str, set[str]] = {peer: set() for peer in network.peers}
        self._all_told_s = dict.fromkeys(network.peers, float("-inf"))
        network.serve(HEALTH_CHANNEL, self._hear)
        network.serve(QUERIES_CHANNEL, self._count)

    def saw(self, check_id: str, view: View) -> None:
        """This Region's own checker has a new view."""
        region = self._state.region
        self._state.board.hear(check_id, region.name, view, region.clock.monotonic_s())
        for fresh in self._fresh.values():
            fresh.add(check_id)

    async def tell(self) -> None:
        """Send every peer what it has not heard; a peer out of reach is told later."""
        await asyncio.gather(*(self._tell(peer) for peer in self._fresh))

    async def _tell(self, peer: str) -> None:
        now_s = self._state.region.clock.monotonic_s()
        everything = now_s - self._all_told_s[peer] >= EVERYTHING_EVERY_S
        told = set(self._state.board.checks) if everything else self._fresh[peer] & set(self._state.board.checks)
        views = self._own(told)
        self._fresh[peer] = set()
        if everything:
            self._all_told_s[peer] = now_s
        if not views:
            return
        try:
            await self._state.region.network.ask(peer, HEALTH_CHANNEL, orjson.dumps(views), TIMEOUT_S)
        except LinkDown:
            self._fresh[peer] |= told

    def _own(self, check_ids: Iterable[str]) -> dict[str, Any]:
        board, here = self._state.board, self._state.region.name
        views = {check_id: board.view(check_id, here) for check_id in check_ids}
        return {check_id: asdict(view) for check_id, view in views.items() if view is not None}

    async def _hear(self, peer: str, message: bytes) -> bytes:
        now_s = self._state.region.clock.monotonic_s()
        for check_id, told in orjson.loads(message).items():
            failure = told.pop("failure")
            view = View(
                **{**told, "last": Outcome(**told["last"])}, failure=None if failure is None else Outcome(**failure)
            )
            self._state.board.hear(check_id, peer, view, now_s)
        self._state.conclude()
        return b""

    async def hand_in_queries(self) -> Counter[str]:
        """Give the query counts to the home Region, which publishes them; what it already has is returned there."""
        plane, region = self._state.plane, self._state.region
        if region.name == self._state.home:
            counts, plane.queries = plane.queries, Counter()
            return counts
        if plane.queries:
            counts, plane.queries = plane.queries, Counter()
            try:
                await region.network.ask(self._state.home, QUERIES_CHANNEL, orjson.dumps(counts), TIMEOUT_S)
            except LinkDown:
                plane.queries.update(counts)
        return Counter()

    async def _count(self, _peer: str, message: bytes) -> bytes:
        self._state.plane.queries.update(orjson.loads(message))
        return b""

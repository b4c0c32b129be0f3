"""What goes on by itself: the endpoint joins its group, then asks every second what it may have missed."""

from __future__ import annotations

import asyncio

from outlast.cloud.services.arc_cluster.service import arc_cluster
from outlast.cloud.services.arc_cluster.state import Endpoint

PERIOD_S = 1.0
PATIENCE_S = 3600.0


@arc_cluster.timer
async def follow(state: Endpoint) -> None:
    """Keep what this endpoint knows no older than about a second."""
    clock = state.region.clock
    node = state.node
    if node is None:
        while True:
            await clock.sleep(PATIENCE_S)
    await node.join()
    while True:
        await asyncio.gather(*(node.refresh(cluster.encode()) for cluster in state.clusters()))
        await clock.sleep(PERIOD_S * (0.9 + 0.2 * state.region.entropy.uniform()))


@arc_cluster.closer
async def close(state: Endpoint) -> None:
    """Drop what is under way."""
    if state.node is not None:
        await state.node.close()

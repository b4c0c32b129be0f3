"""Replication over a link with little bandwidth: large items get through, and nothing is sent in vain for ever."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from outlast.cloud.effects.links import Shape
from tests.unit.engine.peer import EAST, WEST, opened
from tests.unit.engine.test_kill_peer import prepare


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_an_item_that_takes_longer_than_answers_used_to_take_arrives(tmp_path: Path) -> None:
    prepare(tmp_path)
    (east, network), (west, other) = await opened(tmp_path, EAST), await opened(tmp_path, WEST)
    here, there = east.space("t", replicas=(WEST,)), west.space("t", replicas=(EAST,))
    for number in range(3):  # answers come at once: the sender expects them within a second
        with east.begin() as tx:
            tx.put(here, b"small", b"%d" % number)
        await until(lambda: here.replica_status()[WEST].backlog == 0)
    network.outgoing[WEST] = Shape(bytes_per_s=100_000)
    with east.begin() as tx:
        tx.put(here, b"large", bytes(250_000))
    await until(lambda: here.replica_status()[WEST].backlog == 0)
    assert there.get(b"large") == bytes(250_000)
    for each in (network, other):
        await each.close()
    for engine in (east, west):
        await engine.close()

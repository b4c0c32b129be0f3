"""Deletions that every Region has are forgotten in all of them at about the same time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from outlast.cloud.simulation import simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, delete, put, quiet, started, until


def test_a_deletion_is_forgotten_everywhere_at_about_the_same_time(tmp_path: Path) -> None:
    """A Region that kept it would take the next write of the item, by one that forgot it, for a conflict."""

    async def play() -> None:
        world = await started(tmp_path)
        a, b = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        await until(lambda: quiet(world))
        world.engines[WEST].replication.tombstones.schedule()  # its timer is half an hour out of step
        await asyncio.sleep(1800)
        await put(world.engines[WEST], b, b"k", b"v")
        await delete(world.engines[WEST], b, b"k")
        await asyncio.sleep(3605)
        assert a.stamped(b"k") is None
        assert b.stamped(b"k") is None
        await put(world.engines[EAST], a, b"k", b"again")
        await until(lambda: b.get(b"k") == b"again")
        assert [list(engine.conflicts()) for engine in world.engines.values()] == [[], []]
        await world.close()

    simulate(play())


def test_deletions_that_cannot_go_do_not_keep_two_regions_asking_each_other(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        a, _ = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        await put(world.engines[EAST], a, b"k", b"v")
        await until(lambda: quiet(world))
        world.engines[WEST].pause_replication(EAST)
        await put(world.engines[WEST], world.engines[WEST].space("t"), b"held", b"back")
        await delete(world.engines[EAST], a, b"k")
        await asyncio.sleep(7000)
        asked: list[str] = []
        world.net.trace = asked.append
        await asyncio.sleep(4 * 3600)
        assert 1 <= len(asked) <= 40
        await world.close()

    simulate(play())

"""A peer whose disk is full: the source goes on, does not hammer it, and it has everything once there is room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outlast.cloud.simulation import simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, put, quiet, started, until

WRITES, EVERY_S = 600, 0.1


def test_a_full_peer_is_asked_seldom_says_so_once_and_catches_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        asked: list[str] = []
        world.net.trace = asked.append
        world.disks[WEST].faults.full = True
        for number in range(WRITES):
            await put(east, a, b"%03d" % number, b"while it was full")
            await asyncio.sleep(EVERY_S)
        assert a.replica_status()[WEST].backlog == WRITES
        batches = [line for line in asked if line.startswith(f"{EAST}>{WEST} replication")]
        assert 30 <= len(batches) <= 4 * WRITES * EVERY_S, "a few a second, whatever is written"
        assert [record.getMessage() for record in caplog.records] == ["writes are refused: the disk is full"]
        world.disks[WEST].faults.full = False
        await until(lambda: list(a.range()) == list(b.range()))
        await until(lambda: quiet(world))
        await until(lambda: len(caplog.records) == 2)
        await asyncio.sleep(60)
        assert [record.getMessage() for record in caplog.records][1:] == ["writes are let in again"]
        assert world.net.errors == []
        await world.close()

    simulate(play())


def test_a_peer_that_fills_up_again_says_so_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        for number in range(2):
            world.disks[WEST].faults.full = True
            await put(east, a, b"k", b"%d" % number)
            await asyncio.sleep(30)
            world.disks[WEST].faults.full = False
            await until(lambda wanted=b"%d" % number: b.get(b"k") == wanted)  # type: ignore[misc]
            await asyncio.sleep(30)
        assert [record.getMessage() for record in caplog.records] == [
            "writes are refused: the disk is full",
            "writes are let in again",
        ] * 2
        await world.close()

    simulate(play())

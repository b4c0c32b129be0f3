"""A link that is cut one way: what goes the other way arrives, and is not taken for confirmed, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.engine.messages import BATCH, CHANNEL, unpack
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, delete, put, quiet, started, until


def told(world: SimulatedEngines) -> list[bytes]:
    """Notes the messages with items from EAST to WEST, from now on."""
    seen: list[bytes] = []
    end = world.net.ends[EAST]
    carry = end._carry

    def noted(peer: str, channel: str, message: bytes, answer: asyncio.Future[bytes]) -> Coroutine[Any, Any, None]:
        if peer == WEST and channel == CHANNEL and unpack(message)[0] == BATCH:
            seen.append(message)
        return carry(peer, channel, message, answer)

    end._carry = noted  # type: ignore[method-assign]
    return seen


def test_writes_go_on_against_the_direction_of_a_cut_and_stay_owed_until_they_are_confirmed(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await put(east, a, b"old", b"x")
        await until(lambda: quiet(world))
        world.net.cut(WEST, EAST, both=False)
        lost = await put(east, a, b"both", b"east", b"r1")
        await delete(east, a, b"old")
        await until(lambda: b.get(b"old") is None and b.get(b"both") == b"east", 20)
        for number in range(2000):
            await put(east, a, b"%d" % number, b"v")
        await until(lambda: b.get(b"1999") == b"v", 20)
        assert a.replica_status()[WEST].backlog == 2002 == len(list(east.stranded(WEST)))
        await put(west, b, b"both", b"west", b"r2")
        await put(west, b, b"back", b"w")
        await asyncio.sleep(5)
        assert a.get(b"back") is None
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        assert list(a.range()) == list(b.range())
        assert a.get(b"both") == b"west"
        assert list(east.conflicts()) == list(west.conflicts()) == [], "the later writer had seen the other"
        assert a.stamped(b"both") != (lost, b"east")
        await world.close()

    simulate(play())


def test_what_both_directions_lost_is_told_again_when_one_of_them_heals(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        await put(east, a, b"1", b"x")
        await asyncio.sleep(8)
        world.net.links[EAST, WEST].cut = False
        await until(lambda: b.get(b"1") == b"x", 30)
        assert a.replica_status()[WEST].backlog == 1
        await world.close()

    simulate(play())


def test_a_peer_that_stays_silent_is_told_each_write_ever_more_seldom(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a = east.space("t", replicas=BOTH)
        west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        await put(east, a, b"1", b"x")
        sent = told(world)
        await asyncio.sleep(3600)
        assert 5 <= len(sent) <= 15
        await world.close()

    simulate(play())


def test_a_replica_that_is_being_filled_is_told_nothing_and_filled_later(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a = east.space("t")
        for number in range(300):
            await put(east, a, b"%d" % number, b"v")
        world.net.cut(WEST, EAST, both=False)
        b = west.space("t", replicas=BOTH)
        a.set_replicas((WEST,))
        await put(east, a, b"new", b"v")
        await asyncio.sleep(30)
        assert list(b.range()) == []
        assert a.replica_status()[WEST].status == "CREATING"
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        assert list(b.range()) == list(a.range())
        await world.close()

    simulate(play())


def test_a_write_that_takes_the_number_of_one_that_a_full_disk_took_back_is_told_too(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(WEST, EAST, both=False)
        await put(east, a, b"first", b"v")
        await until(lambda: b.get(b"first") == b"v", 20)
        await asyncio.sleep(90)  # what was told is told again ever more seldom
        faults = world.disks[EAST].faults
        faults.full = True
        with pytest.raises(StorageUnavailable):
            await put(east, a, b"lost", b"v")
        faults.full = False
        await asyncio.sleep(15)
        await put(east, a, b"second", b"v")
        await until(lambda: b.get(b"second") == b"v", 5)
        assert b.get(b"lost") is None
        await world.close()

    simulate(play())

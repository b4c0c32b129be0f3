"""What is known of replicas outlives crashes, and what is no replica any more is left alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine, Space, StorageUnavailable
from outlast.cloud.engine.layout import Writes
from outlast.cloud.engine.streams import Stream
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import ALL, BOTH, EAST, OHIO, WEST, put, quiet, started, until
from tests.simulation.test_replication_log import records

MINUTE_S = 60


async def batches_in_a_minute(world: SimulatedEngines) -> int:
    """How many messages go from the east to the west while nobody writes."""
    asked: list[str] = []
    world.net.trace = asked.append
    await asyncio.sleep(MINUTE_S)
    return len([line for line in asked if line.startswith(f"{EAST}>{WEST} replication")])


def stream_of(space: Space, peer: str) -> Stream:
    assert space.outbox is not None
    return space.outbox.streams[peer]


async def caught_up(world: SimulatedEngines, engine: Engine, space: Space) -> None:
    """Everything has arrived in the west, and that is the end of it."""
    await until(lambda: quiet(world))
    assert list(space.range()) == list(world.engines[WEST].space("t").range())
    await until(lambda: records(engine, space) == [])
    assert await batches_in_a_minute(world) <= 1
    await world.close()


def test_what_a_removed_replica_did_not_take_is_not_offered_to_it_for_ever(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, delay_s=1.0)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        b.set_replicas(())
        await put(east, a, b"k", b"v")
        await asyncio.sleep(0.2)  # the write is under way to a Region that will not take it
        a.set_replicas(())
        await asyncio.sleep(5)
        assert await batches_in_a_minute(world) == 0
        a.set_replicas((WEST,))
        b.set_replicas((EAST,))
        await caught_up(world, east, a)

    simulate(play())


def test_the_log_keeps_what_a_crash_would_owe_again_when_a_replica_is_added(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        east = world.engines[EAST]
        a = east.space("t", replicas=BOTH)
        world.engines[WEST].space("t", replicas=BOTH)
        await until(lambda: quiet_both(world))
        await asyncio.sleep(1)
        for number in range(5):
            await put(east, a, b"%d" % number, b"v")
        await until(lambda: stream_of(a, WEST).backlog == 0)
        assert stream_of(a, WEST).kept_acked < stream_of(a, WEST).acked, "its cursor is kept in a moment"
        a.set_replicas((WEST, OHIO))
        await east.settled()
        world.crash(EAST, power=True)
        east = await world.start(EAST)
        a = east.space("t")
        await until(lambda: a.replica_status()[WEST].backlog == 0)
        assert await batches_in_a_minute(world) <= 1
        await world.close()

    def quiet_both(world: SimulatedEngines) -> bool:
        found = [world.engines[region].space("t").replica_status()[other] for region, other in (BOTH, BOTH[::-1])]
        return all(each.status == "ACTIVE" and each.backlog == 0 for each in found)

    simulate(play())


def test_that_a_replica_is_to_get_everything_is_kept_once_there_is_room(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east = world.engines[EAST]
        a = east.space("t", replicas=BOTH)
        world.engines[WEST].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        await put(east, a, b"k", b"v")
        await until(lambda: quiet(world))
        await asyncio.sleep(1)
        world.net.cut(EAST, WEST)
        faults = world.disks[EAST].faults
        faults.full = True
        with pytest.raises(StorageUnavailable):
            await put(east, a, b"refused", b"v")
        a.send_again()
        await asyncio.sleep(0.1)
        faults.full = False
        await asyncio.sleep(5)
        world.crash(EAST, power=True)
        east = await world.start(EAST)
        a = east.space("t")
        assert a.replica_status()[WEST].status == "CREATING"
        world.net.heal(EAST, WEST)
        await caught_up(world, east, a)

    simulate(play())


def test_a_cursor_from_before_the_log_begins_means_everything(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east = world.engines[EAST]
        a = east.space("t", replicas=BOTH)
        world.engines[WEST].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        for number in range(3):
            await put(east, a, b"%d" % number, b"v")
        gone: Writes = dict.fromkeys(key for key, _ in records(east, a)[:2])
        east.store.submit(gone)
        await east.settled()
        world.crash(EAST)
        east = await world.start(EAST)
        a = east.space("t")
        assert a.replica_status()[WEST].status == "CREATING", "the log does not tell all that it lacks"
        world.net.heal(EAST, WEST)
        await caught_up(world, east, a)

    simulate(play())


def test_what_a_crash_leaves_of_a_log_that_nobody_needs_goes_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east = world.engines[EAST]
        a = east.space("t", replicas=BOTH)
        world.engines[WEST].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        monkeypatch.setattr(east.replication.cursors, "trim", lambda _outbox: None)  # it comes too late
        for number in range(5):
            await put(east, a, b"%d" % number, b"v")
        await until(lambda: stream_of(a, WEST).kept_acked == 5)
        await east.settled()
        assert len(records(east, a)) == 5
        world.crash(EAST, power=True)
        world.net.cut(EAST, WEST)
        east = await world.start(EAST)
        a = east.space("t")
        await east.settled()
        assert records(east, a) == []
        await world.close()

    simulate(play())

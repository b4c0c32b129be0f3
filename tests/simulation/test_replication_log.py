"""The replication log: one record for what becomes durable together, beside the records of older worlds."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine, Space, StorageUnavailable
from outlast.cloud.engine.layout import Writes, log_prefix, successor
from outlast.cloud.engine.records import MAX_WRITES
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, put, quiet, started, until


def records(engine: Engine, space: Space) -> list[tuple[bytes, bytes]]:
    prefix = log_prefix(space.number)
    return list(engine.store.range(prefix, successor(prefix)))


async def put_together(engine: Engine, space: Space, first: int, count: int) -> None:
    """Writes of as many transactions that share a sync."""
    for number in range(first, first + count):
        with engine.begin() as tx:
            tx.put(space, b"%06d" % number, b"v%d" % number, b"request %d" % number)
    await engine.settled()


def owed(engine: Engine, space: Space) -> list[tuple[bytes, bytes]]:
    return [(each.key, each.context) for each in engine.stranded(WEST, space)]


def expected(first: int, end: int) -> list[tuple[bytes, bytes]]:
    return [(b"%06d" % number, b"request %d" % number) for number in range(first, end)]


async def cut_off(tmp_path: Path) -> tuple[SimulatedEngines, Engine, Space]:
    world = await started(tmp_path)
    a, _ = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
    await until(lambda: quiet(world))
    world.net.cut(EAST, WEST)
    return world, world.engines[EAST], a


async def healed(world: SimulatedEngines) -> None:
    """Everything arrives, both copies are equal, the log empties."""
    world.net.heal(EAST, WEST)
    await until(lambda: quiet(world))
    east, west = (world.engines[region].space("t") for region in BOTH)
    assert list(east.range()) == list(west.range())
    await until(lambda: records(world.engines[EAST], east) == [])
    await world.close()


def test_writes_that_become_durable_together_share_a_record(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 10)
        await put_together(east, a, 10, 2 * MAX_WRITES + 1)
        assert len(records(east, a)) == 4
        assert owed(east, a) == expected(0, 11 + 2 * MAX_WRITES)
        await healed(world)

    simulate(play())


def test_what_waits_for_its_record_is_owed_already(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 3)
        with east.begin() as tx:
            tx.put(a, b"%06d" % 3, b"v3", b"request 3")
        assert len(records(east, a)) == 1
        assert owed(east, a) == expected(0, 4)
        await east.settled()
        assert len(records(east, a)) == 2
        assert owed(east, a) == expected(0, 4)
        await healed(world)

    simulate(play())


def test_a_write_and_its_record_are_lost_together_or_not_at_all(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        acknowledged = 0
        for life in range(12):
            await put_together(east, a, acknowledged, life)
            acknowledged += life
            with east.begin() as tx:
                tx.put(a, b"unacknowledged", b"%d" % life, b"never")
            for _ in range(life % 4):
                await asyncio.sleep(0)  # the group may have left for the disk, and may have come there
            world.crash(EAST, power=True)
            east = await world.start(EAST)
            a = east.space("t")
            listed = owed(east, a)
            assert [each for each in listed if each[1] != b"never"] == expected(0, acknowledged)
            assert (a.get(b"unacknowledged") is not None) == ((b"unacknowledged", b"never") in listed)
        await healed(world)

    simulate(play())


def test_a_write_that_a_full_disk_took_back_is_owed_to_nobody(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 3)
        faults = world.disks[EAST].faults
        faults.full = True
        with pytest.raises(StorageUnavailable, match="the disk is full"):
            await put_together(east, a, 3, 2)
        assert owed(east, a) == expected(0, 3)
        faults.full = False
        await asyncio.sleep(5)
        await put_together(east, a, 3, 4)
        assert owed(east, a) == expected(0, 7)
        await healed(world)

    simulate(play())


def test_a_write_whose_record_cannot_be_made_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 3)
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)

        def broken() -> None:
            raise KeyError("a record")

        east.store.before_commit = broken
        with pytest.raises(StorageUnavailable, match="writes are refused"):
            await asyncio.wait_for(put_together(east, a, 3, 2), 10)
        assert owed(east, a) == expected(0, 3)
        world.crash(EAST)
        east = await world.start(EAST)
        assert owed(east, east.space("t")) == expected(0, 3)
        await put_together(east, east.space("t"), 3, 2)
        await healed(world)

    simulate(play())


def test_a_replica_that_has_half_of_a_record_is_owed_the_other_half(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 10)
        assert a.outbox is not None
        stream = a.outbox.streams[WEST]
        stream.acked += 4
        east.replication.cursors.moved([stream])
        await asyncio.sleep(1)
        await east.settled()
        assert owed(east, a) == expected(4, 10)
        assert len(records(east, a)) == 1, "it is still needed"
        world.crash(EAST, power=True)
        east = await world.start(EAST)
        a = east.space("t")
        assert owed(east, a) == expected(4, 10)
        assert a.replica_status()[WEST].backlog == 6
        await put_together(east, a, 10, 5)
        assert owed(east, a) == expected(4, 15)
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        await until(lambda: records(east, a) == [])
        await world.close()

    simulate(play())


def test_the_log_of_an_older_world_is_read_sent_and_removed(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 7)
        ((last, _),) = records(east, a)
        writes: Writes = {last: None}
        assert a.outbox is not None
        for each in a.outbox.records(a.outbox.streams[WEST].acked):
            key = log_prefix(a.number) + each.number.to_bytes(8, "big")
            writes[key] = struct.pack(">QI", each.stamp, len(each.key)) + each.key + each.context
        east.store.submit(writes)
        await east.store.drain()
        world.crash(EAST)
        east = await world.start(EAST)
        a = east.space("t")
        assert len(records(east, a)) == 7
        assert owed(east, a) == expected(0, 7)
        await put_together(east, a, 7, 9)
        assert len(records(east, a)) == 8
        assert owed(east, a) == expected(0, 16)
        world.crash(EAST, power=True)
        east = await world.start(EAST)
        assert owed(east, east.space("t")) == expected(0, 16)
        await healed(world)

    simulate(play())


def test_a_replica_that_is_removed_leaves_no_record_behind(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 5)
        with east.begin() as tx:
            tx.put(a, b"%06d" % 5, b"v5")
        a.set_replicas(())
        await east.settled()
        await asyncio.sleep(1)
        assert records(east, a) == []
        a.set_replicas((WEST,))
        await put(east, a, b"k", b"v")
        await healed(world)

    simulate(play())


def test_a_space_that_is_dropped_leaves_no_record_behind(tmp_path: Path) -> None:
    async def play() -> None:
        world, east, a = await cut_off(tmp_path)
        await put_together(east, a, 0, 5)
        with east.begin() as tx:
            tx.put(a, b"%06d" % 5, b"v5")
        east.drop(a)
        await asyncio.sleep(1)
        await east.settled()
        assert records(east, a) == []
        await world.close()

    simulate(play())

"""A disk that is full at the worst moment, and identities that are used up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine, StorageUnavailable
from outlast.cloud.engine.catalogue import MAX_REGIONS
from outlast.cloud.engine.layout import Writes
from outlast.cloud.simulation import simulate
from tests.simulation.test_older_copy import copied, put_back, stopped
from tests.simulation.test_replication import BOTH, EAST, WEST, put, quiet, started, until


def test_a_peer_that_comes_back_empty_while_the_disk_is_full_gets_everything_once_there_is_room(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        a, _ = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        await put(world.engines[EAST], a, b"k", b"v")
        await until(lambda: quiet(world))
        world.destroy(WEST)
        world.disks[EAST].faults.full = True
        await world.start(WEST)
        b = world.engines[WEST].space("t", replicas=BOTH)
        await asyncio.sleep(3)
        world.disks[EAST].faults.full = False
        await until(lambda: b.get(b"k") == b"v")
        await until(lambda: quiet(world))
        await world.close()

    simulate(play())


def test_a_space_whose_end_of_replication_was_lost_to_a_full_disk_is_sent_anew_when_it_is_replicated_again(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east = world.engines[EAST]
        a, b = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        await until(lambda: quiet(world))
        world.disks[EAST].faults.full = True
        a.set_replicas(())
        with pytest.raises(StorageUnavailable):
            await east.settled()
        world.disks[EAST].faults.full = False
        await asyncio.sleep(30)
        await put(east, a, b"k", b"alone")
        a.set_replicas(BOTH)
        await until(lambda: b.get(b"k") == b"alone")
        await world.close()

    simulate(play())


def test_a_region_that_starts_on_a_full_disk_can_be_asked_who_it_is_and_what_it_owes(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, (EAST, WEST))
        world.destroy(WEST)
        engine = await world.start(WEST)
        writer = engine.writer
        engine.space("t", replicas=BOTH)
        world.disks[WEST].faults.full = True
        with pytest.raises(StorageUnavailable):
            await engine.settled()
        assert engine.writer == writer
        assert list(engine.stranded(EAST)) == []
        world.disks[WEST].faults.full = False
        await asyncio.sleep(2)
        stamp = await put(engine, engine.space("t"), b"k", b"v")
        assert [(each.stamp, each.writer) for each in engine.stranded(EAST)] == [(stamp, writer)]
        await world.close()

    simulate(play())


def use_up_identities(engine: Engine) -> None:
    writes: Writes = {}
    names = engine.replication.names_list
    for number in range(MAX_REGIONS - len(names)):
        engine.replication._catalogue.region(f"ap-south-1#{number:016x}", writes)
    engine.store.submit(writes)


def test_an_older_copy_without_an_identity_left_says_so_and_serves_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        for region in BOTH:
            world.engines[region].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        use_up_identities(world.engines[WEST])
        await copied(tmp_path, world, WEST)
        b = world.engines[WEST].space("t")
        await put(world.engines[WEST], b, b"forgotten", b"w")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        await world.start(WEST)
        b = world.engines[WEST].space("t")
        await asyncio.sleep(30)
        stamp = await put(world.engines[WEST], b, b"k", b"alone")
        assert b.get(b"k") == b"alone"
        assert [each.stamp for each in world.engines[WEST].stranded(EAST)] == [stamp]
        told = [record.getMessage() for record in caplog.records if "255 identities" in record.getMessage()]
        assert len(told) == 1
        assert told[0].startswith(f"nothing is exchanged with {EAST}: ")
        await world.close()

    simulate(play())


def test_a_region_that_knows_no_more_identities_takes_nothing_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        a, _ = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        await until(lambda: quiet(world))
        use_up_identities(world.engines[EAST])
        world.destroy(WEST)
        await world.start(WEST)
        b = world.engines[WEST].space("t", replicas=BOTH)
        await put(world.engines[WEST], b, b"k", b"w")
        await asyncio.sleep(30)
        assert world.net.errors == []
        assert (a.get(b"k"), b.replica_status()[EAST].backlog) == (None, 1)
        await put(world.engines[EAST], a, b"e", b"still writable")
        told = [record.getMessage() for record in caplog.records]
        assert sorted(line.partition(":")[0] for line in told) == [
            f"nothing is exchanged with {EAST}",
            f"nothing is exchanged with {WEST}",
        ]
        assert len(world.engines[EAST].replication.names_list) == MAX_REGIONS
        await world.close()

    simulate(play())

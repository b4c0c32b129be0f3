"""A Region that lost its disk and came back: the others exchange what it had sent to some of them only."""

from __future__ import annotations

import asyncio
from pathlib import Path

from outlast.cloud.simulation import simulate
from tests.simulation.test_replication import ALL, EAST, OHIO, WEST, put, quiet, started, until


def test_what_a_lost_disk_had_sent_to_one_region_reaches_the_others(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        world.net.cut(OHIO, WEST)
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"ohio")
        await until(lambda: spaces[EAST].get(b"1") == b"ohio")
        world.destroy(OHIO)
        world.net.heal_all()
        await asyncio.sleep(5)
        assert spaces[WEST].get(b"1") is None
        spaces[OHIO] = (await world.start(OHIO)).space("t", replicas=ALL)
        await until(lambda: quiet(world))
        assert {region: space.get(b"1") for region, space in spaces.items()} == dict.fromkeys(ALL, b"ohio")
        await world.close()

    simulate(play())


def test_a_region_that_was_down_meanwhile_gives_what_it_got(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        world.net.cut(OHIO, WEST)
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"ohio")
        await until(lambda: spaces[EAST].get(b"1") == b"ohio")
        world.crash(EAST)
        world.destroy(OHIO)
        world.net.heal_all()
        spaces[OHIO] = (await world.start(OHIO)).space("t", replicas=ALL)
        await asyncio.sleep(5)
        assert spaces[WEST].get(b"1") is spaces[OHIO].get(b"1") is None
        spaces[EAST] = (await world.start(EAST)).space("t", replicas=ALL)
        await until(lambda: quiet(world))
        assert {region: space.get(b"1") for region, space in spaces.items()} == dict.fromkeys(ALL, b"ohio")
        await world.close()

    simulate(play())


def test_a_space_opened_after_the_peer_was_met_gives_what_it_got(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        world.net.cut(OHIO, WEST)
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"ohio")
        await until(lambda: spaces[EAST].get(b"1") == b"ohio")
        world.crash(EAST)
        world.destroy(OHIO)
        world.net.heal_all()
        ohio, east = await world.start(OHIO), await world.start(EAST)
        for engine in (ohio, east):
            engine.space("other", replicas=(EAST, OHIO))
        await asyncio.sleep(2)
        spaces[OHIO] = ohio.space("t", replicas=ALL)
        spaces[EAST] = east.space("t", replicas=ALL)
        await until(lambda: quiet(world))
        assert {region: space.get(b"1") for region, space in spaces.items()} == dict.fromkeys(ALL, b"ohio")
        await world.close()

    simulate(play())


def test_a_lost_conflict_is_known_elsewhere_though_its_region_wrote_the_item_again(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        for other in (EAST, WEST):
            world.net.cut(OHIO, other, both=False)
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"loser")
        await asyncio.sleep(20)
        await put(world.engines[EAST], spaces[EAST], b"1", b"winner")
        await until(lambda: spaces[OHIO].get(b"1") == b"winner")
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"knows the winner")
        await asyncio.sleep(2)
        world.net.heal_all()
        await until(lambda: quiet(world))
        world.destroy(OHIO)
        for region in (EAST, WEST):
            assert spaces[region].get(b"1") == b"knows the winner"
            assert [each.loser.value for each in world.engines[region].conflicts()] == [b"loser"]
        await world.close()

    simulate(play())

"""A write that lost is no part of what its Region writes next, and no Region takes it for it: who had it notes it.

In each scene a Region is destroyed whose conflict ledger alone would have told of the lost write.
"""

from __future__ import annotations

from pathlib import Path

from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import ALL, EAST, OHIO, WEST, put, quiet, started, until


def losers(world: SimulatedEngines, region: str) -> list[bytes | None]:
    return [each.loser.value for each in world.engines[region].conflicts()]


def slow(world: SimulatedEngines, one: str, other: str, delay_s: float) -> None:
    link = world.net.links[one, other]
    link.min_delay_s = link.max_delay_s = delay_s


def test_a_lost_write_that_arrives_after_its_regions_next_one_is_noted(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        world.net.cut(OHIO, EAST, both=False)
        slow(world, OHIO, WEST, 2.5)
        world.clocks[EAST].skew_ms = 1000
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"loser")
        await put(world.engines[EAST], spaces[EAST], b"1", b"winner")
        await until(lambda: spaces[OHIO].get(b"1") == b"winner")
        slow(world, OHIO, WEST, 0.01)
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"knows the winner")
        await until(lambda: spaces[WEST].get(b"1") == b"knows the winner")
        assert losers(world, WEST) == []
        await until(lambda: next(world.engines[OHIO].stranded(WEST), None) is None)
        world.destroy(OHIO)
        assert losers(world, WEST) == [b"loser"]
        await world.close()

    simulate(play())


def test_a_region_that_holds_a_lost_write_notes_it_when_its_regions_next_one_arrives(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        world.net.cut(OHIO, EAST, both=False)
        await put(world.engines[WEST], spaces[WEST], b"1", b"of the west")
        await until(lambda: spaces[OHIO].get(b"1") == b"of the west")
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"of the west and Ohio")
        await until(lambda: spaces[WEST].get(b"1") == b"of the west and Ohio")
        world.clocks[EAST].skew_ms = 1000
        await put(world.engines[EAST], spaces[EAST], b"1", b"winner")
        await until(lambda: spaces[OHIO].get(b"1") == b"winner")
        await put(world.engines[OHIO], spaces[OHIO], b"1", b"knows the winner")
        await until(lambda: next(world.engines[OHIO].stranded(WEST), None) is None)
        world.destroy(OHIO)
        assert spaces[WEST].get(b"1") == b"knows the winner"
        assert losers(world, WEST) == [b"of the west and Ohio"]
        await world.close()

    simulate(play())

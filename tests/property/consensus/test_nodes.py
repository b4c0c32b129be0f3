"""Whole members in virtual time: engines, disks and links that fail; every history must be linearizable."""

from __future__ import annotations

import asyncio
import random
import shutil
from itertools import combinations
from pathlib import Path

import pytest

from outlast.cloud.engine.consensus_node import ConsensusNode, NoMajority
from outlast.cloud.simulation.engines import SimulatedEngines
from outlast.cloud.simulation.loop import simulate
from tests.property.consensus.history import Operation, is_linearizable

REGIONS = ("ap-1", "eu-1", "us-1", "us-2", "us-3")
KEY = b"register"


def appended(token: bytes) -> object:
    """A change that is harmless when it meets its own effect."""

    def change(value: bytes | None) -> tuple[bytes | None, bytes | None]:
        if value is not None and token in value:
            return value, value[: value.index(token)] or None
        return (value or b"") + token, value

    return change


class World:
    """Five members, their troubles, and what clients saw."""

    def __init__(self, folder: Path, seed: int, regions: tuple[str, ...] = REGIONS) -> None:
        self.engines = SimulatedEngines(folder, regions, seed)
        for link in self.engines.net.links.values():
            link.min_delay_s, link.max_delay_s = 0.001, 0.05
        self.chance = random.Random(seed)
        self.nodes: dict[str, ConsensusNode] = {}
        self.joins: dict[str, asyncio.Task[None]] = {}
        self.history: list[Operation] = []

    async def start(self, region: str) -> None:
        engine = await self.engines.start(region)
        node = ConsensusNode(engine, "test", self.engines.regions)
        self.nodes[region] = node
        self.joins[region] = asyncio.get_running_loop().create_task(node.join())

    async def start_all(self) -> None:
        for region in self.engines.regions:
            await self.start(region)
        await asyncio.gather(*self.joins.values())

    async def stop(self, region: str, *, destroyed: bool = False) -> None:
        node = self.nodes.pop(region)
        self.joins.pop(region).cancel()
        await node.close()
        (self.engines.destroy if destroyed else self.engines.crash)(region)

    async def close(self) -> None:
        for region in list(self.nodes):
            await self.stop(region)
        await self.engines.close()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def client(self, number: int, count: int) -> None:
        for turn in range(count):
            await asyncio.sleep(self.chance.uniform(0, 1.5))
            if not self.nodes:
                continue
            node = self.nodes[self.chance.choice(sorted(self.nodes))]
            if self.chance.random() < 0.35:
                await self.read(node)
            else:
                await self.append(node, f"<{number}.{turn}>".encode())

    async def append(self, node: ConsensusNode, token: bytes) -> None:
        operation = Operation("append", token, self.now())
        self.history.append(operation)
        try:
            operation.told = await node.change(KEY, appended(token))  # type: ignore[arg-type]
        except (NoMajority, asyncio.CancelledError):
            return
        operation.ended = self.now()

    async def read(self, node: ConsensusNode) -> None:
        operation = Operation("read", None, self.now())
        self.history.append(operation)
        try:
            operation.told = await node.read(KEY)
        except (NoMajority, asyncio.CancelledError):
            return
        operation.ended = self.now()

    async def trouble(self, turns: int) -> None:
        """Cuts, heals, crashes, restarts and, now and then, a lost disk; at most two members are away at once."""
        for _ in range(turns):
            await asyncio.sleep(self.chance.uniform(0, 1.5))
            net, roll = self.engines.net, self.chance.random()
            one, other = self.chance.sample(self.engines.regions, 2)
            away = sorted(set(self.engines.regions) - set(self.nodes))
            if roll < 0.3:
                net.cut(one, other, both=self.chance.random() < 0.5)
            elif roll < 0.5:
                net.heal_all()
            elif roll < 0.75 and one in self.nodes and len(away) < 2:
                await self.stop(one, destroyed=self.chance.random() < 0.25)
            elif away:
                await self.start(away[0])
        self.engines.net.heal_all()


@pytest.mark.parametrize("seed", range(25))
def test_histories_under_trouble(tmp_path: Path, seed: int) -> None:
    async def play() -> list[Operation]:
        world = World(tmp_path, seed)
        await world.start_all()
        await asyncio.gather(world.trouble(12), *(world.client(number, 4) for number in range(3)))
        for region in sorted(set(REGIONS) - set(world.nodes)):
            await world.start(region)
        await asyncio.gather(*world.joins.values())
        await world.read(world.nodes["us-1"])
        assert world.history[-1].told is not None or all(each.kind == "read" for each in world.history)
        assert world.engines.net.errors == []
        await world.close()
        return world.history

    history = simulate(play())

    assert is_linearizable(history), history


def test_a_member_that_is_an_older_copy_is_silent_until_it_knows_what_it_had_agreed_to(tmp_path: Path) -> None:
    """Its vote had made a majority for a value; with what it remembers, it would make one for the value before."""
    one, two, three = regions = ("us-1", "us-2", "us-3")

    async def play() -> None:
        world = World(tmp_path, 1, regions)

        async def start(region: str) -> None:
            await world.start(region)
            world.engines.engines[region].space("t", replicas=regions)

        for region in regions:
            await start(region)
        await asyncio.gather(*world.joins.values())
        await world.nodes[one].change(KEY, lambda value: (b"before", value))
        await asyncio.sleep(5)
        await world.stop(one)
        shutil.copytree(tmp_path / one, tmp_path / "copy")
        await start(one)
        world.engines.net.cut(one, three)
        world.engines.net.cut(two, three)
        await world.nodes[two].change(KEY, lambda value: (b"agreed", value))
        engine = world.engines.engines[one]
        with engine.begin() as tx:
            tx.put(engine.space("t"), b"k", b"v")
        await asyncio.sleep(5)
        await world.stop(one)
        shutil.rmtree(tmp_path / one)
        shutil.copytree(tmp_path / "copy", tmp_path / one)
        await start(one)
        await asyncio.sleep(1)
        await world.stop(two)
        world.engines.net.heal_all()
        for _ in range(3):
            with pytest.raises(NoMajority):
                await world.nodes[three].read(KEY)
        await start(two)
        await asyncio.sleep(15)
        await world.stop(two)
        assert await world.nodes[three].read(KEY) == b"agreed"
        await world.close()

    simulate(play())


def test_the_same_seed_gives_the_same_history(tmp_path: Path) -> None:
    async def play(folder: Path) -> str:
        world = World(folder, 7)
        await world.start_all()
        await asyncio.gather(world.trouble(8), *(world.client(number, 3) for number in range(2)))
        await world.close()
        return repr(world.history)

    assert simulate(play(tmp_path / "a")) == simulate(play(tmp_path / "b"))


@pytest.mark.parametrize("dead", list(combinations(REGIONS, 2)), ids="+".join)
def test_any_two_dead_members_do_not_stop_the_others(tmp_path: Path, dead: tuple[str, str]) -> None:
    async def play() -> None:
        world = World(tmp_path, 1)
        await world.start_all()
        await world.nodes[dead[0]].change(KEY, lambda value: (b"off", None))
        await world.stop(dead[0])
        await world.stop(dead[1], destroyed=True)
        for region in sorted(world.nodes):
            began = world.now()

            before = await world.nodes[region].change(KEY, lambda value: (b"on", value))

            assert before is not None
            assert world.now() - began < 1.0
            assert await world.nodes[region].read(KEY) == b"on"
        await world.close()

    simulate(play())


def test_without_a_majority_nothing_changes_and_the_last_value_is_known(tmp_path: Path) -> None:
    async def play() -> None:
        world = World(tmp_path, 2)
        await world.start_all()
        await world.nodes["us-3"].change(KEY, lambda value: (b"on", None))
        await asyncio.sleep(1)
        for region in ("us-1", "us-2", "us-3"):
            await world.stop(region)
        survivor = world.nodes["eu-1"]

        with pytest.raises(NoMajority):
            await survivor.change(KEY, lambda value: (b"off", None))
        with pytest.raises(NoMajority):
            await survivor.read(KEY)

        known = survivor.known(KEY)
        assert known is not None
        assert known.value == b"on"
        assert not await survivor.refresh(KEY)
        await world.close()

    simulate(play())


def test_a_change_that_was_told_survives_the_death_of_all(tmp_path: Path) -> None:
    async def play() -> None:
        world = World(tmp_path, 3)
        await world.start_all()
        await world.nodes["us-3"].change(KEY, lambda value: (b"on", None))
        for region in REGIONS:
            await world.stop(region)
        await world.start_all()

        assert await world.nodes["ap-1"].read(KEY) == b"on"
        await world.close()

    simulate(play())


def test_a_member_that_heard_nothing_learns_by_asking(tmp_path: Path) -> None:
    async def play() -> None:
        world = World(tmp_path, 4)
        await world.start_all()
        for other in REGIONS[1:]:
            world.engines.net.cut("ap-1", other)
        await world.nodes["us-3"].change(KEY, lambda value: (b"on", None))
        await asyncio.sleep(1)
        assert world.nodes["ap-1"].known(KEY) is None
        heard: list[bytes | None] = []
        world.nodes["ap-1"].on_learn(lambda key, value: heard.append(value))
        world.engines.net.heal_all()

        assert await world.nodes["ap-1"].refresh(KEY)

        assert heard == [b"on"]
        assert (world.nodes["ap-1"].age_s(KEY) or 0) < 1
        await world.close()

    simulate(play())


def test_a_member_that_lost_its_disk_keeps_silent_until_it_has_caught_up(tmp_path: Path) -> None:
    async def play() -> None:
        world = World(tmp_path, 5)
        await world.start_all()
        await world.nodes["us-3"].change(KEY, lambda value: (b"on", None))
        await world.stop("us-1", destroyed=True)
        await world.start("us-1")
        began = world.now()

        with pytest.raises(NoMajority):
            await world.nodes["us-1"].change(KEY, lambda value: (b"off", None))
        await world.joins["us-1"]

        assert world.now() - began >= 9
        for region in ("eu-1", "ap-1"):
            await world.stop(region)
        assert await world.nodes["us-1"].read(KEY) == b"on"
        await world.close()

    simulate(play())


def test_one_region_is_a_majority_of_one(tmp_path: Path) -> None:
    async def play() -> None:
        world = World(tmp_path, 6, ("us-1",))
        await world.start_all()
        await world.nodes["us-1"].change(KEY, lambda value: (b"on", None))

        assert await world.nodes["us-1"].read(KEY) == b"on"
        await world.close()

    simulate(play())

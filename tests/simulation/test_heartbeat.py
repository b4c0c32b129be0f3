"""How long a peer has not answered, in virtual time and without a write."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from outlast.cloud.engine import Engine
from outlast.cloud.engine.heartbeat import MAX_UNDER_WAY
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import EAST, WEST, put, quiet, started, until


async def beats(engine: Engine, seconds: int) -> list[int]:
    """The ages of WEST's last answer, one a second."""
    ages = []
    for _ in range(seconds):
        await asyncio.sleep(1)
        ages.append(engine.beat([WEST])[WEST])
    return ages


def greetings(world: SimulatedEngines) -> list[str]:
    """Notes what EAST sends to WEST from now on."""
    seen: list[str] = []
    world.net.trace = lambda line: seen.append(line) if line.startswith(f"{EAST}>{WEST} replication") else None
    return seen


@pytest.mark.parametrize(("one", "other"), [(EAST, WEST), (WEST, EAST)])
def test_the_age_rises_while_either_direction_is_cut_though_nothing_is_written(
    tmp_path: Path, one: str, other: str
) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        engine = world.engines[EAST]
        assert max(await beats(engine, 10)) < 2500
        world.net.cut(one, other, both=False)
        ages = await beats(engine, 60)
        assert all(later - earlier == 1000 for earlier, later in pairwise(ages[2:]))
        assert ages[-1] > 57_000
        world.net.heal(one, other)
        assert max((await beats(engine, 10))[3:]) < 2500
        await world.close()

    simulate(play())


def test_a_silent_peer_costs_a_greeting_a_second_and_a_bounded_number_under_way(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        engine = world.engines[EAST]
        sent = greetings(world)
        await beats(engine, 30)
        assert 10 <= len(sent) <= 30
        world.net.cut(EAST, WEST)
        tasks = len(asyncio.all_tasks())
        for _ in range(1000):
            engine.beat([WEST])
            await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) <= tasks + 3 * MAX_UNDER_WAY
        await world.close()

    simulate(play())


def test_answers_to_writes_are_heartbeats_too(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        spaces = [world.engines[region].space("t", replicas=(EAST, WEST)) for region in (EAST, WEST)]
        engine = world.engines[EAST]
        await until(lambda: quiet(world))
        for _ in range(5):
            engine.beat([WEST])
            await put(engine, spaces[0], b"k", b"v")
            await asyncio.sleep(0.5)
        sent = greetings(world)
        await put(engine, spaces[0], b"k", b"w")
        await asyncio.sleep(0.5)
        assert engine.beat([WEST])[WEST] < 500
        assert len(sent) == 1, "the batch alone"
        await world.close()

    simulate(play())

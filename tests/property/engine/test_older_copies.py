"""Any schedule in which Regions' folders are put back from older copies ends equal.

Every acknowledged write that its Region did not forget stands, or is in a conflict ledger, or went into a write that
does or is.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.property.engine.test_convergence import (
    KEYS,
    REGIONS,
    Dot,
    Model,
    act,
    action,
    converge,
    dot_of,
    named,
    opened,
    quick,
    region_index,
)

Write = tuple[bytes, Dot]


@dataclass
class Copies:
    """The folders that were copied, and the writes that were forgotten when they were put back."""

    held: dict[str, set[Write]] = field(default_factory=dict)
    forgotten: set[Write] = field(default_factory=set)


def made_in(model: Model, region: str) -> set[Write]:
    return {(key, dot) for key, dot in model.attempted if named(dot)[1] == region}


def folder_of(world: SimulatedEngines, region: str) -> Path:
    lost = len(list((world.folder / region).glob("*.lost")))
    return world.folder / region / str(lost)


async def copy(world: SimulatedEngines, model: Model, copies: Copies, region: str) -> None:
    """Stop the Region, copy its folder, start it again."""
    await world.engines.pop(region).close()
    world.net.leave(region)
    shutil.rmtree(world.folder / f"{region} copy", ignore_errors=True)
    shutil.copytree(folder_of(world, region), world.folder / f"{region} copy")
    copies.held[region] = made_in(model, region)
    opened(await world.start(region))


async def put_back(world: SimulatedEngines, model: Model, copies: Copies, region: str) -> None:
    """The Region dies, and starts with the folder that was copied before, if there was one."""
    if region not in copies.held:
        return
    world.crash(region)
    shutil.rmtree(folder_of(world, region), ignore_errors=True)
    shutil.copytree(world.folder / f"{region} copy", folder_of(world, region))
    copies.forgotten |= made_in(model, region) - copies.held[region]
    await asyncio.sleep(0.002)
    opened(await world.start(region))


step = st.one_of(
    action.filter(lambda what: what[0] != "destroy"),
    st.tuples(st.just("copy"), region_index, st.just(0)),
    st.tuples(st.just("put back"), region_index, st.just(0)),
)


def check(world: SimulatedEngines, model: Model, copies: Copies, *, skewed: bool) -> None:
    engines = list(world.engines.values())
    states = [list(engine.space("t").range()) for engine in engines]
    assert states[0] == states[1] == states[2]
    for engine, state in zip(engines, states, strict=True):
        assert list(engine.space("mirror").range()) == state
    standing = {key: dot_of(engines[0], engines[0].space("t"), key) for key in KEYS}
    ends = {(key, named(dot)) for key, dot in standing.items() if dot is not None}
    ends |= {(each.key, (each.loser.stamp, each.loser.region)) for engine in engines for each in engine.conflicts("t")}
    before = {(key, named(dot)): known and named(known) for (key, dot), known in model.before.items()}
    explained: set[Write] = set()
    for key, dot in ends:
        at: Dot | None = dot
        while at is not None:
            explained.add((key, at))
            at = before.get((key, at))
    for (key, dot), value in model.acknowledged.items():
        if (key, dot) in copies.forgotten:
            continue
        winner = standing[key]
        assert winner is not None
        assert named(winner) >= named(dot), "an older write stands where a newer one was acknowledged"
        if skewed:
            continue  # a clock behind a forgotten write's makes writes that count as known where that one was known
        assert (key, named(dot)) in explained, "an overwritten write vanished unseen"
        if named(winner) == named(dot):
            assert engines[0].space("t").get(key) == value


async def play(folder: Path, seed: int, schedule: list[tuple[str, int, object]]) -> None:
    world = SimulatedEngines(folder, REGIONS, seed)
    model, copies = Model(), Copies()
    for link in world.net.links.values():
        link.min_delay_s, link.max_delay_s = 0.01, 0.3
    for region in REGIONS:
        opened(await world.start(region))
    for number, what in enumerate(schedule):
        region = REGIONS[what[1]] if what[0] != "wait" else ""
        if what[0] == "copy":
            if region in world.engines:
                await copy(world, model, copies, region)
        elif what[0] == "put back":
            await put_back(world, model, copies, region)
        else:
            await act(world, model, number, what)
    await converge(world)
    check(world, model, copies, skewed=any(what[0] == "skew" for what in schedule))
    assert [e for e in world.net.errors if not isinstance(e, StorageUnavailable)] == []
    await world.close()


@quick
@given(seed=st.integers(0, 2**32), schedule=st.lists(step, max_size=30))
def test_any_schedule_with_older_copies_ends_equal(seed: int, schedule: list[tuple[str, int, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulate(play(Path(folder), seed, schedule))

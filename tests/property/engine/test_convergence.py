"""Any schedule of writes, cuts, losses, crashes, destroyed disks and drifting clocks ends equal after healing.

Every acknowledged write is then explained: it stands, or a later write knew it, or it is in a conflict ledger, or its
Region was destroyed.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlast.cloud.engine import Change, Engine, Space, StorageUnavailable, Transaction
from outlast.cloud.engine.version import decode
from outlast.cloud.simulation import SimulatedEngines, simulate

REGIONS = ("us-east-1", "us-west-2", "us-east-2")
KEYS = (b"a", b"b", b"c")

Dot = tuple[int, str]


@dataclass
class Model:
    """What the clients of all Regions know."""

    acknowledged: dict[tuple[bytes, Dot], bytes | None] = field(default_factory=dict)
    attempted: dict[tuple[bytes, Dot], bytes | None] = field(default_factory=dict)
    known: set[tuple[bytes, Dot]] = field(default_factory=set)
    destroyed: set[str] = field(default_factory=set)


def mirror(index: Space) -> object:
    def derive(change: Change, tx: Transaction) -> None:
        if change.new is None:
            tx.delete(index, change.key)
        else:
            tx.put(index, change.key, change.new)

    return derive


def opened(engine: Engine) -> Space:
    return engine.space("t", replicas=REGIONS, derive=mirror(engine.space("mirror")))  # type: ignore[arg-type]


def dot_of(engine: Engine, space: Space, key: bytes) -> Dot | None:
    stored = engine.store.get(space.raw(key))
    if stored is None:
        return None
    item = decode(stored)
    return item.stamp, engine.replication.names_list[item.origin]


async def write(engine: Engine, model: Model, key: bytes, value: bytes | None) -> None:
    space = engine.space("t")
    before = dot_of(engine, space, key)
    with engine.begin() as tx:
        if value is None:
            tx.delete(space, key)
        else:
            tx.put(space, key, value)
    after = dot_of(engine, space, key)
    if after is None or after == before:
        return
    model.attempted[key, after] = value
    if before is not None:
        model.known.add((key, before))
    try:
        await engine.settled()
    except StorageUnavailable:
        return
    model.acknowledged[key, after] = value


region_index = st.integers(0, len(REGIONS) - 1)
action = st.one_of(
    st.tuples(st.just("put"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("put"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("delete"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("unsettled"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("cut"), region_index, region_index),
    st.tuples(st.just("cut one way"), region_index, region_index),
    st.tuples(st.just("heal"), region_index, region_index),
    st.tuples(st.just("lossy"), region_index, region_index),
    st.tuples(st.just("crash"), region_index, st.just(0)),
    st.tuples(st.just("power"), region_index, st.just(0)),
    st.tuples(st.just("destroy"), region_index, st.just(0)),
    st.tuples(st.just("start"), region_index, st.just(0)),
    st.tuples(st.just("skew"), region_index, st.integers(-100_000, 100_000)),
    st.tuples(st.just("wait"), st.integers(0, 3000), st.just(0)),
)


async def act(world: SimulatedEngines, model: Model, number: int, what: tuple[str, int, object]) -> None:
    name, first, second = what
    if name == "wait":
        await asyncio.sleep(first / 1000)
        return
    region = REGIONS[first]
    engine = world.engines.get(region)
    if name in ("put", "delete", "unsettled"):
        assert isinstance(second, bytes)
        if engine is not None:
            value = None if name == "delete" else b"%d" % number
            if name == "unsettled":
                task = asyncio.ensure_future(write(engine, model, second, value))
                await asyncio.sleep(0)
                world.crash(region, power=number % 2 == 0)
                task.cancel()
            else:
                await write(engine, model, second, value)
    elif name in ("crash", "power"):
        world.crash(region, power=name == "power")
    elif name == "destroy":
        if engine is not None:
            model.destroyed.add(engine.replication.names_list[engine.origin])
            world.destroy(region)
    elif name == "start":
        if engine is None:
            opened(await world.start(region))
    elif name == "skew":
        assert isinstance(second, int)
        world.clocks[region].skew_ms = second
    else:
        assert isinstance(second, int)
        other = REGIONS[second]
        if other != region:
            if name == "cut":
                world.net.cut(region, other)
            elif name == "cut one way":
                world.net.cut(region, other, both=False)
            elif name == "heal":
                world.net.heal(region, other)
            else:
                world.net.links[region, other].loss = 0.3


async def converge(world: SimulatedEngines) -> None:
    world.net.heal_all()
    for region in REGIONS:
        if region not in world.engines:
            opened(await world.start(region))
    for _ in range(3000):
        await asyncio.sleep(0.1)
        replicas = [r for e in world.engines.values() for r in e.space("t").replica_status().values()]
        if len(replicas) == 6 and all(r.status == "ACTIVE" and r.backlog == 0 for r in replicas):
            return
    raise AssertionError("no convergence within 300 virtual seconds")


def check(world: SimulatedEngines, model: Model) -> None:
    engines = list(world.engines.values())
    states = [list(engine.space("t").range()) for engine in engines]
    assert states[0] == states[1] == states[2]
    for engine, state in zip(engines, states, strict=True):
        assert list(engine.space("mirror").range()) == state
    ledgers = [
        {(conflict.key, conflict.loser.stamp, conflict.loser.region) for conflict in engine.conflicts("t")}
        for engine in engines
    ]
    final = {key: dot_of(engines[0], engines[0].space("t"), key) for key in KEYS}
    noted_in = 1 if model.destroyed else 2
    for (key, dot), value in model.acknowledged.items():
        if dot[1] in model.destroyed:
            continue  # what it had not sent is lost with it
        winner = final[key]
        assert winner is not None
        assert winner >= dot, "an older write stands where a newer one was acknowledged"
        if winner == dot:
            assert engines[0].space("t").get(key) == value
        elif (key, dot) not in model.known:
            loser = (key, dot[0], dot[1].partition("#")[0])
            assert sum(loser in ledger for ledger in ledgers) >= noted_in, "an overwritten write vanished unseen"
    for key, winner in final.items():
        assert winner is None or (key, winner) in model.attempted


async def play(folder: Path, seed: int, schedule: list[tuple[str, int, object]]) -> list[str]:
    world = SimulatedEngines(folder, REGIONS, seed)
    model = Model()
    for link in world.net.links.values():
        link.min_delay_s, link.max_delay_s = 0.01, 0.3
    for region in REGIONS:
        opened(await world.start(region))
    for number, what in enumerate(schedule):
        await act(world, model, number, what)
    await converge(world)
    check(world, model)
    assert [e for e in world.net.errors if not isinstance(e, StorageUnavailable)] == []
    await world.close()
    return world.trace


schedules = st.lists(action, max_size=30)
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(seed=st.integers(0, 2**32), schedule=schedules)
def test_any_schedule_ends_equal_and_explained(seed: int, schedule: list[tuple[str, int, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulate(play(Path(folder), seed, schedule))


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32), schedule=schedules)
def test_the_same_seed_gives_the_same_trace(seed: int, schedule: list[tuple[str, int, object]]) -> None:
    traces = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            traces.append(simulate(play(Path(folder), seed, schedule)))
    assert traces[0] == traces[1]

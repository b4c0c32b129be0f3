"""Any schedule of writes, cuts, losses, crashes, full and destroyed disks and drifting clocks ends equal after healing.

Every acknowledged write is then explained: it stands, or it is in the conflict ledger of a Region that still has its
disk, or it went into a write that does or is; or its Region was destroyed when no other had it.
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
    before: dict[tuple[bytes, Dot], Dot | None] = field(default_factory=dict)
    destroyed: set[str] = field(default_factory=set)
    stranded: set[tuple[bytes, Dot]] = field(default_factory=set)

    def history(self, key: bytes, dot: Dot | None) -> set[Dot]:
        """A write and all that went into it."""
        found: set[Dot] = set()
        while dot is not None:
            found.add(dot)
            dot = self.before.get((key, dot))
        return found


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


async def write(engine: Engine, model: Model, keys: tuple[bytes, ...], value: bytes | None) -> None:
    """One transaction; a full disk may refuse it at its beginning, or when it is to become durable."""
    space = engine.space("t")
    before = {key: dot_of(engine, space, key) for key in keys}
    try:
        with engine.begin() as tx:
            for key in keys:
                if value is None:
                    tx.delete(space, key)
                else:
                    tx.put(space, key, value)
    except StorageUnavailable:
        assert {key: dot_of(engine, space, key) for key in keys} == before
        return
    after = {key: dot_of(engine, space, key) for key in keys}
    changed = {(key, dot): before[key] for key, dot in after.items() if dot is not None and dot != before[key]}
    model.attempted.update(dict.fromkeys(changed, value))
    model.before.update(changed)
    try:
        await engine.settled()
    except StorageUnavailable:
        return
    model.acknowledged.update(dict.fromkeys(changed, value))


region_index = st.integers(0, len(REGIONS) - 1)
action = st.one_of(
    st.tuples(st.just("put"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("put"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("delete"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.just("put all"), region_index, st.just(0)),
    st.tuples(st.just("unsettled"), region_index, st.sampled_from(KEYS)),
    st.tuples(st.sampled_from(("full", "room")), region_index, st.just(0)),
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


def in_none(engine: Engine) -> set[tuple[bytes, Dot]]:
    """The writes that none of its peers has confirmed to an engine."""
    owed = [
        {(each.key, (each.stamp, engine.writer)) for each in engine.stranded(peer)}
        for peer in engine.space("t").replica_status()
    ]
    return set.intersection(*owed)


rush = st.lists(
    st.one_of(
        st.tuples(st.just("put"), region_index, st.just(KEYS[0])),
        st.tuples(st.just("put"), region_index, st.just(KEYS[0])),
        st.tuples(st.sampled_from(("cut one way", "heal", "slow", "quick")), region_index, region_index),
        st.tuples(st.just("wait"), st.integers(1, 500), st.just(0)),
        st.tuples(st.just("skew"), region_index, st.sampled_from((-1000, 0, 1000))),
    ),
    min_size=5,
    max_size=25,
)


cramped = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("put", "delete")), region_index, st.sampled_from(KEYS)),
        st.tuples(st.just("put all"), region_index, st.just(0)),
        st.tuples(st.just("full"), region_index, st.just(0)),
        st.tuples(st.sampled_from(("full", "room", "power", "start")), region_index, st.just(0)),
        st.tuples(st.sampled_from(("cut", "heal")), region_index, region_index),
        st.tuples(st.just("wait"), st.integers(0, 3000), st.just(0)),
    ),
    min_size=10,
    max_size=40,
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
                task = asyncio.ensure_future(write(engine, model, (second,), value))
                await asyncio.sleep(0)
                world.crash(region, power=number % 2 == 0)
                task.cancel()
            else:
                await write(engine, model, (second,), value)
    elif name == "put all":
        if engine is not None:
            await write(engine, model, KEYS, b"%d" % number)
    elif name in ("full", "room"):
        world.disks[region].faults.full = name == "full"
    elif name in ("crash", "power"):
        world.crash(region, power=name == "power")
    elif name == "destroy":
        if engine is not None:
            model.destroyed.add(engine.writer)
            model.stranded |= in_none(engine)
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
            elif name == "lossy":
                world.net.links[region, other].loss = 0.3
            else:
                link = world.net.links[region, other]
                link.min_delay_s, link.max_delay_s = (1.0, 1.3) if name == "slow" else (0.01, 0.02)


async def converge(world: SimulatedEngines) -> None:
    world.net.heal_all()
    for disk in world.disks.values():
        disk.faults.full = False
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
    final = {key: dot_of(engines[0], engines[0].space("t"), key) for key in KEYS}
    losers = [{(each.key, each.loser.stamp, each.loser.region) for each in engine.conflicts("t")} for engine in engines]
    explained = {key: model.history(key, winner) for key, winner in final.items()}
    for key, dot in model.attempted:
        if any((key, *named(dot)) in noted for noted in losers):
            explained[key] |= model.history(key, dot)
    for (key, dot), value in model.acknowledged.items():
        winner = final[key]
        if winner == dot:
            assert engines[0].space("t").get(key) == value
        if dot[1] not in model.destroyed:
            assert winner is not None
            assert winner >= dot, "an older write stands where a newer one was acknowledged"
        elif (key, dot) in model.stranded or len(model.destroyed) > 1:
            continue  # what it had not sent is lost with it, and what it had sent to one that was destroyed later
        assert dot in explained[key], "an overwritten write vanished unseen"
    for key, winner in final.items():
        assert winner is None or (key, winner) in model.attempted


def named(dot: Dot) -> tuple[int, str]:
    return dot[0], dot[1].partition("#")[0]


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


@settings(quick, max_examples=30)
@given(seed=st.integers(0, 2**32), schedule=rush, gone=region_index)
def test_one_item_in_a_rush_ends_explained_though_a_region_is_destroyed(
    seed: int, schedule: list[tuple[str, int, object]], gone: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulate(play(Path(folder), seed, [*schedule, ("destroy", gone, 0)]))


@quick
@given(seed=st.integers(0, 2**32), schedule=cramped)
def test_disks_that_fill_end_equal_and_explained(seed: int, schedule: list[tuple[str, int, object]]) -> None:
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

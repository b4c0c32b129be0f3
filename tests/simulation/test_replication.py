"""Replication between engines in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from outlast.cloud.engine import Change, Delivered, Engine, Space, Transaction
from outlast.cloud.simulation import SimulatedEngines, simulate

EAST, WEST, OHIO = "us-east-1", "us-west-2", "us-east-2"
BOTH = (EAST, WEST)
ALL = (EAST, WEST, OHIO)


async def started(tmp_path: Path, regions: tuple[str, ...] = BOTH, delay_s: float = 0.05) -> SimulatedEngines:
    world = SimulatedEngines(tmp_path, regions, seed=1)
    for link in world.net.links.values():
        link.min_delay_s, link.max_delay_s = delay_s / 2, delay_s
    for region in regions:
        await world.start(region)
    return world


async def put(engine: Engine, space: Space, key: bytes, value: bytes, context: bytes = b"") -> int:
    with engine.begin() as tx:
        tx.put(space, key, value, context)
        stamp = tx.stamp
    await engine.settled()
    return stamp


async def delete(engine: Engine, space: Space, key: bytes) -> None:
    with engine.begin() as tx:
        tx.delete(space, key)
    await engine.settled()


async def until(condition: Callable[[], bool], within_s: float = 60.0) -> float:
    """Virtual seconds until `condition` holds."""
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    while not condition():
        if loop.time() - started_s > within_s:
            raise AssertionError(f"still not so after {within_s} virtual seconds")
        await asyncio.sleep(0.01)
    return loop.time() - started_s


def quiet(world: SimulatedEngines, name: str = "t") -> bool:
    return all(
        replica.status == "ACTIVE" and replica.backlog == 0
        for engine in world.engines.values()
        for replica in engine.space(name).replica_status().values()
    )


def test_a_write_arrives_after_the_links_delay(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, delay_s=1.0)
        a, b = (world.engines[region].space("t", replicas=BOTH) for region in BOTH)
        heard: list[Change] = []
        b.subscribe(heard.append)
        await until(lambda: quiet(world))
        delivered: list[Delivered] = []
        world.engines[EAST].observe(delivered.append)
        stamp = await put(world.engines[EAST], a, b"k", b"v", b"request 1")
        took_s = await until(lambda: b.get(b"k") == b"v")
        assert 0.5 <= took_s <= 1.2
        await until(lambda: quiet(world))
        assert [(each.space, each.peer) for each in delivered] == [("t", WEST)]
        ((latency_ms, n_writes),) = delivered[0].latencies_ms.items()
        assert 400 <= latency_ms <= 1200
        assert n_writes == 1
        assert [(c.key, c.new, c.origin, c.stamp, c.replicated, c.context) for c in heard] == [
            (b"k", b"v", EAST, stamp, True, b"request 1")
        ]
        await world.close()

    simulate(play())


def test_derive_sees_replicated_changes_in_their_transaction(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        index = world.engines[WEST].space("index")

        def derive(change: Change, tx: Transaction) -> None:
            if change.old is not None:
                tx.delete(index, change.old)
            if change.new is not None:
                tx.put(index, change.new, change.key)

        a = world.engines[EAST].space("t", replicas=BOTH)
        b = world.engines[WEST].space("t", replicas=BOTH, derive=derive)
        await put(world.engines[EAST], a, b"k", b"v1")
        await until(lambda: b.get(b"k") == b"v1")
        assert list(index.range()) == [(b"v1", b"k")]
        await put(world.engines[EAST], a, b"k", b"v2")
        await until(lambda: b.get(b"k") == b"v2")
        assert list(index.range()) == [(b"v2", b"k")]
        await delete(world.engines[EAST], a, b"k")
        await until(lambda: b.get(b"k") is None)
        assert list(index.range()) == []
        await world.close()

    simulate(play())


def test_a_cut_strands_writes_and_healing_brings_them(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        first = await put(east, a, b"1", b"x", b"r1")
        second = await put(east, a, b"2", b"y", b"r2")
        await asyncio.sleep(5)
        assert b.get(b"1") is None
        assert [(s.space, s.key, s.stamp, s.context) for s in east.stranded(WEST)] == [
            ("t", b"1", first, b"r1"),
            ("t", b"2", second, b"r2"),
        ]
        status = a.replica_status()[WEST]
        assert (status.backlog, status.status) == (2, "ACTIVE")
        assert status.lag_ms >= 5000
        world.net.heal(EAST, WEST)
        assert await until(lambda: quiet(world)) < 3
        assert b.get(b"2") == b"y"
        assert list(east.stranded(WEST)) == []
        assert a.lag_ms(WEST) == 0
        await world.close()

    simulate(play())


def test_the_later_of_two_concurrent_writes_wins_and_the_other_is_in_the_ledger(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        lost = await put(east, a, b"sold", b"east", b"order 1")
        await asyncio.sleep(0.5)
        kept = await put(west, b, b"sold", b"west", b"order 2")
        await put(east, a, b"other", b"east")
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        assert a.get(b"sold") == b.get(b"sold") == b"west"
        (conflict,), (same,) = east.conflicts(), west.conflicts()
        assert conflict.id == same.id
        assert (conflict.winner, conflict.loser) == (same.winner, same.loser)
        assert (conflict.space, conflict.key) == ("t", b"sold")
        winner, loser = conflict.winner, conflict.loser
        assert (winner.region, winner.stamp, winner.value, winner.context) == (WEST, kept, b"west", b"order 2")
        assert (loser.region, loser.stamp, loser.value, loser.context) == (EAST, lost, b"east", b"order 1")
        for engine in (east, west):
            assert list(engine.conflicts("other")) == []
            assert list(engine.conflicts(since_ms=conflict.noticed_ms + 1000)) == []
        await world.close()

    simulate(play())


def test_a_write_that_knew_the_other_is_no_conflict(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        world.clocks[EAST].skew_ms = 60_000  # the first writer's clock is a minute ahead
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await put(east, a, b"k", b"1")
        await until(lambda: b.get(b"k") == b"1")
        await put(west, b, b"k", b"2")
        await until(lambda: a.get(b"k") == b"2")
        await until(lambda: quiet(world))
        assert not list(east.conflicts())
        assert not list(west.conflicts())
        await world.close()

    simulate(play())


def test_a_deleted_item_does_not_come_back(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path, ALL)
        spaces = {region: world.engines[region].space("t", replicas=ALL) for region in ALL}
        await put(world.engines[EAST], spaces[EAST], b"k", b"v")
        await until(lambda: quiet(world))
        world.net.cut(OHIO, EAST)
        world.net.cut(OHIO, WEST)
        await put(world.engines[OHIO], spaces[OHIO], b"k", b"older")
        await asyncio.sleep(1)
        await delete(world.engines[EAST], spaces[EAST], b"k")
        await asyncio.sleep(3 * 3600)  # past the retention: the tombstone is still needed
        world.net.heal_all()
        await until(lambda: quiet(world))
        for region in ALL:
            assert spaces[region].get(b"k") is None
            assert list(spaces[region].range()) == []
        await asyncio.sleep(3 * 3600)
        for region in ALL:
            raw = world.engines[region].store.range(b"\x10", b"\x11")
            assert [key for key, _ in raw if key.endswith(b"k")] == [], "the tombstone is gone in the end"
        await world.close()

    simulate(play())


def test_a_replica_added_to_a_live_space_gets_everything(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a = east.space("t")
        for number in range(1200):
            with east.begin() as tx:
                tx.put(a, b"%04d" % number, b"before")
        await east.settled()
        a.set_replicas((WEST,))
        assert a.replica_status()[WEST].status == "CREATING"
        await asyncio.sleep(1)
        assert a.replica_status()[WEST].status == "CREATING", "the other Region does not know the space yet"
        b = west.space("t", replicas=(EAST,))
        for number in range(0, 1200, 100):
            await put(east, a, b"%04d" % number, b"after")
            await delete(east, a, b"%04d" % (number + 1))
        await until(lambda: quiet(world))
        assert list(b.range()) == list(a.range())
        assert len(list(b.range())) == 1188
        await world.close()

    simulate(play())


def test_a_removed_replica_gets_nothing_and_can_come_back(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await put(east, a, b"1", b"x")
        await until(lambda: quiet(world))
        a.set_replicas(())
        west.drop(b)
        await put(east, a, b"2", b"x")
        await asyncio.sleep(10)
        b = west.space("t")
        assert list(b.range()) == []
        assert a.replica_status() == {}
        a.set_replicas((WEST,))
        b.set_replicas((EAST,))
        await until(lambda: quiet(world))
        assert [key for key, _ in b.range()] == [b"1", b"2"]
        await world.close()

    simulate(play())


def test_a_destroyed_region_gets_everything_back_its_own_writes_too(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await put(east, a, b"1", b"east")
        await put(west, b, b"2", b"west")
        await until(lambda: quiet(world))
        world.destroy(EAST)
        await asyncio.sleep(5)
        await put(west, b, b"3", b"west")
        east = await world.start(EAST)
        a = east.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        assert list(a.range()) == list(b.range()) == [(b"1", b"east"), (b"2", b"west"), (b"3", b"west")]
        await put(east, a, b"1", b"again")
        await until(lambda: b.get(b"1") == b"again")
        assert list(west.conflicts()) == []
        await world.close()

    simulate(play())


def test_a_crash_in_the_middle_of_catching_up(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        for number in range(3000):
            with east.begin() as tx:
                tx.put(a, b"%04d" % number, b"v")
        await east.settled()
        world.net.heal(EAST, WEST)
        for victim in (WEST, EAST, WEST):
            await asyncio.sleep(0.4)
            world.crash(victim)
            await asyncio.sleep(0.2)
            await world.start(victim)
            world.engines[victim].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        a, b = (world.engines[region].space("t") for region in BOTH)
        assert len(list(b.range())) == 3000
        assert list(a.range()) == list(b.range())
        await world.close()

    simulate(play())


def test_pausing_holds_one_space_back(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        one, two = (east.space(name, replicas=BOTH) for name in ("t", "u"))
        there, other = (west.space(name, replicas=BOTH) for name in ("t", "u"))
        await until(lambda: quiet(world) and quiet(world, "u"))
        east.pause_replication(WEST, "t")
        await put(east, one, b"k", b"v")
        await put(east, two, b"k", b"v")
        await until(lambda: other.get(b"k") == b"v")
        await asyncio.sleep(10)
        assert there.get(b"k") is None
        east.resume_replication(WEST, "t")
        await until(lambda: there.get(b"k") == b"v")
        await world.close()

    simulate(play())


def test_an_idle_world_sends_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        for region in BOTH:
            world.engines[region].space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        await asyncio.sleep(5)
        before = len(world.trace)
        await asyncio.sleep(3600)
        assert len(world.trace) == before
        await world.close()

    simulate(play())


def test_a_log_that_grows_too_long_gives_way_to_sending_all_items(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        east.replication.max_log_records = 100
        world.net.cut(EAST, WEST)
        for number in range(250):
            await put(east, a, b"%d" % (number % 50), b"%d" % number)
        await asyncio.sleep(5)
        assert len(list(east.store.range(b"\x20", b"\x21"))) <= 102
        assert {each.key for each in east.stranded(WEST)} == {b"%d" % number for number in range(50)}
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        assert list(a.range()) == list(b.range())
        await world.close()

    simulate(play())


def test_what_is_sent_twice_is_applied_once(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        heard: list[Change] = []
        b.subscribe(heard.append)
        world.net.links[WEST, EAST].loss = 0.7  # answers are lost, so batches are sent again
        for number in range(40):
            await put(east, a, b"%d" % number, b"v")
            await asyncio.sleep(0.1)
        await until(lambda: quiet(world))
        assert sorted(change.key for change in heard) == sorted(b"%d" % number for number in range(40))
        await world.close()

    simulate(play())

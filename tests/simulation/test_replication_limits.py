"""Replication at its limits, in virtual time: clocks far apart, large backlogs, peers that are no replicas."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from outlast.cloud.engine.outbox import MAX_RECENT
from outlast.cloud.engine.sender import BATCH_BYTES, MAX_BYTES_UNDER_WAY, MAX_UNDER_WAY
from outlast.cloud.simulation import simulate
from tests.simulation.test_replication import BOTH, EAST, WEST, put, quiet, started, until


def test_clocks_an_hour_apart_change_who_wins_and_nothing_else(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        world.clocks[EAST].skew_ms = 3_600_000
        early = await put(east, a, b"k", b"east")
        await asyncio.sleep(5)
        await put(west, b, b"k", b"west, later by the wall")
        world.net.heal(EAST, WEST)
        await until(lambda: quiet(world))
        assert a.get(b"k") == b.get(b"k") == b"east"
        (conflict,) = west.conflicts()
        assert (conflict.winner.stamp, conflict.loser.value) == (early, b"west, later by the wall")
        world.clocks[EAST].skew_ms = 0
        await put(west, b, b"k", b"west knew it")
        await until(lambda: a.get(b"k") == b"west knew it")
        await put(east, a, b"k", b"east knew that")
        await until(lambda: b.get(b"k") == b"east knew that")
        assert len(list(east.conflicts())) == len(list(west.conflicts())) == 1
        await world.close()

    simulate(play())


def test_what_is_held_in_memory_does_not_grow_with_the_backlog(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        for number in range(0, 12_000, 100):
            with east.begin() as tx:
                for key in range(number, number + 100):
                    tx.put(a, b"%05d" % key, bytes(1000))
            await east.settled()
        sender = east.replication._senders[WEST]
        outbox = a.outbox
        assert outbox is not None
        stream = outbox.streams[WEST]
        assert a.replica_status()[WEST].backlog == 12_000
        assert len(outbox._recent_stamps) <= MAX_RECENT
        world.net.heal(EAST, WEST)
        under_way, spans = [0], [0]
        while not quiet(world):
            under_way.append(sender._bytes_under_way)
            spans.append(len(stream.log_spans))
            assert len(outbox._recent_stamps) <= MAX_RECENT
            await asyncio.sleep(0.005)
        assert 0 < max(under_way) <= MAX_BYTES_UNDER_WAY + 2 * BATCH_BYTES, "12 MB wait, 4 are under way"
        assert 0 < max(spans) <= MAX_UNDER_WAY
        assert list(a.range()) == list(b.range())
        await world.close()

    simulate(play())


def test_a_peer_that_is_no_replica_changes_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        await put(west, b, b"k", b"never sent")
        a.set_replicas(())
        world.net.heal(EAST, WEST)
        await asyncio.sleep(30)
        assert a.get(b"k") is None
        assert [each.key for each in west.stranded(EAST)] == [b"k"], "and it does not count as sent"
        await world.close()

    simulate(play())


def test_a_way_that_has_become_much_slower_than_it_was_is_used_all_the_same(tmp_path: Path) -> None:
    async def play() -> None:
        world = await started(tmp_path)
        east, west = world.engines[EAST], world.engines[WEST]
        a, b = east.space("t", replicas=BOTH), west.space("t", replicas=BOTH)
        await until(lambda: quiet(world))
        await put(east, a, b"k", b"while it is quick")
        await until(lambda: quiet(world))
        for link in world.net.links.values():
            link.min_delay_s = link.max_delay_s = 2.5
        await put(east, a, b"k", b"while it is slow")
        await until(lambda: b.get(b"k") == b"while it is slow" and quiet(world))
        await put(west, b, b"k", b"and back")
        await until(lambda: a.get(b"k") == b"and back" and quiet(world))
        await world.close()

    simulate(play())


@pytest.mark.parametrize("held_back", ["paused", "unknown there"])
def test_a_space_that_is_held_back_leaves_the_batches_of_others_large(tmp_path: Path, held_back: str) -> None:
    async def play() -> None:
        world = await started(tmp_path, delay_s=0.002)
        east, west = (world.engines[region] for region in BOTH)
        busy, held = (east.space(name, replicas=BOTH) for name in "tu")
        for name in "tu":
            west.space(name, replicas=BOTH)
        await until(lambda: quiet(world) and quiet(world, "u"))
        world.net.cut(EAST, WEST)
        for number in range(600):
            with east.begin() as tx:
                tx.put(held, b"%d" % number, b"v")
        await asyncio.sleep(5)
        if held_back == "paused":
            east.pause_replication(WEST, "u")
        else:
            west.space("u").set_replicas(())
        world.net.heal(EAST, WEST)
        await asyncio.sleep(5)
        sent: list[str] = []
        world.net.trace = sent.append
        for number in range(2000):
            with east.begin() as tx:
                tx.put(busy, b"%d" % number, b"v")
            await asyncio.sleep(0.0005)
        batches = [line for line in sent if line.startswith(f"{EAST}>{WEST} replication")]
        assert len(batches) < 100, "the writes of 20 ms each, or they cost the writer ten times as much"
        assert held.replica_status()[WEST].backlog == 600
        await until(lambda: busy.replica_status()[WEST].backlog == 0)
        east.resume_replication(WEST, "u")
        west.space("u").set_replicas((EAST,))
        await until(lambda: quiet(world, "u"))
        assert list(west.space("u").range()) == list(held.range())
        await world.close()

    simulate(play())

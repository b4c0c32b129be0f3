"""A Region whose whole folder was put back from an older copy: its peers know better, and it comes to know it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.cloud.engine import OlderCopy, Space
from outlast.cloud.engine import renewal as renewal_module
from outlast.cloud.engine.lineage import ENDED, Life, Standing, descends
from outlast.cloud.simulation import SimulatedEngines, simulate
from tests.simulation.test_replication import ALL, BOTH, EAST, OHIO, WEST, delete, put, quiet, started, until


def folder_of(tmp_path: Path, region: str) -> Path:
    return tmp_path / region / "0"


async def stopped(world: SimulatedEngines, region: str) -> None:
    await world.engines[region].close()
    world.net.leave(region)
    world.engines.pop(region)


def put_back(tmp_path: Path, region: str, name: str = "copy") -> None:
    shutil.rmtree(folder_of(tmp_path, region))
    shutil.copytree(tmp_path / name, folder_of(tmp_path, region))


async def copied(tmp_path: Path, world: SimulatedEngines, region: str, name: str = "copy") -> None:
    """The Region's folder is copied while it is down; it goes on."""
    await stopped(world, region)
    shutil.copytree(folder_of(tmp_path, region), tmp_path / name)
    await world.start(region)


def spaces(world: SimulatedEngines, regions: tuple[str, ...]) -> dict[str, Space]:
    return {region: world.engines[region].space("t", replicas=regions) for region in regions if region in world.engines}


def heard(world: SimulatedEngines, region: str) -> list[OlderCopy]:
    told: list[OlderCopy] = []
    world.engines[region].on_older_copy(told.append)
    return told


def equal(opened: dict[str, Space]) -> dict[bytes, bytes]:
    """What all copies hold."""
    contents = [dict(space.range()) for space in opened.values()]
    assert all(each == contents[0] for each in contents), contents
    return contents[0]


def played(play: Callable[[SimulatedEngines], object], tmp_path: Path, regions: tuple[str, ...] = BOTH) -> None:
    async def whole() -> None:
        world = await started(tmp_path, regions)
        spaces(world, regions)
        await until(lambda: quiet(world))
        await play(world)  # type: ignore[misc]
        assert world.net.errors == []
        await world.close()

    simulate(whole())


@pytest.mark.parametrize("n_between", [1, 300])
def test_what_the_copy_lacks_comes_back_and_what_was_written_on_it_is_kept(tmp_path: Path, n_between: int) -> None:
    async def play(world: SimulatedEngines) -> None:
        await put(world.engines[WEST], spaces(world, BOTH)[WEST], b"before", b"w")
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        for number in range(n_between):
            await put(world.engines[WEST], opened[WEST], b"own %d" % number, b"w")
            await put(world.engines[EAST], opened[EAST], b"theirs %d" % number, b"e")
        await until(lambda: quiet(world))
        before = equal(opened)
        identity = world.engines[WEST].writer
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        await world.start(WEST)
        told = heard(world, WEST)
        opened = spaces(world, BOTH)
        for number in range(2 * n_between):  # it has more commits than its peer knows of before they meet
            await put(world.engines[WEST], opened[WEST], b"after %d" % number, b"new")
        await until(lambda: quiet(world) and bool(told))
        assert equal(opened) == before | {b"after %d" % number: b"new" for number in range(2 * n_between)}
        assert [each.peer for each in told] == [EAST]
        assert world.engines[WEST].writer != identity
        assert list(world.engines[EAST].conflicts()) == list(world.engines[WEST].conflicts()) == []
        again = heard(world, WEST)
        world.crash(WEST)
        await world.start(WEST)
        spaces(world, BOTH)
        await until(lambda: quiet(world))
        assert again == [], "once is enough"

    played(play, tmp_path)


def test_a_write_on_the_copy_over_one_that_it_had_forgotten_is_a_conflict(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"k", b"shared")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        await put(world.engines[WEST], spaces(world, BOTH)[WEST], b"k", b"forgotten")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.cut(EAST, WEST)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        assert opened[WEST].get(b"k") == b"shared"
        await put(world.engines[WEST], opened[WEST], b"k", b"on the copy")
        world.crash(WEST)  # one life more, before any peer was met
        await world.start(WEST)
        opened = spaces(world, BOTH)
        world.net.heal_all()
        await until(lambda: quiet(world) and opened[EAST].get(b"k") == b"on the copy")
        assert equal(opened) == {b"k": b"on the copy"}
        found = [(each.loser.value, each.winner.value) for each in world.engines[EAST].conflicts()]
        assert found == [(b"forgotten", b"on the copy")], "by the Region that had it"

    played(play, tmp_path)


def test_a_clock_behind_what_was_forgotten_loses_openly(tmp_path: Path) -> None:
    """The forgotten writes had stamps far ahead: the same stamps are given out again, and are other writes."""

    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        world.clocks[EAST].skew_ms = 3_600_000
        await put(world.engines[EAST], opened[EAST], b"ahead", b"e")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        for number in range(20):
            await put(world.engines[WEST], opened[WEST], b"%d" % (number % 5), b"forgotten %d" % number)
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.cut(EAST, WEST)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        for number in range(4):
            await put(world.engines[WEST], opened[WEST], b"%d" % number, b"on the copy")
        world.net.heal_all()
        await until(lambda: quiet(world) and opened[WEST].get(b"4") is not None)
        assert equal(opened) == {b"ahead": b"e"} | {
            b"%d" % number: b"forgotten %d" % (15 + number) for number in range(5)
        }
        lost = {(each.key, each.loser.value) for each in world.engines[WEST].conflicts()}
        assert lost == {(b"%d" % number, b"on the copy") for number in range(4)}
        stamp = await put(world.engines[WEST], opened[WEST], b"0", b"newest")
        await until(lambda: quiet(world))
        assert opened[EAST].stamped(b"0") == (stamp, b"newest")

    played(play, tmp_path)


def test_another_peer_that_knew_less_gets_what_was_written_meanwhile_once(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        opened = spaces(world, ALL)
        await until(lambda: quiet(world))
        world.net.cut(WEST, OHIO)
        await put(world.engines[WEST], opened[WEST], b"forgotten", b"w")
        await until(lambda: opened[EAST].get(b"forgotten") == b"w")
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.heal_all()
        world.net.cut(EAST, WEST)
        await world.start(WEST)
        opened = spaces(world, ALL)
        await put(world.engines[WEST], opened[WEST], b"on the copy", b"w")
        await until(lambda: opened[OHIO].get(b"on the copy") == b"w")
        await put(world.engines[OHIO], opened[OHIO], b"on the copy", b"o")
        world.net.heal_all()
        told = heard(world, WEST)
        await until(lambda: quiet(world) and bool(told))
        assert equal(opened) == {b"forgotten": b"w", b"on the copy": b"o"}

    played(play, tmp_path, ALL)


@pytest.mark.parametrize("direction", [(EAST, WEST), (WEST, EAST)])
def test_nothing_passes_a_one_way_cut_from_a_folder_that_is_not_known_to_be_the_newest(
    tmp_path: Path, direction: tuple[str, str]
) -> None:
    async def play(world: SimulatedEngines) -> None:
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"k", b"forgotten")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.cut(*direction, both=False)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"k", b"on the copy")
        await asyncio.sleep(30)
        assert opened[EAST].get(b"k") == b"forgotten"
        world.net.heal_all()
        await until(lambda: quiet(world) and opened[EAST].get(b"k") == b"on the copy")
        equal(opened)
        assert [each.loser.value for each in world.engines[EAST].conflicts()] == [b"forgotten"]

    played(play, tmp_path)


def test_a_peer_that_was_killed_knows_what_it_had_told_and_taken(tmp_path: Path) -> None:
    """The peer dies at once after its only sign of the newest commit: it kept it with what came."""

    async def play(world: SimulatedEngines) -> None:
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"k", b"forgotten")
        await until(lambda: opened[EAST].get(b"k") == b"forgotten" and world.engines[EAST].is_settled)
        world.crash(EAST)
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        await world.start(WEST)
        await world.start(EAST)
        opened = spaces(world, BOTH)
        await until(lambda: quiet(world) and opened[WEST].get(b"k") == b"forgotten")
        equal(opened)

    played(play, tmp_path)


def test_both_put_back_from_copies_of_different_days(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"1", b"w")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST, "west")
        opened = spaces(world, BOTH)
        await put(world.engines[EAST], opened[EAST], b"2", b"e")
        await put(world.engines[WEST], opened[WEST], b"2w", b"w")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, EAST, "east")
        opened = spaces(world, BOTH)
        await put(world.engines[EAST], opened[EAST], b"3", b"e")
        await put(world.engines[WEST], opened[WEST], b"3w", b"w")
        await until(lambda: quiet(world))
        for region, name in ((WEST, "west"), (EAST, "east")):
            await stopped(world, region)
            put_back(tmp_path, region, name)
        for region in BOTH:
            await world.start(region)
        opened = spaces(world, BOTH)
        for region in BOTH:
            await put(world.engines[region], opened[region], b"4 " + region.encode(), b"new")
        await until(lambda: quiet(world) and b"2w" in dict(opened[WEST].range()))
        kept = {b"1": b"w", b"2": b"e", b"2w": b"w"}
        assert equal(opened) == kept | {b"4 us-east-1": b"new", b"4 us-west-2": b"new"}

    played(play, tmp_path)


def test_a_copy_of_a_whole_world_is_the_truth(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"1", b"w")
        await until(lambda: quiet(world))
        for region in BOTH:
            await stopped(world, region)
            shutil.copytree(folder_of(tmp_path, region), tmp_path / region / "copy")
        for region in BOTH:
            await world.start(region)
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"2", b"w")
        await until(lambda: quiet(world))
        for region in BOTH:
            await stopped(world, region)
            put_back(tmp_path, region, f"{region}/copy")
        for region in BOTH:
            await world.start(region)
        told = [heard(world, region) for region in BOTH]
        opened = spaces(world, BOTH)
        await put(world.engines[EAST], opened[EAST], b"3", b"e")
        await until(lambda: quiet(world))
        assert equal(opened) == {b"1": b"w", b"3": b"e"}
        assert told == [[], []]

    played(play, tmp_path)


def test_a_copy_from_before_a_lost_disk_is_an_older_one(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"1", b"w")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        world.destroy(WEST)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"2", b"w")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        shutil.rmtree(tmp_path / WEST / "1")
        shutil.copytree(tmp_path / "copy", tmp_path / WEST / "1")
        await world.start(WEST)
        told = heard(world, WEST)
        opened = spaces(world, BOTH)
        await until(lambda: quiet(world) and bool(told))
        assert equal(opened) == {b"1": b"w", b"2": b"w"}

    played(play, tmp_path)


def test_killed_at_every_step_of_the_change_it_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal_module, "STEP", 1)
    steps = 0

    async def play(world: SimulatedEngines) -> None:
        nonlocal steps
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"shared", b"w")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        for number in range(20):
            await put(world.engines[WEST], opened[WEST], b"%02d" % number, b"forgotten")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.cut(EAST, WEST)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        for number in range(20):
            await put(world.engines[WEST], opened[WEST], b"%02d" % number, b"on the copy")
        world.net.heal_all()
        while not (quiet(world) and len(list(world.engines[EAST].conflicts())) == 20):
            await asyncio.sleep(0.0007)
            if world.engines[WEST].replication.renewal.is_running:
                steps += 1
                await asyncio.sleep(0.0001 * steps)
                world.crash(WEST, power=steps % 2 == 0)
                await world.start(WEST)
                opened = spaces(world, BOTH)
        assert equal(opened) == {b"shared": b"w"} | {b"%02d" % number: b"on the copy" for number in range(20)}

    played(play, tmp_path)
    assert steps >= 5


def test_killed_at_any_moment_a_folder_is_no_older_copy(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        told: list[OlderCopy] = []
        for turn in range(60):
            region = BOTH[turn % 2]
            opened = spaces(world, BOTH)
            for number in range(turn % 7):
                with world.engines[region].begin() as tx:
                    tx.put(opened[region], b"%d" % number, b"%d" % turn)
            await asyncio.sleep((0, 0.0002, 0.01, 0.06, 0.4)[turn % 5])
            world.crash(region, power=turn % 3 == 0)
            await world.start(region)
            world.engines[region].on_older_copy(told.append)
        opened = spaces(world, BOTH)
        await until(lambda: quiet(world))
        equal(opened)
        assert told == []

    played(play, tmp_path)


def test_a_peer_that_was_away_for_more_lives_than_are_remembered_raises_no_alarm(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"1", b"w")
        await until(lambda: quiet(world))
        world.crash(EAST)
        for _ in range(300):
            world.crash(WEST)
            await world.start(WEST)
        assert len(world.engines[WEST].replication.lineage.lives) <= 257
        told = heard(world, WEST)
        await world.start(EAST)
        opened = spaces(world, BOTH)
        await put(world.engines[EAST], opened[EAST], b"2", b"e")
        await until(lambda: quiet(world))
        assert equal(opened) == {b"1": b"w", b"2": b"e"}
        assert told == []

    played(play, tmp_path)


def test_a_deletion_that_the_copy_has_forgotten_stands(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[WEST], opened[WEST], b"1", b"w")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        opened = spaces(world, BOTH)
        await delete(world.engines[EAST], opened[EAST], b"1")
        await put(world.engines[EAST], opened[EAST], b"2", b"e")
        await until(lambda: quiet(world))
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        await world.start(WEST)
        opened = spaces(world, BOTH)
        await until(lambda: quiet(world) and opened[WEST].get(b"2") == b"e")
        assert equal(opened) == {b"2": b"e"}

    played(play, tmp_path)


def test_a_deletion_that_nobody_remembers_stands_all_the_same(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, ALL)
        for key in (b"1", b"2", b"3"):
            await put(world.engines[WEST], opened[WEST], key, b"w")
        await put(world.engines[EAST], opened[EAST], b"4", b"e")
        await until(lambda: quiet(world))
        await copied(tmp_path, world, WEST)
        opened = spaces(world, ALL)
        await delete(world.engines[EAST], opened[EAST], b"1")
        await delete(world.engines[WEST], opened[WEST], b"2")
        await delete(world.engines[OHIO], opened[OHIO], b"4")
        await put(world.engines[WEST], opened[WEST], b"5", b"w")
        await asyncio.sleep(3 * 3600)
        kept = [opened[region].stamped(b"1") for region in ALL]
        assert kept == [None] * 3
        await stopped(world, WEST)
        put_back(tmp_path, WEST)
        world.net.cut(EAST, WEST)
        world.net.cut(OHIO, WEST)
        await world.start(WEST)
        told = heard(world, WEST)
        opened = spaces(world, ALL)
        assert opened[WEST].get(b"1") == opened[WEST].get(b"2") == b"w"
        await put(world.engines[WEST], opened[WEST], b"2", b"again")
        world.net.heal_all()
        await until(lambda: quiet(world) and bool(told) and opened[WEST].get(b"1") is None)
        await until(lambda: quiet(world))
        assert equal(opened) == {b"2": b"again", b"3": b"w", b"5": b"w"}
        assert [list(world.engines[region].conflicts()) for region in ALL] == [[], [], []]
        await asyncio.sleep(3 * 3600)
        assert next(world.engines[EAST].store.range(b"\x31", b"\x32"), None) is None, "nor are they remembered for ever"
        assert equal(opened) == {b"2": b"again", b"3": b"w", b"5": b"w"}

    played(play, tmp_path, ALL)


def test_older_items_of_a_replica_that_joins_later_are_no_deleted_ones(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        other = world.engines[OHIO].space("u")
        await put(world.engines[OHIO], other, b"1", b"o")
        opened = {region: world.engines[region].space("u", replicas=BOTH) for region in BOTH}
        await put(world.engines[EAST], opened[EAST], b"1", b"e")
        await until(lambda: quiet(world, "u") and opened[WEST].get(b"1") == b"e")
        await delete(world.engines[WEST], opened[WEST], b"1")
        await asyncio.sleep(3 * 3600)
        assert next(world.engines[EAST].store.range(b"\x31", b"\x32"), None) is None
        for region in ALL:
            world.engines[region].set_replicas(world.engines[region].space("u"), ALL)
        await until(lambda: opened[EAST].get(b"1") == opened[WEST].get(b"1") == b"o")

    played(play, tmp_path, ALL)


def test_two_deletions_in_one_moment_are_two(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        opened = spaces(world, BOTH)
        await put(world.engines[EAST], opened[EAST], b"k", b"v")
        await until(lambda: quiet(world))
        world.net.cut(EAST, WEST)
        await asyncio.gather(*(delete(world.engines[region], opened[region], b"k") for region in BOTH))
        world.net.heal_all()
        await until(lambda: quiet(world))
        found = [[(each.loser.region, each.winner.region) for each in world.engines[r].conflicts()] for r in BOTH]
        assert found == [[(EAST, WEST)]] * 2

    played(play, tmp_path)


def test_descent() -> None:
    lives = [Life(3, b"three333", 30, 0), Life(4, b"four4444", 40, 0), Life(5, b"five5555", 55, 0)]

    def has(life: int, token: bytes, commit: int) -> bool:
        return descends(lives, Standing(b"me", life, token, commit))

    assert has(3, b"three333", 40)
    assert not has(3, b"three333", 41), "that life went on where the copy ended"
    assert not has(4, b"another4", 41), "another life after the same commit"
    assert has(5, b"five5555", 10**9), "the present life, however far"
    assert not has(6, b"six66666", 56), "a life that is to come"
    assert not has(ENDED, b"five5555", 0)
    assert has(2, b"two22222", 30), "older than what is remembered"
    assert not has(2, b"two22222", 31)
    assert has(0, bytes(8), 0)

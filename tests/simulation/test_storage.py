"""Durability in virtual time: power lost at any moment, full disks, failing syncs, flipped bits, tables of any size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from outlast.cloud.engine import Damaged, Engine, StorageUnavailable
from outlast.cloud.engine import log as log_module
from outlast.cloud.engine import store as store_module
from outlast.cloud.simulation import SimulatedEngines, SimulatedEntropy, simulate
from outlast.cloud.simulation.disk import flip
from tests.logs import used

EAST = "us-east-1"


async def put(engine: Engine, key: bytes, value: bytes) -> None:
    with engine.begin() as tx:
        tx.put(engine.space("t"), key, value)
    await engine.settled()


def files(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.rglob(pattern))


def contents(engine: Engine) -> dict[bytes, bytes]:
    return dict(engine.space("t").range())


def alone(tmp_path: Path, play: Callable[[SimulatedEngines], Awaitable[None]], seed: int = 1) -> None:
    """Play with one Region."""

    async def run() -> None:
        world = SimulatedEngines(tmp_path, (EAST,), seed)
        await world.start(EAST)
        await play(world)
        await world.close()

    simulate(run())


@pytest.mark.parametrize("seed", range(12))
def test_acknowledged_writes_survive_a_loss_of_power(tmp_path: Path, seed: int) -> None:
    async def play(world: SimulatedEngines) -> None:
        entropy = SimulatedEntropy(seed)
        acknowledged: dict[bytes, bytes] = {}
        pending: dict[bytes, bytes] = {}

        async def write(number: int) -> None:
            key, value = b"%d" % (number % 40), b"%d" % number + bytes(int(entropy.uniform() * 3000))
            pending[key] = value
            await put(world.engines[EAST], key, value)
            acknowledged[key] = value

        for life in range(6):
            tasks = []
            for number in range(60):
                tasks.append(asyncio.ensure_future(write(life * 1000 + number)))
                await asyncio.sleep(0.0001 * entropy.uniform())
            world.crash(EAST, power=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            found = contents(await world.start(EAST))
            for key, value in acknowledged.items():
                assert int(found[key].rstrip(b"\0")) >= int(value.rstrip(b"\0"))
            assert set(found) <= set(pending)
            acknowledged = dict(found)

    alone(tmp_path, play, seed)


def test_what_a_start_cuts_off_is_reported(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        await put(world.engines[EAST], b"kept", b"v")
        world.disks[EAST].faults.hold_syncs = True
        await put(world.engines[EAST], b"torn", bytes(5000))
        world.engines[EAST].abandon()
        log = max(path for path in files(tmp_path, "log-*") if path.stat().st_size > 1000)
        with log.open("r+b") as file:
            file.truncate(used(log) - 7)
        world.crash(EAST)
        engine = await world.start(EAST)
        assert contents(engine) == {b"kept": b"v"}
        (dropped,) = engine.dropped
        assert dropped.file == log.name
        assert 5000 <= dropped.n_bytes <= 5200
        world.crash(EAST)
        assert contents(await world.start(EAST)) == {b"kept": b"v"}
        assert world.engines[EAST].dropped == ()

    alone(tmp_path, play)


def test_a_flipped_bit_in_an_acknowledged_frame_is_named(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        for number in range(10):
            await put(world.engines[EAST], b"%d" % number, bytes(200))
        world.crash(EAST)
        log = max(files(tmp_path, "log-*"), key=lambda path: path.stat().st_size)
        size = used(log)
        for at in (2, 40, 120, size // 3, size // 2):
            flip(log, at)
            with pytest.raises(Damaged, match=rf"{log.name}"):
                await world.start(EAST)
            flip(log, at)
        assert len(contents(await world.start(EAST))) == 10

    alone(tmp_path, play)


def test_a_full_disk_refuses_writes_goes_on_reading_and_recovers(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        engine = world.engines[EAST]
        await put(engine, b"a", b"1")
        world.disks[EAST].faults.full = True
        with engine.begin() as tx:
            tx.put(engine.space("t"), b"a", b"2")
            tx.put(engine.space("t"), b"b", b"2")
        with pytest.raises(StorageUnavailable, match="the disk is full"):
            await engine.settled()
        with pytest.raises(StorageUnavailable, match="the disk is full"):
            engine.begin()
        assert contents(engine) == {b"a": b"1"}
        await engine.settled()  # a read's reply rests on nothing that could be lost
        await asyncio.sleep(5)
        with pytest.raises(StorageUnavailable):
            await put(engine, b"c", b"3")
        world.disks[EAST].faults.full = False
        await asyncio.sleep(2)
        await put(engine, b"d", b"4")
        assert contents(engine) == {b"a": b"1", b"d": b"4"}
        world.crash(EAST, power=True)
        assert contents(await world.start(EAST)) == {b"a": b"1", b"d": b"4"}

    alone(tmp_path, play)


def test_a_failed_sync_refuses_writes_until_the_next_start(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        engine = world.engines[EAST]
        await put(engine, b"a", b"1")
        world.disks[EAST].faults.failing_syncs = True
        with pytest.raises(StorageUnavailable, match="Input/output error"):
            await put(engine, b"b", b"2")
        world.disks[EAST].faults.failing_syncs = False
        await asyncio.sleep(60)
        with pytest.raises(StorageUnavailable):
            engine.begin()
        assert contents(engine) == {b"a": b"1"}
        world.crash(EAST)
        engine = await world.start(EAST)
        assert contents(engine)[b"a"] == b"1"
        await put(engine, b"c", b"3")

    alone(tmp_path, play)


@pytest.mark.parametrize("seed", range(4))
def test_small_tables_flush_often_and_lose_nothing(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TABLE_BYTES", 20_000)
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 40_000)

    async def play(world: SimulatedEngines) -> None:
        entropy = SimulatedEntropy(seed)
        expected: dict[bytes, bytes] = {}
        for number in range(1500):
            engine = world.engines[EAST]
            key = b"%03d" % int(entropy.uniform() * 400)
            if entropy.uniform() < 0.2:
                with engine.begin() as tx:
                    tx.delete(engine.space("t"), key)
                await engine.settled()
                expected.pop(key, None)
            else:
                value = b"%d" % number + bytes(int(entropy.uniform() * 300))
                await put(engine, key, value)
                expected[key] = value
            if number % 100 == 99:
                assert contents(engine) == expected
                assert dict(engine.space("t").range(b"1", b"2", reverse=True)) == {
                    k: v for k, v in expected.items() if b"1" <= k < b"2"
                }
                if entropy.uniform() < 0.3:
                    world.crash(EAST, power=True)
                    await world.start(EAST)
        await asyncio.sleep(1)
        assert len(files(tmp_path, "log-*")) <= 8
        world.crash(EAST, power=True)
        assert contents(await world.start(EAST)) == expected

    alone(tmp_path, play, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_range_that_is_asked_for_again_sees_every_write(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small answers of the base are remembered: before, in and after each flush they must be as good as read anew."""
    monkeypatch.setattr(store_module, "TABLE_BYTES", 8_000)
    monkeypatch.setattr("outlast.cloud.engine.base.LATELY_BYTES", 60_000)
    remembered = set[int]()

    async def play(world: SimulatedEngines) -> None:
        entropy, engine = SimulatedEntropy(seed), world.engines[EAST]
        expected: dict[bytes, bytes] = {}
        for number in range(800):
            key = b"%03d" % int(entropy.uniform() * 200)
            with engine.begin() as tx:
                if entropy.uniform() < 0.3:
                    tx.delete(engine.space("t"), key)
                    expected.pop(key, None)
                else:
                    expected[key] = value = b"%d" % number + bytes(int(entropy.uniform() * 200))
                    tx.put(engine.space("t"), key, value)
            if entropy.uniform() < 0.5:
                await engine.settled()
            first = b"%02d" % int(entropy.uniform() * 20)
            for reverse in (False, True):
                found = list(engine.space("t").range(first, first + b":", reverse=reverse))
                assert found == sorted((pair for pair in expected.items() if pair[0][:2] == first), reverse=reverse)
            remembered.add(engine.store.base._lately_bytes)
            assert engine.store.base._lately_bytes <= 60_000

    alone(tmp_path, play, seed)
    assert len(remembered) > 20


@pytest.mark.parametrize("seed", range(4))
def test_segments_made_ready_for_a_busy_writer_lose_nothing(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros end the segment that is written to and fill the one that waits, whenever the power goes."""
    monkeypatch.setattr(store_module, "TABLE_BYTES", 15_000)
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 20_000)
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 24_000)
    monkeypatch.setattr(log_module, "MUCH_BYTES", 10_000)
    monkeypatch.setattr(log_module, "STEP_BYTES", 4_000)
    filled = set[bool]()

    async def play(world: SimulatedEngines) -> None:
        entropy = SimulatedEntropy(seed)
        expected: dict[bytes, bytes] = {}
        for number in range(1200):
            key = b"%03d" % int(entropy.uniform() * 300)
            expected[key] = value = b"%d" % number + bytes(int(entropy.uniform() * 300))
            await put(world.engines[EAST], key, value)
            if entropy.uniform() < 0.01:
                spare = world.engines[EAST].store._log._spare
                filled.add(spare is not None and spare.path.stat().st_size >= 24_000)
                world.crash(EAST, power=entropy.uniform() < 0.7)
                assert contents(await world.start(EAST)) == expected
        assert not world.engines[EAST].dropped

    alone(tmp_path, play, seed)
    assert True in filled


@pytest.mark.parametrize("seed", range(3))
def test_a_rest_at_any_moment_loses_nothing(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while a group is on its way to the log, which must not change its segment then."""
    monkeypatch.setattr(store_module, "QUIET_BYTES", 2_000)

    async def play(world: SimulatedEngines) -> None:
        entropy, engine = SimulatedEntropy(seed), world.engines[EAST]
        expected: dict[bytes, bytes] = {}
        for number in range(400):
            key = b"%03d" % int(entropy.uniform() * 100)
            with engine.begin() as tx:
                expected[key] = value = b"%d" % number + bytes(int(entropy.uniform() * 400))
                tx.put(engine.space("t"), key, value)
            chance = entropy.uniform()
            if chance < 0.2:
                await asyncio.sleep(0.0001)  # the group has left and is not synced
            elif chance < 0.6:
                await engine.settled()
            busy = engine.store._busy
            if entropy.uniform() < 0.3:
                written_to = engine.store._log._current
                engine.store.rest()
                assert engine.store._log._current is written_to or not busy
            if entropy.uniform() < 0.05:
                await engine.rest()
                assert engine.store.log_share == 0
            assert contents(engine) == expected
        await engine.settled()
        world.crash(EAST, power=True)
        assert contents(await world.start(EAST)) == expected

    alone(tmp_path, play, seed)


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        await put(world.engines[EAST], b"a", b"1")
        world.crash(EAST)
        (keys,) = files(tmp_path, "keys")
        saved = keys.read_bytes()
        keys.unlink()
        with pytest.raises(Damaged, match="keys is missing"):
            await world.start(EAST)
        keys.write_bytes(saved)
        await world.start(EAST)

    alone(tmp_path, play)


def test_a_flipped_bit_in_the_base_is_named_and_not_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TABLE_BYTES", 100_000)

    async def play(world: SimulatedEngines) -> None:
        for number in range(600):
            await put(world.engines[EAST], b"%04d" % number, b"%d" % number + bytes(1000))
        await asyncio.sleep(60)
        world.crash(EAST)
        (base,) = files(tmp_path, "items.db")
        assert base.stat().st_size > 300_000
        for at in range(20_000, base.stat().st_size, 16_384):
            flip(base, at)
        served = refused = 0
        try:
            engine = await world.start(EAST)
        except Damaged:
            refused = 600
        else:
            for number in range(600):
                try:
                    value = engine.space("t").get(b"%04d" % number)
                except Damaged:
                    refused += 1
                else:
                    assert value == b"%d" % number + bytes(1000)
                    served += 1
        assert refused > 400

    alone(tmp_path, play)


def test_names_made_while_the_disk_was_full_come_back(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        engine = world.engines[EAST]
        await put(engine, b"a", b"1")
        world.disks[EAST].faults.full = True
        late = engine.space("late")
        with pytest.raises(StorageUnavailable):
            await engine.settled()
        world.disks[EAST].faults.full = False
        await asyncio.sleep(2)
        with engine.begin() as tx:
            tx.put(late, b"k", b"v")
        other = engine.space("other")
        assert other.number != late.number
        await engine.settled()
        world.crash(EAST)
        engine = await world.start(EAST)
        assert engine.spaces() == ("late", "other", "t")
        assert engine.space("late").get(b"k") == b"v"

    alone(tmp_path, play)


def test_commits_that_the_log_lacks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 3000)
    monkeypatch.setattr(store_module.Store, "_flush", lambda self: None)

    async def play(world: SimulatedEngines) -> None:
        for number in range(30):
            await put(world.engines[EAST], b"%d" % number, bytes(300))
        world.crash(EAST)
        segments = [path for path in files(tmp_path, "log-*") if path.stat().st_size > 300]
        assert len(segments) >= 3
        saved = segments[1].read_bytes()
        segments[1].unlink()
        with pytest.raises(Damaged, match=f"the log segment {segments[1].name} is missing"):
            await world.start(EAST)
        segments[1].write_bytes(saved)
        assert len(contents(await world.start(EAST))) == 30

    alone(tmp_path, play)


@pytest.mark.parametrize("harm", ["cut", "cut short", "remove", "flip"])
def test_after_a_clean_end_nothing_passes_for_a_torn_write(tmp_path: Path, harm: str) -> None:
    async def play(world: SimulatedEngines) -> None:
        for number in range(10):
            await put(world.engines[EAST], b"%d" % number, bytes(200))
        await world.engines[EAST].close()
        log = max(files(tmp_path, "log-*"), key=lambda path: path.stat().st_size)
        saved = log.read_bytes()[: used(log)]
        if harm == "remove":
            log.unlink()
        elif harm == "flip":
            flip(log, len(saved) - 20)
        else:
            log.write_bytes(saved[: 50 if harm == "cut short" else -7])
        with pytest.raises(Damaged, match="log-"):
            await world.start(EAST)
        log.write_bytes(saved)
        assert len(contents(await world.start(EAST))) == 10
        assert world.engines[EAST].dropped == ()

    alone(tmp_path, play)


def test_a_base_that_went_missing_is_named_although_the_log_is_empty(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        for number in range(10):
            await put(world.engines[EAST], b"%d" % number, bytes(200))
        await world.engines[EAST].store.drain()
        await world.engines[EAST].close()
        await world.start(EAST)
        world.crash(EAST)
        assert sum(path.stat().st_size for path in files(tmp_path, "log-*")) < 500
        (base,) = files(tmp_path, "items.db")
        saved = base.read_bytes()
        for each in files(tmp_path, "items.db*"):
            each.unlink()
        with pytest.raises(Damaged, match="the log lacks the commits from 1 to"):
            await world.start(EAST)
        for each in files(tmp_path, "items.db*"):
            each.unlink()
        base.write_bytes(saved)
        assert len(contents(await world.start(EAST))) == 10

    alone(tmp_path, play)


def test_writes_wait_for_a_base_that_is_far_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TABLE_BYTES", 20_000)

    async def play(world: SimulatedEngines) -> None:
        store = world.engines[EAST].store
        flush, most, held = store._flusher.run, 0, True

        def late(work: Callable[[], None], done: Callable[[Exception | None], None]) -> None:
            if held:
                asyncio.get_running_loop().call_later(0.1, late, work, done)
            else:
                flush(work, done)

        monkeypatch.setattr(store._flusher, "run", late)
        writes = asyncio.ensure_future(many(world.engines[EAST]))
        for _ in range(600):
            await asyncio.sleep(0.1)
            most = max(most, len(store._frozen))
        assert not writes.done(), "nothing held the writes back"
        assert most == store_module.MAX_FROZEN + 1
        held = False
        await writes
        assert len(contents(world.engines[EAST])) == 300

    async def many(engine: Engine) -> None:
        for number in range(300):
            await put(engine, b"%d" % number, bytes(1000))

    alone(tmp_path, play)

"""Files of a Region that somebody changed: swapped, truncated, put back from an older copy, made unreadable.

Whatever was acknowledged is there, or the start is refused and names what is wrong. Never silently less.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.cloud.engine import Damaged, EngineError
from outlast.cloud.engine import store as store_module
from outlast.cloud.simulation import SimulatedEngines
from outlast.cloud.simulation.disk import SimulatedDisk, SimulatedFile
from tests.logs import used
from tests.simulation.test_storage import EAST, alone, contents, files, put

Harm = Callable[[Path, Path], None]
"""Given the Region's folder and an older copy of it, do harm."""


def newest(folder: Path) -> Path:
    return max(folder.glob("log-*"), key=used)


def truncate_base(folder: Path, older: Path) -> None:
    base = folder / "items.db"
    with base.open("r+b") as file:
        file.truncate(base.stat().st_size // 2 // 16_384 * 16_384)


def empty_base(folder: Path, older: Path) -> None:
    (folder / "items.db").write_bytes(b"")


def lose_base(folder: Path, older: Path) -> None:
    for path in folder.glob("items.db*"):
        path.unlink()


def older_base(folder: Path, older: Path) -> None:
    lose_base(folder, older)
    for path in older.glob("items.db*"):
        shutil.copy(path, folder / path.name)


def older_log(folder: Path, older: Path) -> None:
    for path in folder.glob("log-*"):
        path.unlink()
    for path in older.glob("log-*"):
        shutil.copy(path, folder / path.name)


def lose_logs(folder: Path, older: Path) -> None:
    for path in folder.glob("log-*"):
        path.unlink()


def lose_newest_log(folder: Path, older: Path) -> None:
    newest(folder).unlink()


def swap_segments(folder: Path, older: Path) -> None:
    one, two = sorted(folder.glob("log-*"), key=used)[-2:]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def plain_base(folder: Path, older: Path) -> None:
    (folder / "items.db").write_bytes(b"SQLite format 3\0" + bytes(16_368))


def folder_for_a_log(folder: Path, older: Path) -> None:
    path = newest(folder)
    path.unlink()
    path.mkdir()


HARMS: tuple[Harm, ...] = (
    truncate_base,
    empty_base,
    lose_base,
    older_base,
    older_log,
    lose_logs,
    lose_newest_log,
    swap_segments,
    plain_base,
    folder_for_a_log,
)


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("clean", [True, False], ids=["clean end", "killed"])
def test_nothing_acknowledged_goes_unnoticed(
    tmp_path: Path, harm: Harm, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "TABLE_BYTES", 60_000)
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 30_000)

    async def play(world: SimulatedEngines) -> None:
        folder = files(tmp_path, "items.db")[0].parent
        older = tmp_path / "older copy"
        for number in range(200):
            await put(world.engines[EAST], b"%04d" % number, b"%d " % number + bytes(1000))
            if number == 100:
                await asyncio.sleep(60)
                await end(world, clean)
                shutil.copytree(folder, older)
                await world.start(EAST)
        await end(world, clean)
        harm(folder, older)
        try:
            engine = await world.start(EAST)
        except (EngineError, OSError) as error:
            said = str(error)
            assert "\n" not in said
            assert any(
                word in said for word in ("items.db", "log-", "the log in ", "the log lacks the commits from")
            ), said
            return
        missing = [number for number in range(200) if b"%04d" % number not in readable(engine)]
        assert missing == [], "acknowledged writes are gone without a word"

    alone(tmp_path, play)


def readable(engine: object) -> dict[bytes, bytes]:
    try:
        return contents(engine)  # type: ignore[arg-type]
    except Damaged:
        return {b"%04d" % number: b"" for number in range(200)}  # named when it is asked for


async def end(world: SimulatedEngines, clean: bool) -> None:
    if clean:
        await world.engines[EAST].close()
        world.net.leave(EAST)
        world.engines.pop(EAST)
    else:
        world.crash(EAST)


def test_a_segment_of_another_world_is_named(tmp_path: Path) -> None:
    async def play(world: SimulatedEngines) -> None:
        for number in range(10):
            await put(world.engines[EAST], b"%d" % number, bytes(500))
        world.crash(EAST)
        folder = files(tmp_path, "items.db")[0].parent
        log = newest(folder)
        saved = log.read_bytes()
        other = SimulatedEngines(tmp_path / "another", (EAST,), 2)
        await put(await other.start(EAST), b"theirs", b"v")
        other.crash(EAST)
        shutil.copy(newest(files(tmp_path / "another", "items.db")[0].parent), log)
        with pytest.raises(Damaged, match=f"the header of the log segment {log.name} is damaged"):
            await world.start(EAST)
        log.write_bytes(saved)
        assert len(contents(await world.start(EAST))) == 10

    alone(tmp_path, play)


class Killed(BaseException):
    """The process is gone."""


def test_a_start_killed_at_any_step_is_followed_by_one_that_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a start removes and makes is never taken for damage by the next one."""
    monkeypatch.setattr(store_module, "TABLE_BYTES", 60_000)
    monkeypatch.setattr(store_module, "SEGMENT_BYTES", 30_000)
    monkeypatch.setattr(store_module, "QUIET_BYTES", 5_000)
    left = [1_000_000]

    def counted(owner: type, name: str) -> None:
        kept = getattr(owner, name)

        def step(*arguments: object, **named: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return kept(*arguments, **named)

        monkeypatch.setattr(owner, name, step)

    for owner, names in ((SimulatedDisk, ("remove", "truncate", "append_to")), (SimulatedFile, ("append", "sync"))):
        for name in names:
            counted(owner, name)

    async def play(world: SimulatedEngines) -> None:
        written = killed = 0
        for turn in range(40):
            for _ in range((0, 3, 90)[turn % 3]):
                await put(world.engines[EAST], b"%05d" % written, b"%d " % written + bytes(1000))
                written += 1
            await asyncio.sleep((0, 60, 0.001)[turn % 3 if turn % 2 else 0])  # quiet for long enough, or killed at work
            await end(world, turn % 5 == 4)
            left[0] = turn // 2 % 14
            try:
                await world.start(EAST)
            except Killed:
                killed += 1
                left[0] = 1_000_000
                world.net.leave(EAST)
                await world.start(EAST)
            left[0] = 1_000_000
            assert len(contents(world.engines[EAST])) == written
            assert world.engines[EAST].dropped == ()
        assert killed > 15

    alone(tmp_path, play)

"""Fill a small disk until writes are refused, make room, fill it again and start on it: `python -m ... FOLDER`.

FOLDER is on a disk of its own, with files `ballast` and `more ballast` on it. Prints `well` at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from outlast.cloud.engine import Engine, EngineError, StorageUnavailable
from tests.unit.engine.conftest import KEY, effects

WITHIN_S = 60.0


class Kept:
    """An engine, and every write that it acknowledged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.acknowledged: dict[bytes, bytes] = {}

    async def start(self) -> None:
        self.engine = await Engine.open(self._folder, region="us-east-1", key=KEY, effects=effects())
        self.check()

    def check(self) -> None:
        space = self.engine.space("t")
        assert all(space.get(key) == value for key, value in self.acknowledged.items())

    async def put(self, key: bytes, value: bytes) -> None:
        with self.engine.begin() as tx:
            tx.put(self.engine.space("t"), key, value)
        await self.engine.settled()
        self.acknowledged[key] = value

    async def fill(self) -> str:
        """Write until it is refused; what is said."""
        number = len(self.acknowledged)
        while True:
            number += 1
            try:
                await self.put(b"%06d" % number, os.urandom(20_000))
            except StorageUnavailable as error:
                return str(error)

    async def put_again(self) -> None:
        """Write as soon as writes are let in again."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(StorageUnavailable):
                    return await self.put(b"after", b"room")
                await asyncio.sleep(0.1)


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(65_536))


async def play(disk: Path) -> None:
    kept = Kept(disk / "data")
    await kept.start()
    said = await kept.fill()
    assert said == "writes are refused: the disk is full", said
    kept.check()
    (disk / "ballast").unlink()
    await kept.put_again()
    kept.engine.abandon()
    await kept.start()
    assert kept.engine.dropped == ()
    await kept.engine.close()
    fill_up(disk / "more")
    said = "it has room enough: the disk is full"
    try:
        await kept.start()
        await kept.engine.close()
    except EngineError as error:
        said = str(error)
    assert said.endswith("the disk is full"), said
    (disk / "more").unlink()
    (disk / "more ballast").unlink()
    await kept.start()
    await kept.put_again()
    await kept.engine.close()
    await kept.start()
    await kept.engine.close()
    print("well", len(kept.acknowledged))


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1])))

"""A process that writes until it is killed, and says which writes were acknowledged.

`python -m tests.unit.engine.writer FOLDER FIRST`: a line `N` for every acknowledged write number N, `ready` at first.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from outlast.cloud.engine import Engine, store
from tests.unit.engine.conftest import KEY, effects

CLIENTS = 16


async def write_forever(folder: Path, first: int) -> None:
    engine = await Engine.open(folder, region="us-east-1", key=KEY, effects=effects())
    space = engine.space("numbers")
    number = first

    def acknowledge(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    async def client() -> None:
        nonlocal number
        while True:
            number += 1
            mine = number
            with engine.begin() as tx:
                tx.put(space, b"%d" % (mine % 500), b"%d " % mine + bytes(mine % 2000))
                tx.put(space, b"mark %d" % (mine % 500), b"%d" % mine)
            await engine.settled()
            acknowledge(str(mine))

    acknowledge("ready")
    await asyncio.gather(*(client() for _ in range(CLIENTS)))


if __name__ == "__main__":
    store.TABLE_BYTES = 200_000
    store.SEGMENT_BYTES = 400_000
    asyncio.run(write_forever(Path(sys.argv[1]), int(sys.argv[2])))

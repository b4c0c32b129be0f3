"""A Region's engine in a process of its own, until it is killed or told to end.

`python -m tests.unit.engine.peer FOLDER`: FOLDER/addresses.json names the Regions' addresses, FOLDER/authority.json
holds the authority. Prints `ready`; ends in good order on SIGTERM.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import sys
from pathlib import Path

from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.links import RealNetwork
from outlast.cloud.engine import Engine
from outlast.cloud.world.authority import Authority, Pair, client_context, server_context
from tests.unit.engine.conftest import KEY

EAST, WEST = "us-east-1", "us-west-2"


async def opened(folder: Path, region: str) -> tuple[Engine, RealNetwork]:
    """The engine of a Region and its end of the links."""
    addresses = {
        name: (host, port) for name, (host, port) in json.loads((folder / "addresses.json").read_text()).items()
    }
    authority = Authority(Pair(*json.loads((folder / "authority.json").read_text())))
    pair = authority.issue((region,), dt.datetime.now(dt.UTC), common_name=region)
    ours = authority.pair.certificate_pem
    (folder / region).mkdir(exist_ok=True)
    server = server_context(pair, folder / region, clients_of=ours)
    client = client_context(pair, folder / region, ours)
    network = RealNetwork(region, addresses, server, client, RealClock(), RealEntropy())
    effects = Effects(RealClock(), RealEntropy(), RealDisk(), network)
    engine = await Engine.open(folder / region / "data", region=region, key=KEY, effects=effects)
    await network.start()
    return engine, network


async def live(folder: Path) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    engine, network = await opened(folder, WEST)
    engine.space("t", replicas=(EAST,))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await over.wait()
    await network.close()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))

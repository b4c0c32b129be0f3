"""Replication between two engines in one process: what it costs the writer, delay to visible, catching up.

Run `python -m bench.replication`. Both Regions share one core here, so the figures are costs, not limits: two Regions
in two processes do better. There is no network in between, only encoding and durable applying.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.engine import KEY, key_of, value_of
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Delivered, Engine, Space

EAST, WEST = "us-east-1", "us-west-2"


class Direct:
    """A link without delay inside one process; can be cut."""

    cut = False

    def __init__(self, region: str, ends: dict[str, Direct]) -> None:
        self.region = region
        self.peers = (WEST if region == EAST else EAST,)
        self._ends = ends
        self._handlers: dict[str, Handler] = {}
        ends[region] = self

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        await asyncio.sleep(0)
        if Direct.cut or peer not in self._ends:
            raise LinkDown(peer)
        return await self._ends[peer]._handlers[channel](self.region, message)

    def serve(self, channel: str, handler: Handler) -> None:
        self._handlers[channel] = handler


async def two_engines(folder: Path) -> dict[str, Engine]:
    ends: dict[str, Direct] = {}
    engines = {}
    for region in (EAST, WEST):
        effects = Effects(RealClock(), RealEntropy(), RealDisk(), Direct(region, ends))
        engines[region] = await Engine.open(folder / region, region=region, key=KEY, effects=effects)
    return engines


async def write(engine: Engine, space: Space, first: int, count: int) -> float:
    """Durable puts by 32 writers; seconds."""
    numbers = iter(range(first, first + count))
    started = time.perf_counter()

    async def client() -> None:
        for number in numbers:
            with engine.begin() as tx:
                tx.put(space, key_of(number % 50_000), value_of(number % 1000), b"request")
            await engine.settled()

    await asyncio.gather(*(client() for _ in range(32)))
    return time.perf_counter() - started


async def until_quiet(space: Space) -> float:
    started = time.perf_counter()
    while any(replica.backlog or replica.status != "ACTIVE" for replica in space.replica_status().values()):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return time.perf_counter() - started


async def run(folder: Path, count: int) -> list[dict[str, float | str]]:
    engines = await two_engines(folder)
    east, west = engines[EAST], engines[WEST]
    plain = east.space("plain")
    here = east.space("t", replicas=(WEST,))
    west.space("t", replicas=(EAST,))
    await until_quiet(here)
    results: list[dict[str, float | str]] = []
    alone_s = await write(east, plain, 0, count)
    results.append({"what": "puts, no replica", "per_s": round(count / alone_s)})
    Direct.cut = True
    held_s = await write(east, here, 0, count)
    results.append(
        {"what": "puts, replica cut off", "per_s": round(count / held_s), "ratio": round(alone_s / held_s, 2)}
    )
    cpu = time.process_time()
    Direct.cut = False
    caught_s = await until_quiet(here)
    cpu_us = (time.process_time() - cpu) / count * 1e6
    results.append({"what": "catching up, both ends", "per_s": round(count / caught_s), "cpu_us": round(cpu_us, 1)})
    latencies: list[int] = []

    def note(delivered: Delivered) -> None:
        latencies.extend(delivered.latencies_ms)

    east.observe(note)
    for number in range(3000):
        with east.begin() as tx:
            tx.put(here, key_of(number), value_of(number % 1000))
        await asyncio.sleep(0.001)
    await until_quiet(here)
    latencies.sort()
    n = len(latencies)
    results.append({"what": "commit to applied, ms", "n": n, "p50": latencies[n // 2], "p99": latencies[int(n * 0.99)]})
    for engine in engines.values():
        await engine.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="outlast-bench-"))
    try:
        results = asyncio.run(run(folder, options.count))
    finally:
        shutil.rmtree(folder)
    for result in results:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in result.items()) + "\n")
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()

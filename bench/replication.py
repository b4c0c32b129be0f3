"""Replication between two engines in two processes over mutual TLS, without added delay.

Run `python -m bench.replication`. How soon a write is applied in the other Region, how fast it catches up after a cut
while the writer goes on serving, what the bare engine's puts cost, and what a replica costs a Region's clients (as
`bench.replication_cost` has it). 1 KB items; every write is synced and encrypted on both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import json
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench import replication_cost, wrk
from bench.engine import KEY, key_of, value_of
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.links import RealNetwork, Shape
from outlast.cloud.engine import Delivered, Engine, Space
from outlast.cloud.world.authority import Authority, client_context, server_context

EAST, WEST = "us-east-1", "us-west-2"
TURNS = 5
Addresses = dict[str, tuple[str, int]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def opened(folder: Path, region: str, addresses: Addresses, authority: Authority) -> tuple[Engine, RealNetwork]:
    pair = authority.issue((region,), dt.datetime.now(dt.UTC), common_name=region)
    ours = authority.pair.certificate_pem
    (folder / region).mkdir()
    network = RealNetwork(
        region,
        addresses,
        server_context(pair, folder / region, clients_of=ours),
        client_context(pair, folder / region, ours),
        RealClock(),
        RealEntropy(),
    )
    effects = Effects(RealClock(), RealEntropy(), RealDisk(), network)
    engine = await Engine.open(folder / region / "data", region=region, key=KEY, effects=effects)
    await network.start()
    return engine, network


async def follow(folder: Path, addresses: Addresses, authority: Authority) -> None:
    """The other Region, until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    engine, network = await opened(folder, WEST, addresses, authority)
    engine.space("t", replicas=(EAST,))
    await over.wait()
    await network.close()
    await engine.close()


async def write(engine: Engine, space: Space, count: int, *, arrive: bool = True) -> tuple[float, float]:
    """Durable puts by 32 writers: seconds, and seconds of the process's CPU, until they have arrived as well."""
    numbers = iter(range(count))
    started, cpu = time.perf_counter(), time.process_time()

    async def client() -> None:
        for number in numbers:
            with engine.begin() as tx:
                tx.put(space, key_of(number % 50_000), value_of(number % 1000), b"request")
            await engine.settled()

    await asyncio.gather(*(client() for _ in range(32)))
    took_s = time.perf_counter() - started
    if arrive:
        await until_quiet(space)
    return took_s, time.process_time() - cpu


async def until_quiet(space: Space) -> float:
    started = time.perf_counter()
    while True:
        replicas = space.replica_status().values()
        if all(replica.status == "ACTIVE" and replica.backlog == 0 for replica in replicas):
            return time.perf_counter() - started
        await asyncio.sleep(0.002)


async def lead(folder: Path, addresses: Addresses, authority: Authority, count: int) -> list[dict[str, object]]:
    engine, network = await opened(folder, EAST, addresses, authority)
    # Both tell of every change, as a table does: so both read what they overwrite.
    plain = engine.space("plain", derive=lambda change, tx: None)
    here = engine.space("t", replicas=(WEST,), derive=lambda change, tx: None)
    await until_quiet(here)
    results = await puts(engine, {"no replica": plain, "replicated": here}, count)
    network.outgoing[WEST] = Shape(cut=True)
    await write(engine, here, count, arrive=False)
    results.append(await catch_up(engine, network, here))
    results.append(await latencies(engine, here))
    await network.close()
    await engine.close()
    return results


async def puts(engine: Engine, spaces: dict[str, Space], count: int) -> list[dict[str, object]]:
    """Puts to each space by turns; the medians. The first turn warms up."""
    per_s: dict[str, list[float]] = {name: [] for name in spaces}
    cpu_us: dict[str, list[float]] = {name: [] for name in spaces}
    for turn in range(TURNS + 1):
        for name, space in spaces.items():
            took_s, cpu_s = await write(engine, space, count // TURNS)
            if turn:
                per_s[name].append(count // TURNS / took_s)
                cpu_us[name].append(cpu_s / (count // TURNS) * 1e6)
    return [
        {
            "what": f"puts of the engine, {name}",
            "per_s": round(statistics.median(per_s[name])),
            "cpu_us": round(statistics.median(cpu_us[name]), 1),
        }
        for name in spaces
    ]


async def catch_up(engine: Engine, network: RealNetwork, space: Space) -> dict[str, object]:
    """Heal a cut link while the writer goes on serving: each write is synced, its latency is what a client sees."""
    before = space.replica_status()[WEST].backlog
    served_ms: list[float] = []
    over = asyncio.Event()

    async def client() -> None:
        number = 0
        while not over.is_set():
            number += 1
            began = time.perf_counter()
            with engine.begin() as tx:
                tx.put(space, b"live" + key_of(number % 1000), value_of(number % 1000), b"request")
            await engine.settled()
            served_ms.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.004)

    clients = [asyncio.create_task(client()) for _ in range(4)]
    network.outgoing[WEST] = Shape()
    healed = time.perf_counter()
    while space.replica_status()[WEST].backlog >= before:  # noqa: ASYNC110
        await asyncio.sleep(0.002)
    seen_s = time.perf_counter() - healed
    while space.replica_status()[WEST].backlog > 100:  # noqa: ASYNC110
        await asyncio.sleep(0.002)
    caught_s = time.perf_counter() - healed - seen_s
    over.set()
    await asyncio.gather(*clients)
    await until_quiet(space)
    served_ms.sort()
    return {
        "what": "catching up while serving",
        "per_s": round((before + len(served_ms)) / caught_s),
        "first_after_s": round(seen_s, 2),
        "served_per_s": round(len(served_ms) / (caught_s + seen_s)),
        "served_p99_ms": round(served_ms[int(len(served_ms) * 0.99)], 1),
    }


async def latencies(engine: Engine, space: Space) -> dict[str, object]:
    """About 1,000 writes a second, each by itself."""
    found: list[int] = []

    def note(delivered: Delivered) -> None:
        for latency_ms, n_writes in delivered.latencies_ms.items():
            found.extend([latency_ms] * n_writes)

    engine.observe(note)
    started = time.perf_counter()
    for number in range(5000):
        with engine.begin() as tx:
            tx.put(space, key_of(number), value_of(number % 1000))
        await asyncio.sleep(max(0.0, started + number / 1000 - time.perf_counter()))
    rate = 5000 / (time.perf_counter() - started)
    await until_quiet(space)
    found.sort()
    return {
        "what": "commit to applied there, ms",
        "at_per_s": round(rate),
        "p50": found[len(found) // 2],
        "p99": found[int(len(found) * 0.99)],
        "max": found[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="outlast-bench-"))
    authority = Authority.create("bench", dt.datetime.now(dt.UTC))
    addresses = {EAST: ("127.0.0.1", free_port()), WEST: ("127.0.0.1", free_port())}
    child = os.fork()
    if child == 0:
        uvloop.run(follow(folder, addresses, authority))
        os._exit(0)
    try:
        results = uvloop.run(lead(folder, addresses, authority, options.count))
    finally:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        shutil.rmtree(folder)
    try:
        results += replication_cost.measure(turns=20, seconds=1.0, connections=16)
    except wrk.NoLoadGenerator as error:
        sys.stdout.write(f"{error}\n")
    for result in results:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in result.items()) + "\n")
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()

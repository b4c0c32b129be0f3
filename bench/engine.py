"""The engine alone: durable puts, gets, updates, ranges, recovery, pauses; beside SQLite committed directly.

Run `python -m bench.engine [--keys N] [--seconds S]`. Prints a table and, at its end, one JSON line. 64 writers, 1 KB
items; every acknowledged write is synced and encrypted on both sides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path

import apsw
import uvloop

from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine, Space

KEY = bytes(range(32))
WRITERS = 64
VALUE_BYTES = 1024


class Alone:
    """No peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


async def opened(folder: Path) -> Engine:
    effects = Effects(RealClock(), RealEntropy(), RealDisk(), Alone())
    return await Engine.open(folder, region="us-east-1", key=KEY, effects=effects)


@lru_cache(maxsize=1_000_000)
def key_of(number: int) -> bytes:
    """Keys spread like hashed partition keys."""
    return (number * 0x9E3779B97F4A7C15 % (1 << 64)).to_bytes(8, "big") + b"customer-%010d" % number


@lru_cache(maxsize=1000)
def value_of(number: int) -> bytes:
    return number.to_bytes(8, "big") * (VALUE_BYTES // 8)


class Rate:
    """Operations a second, latencies and the longest pause of the event loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.latencies_ms: list[float] = []
        self.started_s = time.perf_counter()
        self.cpu_s = time.process_time()
        self.loop_s = time.thread_time()
        self.loop_pause_ms = 0.0

    async def watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.loop_pause_ms = max(self.loop_pause_ms, (time.perf_counter() - before) * 1000 - 1)

    def result(self) -> dict[str, float | str]:
        took_s = time.perf_counter() - self.started_s
        ordered = sorted(self.latencies_ms)
        n = len(ordered)
        return {
            "what": self.name,
            "per_s": round(n / took_s),
            "p50_ms": round(ordered[n // 2], 2),
            "p99_ms": round(ordered[int(n * 0.99)], 2),
            "max_ms": round(ordered[-1], 1),
            "loop_cpu_us": round((time.thread_time() - self.loop_s) / n * 1e6, 1),
            "cpu_us": round((time.process_time() - self.cpu_s) / n * 1e6, 1),
            "loop_pause_ms": round(self.loop_pause_ms, 1),
            "rss_mb": round(resident_mb()),
        }


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def drive(name: str, seconds: float, operate: Callable[[], Awaitable[None]]) -> dict[str, float | str]:
    """WRITERS closed loops for `seconds`."""
    rate = Rate(name)
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (started := time.perf_counter()) < end:
            await operate()
            rate.latencies_ms.append((time.perf_counter() - started) * 1000)

    watcher = asyncio.ensure_future(rate.watch())
    await asyncio.gather(*(client() for _ in range(WRITERS)))
    watcher.cancel()
    return rate.result()


async def run_engine(folder: Path, keys: int, seconds: float) -> list[dict[str, float | str]]:
    engine = await opened(folder)
    space = engine.space("bench")
    rnd = random.Random(1)
    results = []
    load = Rate("load in batches of 25")
    for number in range(0, keys, 25):
        before = time.perf_counter()
        with engine.begin() as tx:
            for each in range(number, number + 25):
                tx.put(space, key_of(each), value_of(each % 1000))
        if number % 1000 == 0:
            await engine.settled()
        load.latencies_ms += [(time.perf_counter() - before) * 1000] * 25
    await engine.settled()
    results.append(load.result())
    await engine.store.drain()

    async def put(population: int) -> None:
        with engine.begin() as tx:
            tx.put(space, key_of(rnd.randrange(population)), value_of(rnd.randrange(1000)))
        await engine.settled()

    async def update() -> None:
        key = key_of(rnd.randrange(keys))
        with engine.begin() as tx:
            if tx.get(space, key) is not None:
                tx.put(space, key, value_of(rnd.randrange(1000)))
        await engine.settled()

    async def get(population: int) -> None:
        if space.get(key_of(rnd.randrange(population))) is None:
            raise AssertionError("a key is missing")

    async def query() -> None:
        read_ten(space, key_of(rnd.randrange(keys)))

    results.append(await drive("put, 10,000 keys", seconds, lambda: put(10_000)))
    results.append(await drive(f"put, {keys:,} keys", seconds, lambda: put(keys)))
    await engine.store.drain()
    results.append(await drive(f"read and put, {keys:,} keys", seconds, update))
    results.append(await drive("get, 10,000 keys", seconds / 2, lambda: get(10_000)))
    results.append(await drive(f"get, {keys:,} keys", seconds / 2, lambda: get(keys)))
    results.append(await drive(f"range of 10, {keys:,} keys", seconds / 2, query))
    await engine.close()
    return results


def read_ten(space: Space, start: bytes) -> int:
    count = 0
    for _ in space.range(start):
        count += 1
        if count == 10:
            break
    return count


def megabytes(folder: Path, pattern: str) -> float:
    return sum(path.stat().st_size for path in folder.glob(pattern)) / 1e6


LAST_WRITES = 130_000
"""So many that four memory tables are full, unless the base takes some of them meanwhile."""


async def run_recovery(folder: Path, keys: int) -> dict[str, float | str]:
    """`keys` items of 1 KB, then as much in the log as can be; die, start."""
    engine = await opened(folder)
    space = engine.space("bench")
    for number in range(keys + LAST_WRITES):
        with engine.begin() as tx:
            tx.put(space, key_of(number % keys), value_of(number % 1000))
        if number % 1000 == 0:
            await engine.settled()
    await engine.settled()
    engine.abandon()
    log_mb, base_mb = megabytes(folder, "log-*"), megabytes(folder, "items.db")
    started = time.perf_counter()
    engine = await opened(folder)
    took_s = time.perf_counter() - started
    last = keys + LAST_WRITES - 1
    if engine.space("bench").get(key_of(last % keys)) != value_of(last % 1000):
        raise AssertionError("recovery lost a write")
    await engine.close()
    return {"what": "recovery", "log_mb": round(log_mb), "base_mb": round(base_mb), "seconds": round(took_s, 3)}


class Direct:
    """The simpler design, for comparison: SQLite3MC with WAL and a full sync for each group of writes."""

    def __init__(self, folder: Path) -> None:
        self.connection = apsw.Connection(str(folder / "direct.db"))
        self.connection.pragma("cipher", "aegis")
        self.connection.execute(f"PRAGMA key = 'raw:{KEY.hex()}'")
        self.connection.pragma("page_size", 16384)
        self.connection.pragma("journal_mode", "wal")
        self.connection.pragma("synchronous", "full")
        self.connection.pragma("cache_size", -16384)
        self.connection.execute("CREATE TABLE item (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID")
        self.gathered: list[tuple[bytes, bytes]] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.busy = False

    async def put(self, key: bytes, value: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.gathered.append((key, value))
        future: asyncio.Future[None] = loop.create_future()
        self.waiting.append(future)
        if not self.busy:
            self._start(loop)
        await future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self.busy = True
        rows, waiting = self.gathered, self.waiting
        self.gathered, self.waiting = [], []

        def work() -> None:
            with self.connection:
                self.connection.executemany("INSERT OR REPLACE INTO item VALUES (?, ?)", rows)
            loop.call_soon_threadsafe(done)

        def done() -> None:
            self.busy = False
            for future in waiting:
                future.set_result(None)
            if self.gathered:
                self._start(loop)

        threading.Thread(target=work).start()


async def run_direct(folder: Path, keys: int, seconds: float) -> list[dict[str, float | str]]:
    direct = Direct(folder)
    rnd = random.Random(1)
    for number in range(0, keys, 5000):
        with direct.connection:
            rows = [(key_of(each), value_of(each % 1000)) for each in range(number, number + 5000)]
            direct.connection.executemany("INSERT OR REPLACE INTO item VALUES (?, ?)", rows)

    async def put(population: int) -> None:
        await direct.put(key_of(rnd.randrange(population)), value_of(rnd.randrange(1000)))

    results = [await drive("put, 10,000 keys (SQLite directly)", seconds, lambda: put(10_000))]
    results.append(await drive(f"put, {keys:,} keys (SQLite directly)", seconds, lambda: put(keys)))
    direct.connection.close()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="outlast-bench-"))
    results: list[dict[str, float | str]] = []
    try:
        (folder / "engine").mkdir()
        runs: dict[str, Callable[[], list[dict[str, float | str]]]] = {
            "engine": lambda: uvloop.run(run_engine(folder / "engine", options.keys, options.seconds)),
            "recovery": lambda: [uvloop.run(run_recovery(folder / "engine", options.keys))],
            "direct": lambda: uvloop.run(run_direct(folder, options.keys, options.seconds)),
        }
        for name, run in runs.items():
            if not options.only or name in options.only.split(","):
                results += run()
    finally:
        shutil.rmtree(folder)
    for result in results:
        sys.stdout.write("  ".join(f"{name} {value}" for name, value in result.items()) + "\n")
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()

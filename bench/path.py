"""The request path in one process: bytes of signed requests in, bytes of replies out, through everything but a socket.

`Path` holds a Region with the real engine, IAM and DynamoDB behind connections whose transport is a list. A burst
gives one request to each connection and waits until all are answered, as 16 clients would. Its CPU time tells what
the path costs without a load generator on the same cores; `python -m bench.path` prints it for each operation, and
`--profile` where it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path as Folder
from typing import Any

from bench import peers, workloads, wrk
from outlast.cloud.contract import Addresses, Meter, Principal, Region, Service
from outlast.cloud.effects import Effects, LinkDown, RealClock, RealDisk, RealEntropy
from outlast.cloud.engine import Engine
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.caller import GateCaller
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.gateway.http import Connection, Listener
from outlast.cloud.services.dynamodb import dynamodb
from outlast.cloud.services.iam import iam

ACCOUNT = "123456789012"
REGION = "us-east-1"
CONNECTIONS = 16


class Alone:
    """No peers."""

    region = REGION
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        return None


class Wire:
    """A transport that counts the replies written to it."""

    def __init__(self, answered: Callable[[bytes], None]) -> None:
        self.write = answered

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def close(self) -> None:
        return None

    abort = close


class Path:
    """One Region's request path. Use `make`, then `burst`."""

    def __init__(self, folder: Folder, engine: Engine, region: Region) -> None:
        self._folder = folder
        self._engine = engine
        self.gate = Gate(region)
        self._waiting = 0
        self._done: asyncio.Future[None] | None = None
        self.last = b""
        listener = Listener(
            respond=lambda request, peer, secure: pipeline.answer(self.gate, request, peer, secure),
            clock=region.clock,
            context=lambda: None,
        )
        self.connections = [Connection(listener) for _ in range(CONNECTIONS)]
        for each in self.connections:
            each.connection_made(Wire(self._answered))  # type: ignore[arg-type]
        self.key = peers.KEY
        self._timers: list[asyncio.Future[None]] = []

    @classmethod
    async def make(cls) -> Path:
        """Open everything in a fresh folder: a user with a policy, a table, its 10,000 items."""
        folder = Folder(tempfile.mkdtemp(prefix="outlast-path-"))
        effects = Effects(RealClock(), RealEntropy(), RealDisk(), Alone())
        engine = await Engine.open(folder / "data", region=REGION, key=bytes(32), effects=effects)
        region = Region(
            name=REGION,
            account_id=ACCOUNT,
            names=(REGION,),
            effects=effects,
            engine=engine,
            meter=Meter(),
            addresses=Addresses({REGION: "127.0.0.1"}, {REGION: 1}, {}, "", ""),
            secret=b"s" * 32,
            folder=str(folder),
            settings={"root_access_key_id": peers.KEY[0], "root_secret_access_key": peers.KEY[1]},
        )
        path = cls(folder, engine, region)
        region.capabilities["aws"] = GateCaller(path.gate)
        services: tuple[Service[Any], ...] = (iam, dynamodb)
        for service in services:
            state = service.open(region)
            path.gate.host(service, state)
            for name, give in service.provides.items():
                region.capabilities[name] = give(state)
        await path._prepare()
        return path

    async def _prepare(self) -> None:
        root = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)

        async def call(service: str, operation: str, **params: Any) -> Mapping[str, Any]:
            return await self.gate.region.aws(service, operation, params, principal=root)

        await call("iam", "CreateUser", UserName="bench")
        await call("iam", "PutUserPolicy", UserName="bench", PolicyName="items", PolicyDocument=peers.POLICY)
        made = (await call("iam", "CreateAccessKey", UserName="bench"))["AccessKey"]
        self.key = (made["AccessKeyId"], made["SecretAccessKey"])
        await call("dynamodb", "CreateTable", **workloads.TABLE_SHAPE)
        state = self.gate.hosted["dynamodb"].state
        self._timers = [asyncio.ensure_future(step(state)) for step in dynamodb.timers]
        deadline_s = time.monotonic() + 30
        while workloads.TABLE not in state.usable and time.monotonic() < deadline_s:
            await self.gate.region.clock.sleep(0.01)
        for requests in workloads.fill():
            await call("dynamodb", "BatchWriteItem", RequestItems=requests)
        await self._engine.settled()

    def signed(self, workload: workloads.Workload, count: int) -> list[bytes]:
        """Requests of a workload, each as it goes over the wire."""
        target = f"DynamoDB_20120810.{workload.operation}"
        return [
            wrk.signed("http://127.0.0.1:1", target, body, self.key, "dynamodb", REGION)
            for body in workload.bodies(count)
        ]

    def _answered(self, reply: bytes) -> None:
        self.last = reply
        if not reply.startswith(b"HTTP/1.1 200"):
            raise AssertionError(reply)
        self._waiting -= 1
        if not self._waiting and self._done is not None:
            self._done.set_result(None)

    async def burst(self, requests: Sequence[bytes]) -> None:
        """Give each connection one request; return when all have been answered."""
        self._done = asyncio.get_running_loop().create_future()
        self._waiting = len(requests)
        for connection, request in zip(self.connections, requests, strict=True):
            connection.data_received(request)
        await self._done

    async def cpu_us(
        self, requests: Sequence[bytes], bursts: int, clock: Callable[[], float] = time.process_time
    ) -> float:
        """CPU for one request in microseconds, over some bursts: of the whole process, or what `clock` tells."""
        began_s = clock()
        at = 0
        for _ in range(bursts):
            await self.burst([requests[(at + each) % len(requests)] for each in range(CONNECTIONS)])
            at += CONNECTIONS
        return (clock() - began_s) * 1e6 / (bursts * CONNECTIONS)

    async def close(self) -> None:
        """Close the engine and remove its folder."""
        for timer in self._timers:
            timer.cancel()
        await self._engine.close()
        shutil.rmtree(self._folder)


async def main() -> None:
    """Print the CPU of each operation: the lowest tenth of many short runs, which others disturbed least."""
    parser = argparse.ArgumentParser(prog="python -m bench.path", description=__doc__)
    parser.add_argument("--only", default="", help="a part of a workload's name")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    path = await Path.make()
    chosen = [each for each in workloads.WORKLOADS if options.only.lower() in each.name.lower()]
    requests = {each.name: path.signed(each, 400) for each in chosen}
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    least: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for name, signed in requests.items():
            least.setdefault(name, []).extend(
                [await path.cpu_us(signed, 3 if "Batch" not in name else 1) for _ in range(20)]
            )
    for name, found in least.items():
        print(f"{name:<20} {sorted(found)[len(found) // 10]:8.1f} us  (median {sorted(found)[len(found) // 2]:.1f})")
    if options.profile:
        profiler = cProfile.Profile()
        profiler.enable()
        for signed in requests.values():
            await path.cpu_us(signed, 300)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
    await path.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())

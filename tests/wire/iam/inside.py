"""A Region with a few services in this process: boto3's requests go straight into the pipeline, no sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from outlast.cloud.contract import Addresses, Meter, Region, Service
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.caller import GateCaller
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.wire import Request

ROOT = ("AKIALOCALROOTROOTROO", "root-secret")
ACCOUNT = "111122223333"


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


class Raw:
    """A body as urllib3 would give it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_args: Any, **_kwargs: Any) -> Any:
        yield self._body

    def read(self, amount: int | None = None) -> bytes:
        taken, self._body = (self._body, b"") if amount is None else (self._body[:amount], self._body[amount:])
        return taken

    def close(self) -> None:
        return None


class Inside:
    """The Region, and boto3 clients of it."""

    def __init__(self, gate: Gate, loop: asyncio.AbstractEventLoop, clock: RealClock) -> None:
        self.gate = gate
        self.clock = clock
        self._loop = loop

    def client(self, service: str, credentials: Any = ROOT, region: str = "us-east-1", **settings: Any) -> Any:
        """A boto3 client; `credentials` is (key id, secret) or the Credentials that STS answered."""
        if isinstance(credentials, dict):
            given = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken"))
        else:
            given = (*credentials, None)
        session: Any = boto3.session.Session(*given, region_name=region)
        made = session.client(
            service,
            endpoint_url="http://127.0.0.1:4566",
            config=Config(retries={"total_max_attempts": 1}, **settings),
        )
        made.meta.events.register("before-send.*", self._send)
        return made

    def _send(self, request: Any, **_kwargs: Any) -> AWSResponse:
        parts = urlsplit(str(request.url))
        headers: dict[str, str] = {"host": parts.netloc}
        for name, value in request.headers.items():
            headers[name.lower()] = value.decode() if isinstance(value, bytes) else str(value)
        body: Any = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        body = body.encode() if isinstance(body, str) else bytes(body)
        received = Request(str(request.method), parts.path or "/", parts.query, headers, body)
        answer = asyncio.run_coroutine_threadsafe(pipeline.respond(self.gate, received, "127.0.0.1"), self._loop)
        response = answer.result(30)
        body = b"" if response.status in (204, 304) or request.method == "HEAD" else response.body
        return AWSResponse(str(request.url), response.status, dict(response.headers), Raw(body))  # type: ignore[arg-type]

    async def play(self, scene: Callable[[], Any]) -> Any:
        """Run boto3 code, which blocks, beside the Region's event loop."""
        return await asyncio.to_thread(scene)


def gate_of(
    effects: Effects, engine: Engine, names: tuple[str, ...], services: Sequence[Service[Any]], capabilities: Any
) -> Gate:
    """The gate of the Region that the engine belongs to, in a world of these Regions."""
    region = Region(
        name=engine.region,
        account_id=ACCOUNT,
        names=names,
        effects=effects,
        engine=engine,
        meter=Meter(),
        addresses=Addresses(
            dict.fromkeys(names, "127.0.0.1"), dict.fromkeys(names, 4566), dict.fromkeys(names, 53), "", ""
        ),
        secret=b"s" * 32,
        settings={"root_access_key_id": ROOT[0], "root_secret_access_key": ROOT[1]},
        capabilities=dict(capabilities),
    )
    gate = Gate(region)
    region.capabilities["aws"] = GateCaller(gate)
    for service in services:
        state = gate.hosted[service.shares].state if service.shares else service.open(region)
        gate.host(service, state)
        for name, make in service.provides.items():
            region.capabilities[name] = make(state)
    return gate


@asynccontextmanager
async def opened(folder: Path, *services: Service[Any], **capabilities: Any) -> AsyncIterator[Inside]:
    """A Region us-east-1 with these services."""
    clock = RealClock()
    effects = Effects(clock, RealEntropy(), RealDisk(), Alone())
    engine = await Engine.open(folder / "data", region="us-east-1", key=bytes(range(32)), effects=effects)
    gate = gate_of(effects, engine, ("us-east-1",), services, capabilities)
    try:
        yield Inside(gate, asyncio.get_running_loop(), clock)
    finally:
        await engine.close()

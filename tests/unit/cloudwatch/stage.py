"""CloudWatch in one Region on a real engine, with a clock that a test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outlast.cloud.contract import Addresses, Call, Meter, Principal, Region
from outlast.cloud.effects import Effects, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine
from outlast.cloud.services.cloudwatch.state import Watch

ACCOUNT = "111122223333"
ROOT = Principal(kind="root", arn=f"arn:aws:iam::{ACCOUNT}:root", account_id=ACCOUNT)
START_S = 1_700_000_040
"""A whole minute."""


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


class SetClock:
    """Time stands still until it is set; sleeping yields once."""

    def __init__(self) -> None:
        self.time_s = float(START_S)

    def now_ms(self) -> int:
        return int(self.time_s * 1000)

    def now_s(self) -> float:
        return self.time_s

    def monotonic_s(self) -> float:
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Stage:
    """The state of CloudWatch; `reopen` is what a crash and a restart come to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = SetClock()
        self.invoked: list[dict[str, Any]] = []
        self.region: Region
        self.state: Watch

    async def open(self) -> None:
        effects = Effects(self.clock, RealEntropy(), RealDisk(), Alone())
        engine = await Engine.open(self._folder, region="us-east-1", key=bytes(32), effects=effects)
        self.region = Region(
            name="us-east-1",
            account_id=ACCOUNT,
            names=("us-east-1",),
            effects=effects,
            engine=engine,
            meter=Meter(),
            addresses=Addresses({}, {}, {}, "", ""),
            secret=bytes(32),
            capabilities={"aws": self._aws},
        )
        self.state = Watch.open(self.region)

    async def _aws(self, service: str, operation: str, params: Mapping[str, Any], **who: Any) -> dict[str, Any]:
        self.invoked.append({"service": service, "operation": operation, "params": params, **who})
        return {}

    async def close(self) -> None:
        await self.region.engine.close()

    async def reopen(self) -> None:
        await self.close()
        await self.open()

    def call(self, principal: Principal = ROOT) -> Call[Watch]:
        return Call(
            state=self.state,
            region=self.region,
            principal=principal,
            request_id="r",
            now_ms=self.clock.now_ms(),
            service="cloudwatch",
            operation="",
        )

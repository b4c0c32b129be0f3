"""DynamoDB in process: real engines on a temporary folder, one per Region, and calls that skip the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from outlast.cloud.contract import Call, Fault, Principal, Region
from outlast.cloud.contract.meter import Meter
from outlast.cloud.contract.region import Addresses
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.engine import Engine
from outlast.cloud.services.dynamodb import dynamodb, dynamodbstreams
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.simulation.entropy import SimulatedEntropy
from outlast.cloud.simulation.network import SimulatedNet
from outlast.cloud.wire import WireError

ACCOUNT = "123456789012"
KEY = bytes(range(32))


class ShiftedClock(RealClock):
    """The real clock, which a test may set forward."""

    def __init__(self) -> None:
        super().__init__()
        self.shift_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.shift_ms

    def now_s(self) -> float:
        return super().now_s() + self.shift_ms / 1000


class Home:
    """One Region with DynamoDB in it."""

    def __init__(self, cloud: Cloud, name: str, engine: Engine, effects: Effects) -> None:
        self.engine = engine
        self.clock = effects.clock
        self.region = Region(
            name=name,
            account_id=ACCOUNT,
            names=cloud.names,
            effects=effects,
            engine=engine,
            meter=Meter(),
            addresses=Addresses(dict.fromkeys(cloud.names, "127.0.0.1"), dict.fromkeys(cloud.names, 1), {}, "", ""),
            secret=b"",
        )
        self.state: DynamoDB = dynamodb.open(self.region)
        self.timers = [asyncio.ensure_future(_endless(timer, self.state)) for timer in dynamodb.timers]

    async def __call__(self, operation: str, /, **params: Any) -> dict[str, Any]:
        """The reply of an operation as a client would parse it; raises Fault."""
        service = dynamodb if operation in dynamodb.operations else dynamodbstreams
        declared = service.operations[operation]
        given = orjson.loads(json.dumps(params))
        try:
            declared.operation.constrain(given)
        except WireError as error:
            fault = Fault(error.message)
            fault.code = error.code  # type: ignore[misc]
            raise fault from None
        principal = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        call = Call(
            state=self.state,
            region=self.region,
            principal=principal,
            request_id=self.region.entropy.uuid(),
            now_ms=self.region.clock.now_ms(),
            service=service.name,
            operation=operation,
        )
        reply: Any
        try:
            reply = declared.function(call, **declared.arguments(given))
            if declared.is_async:
                reply = await reply
        except Fault as fault:
            fault.fields = orjson.loads(orjson.dumps(fault.fields))
            raise
        finally:
            await self.engine.settled()
        plain: dict[str, Any] = orjson.loads(orjson.dumps(reply))
        return plain

    async def refused(self, operation: str, /, **params: Any) -> Fault:
        """The fault of an operation that must fail."""
        with pytest.raises(Fault) as caught:
            await self(operation, **params)
        return caught.value

    async def table(self, name: str = "things", **params: Any) -> str:
        """Make a table (partition key p of type S unless told otherwise) and wait until it is ACTIVE."""
        settings: dict[str, Any] = {
            "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
            **params,
        }
        await self("CreateTable", TableName=name, **settings)
        await self.active(name)
        return name

    async def active(self, name: str) -> dict[str, Any]:
        """Wait until the table and its indexes and replicas are ACTIVE."""

        async def ready() -> dict[str, Any] | None:
            table: dict[str, Any] = (await self("DescribeTable", TableName=name))["Table"]
            parts = [table["TableStatus"], *(e["IndexStatus"] for e in table.get("GlobalSecondaryIndexes", ()))]
            parts += [each["ReplicaStatus"] for each in table.get("Replicas", ())]
            return table if set(parts) == {"ACTIVE"} else None

        return await until(ready)

    async def stop(self) -> None:
        while pending := [timer for timer in self.timers if not timer.done()]:
            for timer in pending:
                timer.cancel()
            await asyncio.sleep(0)
        for closer in dynamodb.closers:
            await closer(self.state)
        await self.engine.close()


async def _endless(timer: Callable[[Any], Awaitable[None]], state: DynamoDB) -> None:
    task = asyncio.current_task()
    while task is None or not task.cancelling():
        await timer(state)


class Cloud:
    """Regions that share a network."""

    def __init__(self, folder: Path, names: tuple[str, ...] = ("us-east-1",)) -> None:
        self.folder = folder
        self.names = names
        self.net = SimulatedNet(names, SimulatedEntropy("net"))
        self.homes: dict[str, Home] = {}

    async def start(self, name: str = "us-east-1") -> Home:
        """Open a Region on whatever its folder holds."""
        effects = Effects(ShiftedClock(), RealEntropy(), RealDisk(), self.net.join(name))
        engine = await Engine.open(self.folder / name, region=name, key=KEY, effects=effects)
        self.homes[name] = Home(self, name, engine, effects)
        return self.homes[name]

    async def stop(self, name: str = "us-east-1") -> None:
        home = self.homes.pop(name)
        await home.stop()
        self.net.leave(name)

    async def close(self) -> None:
        for name in list(self.homes):
            with contextlib.suppress(Exception):
                await self.stop(name)


@contextlib.asynccontextmanager
async def running(folder: Path, *names: str) -> AsyncIterator[Cloud]:
    """A cloud whose Regions are all started."""
    made = Cloud(folder, names)
    for name in names:
        await made.start(name)
    yield made
    await made.close()


async def until(question: Callable[[], Awaitable[Any]], seconds: float = 10.0) -> Any:
    """The first answer that is not None or False."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = await question()
        if answer is not None and answer is not False:
            return answer
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)

"""A Region with a real engine, resource types that are easy to break, and CloudFormation on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outlast.cloud.contract import Addresses, Call, Calls, Fault, Made, Meter, Principal, Region, Stack
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.effects.network import Handler, LinkDown
from outlast.cloud.engine import Engine
from outlast.cloud.services.cloudformation.deploy.worker import work
from outlast.cloud.services.cloudformation.state import Stacks

ACCOUNT = "111122223333"
ROOT = Principal(kind="root", arn=f"arn:aws:iam::{ACCOUNT}:root", account_id=ACCOUNT)


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise LinkDown(peer)

    def serve(self, channel: str, handler: Handler) -> None:
        return None


class Refused(Fault):
    """What a broken thing answers."""


class Things:
    """The service behind the test's resource types: things by physical id, and a log of calls."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.log: list[str] = []
        self.broken: set[str] = set()
        self.gate: dict[str, asyncio.Event] = {}
        self.at_once = 0
        self.most_at_once = 0
        self.principals: set[str] = set()

    async def __call__(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        principal: Principal,
        region: str | None = None,
        source_arn: str = "",
    ) -> dict[str, Any]:
        self.principals.add(principal.arn)
        if service == "sts":
            name = str(params["RoleArn"]).rpartition("/")[2]
            arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{params['RoleSessionName']}"
            return {"AssumedRoleUser": {"Arn": arn, "AssumedRoleId": f"AROA:{name}"}}
        what = str(params["Id"])
        self.log.append(f"{operation} {params['Name']}")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            gate = self.gate.get(f"{operation} {params['Name']}")
            if gate is not None:
                await gate.wait()
            await asyncio.sleep(0)
            if f"{operation} {params['Name']}" in self.broken:
                raise Refused(f"{operation} of {params['Name']} is broken")
        finally:
            self.at_once -= 1
        if operation == "Delete":
            self.things.pop(what, None)
        else:
            self.things[what] = dict(params["Properties"])
        return {}


class ThingType:
    """Test::A::Thing: `Fixed` cannot be changed in place."""

    type_name = "Test::A::Thing"
    properties = frozenset({"Value", "Fixed", "Other"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        physical_id = stack.generated_name()
        await aws("test", "Create", {"Id": physical_id, "Name": stack.logical_id, "Properties": properties})
        return Made(physical_id, {"Arn": f"arn:{physical_id}", "Value": properties.get("Value", "")})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if old.get("Fixed") != new.get("Fixed"):
            return None
        await aws("test", "Update", {"Id": physical_id, "Name": stack.logical_id, "Properties": new})
        return Made(physical_id, {"Arn": f"arn:{physical_id}", "Value": new.get("Value", "")})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await aws("test", "Delete", {"Id": physical_id, "Name": stack.logical_id})


class Stage:
    """CloudFormation in one Region, driven by hand; `crash` and `open` are what kill -9 and a restart come to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.things = Things()
        self.region: Region
        self.state: Stacks
        self._worker: asyncio.Task[None] | None = None

    async def open(self) -> None:
        effects = Effects(RealClock(), RealEntropy(), RealDisk(), Alone())
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
            resource_types={"Test::A::Thing": ThingType()},
            capabilities={"aws": self.things},
        )
        self.state = Stacks.open(self.region)
        self._worker = asyncio.ensure_future(work(self.state))

    async def crash(self) -> None:
        """Stop all work where it stands; what is settled stays."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))
            await asyncio.sleep(0)
        await self.region.engine.close()

    def call(self) -> Call[Stacks]:
        return Call(
            state=self.state,
            region=self.region,
            principal=ROOT,
            request_id="r",
            now_ms=self.region.clock.now_ms(),
            service="cloudformation",
            operation="",
        )

    async def until(self, name: str, *statuses: str) -> str:
        """Wait until the stack is in one of `statuses` (or at rest in any other); return its status."""
        for _ in range(4000):
            status = self.state.find(name).status
            if status in statuses or (not statuses and not status.endswith("_IN_PROGRESS")):
                return status
            await asyncio.sleep(0.002)
        raise AssertionError(f"{name} is still {status}")

    def by_logical_id(self, name: str) -> dict[str, Any]:
        """Logical id -> the thing behind it."""
        stack = self.state.find(name)
        return {
            record.logical_id: self.things.things.get(record.physical_id)
            for record in self.state.resources(stack.key)
            if not record.retired and record.exists
        }

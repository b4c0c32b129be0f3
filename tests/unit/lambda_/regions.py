"""A Region in the test's own process, with real storage, the real pipeline and stand-ins for the services around."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outlast.cloud.contract import Addresses, Decision, Fault, KeyOwner, Meter, Principal, Region, Service
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.engine import Engine
from outlast.cloud.gateway import pipeline
from outlast.cloud.gateway.gate import Gate, Hosted

ACCOUNT = "111122223333"
ROOT = Principal("root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"


class Missing(Fault, code="ResourceNotFoundException"):
    """What a stand-in answers for what it lacks."""


class Alone:
    """A network without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise AssertionError("a Region alone asks nobody")

    def serve(self, channel: str, handler: Any) -> None:
        return None


@dataclass
class Around:
    """The other services: what they were asked, and what they answer."""

    gate: Gate
    asked: list[tuple[str, str, Mapping[str, Any], Principal]] = field(default_factory=list)
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    streams: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    trusted: bool = True

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
        self.asked.append((service, operation, params, principal))
        if service in self.gate.hosted:
            return dict(
                await pipeline.invoke(self.gate, service, operation, params, pipeline.Caller(principal, source_arn))
            )
        answer: dict[str, Any] = getattr(self, f"{service}_{operation}")(params)
        return answer

    def sts_AssumeRole(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if not self.trusted:
            raise Missing("no trust")
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/{params['RoleSessionName']}"
        keys = {"AccessKeyId": "ASIATEST", "SecretAccessKey": "secret", "SessionToken": "token"}
        return {
            "Credentials": {**keys, "Expiration": RealClock().now_s() + 3600},
            "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": "AROA:x"},
        }

    def s3_GetObject(self, params: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"Body": self.objects[params["Bucket"], params["Key"]]}
        except KeyError:
            raise Missing("The specified key does not exist.") from None

    def s3_PutObject(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.objects[params["Bucket"], params["Key"]] = params["Body"]
        return {}

    def logs_CreateLogGroup(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.groups.add(params["logGroupName"])
        return {}

    def logs_CreateLogStream(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params["logGroupName"] not in self.groups:
            raise Missing("The specified log group does not exist.")
        self.streams[params["logGroupName"], params["logStreamName"]] = []
        return {}

    def logs_PutLogEvents(self, params: Mapping[str, Any]) -> dict[str, Any]:
        lines = self.streams[params["logGroupName"], params["logStreamName"]]
        lines += [event["message"] for event in params["logEvents"]]
        return {}

    def lines(self, group: str) -> list[str]:
        """Everything logged to a group."""
        return [line for (name, _), lines in self.streams.items() if name == group for line in lines]


class Lenient:
    """Identities that allow the root all, and services what resource policies say."""

    def owner(self, access_key_id: str, session_token: str | None, now_s: float) -> KeyOwner:
        return KeyOwner("secret", ROOT)

    def judge(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Any],
        resource_policy: Mapping[str, Any] | None = None,
    ) -> Decision:
        if principal.kind not in ("service", "anonymous"):
            return Decision(True)
        for statement in (resource_policy or {}).get("Statement", ()):
            arn_like = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*")
            source = context.get("aws:SourceArn", ("",))[0]
            if statement["Principal"] in ("*", {"Service": principal.arn}) and _matches(arn_like, source):
                return Decision(True)
        return Decision(False, f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource}")


def _matches(pattern: str, text: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(text, pattern)


@dataclass
class Place:
    """The Region, its gate and what is around it."""

    region: Region
    gate: Gate
    around: Around

    async def call(self, service: str, operation: str, principal: Principal = ROOT, **params: Any) -> dict[str, Any]:
        """One operation as the pipeline runs it."""
        return await self.around(service, operation, params, principal=principal)

    def state(self, service: str) -> Any:
        return self.gate.hosted[service].state

    def metric(self, namespace: str, name: str, **dimensions: str) -> list[float]:
        """Values gathered so far for a metric, each as often as it came; takes them."""
        for drained in self.region.meter.drain():
            self._kept.setdefault((drained.key.namespace, drained.key.name, drained.key.dimensions), []).extend(
                value for value, count in zip(drained.values, drained.counts, strict=True) for _ in range(count)
            )
        return self._kept.get((namespace, name, tuple(sorted(dimensions.items()))), [])

    _kept: dict[Any, list[float]] = field(default_factory=dict)

    async def reset(self) -> None:
        """Leave the Region as a new one: nothing made, nothing asked, nothing measured."""
        if "synthetics" in self.gate.hosted:
            await self._without_canaries(self.state("synthetics"))
        if "apigateway" in self.gate.hosted:
            gateway = self.state("apigateway")
            for name in list(gateway.domains):
                gateway.remove_domain(name)
            for api in gateway.apis.keys(""):
                gateway.remove_api(api)
            gateway.put_account({})
        if "lambda" in self.gate.hosted:
            functions = self.state("lambda")
            for function in list(functions.functions.values()):
                functions.remove(function)
            await functions.shipper.flush()
            functions.roles._sessions.clear()
        self.around.asked.clear()
        self.around.objects.clear()
        self.around.groups.clear()
        self.around.streams.clear()
        self.around.trusted = True
        list(self.region.meter.drain())
        self._kept.clear()

    async def _without_canaries(self, state: Any) -> None:
        for canary in list(state.canaries.values()):
            if canary.state == "RUNNING":
                state.stop(canary)
        while state.canaries:
            for name in list(state.canaries):
                if not state.is_running(name):
                    state.remove(name)
            await asyncio.sleep(0.01)
        state.sessions.clear()


@contextlib.asynccontextmanager
async def open_place(folder: Path, *services: Service[Any]) -> AsyncIterator[Place]:
    """A Region `us-east-1` that hosts the services, timers running; a second one on the same folder finds its data."""
    effects = Effects(RealClock(), RealEntropy(), RealDisk(), Alone())
    engine = await Engine.open(folder / "data", region="us-east-1", key=b"k" * 32, effects=effects)
    region = Region(
        name="us-east-1",
        account_id=ACCOUNT,
        names=("us-east-1",),
        effects=effects,
        engine=engine,
        meter=Meter(),
        addresses=Addresses({"us-east-1": "127.0.0.1"}, {"us-east-1": 1}, {"us-east-1": 1}, "https://127.0.0.1:1", ""),
        secret=b"s" * 32,
        settings={"shortest_rate_s": 1.0},
    )
    gate = Gate(region)
    around = Around(gate)
    region.capabilities.update(aws=around, identities=Lenient())
    for service in services:
        gate.host(service, service.open(region))
    timers: list[asyncio.Future[None]] = [
        asyncio.ensure_future(timer(hosted.state)) for hosted in gate.hosted.values() for timer in hosted.service.timers
    ]
    try:
        yield Place(region, gate, around)
    finally:
        for task in timers:
            task.cancel()
        await asyncio.gather(*timers, return_exceptions=True)
        for hosted in gate.hosted.values():
            await _close(hosted)
        await engine.close()


async def _close(hosted: Hosted) -> None:
    for closer in hosted.service.closers:
        await closer(hosted.state)


def package(**files: str) -> bytes:
    """A zip of Python files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(f"{name}.py", text)
    return buffer.getvalue()


async def create(place: Place, name: str, text: str, **changes: Any) -> dict[str, Any]:
    """A function whose `app.handler` is in `text`, made and active."""
    params: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": package(app=text)},
        **changes,
    }
    await place.call("lambda", "CreateFunction", **params)
    return await active(place, name)


async def active(place: Place, name: str) -> dict[str, Any]:
    """Wait until a function is active and updated."""
    for _ in range(1000):
        found = await place.call("lambda", "GetFunctionConfiguration", FunctionName=name)
        if found["State"] != "Pending" and found["LastUpdateStatus"] != "InProgress":
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"{name} does not become active")


async def invoke(place: Place, name: str, event: Any = None, **params: Any) -> tuple[Any, dict[str, Any]]:
    """The parsed payload of an invocation, and the whole reply."""
    body = json.dumps(event).encode()
    reply = await place.call("lambda", "Invoke", FunctionName=name, Payload=body, **params)
    return json.loads(reply.get("Payload") or b"null"), reply

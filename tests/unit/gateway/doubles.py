"""A Region for tests of the pipeline: real engine and clock, a service of two operations, policies that a test sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from outlast.cloud.contract import Addresses, Call, Decision, KeyOwner, Meter, Principal, Region, Reply, Service
from outlast.cloud.effects import Effects, RealClock, RealDisk, RealEntropy
from outlast.cloud.engine import Engine
from outlast.cloud.gateway.gate import Gate
from outlast.cloud.identity.faults import unrecognized
from outlast.cloud.wire import Request

KEY_ID, SECRET = "AKIALOCALAAAAAAAAAAA", "secret"
ROOT = Principal("root", "arn:aws:iam::111122223333:root", "111122223333", access_key_id=KEY_ID)


class NoNetwork:
    """A Region without peers."""

    region = "us-east-1"
    peers: tuple[str, ...] = ()

    async def ask(self, peer: str, channel: str, message: bytes, timeout_s: float = 5.0) -> bytes:
        raise AssertionError("there are no peers")

    def serve(self, channel: str, handler: Callable[[str, bytes], Awaitable[bytes]]) -> None:
        return


@dataclass
class Policies:
    """Identities that a test steers."""

    refuse: set[str] = field(default_factory=set)
    judged: list[tuple[str, str]] = field(default_factory=list)

    def owner(self, access_key_id: str, session_token: str | None, now_s: float) -> KeyOwner:
        if access_key_id != KEY_ID:
            raise unrecognized()
        return KeyOwner(SECRET, ROOT)

    def judge(
        self,
        principal: Principal,
        action: str,
        resource: str,
        context: Mapping[str, Sequence[str]],
        resource_policy: Mapping[str, Any] | None = None,
    ) -> Decision:
        self.judged.append((action, resource))
        return Decision(action not in self.refuse, f"User: {principal.arn} is not authorized to perform: {action}")


@dataclass
class Notes:
    """State of the test's service: what it was asked, and what it shall do."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    outcome: Any = None

    def act(self, name: str, **arguments: Any) -> Reply:
        self.calls.append((name, arguments))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome or {}


def make_service() -> Service[Notes]:
    """`dynamodb` with two operations: DescribeTable and DeleteTable."""
    service: Service[Notes] = Service("dynamodb", open=lambda region: Notes())

    @service.operation(resource="arn:aws:dynamodb:{region}:{account}:table/{TableName}")
    def describe_table(call: Call[Notes], *, table_name: str) -> Reply:
        return call.state.act("DescribeTable", table_name=table_name)

    @service.operation(resource="arn:aws:dynamodb:{region}:{account}:table/{TableName}", control_plane=True)
    async def delete_table(call: Call[Notes], *, table_name: str) -> Reply:
        return call.state.act("DeleteTable", table_name=table_name)

    @service.operation(resource="*", ignored=("ExclusiveStartTableName",))
    def list_tables(call: Call[Notes]) -> Reply:
        return call.state.act("ListTables")

    return service


async def make_gate(folder: Path) -> tuple[Gate, Notes, Policies]:
    """A gate that serves the test's service."""
    effects = Effects(RealClock(), RealEntropy(), RealDisk(), NoNetwork())
    engine = await Engine.open(folder / "data", region="us-east-1", key=b"k" * 32, effects=effects)
    region = Region(
        name="us-east-1",
        account_id="111122223333",
        names=("us-east-1",),
        effects=effects,
        engine=engine,
        meter=Meter(),
        addresses=Addresses({}, {}, {}, "", ""),
        secret=b"s" * 32,
        folder=str(folder),
    )
    policies, gate = Policies(), Gate(region)
    region.capabilities["identities"] = policies
    service = make_service()
    notes = service.open(region)
    gate.host(service, notes)
    return gate, notes, policies


def signed(
    operation: str,
    body: bytes,
    *,
    secret: str = SECRET,
    key_id: str = KEY_ID,
    region: str = "us-east-1",
    service: str = "dynamodb",
) -> Request:
    """A request as boto3 would send it."""
    headers = {
        "host": "dynamodb.us-east-1.amazonaws.com",
        "x-amz-target": f"DynamoDB_20120810.{operation}",
        "content-type": "application/x-amz-json-1.0",
    }
    made = AWSRequest("POST", "https://dynamodb.us-east-1.amazonaws.com/", data=body, headers=headers)
    SigV4Auth(Credentials(key_id, secret), service, region).add_auth(made)
    lower = {name.lower(): value for name, value in made.headers.items()}
    return Request("POST", "/", "", lower, body)

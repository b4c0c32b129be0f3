"""AWS::Lambda::* made, changed and removed as CloudFormation does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Fault, Stack
from outlast.cloud.services.lambda_ import lambda_
from tests.unit.lambda_.regions import ACCOUNT, ROLE, ROOT, Place, invoke, open_place

TYPES = {each.type_name: each for each in lambda_.resource_types}
TEXT = "def handler(event, context): return 1"


class Aws:
    """Wire calls as a stack makes them."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def __call__(
        self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None
    ) -> dict[str, Any]:
        return await self._place.around(service, operation, params, principal=ROOT)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(tmp_path, lambda_) as opened:
        yield opened


def stack(logical_id: str) -> Stack:
    return Stack("app", "arn:stack", "us-east-1", ACCOUNT, logical_id, "ABCDEFGHIJKL")


async def test_a_function_with_version_alias_and_permission(place: Place) -> None:
    aws = Aws(place)
    properties: dict[str, Any] = {
        "Role": ROLE, "Handler": "index.handler", "Runtime": "python3.13", "Timeout": "5", "MemorySize": "256",
        "Code": {"ZipFile": TEXT}, "Tags": [{"Key": "a", "Value": "b"}], "ReservedConcurrentExecutions": 3,
    }  # fmt: skip
    function = TYPES["AWS::Lambda::Function"]
    made = await function.create(aws, properties, stack("Function"))
    assert made.physical_id == "app-Function-ABCDEFGHIJKL"
    assert made.attributes["Arn"].endswith(":function:app-Function-ABCDEFGHIJKL")
    assert await function.create(aws, properties, stack("Function")) == made
    assert (await invoke(place, made.physical_id))[0] == 1
    version = await TYPES["AWS::Lambda::Version"].create(aws, {"FunctionName": made.physical_id}, stack("Version"))
    assert version.attributes["Version"] == "1"
    alias_properties = {"FunctionName": made.physical_id, "FunctionVersion": "1", "Name": "live"}
    alias = await TYPES["AWS::Lambda::Alias"].create(aws, alias_properties, stack("Alias"))
    permission = {
        "FunctionName": alias.physical_id, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com",
        "SourceAccount": ACCOUNT,
    }  # fmt: skip
    allowed = await TYPES["AWS::Lambda::Permission"].create(aws, permission, stack("Permission"))
    policy = await place.call("lambda", "GetPolicy", FunctionName=made.physical_id, Qualifier="live")
    assert allowed.physical_id in policy["Policy"]
    changed = {**properties, "Timeout": 9, "Code": {"ZipFile": TEXT.replace("1", "2")}, "Tags": []}
    assert await function.update(aws, made.physical_id, properties, changed, stack("Function")) == made
    assert (await invoke(place, made.physical_id))[0] == 2
    found = await place.call("lambda", "GetFunction", FunctionName=made.physical_id)
    assert (found["Configuration"]["Timeout"], found.get("Tags")) == (9, None)
    for name, physical_id, of in (
        ("Permission", allowed.physical_id, permission),
        ("Alias", alias.physical_id, alias_properties),
        ("Version", version.physical_id, {}),
        ("Function", made.physical_id, changed),
        ("Function", made.physical_id, changed),
    ):
        await TYPES[f"AWS::Lambda::{name}"].delete(aws, physical_id, of, stack(name))
    assert place.state("lambda").functions == {}


async def test_a_renamed_function_needs_a_replacement(place: Place) -> None:
    function = TYPES["AWS::Lambda::Function"]
    assert await function.update(Aws(place), "f", {"FunctionName": "f"}, {"FunctionName": "g"}, stack("F")) is None


async def test_a_layer_of_ones_own_fails_the_stack(place: Place) -> None:
    with pytest.raises(Fault, match="LayerVersion is not supported"):
        await TYPES["AWS::Lambda::LayerVersion"].create(Aws(place), {}, stack("Layer"))


async def test_a_function_whose_creation_fails_leaves_its_name_free(place: Place) -> None:
    """A stack that rolls back forgets a resource that it never had: what was half made would fail every later one."""
    properties: dict[str, Any] = {
        "Role": ROLE, "Handler": "index.handler", "Runtime": "python3.13", "FunctionName": "orders-api",
        "Code": {"ZipFile": TEXT}, "ReservedConcurrentExecutions": 1_000_000,
    }  # fmt: skip
    function = TYPES["AWS::Lambda::Function"]
    with pytest.raises(Fault, match="ReservedConcurrentExecutions"):
        await function.create(Aws(place), properties, stack("Function"))
    assert place.state("lambda").functions == {}
    made = await function.create(Aws(place), {**properties, "ReservedConcurrentExecutions": 1}, stack("Function"))
    assert made.physical_id == "orders-api"

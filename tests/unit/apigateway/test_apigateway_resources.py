"""AWS::ApiGateway::* made, changed and removed as CloudFormation does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Calls, Made, Stack
from outlast.cloud.services.apigateway import apigateway
from outlast.cloud.services.apigateway.resources.stages import setting_key
from tests.unit.apigateway.apis import Api, send
from tests.unit.lambda_.regions import ACCOUNT, ROLE, Place, open_place
from tests.unit.lambda_.test_lambda_resources import Aws

TYPES = {each.type_name: each for each in apigateway.resource_types}
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/c"


class WithCertificates(Aws):
    """Calls of a stack in a Region where ACM has one certificate."""


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(tmp_path, apigateway) as opened:

        def describe(params: Mapping[str, Any]) -> dict[str, Any]:
            return {"Certificate": {"Status": "ISSUED", "DomainName": "orders.example.com"}}

        opened.around.acm_DescribeCertificate = describe  # type: ignore[attr-defined]
        yield opened


def stack(logical_id: str) -> Stack:
    return Stack("app", "arn:stack", "us-east-1", ACCOUNT, logical_id, "ABCDEFGHIJKL")


async def make(aws: Calls, name: str, **properties: Any) -> Made:
    kind = TYPES[f"AWS::ApiGateway::{name}"]
    assert properties.keys() <= kind.properties
    first = await kind.create(aws, properties, stack(name))
    if name not in ("Deployment",):
        assert await kind.create(aws, properties, stack(name)) == first
    return first


async def test_an_api_with_all_its_parts(place: Place) -> None:
    aws = WithCertificates(place)
    await make(aws, "Account", CloudWatchRoleArn=ROLE)
    api = await make(aws, "RestApi", Name="orders", EndpointConfiguration={"Types": ["REGIONAL"]}, Tags=[])
    ident = api.physical_id
    ping = await make(aws, "Resource", RestApiId=ident, ParentId=api.attributes["RootResourceId"], PathPart="ping")
    await make(aws, "Model", RestApiId=ident, Name="M", Schema={"type": "object"})
    validator = await make(aws, "RequestValidator", RestApiId=ident, ValidateRequestBody="true")
    await make(aws, "GatewayResponse", RestApiId=ident, ResponseType="THROTTLED", StatusCode="503")
    method = {
        "RestApiId": ident,
        "ResourceId": ping.physical_id,
        "HttpMethod": "GET",
        "AuthorizationType": "NONE",
        "RequestValidatorId": validator.physical_id,
        "MethodResponses": [{"StatusCode": "200"}],
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [
                {"StatusCode": 200, "ResponseTemplates": {"application/json": "$stageVariables.v"}}
            ],
        },
    }
    await make(aws, "Method", **method)
    deployment = await make(aws, "Deployment", RestApiId=ident)
    stage = {
        "RestApiId": ident,
        "StageName": "live",
        "DeploymentId": deployment.physical_id,
        "Variables": {"v": "one"},
        "AccessLogSetting": {
            "DestinationArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/access:*",
            "Format": "$context.requestId\n",
        },
        "MethodSettings": [
            {"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": "500", "ThrottlingBurstLimit": 1000,
             "MetricsEnabled": True, "LoggingLevel": "ERROR", "DataTraceEnabled": False}
        ],
    }  # fmt: skip
    made = await make(aws, "Stage", **stage)
    assert made.physical_id == "live"
    domain = await make(
        aws, "DomainName", DomainName="orders.example.com", RegionalCertificateArn=CERTIFICATE,
        SecurityPolicy="TLS_1_2", EndpointConfiguration={"Types": ["REGIONAL"]},
    )  # fmt: skip
    assert domain.attributes["RegionalHostedZoneId"] == "Z1UJRXOUMOOFQ8"
    assert domain.attributes["RegionalDomainName"].endswith(".execute-api.us-east-1.amazonaws.com")
    mapping = {"DomainName": domain.physical_id, "BasePath": "v1", "RestApiId": ident, "Stage": "live"}
    await make(aws, "BasePathMapping", **mapping)
    answer = await send(place, "GET", "/v1/ping", "orders.example.com")
    assert (answer.status, answer.body) == (200, b"one")
    changed = {**stage, "Variables": {"v": "two"}, "MethodSettings": []}
    assert await TYPES["AWS::ApiGateway::Stage"].update(aws, "live", stage, changed, stack("Stage")) == made
    assert (await send(place, "GET", "/v1/ping", "orders.example.com")).body == b"two"
    for name, physical_id, properties in (
        ("BasePathMapping", "orders.example.com|v1", mapping),
        ("DomainName", "orders.example.com", {}),
        ("Stage", "live", stage),
        ("Deployment", deployment.physical_id, {"RestApiId": ident}),
        ("Method", "m", method),
        ("GatewayResponse", "g", {"RestApiId": ident, "ResponseType": "THROTTLED"}),
        ("RequestValidator", validator.physical_id, {"RestApiId": ident}),
        ("Model", "M", {"RestApiId": ident}),
        ("Resource", ping.physical_id, {"RestApiId": ident}),
        ("RestApi", ident, {}),
    ):
        kind = TYPES[f"AWS::ApiGateway::{name}"]
        await kind.delete(aws, physical_id, properties, stack(name))
        await kind.delete(aws, physical_id, properties, stack(name))
    state = place.state("apigateway")
    assert [len(shelf) for shelf in (state.apis, state.stages, state.deployments)] == [0, 0, 0]
    assert state.domains == {}


async def test_a_method_changes_with_the_next_deployment(place: Place) -> None:
    aws = Aws(place)
    made = await make(aws, "RestApi", Name="orders")
    api = Api(place, made.physical_id, made.attributes["RootResourceId"])
    old = {
        "RestApiId": api.id, "ResourceId": api.root, "HttpMethod": "GET",
        "MethodResponses": [{"StatusCode": "200"}],
        "Integration": {
            "Type": "MOCK",
            "RequestTemplates": {"application/json": '{"statusCode": 200}'},
            "IntegrationResponses": [{"StatusCode": "200"}],
        },
    }  # fmt: skip
    kind = TYPES["AWS::ApiGateway::Method"]
    first = await kind.create(aws, old, stack("M"))
    await api.deploy()
    new = {**old, "AuthorizationType": "AWS_IAM"}
    assert await kind.update(aws, first.physical_id, old, new, stack("M")) == first
    assert (await api.get("")).status == 200
    await api.deploy()
    assert (await api.get("")).status == 403


@pytest.mark.parametrize(
    ("path", "key"),
    [("/*", "*/GET"), ("/", "~1/GET"), ("/~1orders~1{id}", "~1orders~1{id}/GET"), ("/orders", "~1orders/GET")],
)
def test_method_settings_name_resources_as_templates_do(path: str, key: str) -> None:
    assert setting_key({"ResourcePath": path, "HttpMethod": "GET"}) == key

"""The control plane: what it keeps, what it refuses by name, and OpenAPI documents."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.services.apigateway import apigateway, patching
from tests.unit.apigateway.apis import LAMBDA, Api, new_api
from tests.unit.lambda_.regions import ROLE, Place, open_place

FUNCTION = LAMBDA.format("arn:aws:lambda:us-east-1:111122223333:function:f")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with open_place(tmp_path, apigateway) as opened:
        yield opened


async def refused(api: Api, code: str, operation: str, **params: Any) -> str:
    with pytest.raises(Fault) as caught:
        await api.call(operation, **params)
    assert caught.value.code == code, caught.value.message
    return caught.value.message


async def test_resources_make_a_tree(place: Place) -> None:
    api = await new_api(place)
    order = await api.resource("/orders/{id}")
    parent = await api.resource("/orders")
    await refused(api, "ConflictException", "CreateResource", parentId=parent, pathPart="{id}")
    assert "variable path part" in await refused(
        api, "BadRequestException", "CreateResource", parentId=parent, pathPart="{other}"
    )
    await refused(api, "BadRequestException", "CreateResource", parentId=parent, pathPart="a/b")
    await refused(api, "NotFoundException", "CreateResource", parentId="gone", pathPart="x")
    patch = [{"op": "replace", "path": "/pathPart", "value": "purchases"}]
    await api.call("UpdateResource", resourceId=parent, patchOperations=patch)
    assert (await api.call("GetResource", resourceId=order))["path"] == "/purchases/{id}"
    await api.call("DeleteResource", resourceId=parent)
    assert [each["path"] for each in (await api.call("GetResources"))["items"]] == ["/"]


async def test_methods_show_all_they_have(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x")
    resource = await api.resource("/x")
    method = await api.call("GetMethod", resourceId=resource, httpMethod="GET")
    assert method["methodIntegration"]["type"] == "MOCK"
    assert method["methodIntegration"]["integrationResponses"]["200"]["statusCode"] == "200"
    embedded = await api.call("GetResources", embed=["methods"])
    assert any("GET" in each.get("resourceMethods", {}) for each in embedded["items"])
    await refused(
        api, "ConflictException", "PutMethod", resourceId=resource, httpMethod="GET", authorizationType="NONE"
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"type": "HTTP_PROXY", "uri": "http://x"}, "HTTP_PROXY"),
        ({"type": "AWS", "uri": "arn:aws:apigateway:us-east-1:dynamodb:action/PutItem"}, "AWS"),
        (
            {"type": "AWS_PROXY", "uri": "arn:aws:apigateway:us-east-1:sqs:path/x", "integrationHttpMethod": "POST"},
            "sqs",
        ),
        ({"type": "AWS_PROXY", "uri": FUNCTION, "integrationHttpMethod": "GET"}, "POST"),
        (
            {"type": "AWS_PROXY", "uri": FUNCTION, "integrationHttpMethod": "POST", "credentials": "arn:x"},
            "credentials",
        ),
        ({"type": "MOCK", "timeoutInMillis": 5}, "Timeout"),
        ({"type": "MOCK", "requestTemplates": {"application/json": "#set($a = 1)"}}, "#set"),
        ({"type": "MOCK", "connectionType": "VPC_LINK"}, "VPC_LINK"),
    ],
)
async def test_integrations_that_cannot_be_are_refused_by_name(
    place: Place, changes: dict[str, Any], named: str
) -> None:
    api = await new_api(place)
    where = {"resourceId": api.root, "httpMethod": "GET"}
    await api.call("PutMethod", **where, authorizationType="NONE")
    assert named in await refused(api, "BadRequestException", "PutIntegration", **where, **changes)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"authorizationType": "CUSTOM"}, "CUSTOM"),
        ({"authorizationType": "COGNITO_USER_POOLS"}, "COGNITO_USER_POOLS"),
        ({"authorizationType": "NONE", "apiKeyRequired": True}, "apiKeyRequired"),
        ({"authorizationType": "NONE", "requestModels": {"application/json": "Gone"}}, "Gone"),
        ({"authorizationType": "NONE", "requestParameters": {"request.x": True}}, "request.x"),
    ],
)
async def test_methods_that_cannot_be_are_refused_by_name(place: Place, changes: dict[str, Any], named: str) -> None:
    api = await new_api(place)
    message = await refused(api, "BadRequestException", "PutMethod", resourceId=api.root, httpMethod="GET", **changes)
    assert named in message


async def test_only_regional_endpoints_exist(place: Place) -> None:
    with pytest.raises(Fault, match="EDGE"):
        await new_api(place, endpointConfiguration={"types": ["EDGE"]})
    with pytest.raises(Fault, match="PRIVATE"):
        await new_api(place, endpointConfiguration={"types": ["PRIVATE"]})


async def test_an_api_without_integrations_cannot_be_deployed(place: Place) -> None:
    api = await new_api(place)
    await refused(api, "BadRequestException", "CreateDeployment")
    await api.call("PutMethod", resourceId=api.root, httpMethod="GET", authorizationType="NONE")
    assert "No integration" in await refused(api, "BadRequestException", "CreateDeployment")


async def test_stages_and_deployments_hold_each_other(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x")
    deployment = await api.deploy("live")
    await refused(api, "ConflictException", "CreateStage", stageName="live", deploymentId=deployment)
    await refused(api, "BadRequestException", "CreateStage", stageName="other", deploymentId="gone")
    await refused(api, "BadRequestException", "DeleteDeployment", deploymentId=deployment)
    summary = await api.call("GetDeployment", deploymentId=deployment, embed=["apisummary"])
    assert summary["apiSummary"]["/x"]["GET"]["authorizationType"] == "NONE"
    newer = await api.deploy("test")
    patch = [{"op": "replace", "path": "/deploymentId", "value": newer}]
    stage = await api.call("UpdateStage", stageName="live", patchOperations=patch)
    assert stage["deploymentId"] == newer
    await api.call("DeleteDeployment", deploymentId=deployment)
    assert [each["stageName"] for each in (await api.call("GetStages"))["item"]] == ["live", "test"]


async def test_logs_need_the_accounts_role(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x")
    await api.deploy()
    patch = [{"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"}]
    assert "CloudWatch Logs role" in await refused(
        api, "BadRequestException", "UpdateStage", stageName="live", patchOperations=patch
    )
    set_role = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}]
    account = await place.call("apigateway", "UpdateAccount", patchOperations=set_role)
    assert account["cloudwatchRoleArn"] == ROLE
    await api.call("UpdateStage", stageName="live", patchOperations=patch)
    trace = [{"op": "replace", "path": "/*/*/logging/dataTrace", "value": "true"}]
    await refused(api, "BadRequestException", "UpdateStage", stageName="live", patchOperations=trace)


async def test_tags(place: Place) -> None:
    api = await new_api(place, tags={"a": "1"})
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api.id}"
    await place.call("apigateway", "TagResource", resourceArn=arn, tags={"b": "2"})
    await place.call("apigateway", "UntagResource", resourceArn=arn, tagKeys=["a"])
    assert await place.call("apigateway", "GetTags", resourceArn=arn) == {"tags": {"b": "2"}}


async def test_apis_are_listed_in_pages(place: Place) -> None:
    ids = sorted([(await new_api(place)).id for _ in range(5)])
    first = await place.call("apigateway", "GetRestApis", limit=3)
    second = await place.call("apigateway", "GetRestApis", limit=3, position=first["position"])
    assert [each["id"] for each in (*first["items"], *second["items"])] == ids
    assert "position" not in second


def test_patches_change_all_or_nothing() -> None:
    rules = {
        "/name": patching.replacing(patching.text, "name"),
        "/variables/{name}": patching.keyed(patching.text, "variables", "{name}"),
        "/flag": patching.replacing(patching.boolean, "flag"),
    }
    document = {"name": "a", "variables": {"x": "1"}}
    operations = [
        {"op": "replace", "path": "/name", "value": "b"},
        {"op": "add", "path": "/variables/y~1z", "value": "2"},
        {"op": "remove", "path": "/variables/x"},
        {"op": "replace", "path": "/flag", "value": "true"},
    ]
    changed = patching.apply(document, operations, rules)
    assert changed == {"name": "b", "variables": {"y/z": "2"}, "flag": True}
    assert document == {"name": "a", "variables": {"x": "1"}}
    for bad in (
        {"op": "replace", "path": "/other", "value": "x"},
        {"op": "remove", "path": "/name"},
        {"op": "replace", "path": "/flag", "value": "perhaps"},
        {"op": "replace", "path": "/name"},
    ):
        with pytest.raises(Fault):
            patching.apply(document, [bad], rules)


OPENAPI: dict[str, Any] = {
    "openapi": "3.0.1",
    "info": {"title": "imported", "version": "1", "description": "d"},
    "x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True, "validateRequestParameters": True}},
    "x-amazon-apigateway-request-validator": "all",
    "x-amazon-apigateway-gateway-responses": {
        "DEFAULT_4XX": {"responseParameters": {"gatewayresponse.header.X-From": "'here'"}}
    },
    "components": {
        "schemas": {
            "Line": {"type": "object", "required": ["n"]},
            "Order": {"type": "object", "properties": {"line": {"$ref": "#/components/schemas/Line"}}},
        },
        "securitySchemes": {
            "sigv4": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "awsSigv4",
            }
        },
    },
    "paths": {
        "/orders/{id}": {
            "post": {
                "parameters": [{"name": "id", "in": "path", "required": True}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                "responses": {"200": {"description": "ok"}},
                "x-amazon-apigateway-integration": {
                    "type": "mock",
                    "requestTemplates": {"application/json": '{"statusCode": 200}'},
                    "responses": {
                        "default": {
                            "statusCode": "200",
                            "responseTemplates": {"application/json": "$input.params('id')"},
                        }
                    },
                },
            }
        },
        "/signed": {
            "x-amazon-apigateway-any-method": {
                "security": [{"sigv4": []}],
                "x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": FUNCTION},
            }
        },
    },
}


async def test_an_openapi_document_makes_an_api(place: Place) -> None:
    made = await place.call("apigateway", "ImportRestApi", body=json.dumps(OPENAPI).encode())
    api = Api(place, made["id"], made["rootResourceId"])
    assert (made["name"], made["description"]) == ("imported", "d")
    signed = await api.call("GetMethod", resourceId=await api.resource("/signed"), httpMethod="ANY")
    assert signed["authorizationType"] == "AWS_IAM"
    await api.deploy()
    answer = await api.get("/orders/7", "POST", body=b'{"line": {"n": 1}}')
    assert (answer.status, answer.body) == (200, b"7")
    answer = await api.get("/orders/7", "POST", body=b'{"line": {}}')
    assert (answer.status, answer.headers["x-from"]) == (400, "here")
    changed = {**OPENAPI, "paths": {"/only": OPENAPI["paths"]["/signed"]}}
    await api.call("PutRestApi", mode="overwrite", body=json.dumps(changed).encode())
    assert sorted(each["path"] for each in (await api.call("GetResources"))["items"]) == ["/", "/only"]


@pytest.mark.parametrize(
    "change",
    [
        {"x-amazon-apigateway-api-key-source": "HEADER"},
        {"openapi": None},
        {"paths": {"/x": {"get": {"security": [{"other": []}]}}}},
        {"paths": {"/x": {"get": {"x-amazon-apigateway-authorizer": {}}}}},
        {"x-amazon-apigateway-request-validator": "gone"},
        {"info": "a text"},
        {"paths": ["/x"]},
        {"paths": {"/x": {"get": 7}}},
        {"paths": {"/x": {"get": {"parameters": [{"in": "query"}]}}}},
        {"components": {"schemas": ["Order"]}},
    ],
)
async def test_openapi_documents_that_ask_for_more_are_refused(place: Place, change: dict[str, Any]) -> None:
    document = {name: value for name, value in {**OPENAPI, **change}.items() if value is not None}
    with pytest.raises(Fault) as caught:
        await place.call("apigateway", "ImportRestApi", body=json.dumps(document).encode())
    assert caught.value.code == "BadRequestException"


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join(9 * [f'*{before}'])}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("openapi: 3.0.1\n" + LAUGHS, "YAML aliases are not allowed"),
        ("openapi: " + "[" * 100_000, "It is nested too deeply"),
        ("openapi:\n" + "- " * 5_000, "malformed document"),
        ("\n".join(" " * n + "a:" for n in range(150)), "nested too deeply"),
        ('{"openapi": ' + "[" * 200 + "]" * 200 + "}", "nested too deeply"),
        ("openapi: 3.0.1\nx: " + "y" * 1_048_576, "larger than 1 MB and not in JSON"),
        ('{"openapi": "' + "3" * 6_291_456 + '"}', "larger than 6 MB"),
    ],
    ids=["laughs", "flow", "dashes", "blocks", "json", "long YAML", "long JSON"],
)
async def test_openapi_documents_are_read_within_bounds(place: Place, body: str, why: str) -> None:
    with pytest.raises(Fault) as caught:
        await place.call("apigateway", "ImportRestApi", body=body.encode())
    assert caught.value.code == "BadRequestException"
    assert why in caught.value.message


async def test_openapi_documents_in_yaml_make_an_api(place: Place) -> None:
    text = (
        "swagger: '2.0'\ninfo: {title: plain}\npaths:\n  /x:\n    get:\n      responses: {200: {description: fine}}\n"
    )
    made = await place.call("apigateway", "ImportRestApi", body=text.encode())
    assert made["name"] == "plain"

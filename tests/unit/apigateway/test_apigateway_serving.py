"""Requests for APIs: routed, authorised, throttled, validated, integrated, metered and logged."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from outlast.cloud.contract import Fault, RemoteFault, ThrottlingException
from outlast.cloud.services.apigateway import apigateway
from outlast.cloud.services.lambda_ import lambda_
from tests.unit.apigateway.apis import Api, new_api, send
from tests.unit.lambda_.regions import ACCOUNT, ROLE, ROOT, Place, create, open_place

ECHO = "import json\ndef handler(event, context):\n return {'statusCode': 200, 'body': json.dumps(event)}"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("region"), lambda_, apigateway) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def place(shared: Place) -> AsyncIterator[Place]:
    """One Region for all tests of the module, as new for each."""
    yield shared
    await shared.reset()


async def allow(place: Place, function: str, api: Api) -> None:
    source = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/*"
    await place.call(
        "lambda", "AddPermission", FunctionName=function, StatementId="api", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn=source,
    )  # fmt: skip


async def function_api(place: Place, text: str, **changes: Any) -> Api:
    """An API whose `/{proxy+}` a function answers."""
    await create(place, "f", text)
    api = await new_api(place, **changes)
    await api.proxy("/{proxy+}", "ANY", "f")
    await api.deploy()
    await allow(place, "f", api)
    return api


async def test_a_mock_answers_by_itself(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/ping", body='{"path": "$context.path", "q": "$input.params(\'q\')"}')
    await api.deploy()
    answer = await api.get("/ping?q=1")
    assert (answer.status, answer.json) == (200, {"path": "/live/ping", "q": "1"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-amzn-requestid"] == "request-1"


async def test_what_is_deployed_is_served_until_the_next_deployment(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/ping", body="one")
    await api.deploy()
    resource = await api.resource("/ping")
    where = {"resourceId": resource, "httpMethod": "GET", "statusCode": "200"}
    patch = [{"op": "replace", "path": "/responseTemplates/application~1json", "value": "two"}]
    await api.call("UpdateIntegrationResponse", **where, patchOperations=patch)
    assert (await api.get("/ping")).body == b"one"
    await api.deploy()
    assert (await api.get("/ping")).body == b"two"


@pytest.mark.parametrize(
    ("target", "host", "status", "message"),
    [
        ("/live/other", "", 403, "Missing Authentication Token"),
        ("/gone/ping", "", 403, "Forbidden"),
        ("/", "", 403, "Forbidden"),
        ("/live/ping", "unknown.execute-api.us-east-1.amazonaws.com", 403, "Forbidden"),
    ],
)
async def test_what_is_not_there_is_refused_as_aws_does(
    place: Place, target: str, host: str, status: int, message: str
) -> None:
    api = await new_api(place)
    await api.mock("/ping")
    await api.deploy()
    answer = await send(place, "GET", target, host or f"{api.id}.execute-api.us-east-1.amazonaws.com")
    assert (answer.status, answer.json) == (status, {"message": message})


async def test_a_function_gets_the_event_and_answers(place: Place) -> None:
    api = await function_api(place, ECHO)
    answer = await api.get("/a/b?x=1&x=2&y=", "POST", headers={"content-type": "text/plain"}, body=b"hello")
    event = answer.json
    assert (event["resource"], event["path"], event["httpMethod"]) == ("/{proxy+}", "/a/b", "POST")
    assert event["pathParameters"] == {"proxy": "a/b"}
    assert event["queryStringParameters"] == {"x": "2", "y": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [""]}
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    assert event["headers"]["Content-Type"] == "text/plain"
    assert event["headers"]["X-Forwarded-For"] == "10.0.0.7"
    assert event["multiValueHeaders"]["User-Agent"] == ["test"]
    context = event["requestContext"]
    assert (context["path"], context["stage"], context["apiId"]) == ("/live/a/b", "live", api.id)
    assert (context["identity"]["sourceIp"], context["identity"]["userArn"]) == ("10.0.0.7", None)
    assert context["resourcePath"] == "/{proxy+}"
    assert (await api.get("/a")).json["body"] is None


async def test_a_function_that_does_not_allow_the_api_is_not_invoked(place: Place) -> None:
    await create(place, "f", ECHO)
    api = await new_api(place)
    await api.proxy("/x", "GET", "f")
    await api.deploy()
    answer = await api.get("/x")
    assert (answer.status, answer.json) == (500, {"message": "Internal server error"})
    await allow(place, "f", api)
    assert (await api.get("/x")).status == 200


ANSWERS = """
import base64, json

def handler(event, context):
    return {
        "string": "text",
        "list": [],
        "body": {"statusCode": 200, "body": {"not": "text"}},
        "extra": {"statusCode": 200, "body": "", "more": 1},
        "status": {"statusCode": "abc"},
        "none": {},
        "headers": {
            "statusCode": "201",
            "headers": {"X-One": "1", "X-Flag": True},
            "multiValueHeaders": {"Set-Cookie": ["a", "b"]},
            "body": "made",
        },
        "server": {"statusCode": 200, "headers": {"Server": "mine"}, "body": "x"},
        "binary": {"statusCode": 200, "body": base64.b64encode(b"\\0\\1").decode(), "isBase64Encoded": True},
        "raise": None,
    }[event["pathParameters"]["proxy"]] if event["pathParameters"]["proxy"] != "raise" else 1 / 0
"""


async def test_answers_of_functions_are_read_strictly(place: Place) -> None:
    api = await function_api(place, ANSWERS, binaryMediaTypes=["image/png"])
    for bad in ("string", "list", "body", "extra", "status", "raise"):
        answer = await api.get(f"/{bad}")
        assert (bad, answer.status, answer.json) == (bad, 502, {"message": "Internal server error"})
    assert ((await api.get("/none")).status, (await api.get("/none")).body) == (200, b"")
    answer = await api.get("/headers")
    assert (answer.status, answer.body, answer.headers["x-one"], answer.headers["x-flag"]) == (
        201,
        b"made",
        "1",
        "true",
    )
    assert (await api.get("/server")).headers["x-amzn-remapped-server"] == "mine"
    assert (await api.get("/binary", headers={"accept": "image/png"})).body == b"\0\1"
    assert (await api.get("/binary")).body == base64.b64encode(b"\0\1")


async def test_binary_bodies_travel_as_base64(place: Place) -> None:
    api = await function_api(place, ECHO, binaryMediaTypes=["application/*"])
    event = (await api.get("/x", "POST", headers={"content-type": "application/zip"}, body=b"\xff\0")).json
    assert (event["body"], event["isBase64Encoded"]) == (base64.b64encode(b"\xff\0").decode(), True)


async def test_a_slow_function_is_answered_for_and_goes_on(place: Place) -> None:
    text = "import time\ndef handler(e, c):\n time.sleep(0.5)\n print('it went on')\n return {}"
    await create(place, "f", text)
    api = await new_api(place)
    await api.proxy("/slow", "GET", "f", timeoutInMillis=100)
    await api.deploy()
    await allow(place, "f", api)
    answer = await api.get("/slow")
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})
    for _ in range(1000):
        if "it went on" in place.around.lines("/aws/lambda/f"):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the function was cut short")


async def test_signed_methods_need_a_signature_and_permission(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/orders", auth="AWS_IAM")
    await api.deploy()
    answer = await api.get("/orders")
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    bad = RemoteFault("InvalidSignatureException", "The request signature we calculated does not match", 403)
    answer = await api.get("/orders", refusal=bad)
    assert (answer.status, answer.json["message"]) == (403, bad.message)
    assert (await api.get("/orders", principal=ROOT)).status == 200


@pytest.mark.parametrize("secure", [True, False])
async def test_identities_judge_the_method_as_execute_api(
    place: Place, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    api = await new_api(place)
    await api.mock("/orders/{id}", auth="AWS_IAM")
    await api.deploy()
    asked: list[tuple[Any, ...]] = []

    def judge(principal: Any, action: str, arn: str, context: Any, policy: Any = None) -> Any:
        asked.append((principal, action, arn, context["aws:SourceIp"], policy))
        assert context["aws:SecureTransport"] == ("true" if secure else "false",)
        from outlast.cloud.contract import Decision

        return Decision(False, f"User: x is not authorized to perform: {action} on resource: {arn}")

    monkeypatch.setattr(place.region.identities, "judge", judge)
    answer = await api.get("/orders/7", principal=ROOT, secure=secure)
    arn = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/live/GET/orders/7"
    assert asked == [(ROOT, "execute-api:Invoke", arn, ("10.0.0.7",), None)]
    assert answer.status == 403
    hidden = arn.replace(ACCOUNT, "********3333")
    assert answer.json == {"Message": f"User: x is not authorized to perform: execute-api:Invoke on resource: {hidden}"}


async def test_a_resource_policy_guards_unsigned_methods_too(place: Place) -> None:
    other = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"}
    statement = {"Effect": "Deny", "Principal": other, "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    api = await new_api(place, policy=json.dumps(policy))
    await api.mock("/x")
    await api.deploy()
    assert (await api.get("/x")).status == 403
    statement.update(Effect="Allow", Principal="*")
    patch = [{"op": "replace", "path": "/policy", "value": json.dumps(policy)}]
    await api.call("UpdateRestApi", patchOperations=patch)
    assert (await api.get("/x")).status == 403
    await api.deploy()
    assert (await api.get("/x")).status == 200
    kept = (await api.call("GetRestApi"))["policy"]
    assert f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{api.id}/*" in kept


async def test_a_malformed_resource_policy_is_refused(place: Place) -> None:
    for statement in ({"Effect": "Deny", "Principal": "someone", "Action": "*"}, {"Effect": "Deny", "Principal": "*"}):
        with pytest.raises(Fault, match="Invalid policy document"):
            await new_api(place, policy=json.dumps({"Statement": [statement]}))


async def test_stages_throttle(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x")
    await api.mock("/y")
    await api.deploy()
    patches = [
        {"op": "replace", "path": "/*/*/throttling/rateLimit", "value": "0"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "2"},
        {"op": "replace", "path": "/~1y/GET/throttling/burstLimit", "value": "0"},
    ]
    await api.call("UpdateStage", stageName="live", patchOperations=patches)
    assert [(await api.get("/x")).status for _ in range(3)] == [200, 200, 429]
    answer = await api.get("/y")
    assert (answer.status, answer.json) == (429, {"message": "Too Many Requests"})
    remove = [{"op": "remove", "path": "/~1y/GET"}]
    await api.call("UpdateStage", stageName="live", patchOperations=remove)
    assert (await api.get("/y")).status == 200


async def test_invalid_requests_never_reach_the_integration(place: Place) -> None:
    api = await new_api(place)
    schema = json.dumps({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}})
    await api.call("CreateModel", name="Order", contentType="application/json", schema=schema)
    validator = await api.call(
        "CreateRequestValidator", name="all", validateRequestBody=True, validateRequestParameters=True
    )
    await api.mock(
        "/orders", "POST",
        requestModels={"application/json": "Order"},
        requestParameters={"method.request.querystring.q": True, "method.request.header.X-Need": True},
        requestValidatorId=validator["id"],
    )  # fmt: skip
    await api.deploy()
    answer = await api.get("/orders", "POST", body=b'{"id": "1"}')
    assert (answer.status, answer.json) == (400, {"message": "Missing required request parameters: [X-Need, q]"})
    given: dict[str, Any] = {"headers": {"x-need": "1", "content-type": "application/json"}}
    for bad in (b"{}", b"", b"no json", b'{"id": 1}'):
        answer = await api.get("/orders?q=1", "POST", body=bad, **given)
        assert (answer.status, answer.json) == (400, {"message": "Invalid request body"})
    assert (await api.get("/orders?q=1", "POST", body=b'{"id": "1"}', **given)).status == 200


async def test_an_api_may_word_its_refusals(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x")
    await api.call(
        "PutGatewayResponse",
        responseType="MISSING_AUTHENTICATION_TOKEN",
        statusCode="404",
        responseParameters={"gatewayresponse.header.X-Why": "'no such path'"},
        responseTemplates={
            "application/json": '{"error": $context.error.messageString, "type": "$context.error.responseType"}'
        },
    )
    await api.deploy()
    answer = await api.get("/gone")
    assert (answer.status, answer.headers["x-why"]) == (404, "no such path")
    assert answer.json == {"error": "Missing Authentication Token", "type": "MISSING_AUTHENTICATION_TOKEN"}


async def test_custom_domain_names_and_base_paths(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/orders", body="$context.path at $context.domainName")
    await api.deploy()
    state = place.state("apigateway")
    state.put_domain({"domainName": "orders.example.com", "mappings": {}})
    where: dict[str, Any] = {"domainName": "orders.example.com", "restApiId": api.id}
    await place.call("apigateway", "CreateBasePathMapping", **where, basePath="v1", stage="live")
    answer = await send(place, "GET", "/v1/orders", "orders.example.com")
    assert (answer.status, answer.body) == (200, b"/v1/orders at orders.example.com")
    assert (await send(place, "GET", "/orders", "orders.example.com")).json == {"message": "Forbidden"}
    await place.call("apigateway", "CreateBasePathMapping", **where)
    assert (await send(place, "GET", "/live/orders", "orders.example.com")).status == 200
    assert (await send(place, "GET", "/v1/orders", "orders.example.com")).status == 200


async def test_a_path_reaches_an_api_without_dns(place: Place) -> None:
    api = await new_api(place)
    await api.mock("/x", body="$context.domainName")
    await api.deploy()
    answer = await send(place, "GET", f"/_aws/execute-api/{api.id}/live/x", "127.0.0.1")
    assert (answer.status, answer.body.decode()) == (200, f"{api.id}.execute-api.us-east-1.amazonaws.com")


async def test_requests_are_metered_and_logged(place: Place) -> None:
    await place.call(
        "apigateway", "UpdateAccount", patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": ROLE}]
    )
    api = await new_api(place)
    await api.mock("/x")
    await api.deploy()
    form = (
        '{"id":"$context.requestId","status":$context.status,"path":"$context.path","who":"$context.identity.userArn"}'
    )
    patches = [
        {"op": "replace", "path": "/accessLogSettings/format", "value": form},
        {
            "op": "replace",
            "path": "/accessLogSettings/destinationArn",
            "value": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/access",
        },
        {"op": "replace", "path": "/*/*/logging/loglevel", "value": "ERROR"},
        {"op": "replace", "path": "/*/*/metrics/enabled", "value": "true"},
    ]
    await api.call("UpdateStage", stageName="live", patchOperations=patches)
    await api.get("/x")
    await api.get("/gone")
    await place.state("apigateway").logs.flush()
    assert [json.loads(line) for line in place.around.lines("/access")] == [
        {"id": "request-1", "status": 200, "path": "/live/x", "who": "-"},
        {"id": "request-1", "status": 403, "path": "/live/gone", "who": "-"},
    ]
    (error,) = place.around.lines(f"API-Gateway-Execution-Logs_{api.id}/live")
    assert error == "(request-1) Gateway response type: MISSING_AUTHENTICATION_TOKEN with status code: 403"
    stage = {"ApiName": "orders", "Stage": "live"}
    assert place.metric("AWS/ApiGateway", "Count", **stage) == [1, 1]
    assert sorted(place.metric("AWS/ApiGateway", "4XXError", **stage)) == [0, 1]
    assert place.metric("AWS/ApiGateway", "5XXError", ApiName="orders") == [0, 0]
    assert len(place.metric("AWS/ApiGateway", "Latency", **stage)) == 2
    assert place.metric("AWS/ApiGateway", "Count", **stage, Method="GET", Resource="/x") == [1]


@pytest.mark.parametrize(
    ("fault", "status"),
    [(RemoteFault("InternalServerError", "no", 500), 500), (ThrottlingException("slow down"), 429)],
)
async def test_faults_of_the_world_are_worded_and_counted_as_the_apis_own(
    place: Place, fault: Fault, status: int
) -> None:
    api = await new_api(place)
    await api.mock("/x")
    await api.deploy()
    assert (await api.get("/x", fault=fault)).status == status
    name = "5XXError" if status == 500 else "4XXError"
    assert place.metric("AWS/ApiGateway", name, ApiName="orders") == [1]


async def test_apis_survive_their_region(tmp_path: Path) -> None:
    async with open_place(tmp_path, apigateway) as first:
        api = await new_api(first)
        await api.mock("/x", body="kept")
        await api.deploy()
    async with open_place(tmp_path, apigateway) as second:
        again = Api(second, api.id, api.root)
        assert (await again.get("/x")).body == b"kept"

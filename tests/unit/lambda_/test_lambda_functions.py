"""Functions through the pipeline: made, run, changed, published, refused."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from outlast.cloud.contract import Fault, Principal
from outlast.cloud.services.lambda_ import lambda_
from tests.unit.lambda_.regions import ACCOUNT, ROLE, Place, active, create, invoke, open_place, package

ECHO = "def handler(event, context):\n return event"
APIGATEWAY = Principal.service("apigateway", "us-east-1", ACCOUNT)


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with open_place(tmp_path_factory.mktemp("region"), lambda_) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def place(shared: Place) -> AsyncIterator[Place]:
    """One Region for all tests of the module, as new for each."""
    yield shared
    await shared.reset()


async def refused(place: Place, code: str, operation: str, **params: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        await place.call("lambda", operation, **params)
    assert caught.value.code == code, caught.value.message
    return caught.value


async def test_a_function_is_pending_then_active_and_runs(place: Place) -> None:
    params: dict[str, Any] = {"FunctionName": "f", "Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler"}
    made = await place.call("lambda", "CreateFunction", **params, Code={"ZipFile": package(app=ECHO)}, Timeout=7)
    assert (made["State"], made["StateReasonCode"], made["Version"]) == ("Pending", "Creating", "$LATEST")
    assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    found = await active(place, "f")
    assert (found["State"], found["Timeout"], found["MemorySize"]) == ("Active", 7, 128)
    payload, reply = await invoke(place, "f", {"n": 1})
    assert payload == {"n": 1}
    assert (reply["StatusCode"], reply["ExecutedVersion"], "FunctionError" in reply) == (200, "$LATEST", False)


async def test_what_an_invocation_logs_and_measures(place: Place) -> None:
    await create(place, "f", "def handler(event, context):\n print('hello')\n if event: raise ValueError('no')")
    _, reply = await invoke(place, "f", None, LogType="Tail")
    tail = base64.b64decode(reply["LogResult"]).decode().splitlines()
    assert [line.split()[0] for line in tail] == ["INIT_START", "START", "hello", "END", "REPORT"]
    assert "Init Duration" in tail[-1]
    error, failed = await invoke(place, "f", {"x": 1})
    assert (failed["FunctionError"], error["errorType"]) == ("Unhandled", "ValueError")
    await place.state("lambda").shipper.flush()
    lines = place.around.lines("/aws/lambda/f")
    assert [line.split()[0] for line in lines] == [
        "INIT_START", "START", "hello", "END", "REPORT", "START", "hello", "[ERROR]", "END", "REPORT",
    ]  # fmt: skip
    writer = next(who for service, name, _, who in place.around.asked if name == "PutLogEvents")
    assert writer.role_arn == ROLE
    assert place.metric("AWS/Lambda", "Invocations", FunctionName="f") == [1, 1]
    assert place.metric("AWS/Lambda", "Errors", FunctionName="f") == [0, 1]
    assert len(place.metric("AWS/Lambda", "Duration", FunctionName="f")) == 2
    assert place.metric("AWS/Lambda", "ConcurrentExecutions", FunctionName="f") == [1, 1]


async def test_a_function_gets_its_roles_credentials_and_the_regions_address(place: Place) -> None:
    text = "import os\ndef handler(e, c): return {k: os.environ.get(k) for k in e}"
    await create(place, "f", text, Environment={"Variables": {"COLOUR": "red"}})
    names = ["COLOUR", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL", "_HANDLER"]
    payload, _ = await invoke(place, "f", names)
    assert payload == dict(
        zip(names, ["red", "ASIATEST", "token", "us-east-1", "https://127.0.0.1:1", "app.handler"], strict=True)
    )
    (asked,) = [params for _, name, params, _ in place.around.asked if name == "AssumeRole"]
    assert (asked["RoleArn"], asked["RoleSessionName"]) == (ROLE, "f-")


async def test_environments_are_reused_and_let_go_on_update(place: Place) -> None:
    await create(place, "f", "import os\ndef handler(e, c): return [1, os.getpid()]")
    first, second = (await invoke(place, "f"))[0], (await invoke(place, "f"))[0]
    assert first == second
    await place.call(
        "lambda", "UpdateFunctionCode", FunctionName="f", ZipFile=package(app="def handler(e, c): return 2")
    )
    await active(place, "f")
    assert (await invoke(place, "f"))[0] == 2
    assert place.state("lambda").fleet.size == 1


async def test_timeouts_and_exits_are_reported_as_lambda_does(place: Place) -> None:
    text = "import os, time\ndef handler(e, c):\n if e: os._exit(3)\n time.sleep(60)"
    await create(place, "f", text, Timeout=1)
    error, reply = await invoke(place, "f", None, LogType="Tail")
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert "Status: timeout" in base64.b64decode(reply["LogResult"]).decode()
    error, reply = await invoke(place, "f", {"exit": True})
    assert (reply["FunctionError"], error["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert error["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert place.state("lambda").fleet.size == 0


async def test_a_handler_that_is_not_there_fails_each_invocation(place: Place) -> None:
    await create(place, "f", ECHO, Handler="other.handler")
    error, reply = await invoke(place, "f")
    assert (reply["FunctionError"], error["errorType"]) == ("Unhandled", "Runtime.ImportModuleError")


async def test_versions_are_snapshots_and_aliases_name_them(place: Place) -> None:
    await create(place, "f", "def handler(e, c): return c.function_version + ' one'")
    one = await place.call("lambda", "PublishVersion", FunctionName="f")
    assert (await place.call("lambda", "PublishVersion", FunctionName="f"))["Version"] == one["Version"] == "1"
    await place.call("lambda", "CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    text = "def handler(e, c): return c.function_version + ' two'"
    await place.call("lambda", "UpdateFunctionCode", FunctionName="f", ZipFile=package(app=text))
    await active(place, "f")
    assert (await place.call("lambda", "PublishVersion", FunctionName="f"))["Version"] == "2"
    assert (await invoke(place, "f", Qualifier="live"))[0] == "1 one"
    assert (await invoke(place, "f:2"))[0] == "2 two"
    assert (await invoke(place, "f"))[0] == "$LATEST two"
    await place.call("lambda", "UpdateAlias", FunctionName="f", Name="live", FunctionVersion="2")
    payload, reply = await invoke(place, "f:live")
    assert (payload, reply["ExecutedVersion"]) == ("2 two", "2")
    conflict = {"FunctionName": "f", "Qualifier": "2"}
    await refused(place, "ResourceConflictException", "DeleteFunction", **conflict)
    await place.call("lambda", "DeleteFunction", FunctionName="f", Qualifier="1")
    await refused(place, "ResourceNotFoundException", "Invoke", FunctionName="f", Qualifier="1")
    listed = await place.call("lambda", "ListVersionsByFunction", FunctionName="f")
    assert [version["Version"] for version in listed["Versions"]] == ["$LATEST", "2"]


async def test_an_alias_can_share_traffic(place: Place) -> None:
    await create(place, "f", "def handler(e, c): return c.function_version")
    await place.call("lambda", "PublishVersion", FunctionName="f")
    await place.call("lambda", "UpdateFunctionConfiguration", FunctionName="f", Description="x", Timeout=9)
    await active(place, "f")
    await place.call("lambda", "PublishVersion", FunctionName="f")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    await place.call("lambda", "CreateAlias", FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig=weights)
    seen = {(await invoke(place, "f", Qualifier="live"))[0] for _ in range(60)}
    assert seen == {"1", "2"}


async def test_only_whom_the_policy_names_may_invoke(place: Place) -> None:
    await create(place, "f", ECHO)
    with pytest.raises(Fault) as denied:
        await place.call("lambda", "Invoke", APIGATEWAY, FunctionName="f")
    assert denied.value.code == "AccessDeniedException"
    await place.call(
        "lambda", "AddPermission", FunctionName="f", StatementId="s", Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:111122223333:api/*",
    )  # fmt: skip
    source = "arn:aws:execute-api:us-east-1:111122223333:api/live/GET/"
    reply = await place.around("lambda", "Invoke", {"FunctionName": "f"}, principal=APIGATEWAY, source_arn=source)
    assert reply["StatusCode"] == 200
    await place.call("lambda", "RemovePermission", FunctionName="f", StatementId="s")
    with pytest.raises(Fault):
        await place.around("lambda", "Invoke", {"FunctionName": "f"}, principal=APIGATEWAY, source_arn=source)


async def test_concurrency_is_bounded_and_told(place: Place) -> None:
    await create(place, "f", "import time\ndef handler(e, c): time.sleep(0.3)")
    await place.call("lambda", "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=2)
    results = await asyncio.gather(*(invoke(place, "f") for _ in range(4)), return_exceptions=True)
    faults = [each for each in results if isinstance(each, Fault)]
    assert [(fault.code, fault.fields["Reason"]) for fault in faults] == [
        ("TooManyRequestsException", "ReservedFunctionConcurrentInvocationLimitExceeded")
    ] * 2
    assert sum(place.metric("AWS/Lambda", "Throttles", FunctionName="f")) == 2
    await place.call("lambda", "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(Fault):
        await invoke(place, "f")
    too_much = {"FunctionName": "f", "ReservedConcurrentExecutions": 950}
    await refused(place, "InvalidParameterValueException", "PutFunctionConcurrency", **too_much)
    await place.call("lambda", "DeleteFunctionConcurrency", FunctionName="f")
    assert (await invoke(place, "f"))[1]["StatusCode"] == 200


async def test_an_event_is_queued_and_runs_later(place: Place) -> None:
    await create(place, "f", "def handler(e, c): print('it ran', e['x'])")
    reply = await place.call("lambda", "Invoke", FunctionName="f", InvocationType="Event", Payload=b'{"x": "later"}')
    assert reply == {"StatusCode": 202}
    await logged(place, "it ran later")
    assert len(place.state("lambda").events) == 0


async def logged(place: Place, line: str) -> None:
    """Wait until the function has said it."""
    for _ in range(1000):
        if line in place.around.lines("/aws/lambda/f") and not len(place.state("lambda").events):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{line} is not among {place.around.lines('/aws/lambda/f')}")


async def test_a_queued_event_outlives_its_region(tmp_path: Path) -> None:
    async with open_place(tmp_path, lambda_) as first:
        await create(first, "f", "def handler(e, c): print('it ran')")
        await first.call("lambda", "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
        await first.call("lambda", "Invoke", FunctionName="f", InvocationType="Event")
        await asyncio.sleep(0.1)
        assert len(first.state("lambda").events) == 1
    async with open_place(tmp_path, lambda_) as second:
        assert len(second.state("lambda").events) == 1
        await second.call("lambda", "DeleteFunctionConcurrency", FunctionName="f")
        await logged(second, "it ran")


async def test_code_from_a_bucket(place: Place) -> None:
    place.around.objects["code", "f.zip"] = package(app="def handler(e, c): return 'bucket'")
    await create(place, "f", ECHO, Code={"S3Bucket": "code", "S3Key": "f.zip"})
    assert (await invoke(place, "f"))[0] == "bucket"
    missing = {"FunctionName": "f", "S3Bucket": "code", "S3Key": "gone.zip"}
    fault = await refused(place, "InvalidParameterValueException", "UpdateFunctionCode", **missing)
    assert "S3 Error Message: The specified key does not exist." in fault.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Runtime": "nodejs20.x"}, "InvalidParameterValueException"),
        ({"Code": {"ZipFile": b"no zip"}}, "InvalidParameterValueException"),
        ({"Code": {}}, "InvalidParameterValueException"),
        ({"Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:mine:1"]}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"BIG": "x" * 4096}}}, "InvalidParameterValueException"),
        ({"VpcConfig": {"SubnetIds": []}}, "ValidationException"),
        ({"PackageType": "Image"}, "InvalidParameterValueException"),
        ({"TracingConfig": {"Mode": "Active"}}, "InvalidParameterValueException"),
        ({"LoggingConfig": {"LogFormat": "JSON"}}, "InvalidParameterValueException"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(place: Place, changes: dict[str, Any], code: str) -> None:
    params = {
        "FunctionName": "f", "Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler",
        "Code": {"ZipFile": package(app=ECHO)},
    }  # fmt: skip
    await refused(place, code, "CreateFunction", **{**params, **changes})


async def test_a_role_that_does_not_trust_lambda_is_refused(place: Place) -> None:
    place.around.trusted = False
    with pytest.raises(Fault, match="cannot be assumed"):
        await create(place, "f", ECHO)


async def test_functions_survive_their_region(tmp_path: Path) -> None:
    async with open_place(tmp_path, lambda_) as first:
        await create(first, "f", "def handler(e, c): return 'kept'", Tags={"a": "b"})
        await first.call("lambda", "PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=5)
        await first.call("lambda", "PublishVersion", FunctionName="f")
    async with open_place(tmp_path, lambda_) as second:
        found = await second.call("lambda", "GetFunction", FunctionName="f")
        assert (found["Tags"], found["Concurrency"]) == ({"a": "b"}, {"ReservedConcurrentExecutions": 5})
        assert (await invoke(second, "f:1"))[0] == "kept"
        assert second.state("lambda").concurrency.unreserved_limit == 995


async def test_deleting_takes_everything(place: Place) -> None:
    await create(place, "f", ECHO)
    await invoke(place, "f")
    await place.call("lambda", "DeleteFunction", FunctionName="f")
    await refused(place, "ResourceNotFoundException", "GetFunction", FunctionName="f")
    assert list(place.region.engine.space("lambda/code").range()) == []
    assert place.state("lambda").fleet.size == 0

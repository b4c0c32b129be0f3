"""Functions on a running world, with boto3 outside and boto3 inside them."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from outlast.cli.enclosed import bare_functions
from tests.conftest import World
from tests.wire.lambda_.made import function, invoke, package, role

CALLS = """
import boto3

def handler(event, context):
    client = boto3.client(event["service"], **event.get("options", {}))
    try:
        reply = getattr(client, event["call"])(**event.get("params", {}))
    except Exception as error:
        return {"error": getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)}
    reply.pop("ResponseMetadata", None)
    return reply
"""


def test_a_function_does_what_its_role_allows_and_nothing_else(world: World) -> None:
    with (
        role(world, "fn-narrow", "dynamodb:ListTables") as arn,
        function(world, "fn-narrow", CALLS, arn, Timeout=20) as client,
    ):
        who = invoke(client, "fn-narrow", {"service": "sts", "call": "get_caller_identity"})
        assert who["Arn"] == "arn:aws:sts::111122223333:assumed-role/fn-narrow/fn-narrow"
        assert "TableNames" in invoke(client, "fn-narrow", {"service": "dynamodb", "call": "list_tables"})
        denied = {"service": "dynamodb", "call": "describe_table", "params": {"TableName": "t"}}
        assert invoke(client, "fn-narrow", denied) == {"error": "AccessDeniedException"}
        buckets = {"service": "s3", "call": "list_buckets"}
        assert invoke(client, "fn-narrow", buckets) == {"error": "AccessDenied"}
        world.client("iam").put_role_policy(
            RoleName="fn-narrow",
            PolicyName="more",
            PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"}]}
            ),
        )
        try:
            for _ in range(50):
                refused = invoke(client, "fn-narrow", {"service": "dynamodb", "call": "list_tables"})
                if "error" in refused:
                    break
                time.sleep(0.05)
            assert refused == {"error": "AccessDeniedException"}
        finally:
            world.client("iam").delete_role_policy(RoleName="fn-narrow", PolicyName="more")


def test_a_function_works_in_its_own_region(world: World) -> None:
    text = """
import os, boto3

def handler(event, context):
    return [os.environ["AWS_REGION"], boto3.client("dynamodb").meta.region_name]
"""
    with role(world, "fn-west") as arn, function(world, "fn-west", text, arn, region="us-west-2") as client:
        assert invoke(client, "fn-west") == ["us-west-2", "us-west-2"]
        with pytest.raises(ClientError, match="Function not found"):
            world.client("lambda", "us-east-1").get_function(FunctionName="fn-west")


def test_names_of_the_cloud_resolve_inside_a_function(world: World) -> None:
    text = """
import socket, subprocess, urllib.request, urllib.error

def handler(event, context):
    other = subprocess.run(["getent", "ahostsv4", "dynamodb.us-west-2.amazonaws.com"], capture_output=True, text=True)
    where = socket.getaddrinfo("dynamodb.us-west-2.amazonaws.com", 443, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    try:
        urllib.request.urlopen("https://dynamodb.us-west-2.amazonaws.com/", timeout=5)
        status = 200
    except urllib.error.HTTPError as error:
        status = error.code
    return [list(where), status, other.stdout.split()[:1]]
"""
    config = world.config
    with role(world, "fn-names") as arn, function(world, "fn-names", text, arn, Timeout=15) as client:
        where, status, other = invoke(client, "fn-names")
        if not bare_functions():
            assert other == [config.hosts["us-west-2"]]
        assert where in ([config.hosts["us-west-2"], 443], [config.hosts["us-west-2"], config.port])
        assert status < 500


def test_logs_arrive_as_the_role_may_write_them(world: World) -> None:
    logs = world.client("logs")
    text = "def handler(e, c):\n print('hello from inside')\n return c.log_group_name"
    with (
        role(world, "fn-logs", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents") as arn,
        function(world, "fn-logs", text, arn) as client,
    ):
        group = invoke(client, "fn-logs")
        for _ in range(100):
            try:
                events = logs.filter_log_events(logGroupName=group)["events"]
            except ClientError:
                events = []
            if any(event["message"].startswith("REPORT") for event in events):
                break
            time.sleep(0.05)
        messages = [event["message"].rstrip() for event in events]
        assert "hello from inside" in messages
        assert messages[0].startswith("INIT_START")
        logs.delete_log_group(logGroupName=group)
    with role(world, "fn-mute") as arn, function(world, "fn-mute", text, arn) as client:
        assert invoke(client, "fn-mute") == "/aws/lambda/fn-mute"
        time.sleep(0.5)
        assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/fn-mute")["logGroups"] == []


def test_a_function_that_loops_holds_nobody_up(world: World) -> None:
    dynamodb = world.client("dynamodb")
    text = "def handler(e, c):\n while True: pass"
    with role(world, "fn-loop") as arn, function(world, "fn-loop", text, arn, Timeout=2) as client:
        client.invoke(FunctionName="fn-loop", InvocationType="Event")
        took = []
        for _ in range(20):
            began = time.perf_counter()
            dynamodb.list_tables()
            took.append(time.perf_counter() - began)
        assert min(took) < 0.5
        error = invoke(client, "fn-loop")
        assert error["errorType"] == "Sandbox.Timedout"


def test_the_wire_shows_errors_tails_and_versions(world: World) -> None:
    with role(world, "fn-wire") as arn, function(world, "fn-wire", "def handler(e, c): return 1 / e", arn) as client:
        reply = client.invoke(FunctionName="fn-wire", Payload=b"0", LogType="Tail")
        assert (reply["StatusCode"], reply["FunctionError"], reply["ExecutedVersion"]) == (200, "Unhandled", "$LATEST")
        assert json.loads(reply["Payload"].read())["errorType"] == "ZeroDivisionError"
        assert "ZeroDivisionError" in base64.b64decode(reply["LogResult"]).decode()
        with pytest.raises(client.exceptions.InvalidRequestContentException):
            client.invoke(FunctionName="fn-wire", Payload=b"no json")
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.invoke(FunctionName="fn-wire", Qualifier="9")
        client.put_function_concurrency(FunctionName="fn-wire", ReservedConcurrentExecutions=0)
        with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName="fn-wire", Payload=b"1")
        assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
        with pytest.raises(ClientError) as refused:
            client.create_function(
                FunctionName="other", Runtime="java21", Role=arn, Handler="x", Code={"ZipFile": package(a="")}
            )
        assert "java21" in str(refused.value)


def test_a_large_package_is_kept_and_runs(world: World) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        bundle.writestr("app.py", "import os\ndef handler(e, c): return os.path.getsize('data.bin')")
        bundle.writestr("data.bin", os.urandom(20 << 20))
    with role(world, "fn-large") as arn, function(world, "fn-large", "x = 1", arn) as client:
        found = client.update_function_code(FunctionName="fn-large", ZipFile=buffer.getvalue())
        assert found["CodeSize"] == len(buffer.getvalue())
        client.get_waiter("function_updated_v2").wait(FunctionName="fn-large", WaiterConfig={"Delay": 1})
        assert invoke(client, "fn-large") == 20 << 20


def test_the_command_line_invokes_too(world: World, tmp_path: Any) -> None:
    out = tmp_path / "out.json"
    with role(world, "fn-cli") as arn, function(world, "fn-cli", "def handler(e, c): return e", arn):
        command = ["lambda", "invoke", "--function-name", "fn-cli"]
        reply = world.aws(*command, "--payload", '{"a": 1}', str(out))
        assert reply["StatusCode"] == 200
        assert json.loads(out.read_text()) == {"a": 1}

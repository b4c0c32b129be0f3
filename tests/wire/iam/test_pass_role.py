"""A role is handed to a service only by who may pass it, and to that service."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.iam.test_iam import allow, document, new_user
from tests.wire.iam.test_iam_world import keys
from tests.wire.lambda_.made import package

ROLE = "arn:aws:iam::111122223333:role/handed-over"
EVERYTHING = allow(["lambda:*", "cloudformation:*", "synthetics:*", "apigateway:*", "fis:*"])
TEMPLATE = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
STOP = [{"source": "none"}]
FIS_ACTION = {"wait": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}}}
CANARY = {
    "Code": {"ZipFile": b"x", "Handler": "a.handler"},
    "ArtifactS3Location": "s3://no-such-bucket-here",
    "Schedule": {"Expression": "rate(1 minute)"},
    "RuntimeVersion": "syn-python-selenium-8.0",
}


@pytest.fixture(scope="module")
def user(world: World) -> Callable[[str], Any]:
    """Clients of a user who may do everything with these services, but pass no role."""
    pair = new_user(world.client("iam"), "passes-nothing", EVERYTHING)
    clients = {name: world.client(name, **keys(pair)) for name in ("lambda", "apigateway")}
    deadline = time.monotonic() + 5
    while True:
        try:
            clients["lambda"].list_functions()
            break
        except ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    return lambda name: clients.setdefault(name, world.client(name, **keys(pair)))


def calls(user: Callable[[str], Any], world: World) -> list[tuple[str, Callable[[], Any]]]:
    """(principal of the service, a call that hands it the role)."""
    gateway = world.client("apigateway")
    api = gateway.create_rest_api(name="passing")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    where = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_integration(**where, type="MOCK")
    code = {"ZipFile": package(app="def handler(e, c): return 1")}
    handed = {"RoleARN": ROLE, "StackName": "passing", "TemplateBody": TEMPLATE}
    patch = {"op": "replace", "path": "/credentials", "value": ROLE}
    template = {"clientToken": "a", "description": "d", "stopConditions": STOP, "actions": FIS_ACTION, "roleArn": ROLE}
    function = {"FunctionName": "passing", "Role": ROLE}
    return [
        ("lambda", lambda: user("lambda").create_function(
            **function, Runtime="python3.12", Handler="app.handler", Code=code)),
        ("lambda", lambda: user("lambda").update_function_configuration(**function)),
        ("cloudformation", lambda: user("cloudformation").create_stack(**handed)),
        ("cloudformation", lambda: user("cloudformation").create_change_set(**handed, ChangeSetName="c")),
        ("synthetics", lambda: user("synthetics").create_canary(Name="passing", ExecutionRoleArn=ROLE, **CANARY)),
        ("synthetics", lambda: user("synthetics").update_canary(Name="passing", ExecutionRoleArn=ROLE)),
        ("apigateway", lambda: user("apigateway").update_integration(**where, patchOperations=[patch])),
        ("apigateway", lambda: user("apigateway").put_integration(**where, type="MOCK", credentials=ROLE)),
        ("apigateway", lambda: user("apigateway").update_account(
            patchOperations=[{**patch, "path": "/cloudwatchRoleArn"}])),
        ("fis", lambda: user("fis").create_experiment_template(**template)),
        ("fis", lambda: user("fis").update_experiment_template(id="EXT1", roleArn=ROLE)),
    ]  # fmt: skip


def refusal(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


def test_who_may_not_pass_a_role_is_told_so_everywhere(world: World, user: Callable[[str], Any]) -> None:
    text = (
        "User: arn:aws:iam::111122223333:user/passes-nothing is not authorized to perform: iam:PassRole on resource: "
        f"{ROLE} because no identity-based policy allows the iam:PassRole action"
    )
    asked = calls(user, world)
    for service, call in asked:
        said = refusal(call)
        assert said.startswith("AccessDenied"), (service, said)
        assert said.endswith(text), (service, said)
    iam = world.client("iam")
    last = dict(asked)
    for service in sorted(last):
        condition = {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}
        policy = document(allow("iam:PassRole", ROLE, Condition=condition))
        iam.put_user_policy(UserName="passes-nothing", PolicyName="pass", PolicyDocument=policy)
        deadline = time.monotonic() + 5
        while "iam:PassRole" in refusal(last[service]):
            assert time.monotonic() < deadline, service
            time.sleep(0.05)
        assert all("iam:PassRole" in refusal(call) for name, call in last.items() if name != service), service


def test_a_stack_needs_a_role_that_cloudformation_can_assume(world: World) -> None:
    with pytest.raises(ClientError, match=f"Role {ROLE} is invalid or cannot be assumed"):
        world.client("cloudformation").create_stack(StackName="passing", TemplateBody=TEMPLATE, RoleARN=ROLE)

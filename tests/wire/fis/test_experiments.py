"""Experiments over the wire: a fault begins, holds and ends by what FIS is told."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "fis.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def wait_until(truth: Callable[[], Any], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def role(world: World) -> str:
    iam = world.client("iam")
    made = iam.create_role(RoleName=f"fis-{uuid.uuid4().hex[:8]}", AssumeRolePolicyDocument=json.dumps(TRUST))
    return str(made["Role"]["Arn"])


def template(client: Any, role: str, actions: dict[str, Any], **fields: Any) -> str:
    made = client.create_experiment_template(
        clientToken=uuid.uuid4().hex,
        description="test",
        roleArn=role,
        stopConditions=fields.pop("stopConditions", [{"source": "none"}]),
        actions=actions,
        **fields,
    )
    return str(made["experimentTemplate"]["id"])


def start(client: Any, ident: str) -> str:
    return str(client.start_experiment(clientToken=uuid.uuid4().hex, experimentTemplateId=ident)["experiment"]["id"])


def status(client: Any, ident: str) -> str:
    return str(client.get_experiment(id=ident)["experiment"]["state"]["status"])


def errors(regions: str, duration: str = "PT60S") -> dict[str, Any]:
    parameters = {"duration": duration, "regions": regions, "services": "sts", "share": "1", "status": "503"}
    return {"break": {"actionId": "outlast:service-errors", "parameters": parameters}}


def breaks(world: World, region: str) -> bool:
    try:
        world.client("sts", region).get_caller_identity()
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 503)
    return False


def test_a_fault_begins_with_its_experiment_and_ends_when_it_is_stopped(world: World, role: str) -> None:
    client = world.client("fis", "eu-west-1")
    ident = start(client, template(client, role, errors("ap-northeast-1")))
    wait_until(lambda: breaks(world, "ap-northeast-1"))
    assert not breaks(world, "us-west-2")
    assert status(client, ident) == "running"
    client.stop_experiment(id=ident)
    wait_until(lambda: status(client, ident) == "stopped")
    assert not breaks(world, "ap-northeast-1")
    experiment = client.get_experiment(id=ident)["experiment"]
    assert experiment["actions"]["break"]["state"]["status"] == "stopped"
    assert experiment["endTime"] > experiment["startTime"]


def test_a_fault_ends_by_itself_and_actions_follow_one_another(world: World, role: str) -> None:
    client = world.client("fis", "eu-west-1")
    actions = errors("ap-northeast-1", "PT1S")
    actions["first"] = {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1S"}}
    actions["break"]["startAfter"] = ["first"]
    ident = start(client, template(client, role, actions))
    wait_until(lambda: status(client, ident) == "completed")
    done = client.get_experiment(id=ident)["experiment"]["actions"]
    assert done["break"]["startTime"] >= done["first"]["endTime"]
    assert not breaks(world, "ap-northeast-1")


def test_an_experiment_may_kill_the_region_it_runs_in(make_world: Callable[..., World]) -> None:
    world = make_world()
    role = world.client("iam").create_role(RoleName="fis", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    client = world.client("fis", "eu-west-1")
    wait_until(lambda: "fis" in str(world.client("iam").list_roles()))
    action = {"actionId": "outlast:region-killed", "parameters": {"duration": "PT4S"}}
    ident = start(client, template(client, role, {"kill": action}))
    address = (world.config.hosts["eu-west-1"], world.config.port)

    def refused() -> bool:
        try:
            socket.create_connection(address, 1).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_until(refused)
    wait_until(lambda: not refused())
    wait_until(lambda: status(client, ident) == "completed")


def test_a_role_that_cannot_be_assumed_fails_the_experiment(world: World) -> None:
    client = world.client("fis", "us-east-1")
    ident = start(client, template(client, "arn:aws:iam::111122223333:role/nobody", errors("us-east-2")))
    wait_until(lambda: status(client, ident) == "failed")
    assert "nobody" in client.get_experiment(id=ident)["experiment"]["state"]["reason"]
    assert not breaks(world, "us-east-2")


def test_a_fault_that_cannot_be_begun_fails_the_experiment_and_says_why(world: World, role: str) -> None:
    client = world.client("fis", "us-east-2")
    ident = start(client, template(client, role, errors("mars-1")))
    seen: set[str] = set()
    wait_until(lambda: seen.add(status(client, ident)) or "failed" in seen)
    assert "running" not in seen
    assert "no Region mars-1" in client.get_experiment(id=ident)["experiment"]["state"]["reason"]


@pytest.mark.parametrize(
    ("actions", "says"),
    [
        ({"a": {"actionId": "aws:ec2:stop-instances"}}, "not supported"),
        ({"a": {"actionId": "outlast:disk-full"}}, "duration"),
        ({"a": {"actionId": "outlast:disk-full", "parameters": {"duration": "1 minute"}}}, "1 minute"),
        ({"a": {"actionId": "outlast:disk-full", "parameters": {"duration": "PT1M", "share": "1"}}}, "share"),
        ({"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}, "startAfter": ["a"]}}, "circle"),
        ({"a": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}, "startAfter": ["b"]}}, "not in"),
        ({}, "needs an action"),
    ],
)
def test_a_template_that_could_not_run_is_refused(world: World, role: str, actions: Any, says: str) -> None:
    client = world.client("fis")
    with pytest.raises(ClientError, match=says) as caught:
        template(client, role, actions)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_templates_are_listed_changed_tagged_and_deleted(world: World, role: str) -> None:
    client = world.client("fis", "us-west-2")
    ident = template(client, role, errors("us-east-2"), tags={"a": "1"})
    assert client.update_experiment_template(id=ident, description="new")["experimentTemplate"]["description"] == "new"
    (found,) = [each for each in client.list_experiment_templates()["experimentTemplates"] if each["id"] == ident]
    client.tag_resource(resourceArn=found["arn"], tags={"b": "2"})
    client.untag_resource(resourceArn=found["arn"], tagKeys=["a"])
    assert client.list_tags_for_resource(resourceArn=found["arn"])["tags"] == {"b": "2"}
    client.delete_experiment_template(id=ident)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_experiment_template(id=ident)


def test_every_fault_of_the_world_is_an_action(world: World) -> None:
    client = world.client("fis")
    actions = {each["id"] for each in client.list_actions()["actions"]}
    assert {"aws:fis:wait", "outlast:gray-failure", "outlast:region-killed", "outlast:certificate-expired"} <= actions
    parameters = client.get_action(id="outlast:gray-failure")["action"]["parameters"]
    assert parameters["duration"]["required"]
    assert "error_share" in parameters

"""Roles, packages and functions for tests on a running world."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from tests.conftest import World


def package(**files: str) -> bytes:
    """A zip of Python files; `__` in a name is a slash."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in files.items():
            bundle.writestr(f"{name.replace('__', '/')}.py", text)
    return buffer.getvalue()


@contextlib.contextmanager
def role(world: World, name: str, *allowed: str, trusted: str = "lambda") -> Iterator[str]:
    """A role that a service may assume, allowed these actions on everything; its ARN."""
    iam = world.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": f"{trusted}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if allowed:
        statement = {"Effect": "Allow", "Action": list(allowed), "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=policy)
    try:
        yield arn
    finally:
        if allowed:
            iam.delete_role_policy(RoleName=name, PolicyName="allowed")
        iam.delete_role(RoleName=name)


@contextlib.contextmanager
def function(
    world: World, name: str, text: str, role_arn: str, region: str = "us-east-1", **params: Any
) -> Iterator[Any]:
    """An active function whose `app.handler` is in `text`; a client of its Region."""
    client = world.client("lambda", region)
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role_arn,
        Handler="app.handler",
        Code={"ZipFile": package(app=text)},
        **params,
    )
    try:
        waiter = client.get_waiter("function_active_v2")
        waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        yield client
    finally:
        client.delete_function(FunctionName=name)


def invoke(client: Any, name: str, event: Any = None, **params: Any) -> Any:
    """The parsed payload of an invocation."""
    reply = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **params)
    return json.loads(reply["Payload"].read() or b"null")

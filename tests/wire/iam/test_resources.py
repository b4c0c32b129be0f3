"""CloudFormation's IAM types: created, changed in place, replaced, deleted, and all of it twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from outlast.cloud.contract import Fault
from outlast.cloud.services.iam.resources import AccessKey, InlinePolicy, ManagedPolicy, Role, User
from tests.wire.iam.inside import ACCOUNT, Inside
from tests.wire.iam.stacks import StackCalls, stack
from tests.wire.iam.test_iam import LAMBDA, allow, document

POLICY = json.loads(document(allow("s3:*")))
OTHER = json.loads(document(allow("iam:*")))
READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ROLE: dict[str, Any] = {
    "AssumeRolePolicyDocument": json.loads(LAMBDA),
    "Policies": [{"PolicyName": "a", "PolicyDocument": POLICY}],
    "ManagedPolicyArns": [READ],
    "Tags": [{"Key": "k", "Value": "v"}],
}


async def test_a_role(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["iam"].state
    made = await Role().create(aws, ROLE, stack("Fn"))
    assert made.physical_id == "s-Fn-ABCDEFGHIJKL"
    assert made.attributes["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/s-Fn-ABCDEFGHIJKL"
    assert (await Role().create(aws, ROLE, stack("Fn"))) == made
    new = {
        **ROLE,
        "Policies": [{"PolicyName": "b", "PolicyDocument": OTHER}],
        "ManagedPolicyArns": [],
        "Tags": [],
        "Description": "d",
        "PermissionsBoundary": READ,
    }
    assert await Role().update(aws, made.physical_id, ROLE, new, stack("Fn")) == made
    role = state.role(made.physical_id)
    assert (list(role["Inline"]), role["Attached"], role["Tags"], role["Boundary"]) == (["b"], [], {}, READ)
    assert await Role().update(aws, made.physical_id, new, {**new, "Path": "/x/"}, stack("Fn")) is None
    for _ in range(2):
        await Role().delete(aws, made.physical_id, new, stack("Fn"))
    assert state.role(made.physical_id) is None


async def test_a_named_role_that_exists_already_is_not_taken_over(inside: Inside) -> None:
    aws = StackCalls(inside)
    named = {**ROLE, "RoleName": "mine"}
    await Role().create(aws, named, stack("One"))
    with pytest.raises(Fault) as caught:
        await Role().create(aws, named, stack("Two"))
    assert caught.value.code == "EntityAlreadyExists"


async def test_a_user_with_a_key(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["iam"].state
    user = await User().create(aws, {"UserName": "ann", "ManagedPolicyArns": [READ]}, stack("User"))
    key = await AccessKey().create(aws, {"UserName": "ann", "Status": "Inactive"}, stack("Key"))
    assert state.key(key.physical_id)["Status"] == "Inactive"
    assert len(key.attributes["SecretAccessKey"]) == 40
    for _ in range(2):
        await AccessKey().delete(aws, key.physical_id, {"UserName": "ann"}, stack("Key"))
        await User().delete(aws, user.physical_id, {}, stack("User"))
    assert state.user("ann") is None


async def test_policies_follow_their_roles(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["iam"].state
    for name in ("x", "y"):
        await Role().create(aws, {"RoleName": name, "AssumeRolePolicyDocument": json.loads(LAMBDA)}, stack(name))
    inline = {"PolicyName": "p", "PolicyDocument": POLICY, "Roles": ["x"]}
    moved = {**inline, "Roles": ["y"]}
    made = await InlinePolicy().create(aws, inline, stack("P"))
    assert "p" in state.role("x")["Inline"]
    await InlinePolicy().update(aws, made.physical_id, inline, moved, stack("P"))
    assert ("p" in state.role("x")["Inline"], "p" in state.role("y")["Inline"]) == (False, True)
    for _ in range(2):
        await InlinePolicy().delete(aws, made.physical_id, moved, stack("P"))
    assert "p" not in state.role("y")["Inline"]


async def test_a_managed_policy_changes_by_versions(inside: Inside) -> None:
    aws, state = StackCalls(inside), inside.gate.hosted["iam"].state
    await Role().create(aws, {"RoleName": "x", "AssumeRolePolicyDocument": json.loads(LAMBDA)}, stack("x"))
    old: dict[str, Any] = {"PolicyDocument": POLICY, "Roles": ["x"]}
    made = await ManagedPolicy().create(aws, old, stack("M"))
    assert (await ManagedPolicy().create(aws, old, stack("M"))).physical_id == made.physical_id
    assert state.role("x")["Attached"] == [made.physical_id]
    for number in range(7):
        new = {**old, "PolicyDocument": json.loads(document(allow(f"s3:Get{number}")))}
        await ManagedPolicy().update(aws, made.physical_id, old, new, stack("M"))
        assert f"s3:Get{number}" in state.policy_text(made.physical_id)
        old = new
    for _ in range(2):
        await ManagedPolicy().delete(aws, made.physical_id, old, stack("M"))
    assert (state.role("x")["Attached"], state.policy_text(made.physical_id)) == ([], None)

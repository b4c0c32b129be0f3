"""Users, roles, policies and keys over the wire, and what they allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.wire.iam.inside import ACCOUNT, ROOT, Inside


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: Any, **more: Any) -> str:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


LAMBDA = trust({"Service": "lambda.amazonaws.com"})


def code_of(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


def message_of(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Message"])


def new_user(iam: Any, name: str, *statements: dict[str, Any]) -> tuple[str, str]:
    """A user with an inline policy; returns its key."""
    iam.create_user(UserName=name)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


async def test_a_role_lives_from_creation_to_deletion(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        role = iam.create_role(
            RoleName="orders", Path="/app/", AssumeRolePolicyDocument=LAMBDA, Tags=[{"Key": "team", "Value": "a"}]
        )["Role"]
        assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/app/orders"
        assert role["RoleId"].startswith("AROA")
        assert role["AssumeRolePolicyDocument"] == json.loads(LAMBDA)
        iam.put_role_policy(RoleName="orders", PolicyName="p", PolicyDocument=document(allow("s3:*")))
        basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        iam.attach_role_policy(RoleName="orders", PolicyArn=basic)
        assert iam.list_role_policies(RoleName="orders")["PolicyNames"] == ["p"]
        assert iam.get_role_policy(RoleName="orders", PolicyName="p")["PolicyDocument"]["Statement"] == [allow("s3:*")]
        attached = iam.list_attached_role_policies(RoleName="orders")["AttachedPolicies"]
        assert attached == [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": basic}]
        assert code_of(iam.create_role, RoleName="Orders", AssumeRolePolicyDocument=LAMBDA) == "EntityAlreadyExists"
        assert code_of(iam.delete_role, RoleName="orders") == "DeleteConflict"
        iam.detach_role_policy(RoleName="orders", PolicyArn=basic)
        assert code_of(iam.delete_role, RoleName="orders") == "DeleteConflict"
        iam.delete_role_policy(RoleName="orders", PolicyName="p")
        iam.delete_role(RoleName="orders")
        assert message_of(iam.get_role, RoleName="orders") == "The role with name orders cannot be found."
        assert code_of(iam.get_role, RoleName="orders") == "NoSuchEntity"

    await inside.play(scene)


async def test_a_user_may_do_what_its_policies_say_and_no_more(inside: Inside) -> None:
    def scene() -> None:
        root = inside.client("iam")
        own = "arn:aws:iam::*:user/${aws:username}"
        ann = inside.client("iam", new_user(root, "ann", allow("iam:GetUser", own)))
        assert ann.get_user(UserName="ann")["User"]["UserName"] == "ann"
        refused = message_of(ann.get_user, UserName="bob")
        assert refused == (
            f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: iam:GetUser on resource: "
            f"arn:aws:iam::{ACCOUNT}:user/bob because no identity-based policy allows the iam:GetUser action"
        )
        assert code_of(ann.list_users) == "AccessDenied"
        deny = {"Effect": "Deny", "Action": "iam:GetUser", "Resource": "*"}
        root.put_user_policy(UserName="ann", PolicyName="deny", PolicyDocument=document(deny))
        assert message_of(ann.get_user, UserName="ann").endswith("with an explicit deny in an identity-based policy")
        root.delete_user_policy(UserName="ann", PolicyName="deny")
        ann.get_user(UserName="ann")

    await inside.play(scene)


async def test_a_boundary_limits_a_user(inside: Inside) -> None:
    def scene() -> None:
        root = inside.client("iam")
        ann = inside.client("iam", new_user(root, "ann", allow("iam:*")))
        ann.list_users()
        arn = root.create_policy(PolicyName="edge", PolicyDocument=document(allow("iam:List*")))["Policy"]["Arn"]
        root.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=arn)
        ann.list_users()
        assert "no permissions boundary allows" in message_of(ann.get_user, UserName="ann")
        assert code_of(root.delete_policy, PolicyArn=arn) == "DeleteConflict"
        root.delete_user_permissions_boundary(UserName="ann")
        ann.get_user(UserName="ann")

    await inside.play(scene)


async def test_keys_can_be_switched_off_and_wrong_ones_are_refused(inside: Inside) -> None:
    def scene() -> None:
        root = inside.client("iam")
        key_id, secret = new_user(root, "ann", allow("iam:*"))
        assert key_id.startswith("AKIALOCAL")
        assert len(key_id) == 20
        root.update_access_key(UserName="ann", AccessKeyId=key_id, Status="Inactive")
        assert code_of(inside.client("iam", (key_id, secret)).list_users) == "InvalidClientTokenId"
        root.update_access_key(UserName="ann", AccessKeyId=key_id, Status="Active")
        inside.client("iam", (key_id, secret)).list_users()
        assert code_of(inside.client("iam", (key_id, "wrong")).list_users) == "SignatureDoesNotMatch"
        assert code_of(inside.client("iam", ("AKIAIOSFODNN7EXAMPLE", "x")).list_users) == "InvalidClientTokenId"
        assert code_of(inside.client("iam", (ROOT[0], "wrong")).list_users) == "SignatureDoesNotMatch"
        root.create_access_key(UserName="ann")
        assert code_of(root.create_access_key, UserName="ann") == "LimitExceeded"
        assert code_of(root.delete_user, UserName="ann") == "DeleteConflict"

    await inside.play(scene)


async def test_managed_policies_have_versions(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        policy = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")), Description="d")["Policy"]
        arn = policy["Arn"]
        assert (policy["DefaultVersionId"], policy["AttachmentCount"]) == ("v1", 0)
        ann = inside.client("iam", new_user(iam, "ann"))
        iam.attach_user_policy(UserName="ann", PolicyArn=arn)
        assert code_of(ann.list_users) == "AccessDenied"
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document(allow("iam:*")), SetAsDefault=True)
        ann.list_users()
        iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
        assert code_of(ann.list_users) == "AccessDenied"
        versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
        assert [(v["VersionId"], v["IsDefaultVersion"]) for v in versions] == [("v2", False), ("v1", True)]
        assert code_of(iam.delete_policy_version, PolicyArn=arn, VersionId="v1") == "DeleteConflict"
        assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
        assert iam.list_entities_for_policy(PolicyArn=arn)["PolicyUsers"][0]["UserName"] == "ann"
        assert code_of(iam.delete_policy, PolicyArn=arn) == "DeleteConflict"
        iam.detach_user_policy(UserName="ann", PolicyArn=arn)
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
        iam.delete_policy(PolicyArn=arn)
        assert code_of(iam.get_policy, PolicyArn=arn) == "NoSuchEntity"

    await inside.play(scene)


async def test_policies_of_aws_are_there_and_cannot_be_changed(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        arn = "arn:aws:iam::aws:policy/AdministratorAccess"
        assert iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]["Statement"]
        assert code_of(iam.delete_policy, PolicyArn=arn) == "UnmodifiableEntity"
        names = [p["PolicyName"] for p in iam.list_policies(Scope="AWS")["Policies"]]
        assert {"AdministratorAccess", "ReadOnlyAccess", "AmazonDynamoDBFullAccess"} <= set(names)
        ann = inside.client("iam", new_user(iam, "ann"))
        iam.attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        ann.list_users()
        assert code_of(ann.create_user, UserName="bob") == "AccessDenied"
        nothing = "arn:aws:iam::aws:policy/NoSuchPolicy"
        assert code_of(iam.attach_user_policy, UserName="ann", PolicyArn=nothing) == "NoSuchEntity"

    await inside.play(scene)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "Syntax errors in policy."),
        ("not json", "This policy contains invalid Json"),
        (trust({"AWS": f"arn:aws:iam::{ACCOUNT}:role/gone"}), "Invalid principal in policy: "),
        (trust({"Federated": "accounts.google.com"}), "Invalid principal in policy: "),
    ],
)
async def test_bad_trust_policies_are_refused(inside: Inside, text: str, message: str) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        with pytest.raises(ClientError) as caught:
            iam.create_role(RoleName="r", AssumeRolePolicyDocument=text)
        assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocument"
        assert caught.value.response["Error"]["Message"].startswith(message)

    await inside.play(scene)


async def test_listings_come_in_pages(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        for number in range(7):
            iam.create_user(UserName=f"u{number}", Path="/a/" if number % 2 else "/b/")
        pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 3}))
        assert [[u["UserName"] for u in p["Users"]] for p in pages] == [["u0", "u1", "u2"], ["u3", "u4", "u5"], ["u6"]]
        assert [u["UserName"] for u in iam.list_users(PathPrefix="/a/")["Users"]] == ["u1", "u3", "u5"]

    await inside.play(scene)


async def test_tags_are_case_insensitive(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        iam.create_user(UserName="ann", Tags=[{"Key": "Team", "Value": "a"}])
        iam.tag_user(UserName="ann", Tags=[{"Key": "team", "Value": "b"}, {"Key": "x", "Value": "y"}])
        assert iam.list_user_tags(UserName="ann")["Tags"] == [
            {"Key": "team", "Value": "b"},
            {"Key": "x", "Value": "y"},
        ]
        iam.untag_user(UserName="ann", TagKeys=["TEAM"])
        assert [tag["Key"] for tag in iam.list_user_tags(UserName="ann")["Tags"]] == ["x"]

    await inside.play(scene)


async def test_lists_show_less_than_what_is_asked_for_by_name(inside: Inside) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html: no boundary, no tags."""

    def scene() -> None:
        iam = inside.client("iam")
        tags = [{"Key": "team", "Value": "red"}]
        made = iam.create_policy(PolicyName="p", PolicyDocument=document(allow("s3:*")), Description="some", Tags=tags)[
            "Policy"
        ]
        assert ("Description" in made, made["Tags"]) == (False, tags)
        bare = iam.create_policy(PolicyName="q", PolicyDocument=document(allow("s3:*")))["Policy"]
        assert "Tags" not in bare
        assert iam.get_policy(PolicyArn=made["Arn"])["Policy"]["Description"] == "some"
        limits = {"PermissionsBoundary": made["Arn"], "Tags": tags}
        iam.create_user(UserName="ann", **limits)
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=LAMBDA, **limits)
        for kind, get, many in (("User", iam.get_user, iam.list_users), ("Role", iam.get_role, iam.list_roles)):
            name = {f"{kind}Name": {"User": "ann", "Role": "r"}[kind]}
            assert {"PermissionsBoundary", "Tags"} <= get(**name)[kind].keys()
            (listed,) = many()[f"{kind}s"]
            assert not {"PermissionsBoundary", "Tags"} & listed.keys()
        assert all("Tags" not in each for each in iam.list_policies(Scope="Local")["Policies"])

    await inside.play(scene)


async def test_the_simulator_agrees_with_the_real_thing(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        new_user(iam, "ann", allow("s3:Get*", "arn:aws:s3:::a/*", Sid="Read"))
        arn = f"arn:aws:iam::{ACCOUNT}:user/ann"
        results = iam.simulate_principal_policy(
            PolicySourceArn=arn,
            ActionNames=["s3:GetObject", "s3:PutObject"],
            ResourceArns=["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"],
        )["EvaluationResults"]
        assert [r["EvalDecision"] for r in results] == ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]
        assert results[0]["MatchedStatements"][0]["SourcePolicyId"] == "inline"
        conditional = allow("s3:*", Condition={"StringEquals": {"aws:SourceVpc": "v"}})
        custom = iam.simulate_custom_policy(
            PolicyInputList=[document(conditional), document({**allow("s3:Put*"), "Effect": "Deny"})],
            ActionNames=["s3:GetObject", "s3:PutObject"],
        )["EvaluationResults"]
        assert [r["EvalDecision"] for r in custom] == ["implicitDeny", "explicitDeny"]
        assert custom[0]["MissingContextValues"] == ["aws:SourceVpc"]

    await inside.play(scene)


async def test_what_this_cloud_lacks_is_refused_by_name(inside: Inside) -> None:
    def scene() -> None:
        iam = inside.client("iam")
        assert "CreateInstanceProfile" in message_of(iam.create_instance_profile, InstanceProfileName="p")
        assert "CreateGroup" in message_of(iam.create_group, GroupName="g")

    await inside.play(scene)

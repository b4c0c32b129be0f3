"""IAM and STS as their users meet them: five Regions, real sockets, boto3 and the AWS CLI."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.iam.test_iam import allow, code_of, document, message_of, new_user, trust

FAR = "us-west-2"


def within(seconds: float, act: Callable[[], Any]) -> Any:
    """The first outcome without ClientError; fails when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return act()
        except ClientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def until_refused(seconds: float, act: Callable[[], Any]) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            act()
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        time.sleep(0.02)
    raise AssertionError("it is still allowed")


def keys(pair: tuple[str, str] | dict[str, Any]) -> dict[str, str]:
    if isinstance(pair, dict):
        return {
            "aws_access_key_id": pair["AccessKeyId"],
            "aws_secret_access_key": pair["SecretAccessKey"],
            "aws_session_token": pair["SessionToken"],
        }
    return {"aws_access_key_id": pair[0], "aws_secret_access_key": pair[1]}


@pytest.fixture
def name(world: World) -> Iterator[str]:
    """A name for a user and a role of this test's own; both are gone afterwards."""
    made = f"n{uuid.uuid4().hex[:10]}"
    yield made
    remove(world.client("iam"), made)


def remove(iam: Any, name: str) -> None:
    for kind in ("User", "Role"):
        low = kind.lower()
        who = {f"{kind}Name": name}
        try:
            for policy in getattr(iam, f"list_{low}_policies")(**who)["PolicyNames"]:
                getattr(iam, f"delete_{low}_policy")(**who, PolicyName=policy)
            if kind == "User":
                for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
                    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
            getattr(iam, f"delete_{low}")(**who)
        except iam.exceptions.NoSuchEntityException:
            continue


def test_a_user_made_at_home_is_judged_in_every_region(world: World, name: str) -> None:
    pair = new_user(world.client("iam"), name, allow("dynamodb:ListTables"))
    for region in world.config.regions:
        client = world.client("dynamodb", region, **keys(pair))
        within(1.0, client.list_tables)
        refused = message_of(client.describe_table, TableName="orders")
        assert refused == (
            f"User: arn:aws:iam::111122223333:user/{name} is not authorized to perform: dynamodb:DescribeTable on "
            f"resource: arn:aws:dynamodb:{region}:111122223333:table/orders because no identity-based policy allows "
            "the dynamodb:DescribeTable action"
        )


def test_a_change_takes_effect_elsewhere_within_a_second(world: World, name: str) -> None:
    iam = world.client("iam")
    far = world.client("dynamodb", FAR, **keys(new_user(iam, name, allow("dynamodb:ListTables"))))
    within(1.0, far.list_tables)
    deny = document({"Effect": "Deny", "Action": "dynamodb:*", "Resource": "*"})
    iam.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=deny)
    assert until_refused(1.0, far.list_tables) == "AccessDeniedException"
    assert "with an explicit deny in an identity-based policy" in message_of(far.list_tables)
    iam.delete_user_policy(UserName=name, PolicyName="deny")
    within(1.0, far.list_tables)
    key = iam.list_access_keys(UserName=name)["AccessKeyMetadata"][0]["AccessKeyId"]
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    assert until_refused(1.0, far.list_tables) == "UnrecognizedClientException"


def test_a_session_of_one_region_is_good_in_another(world: World, name: str) -> None:
    iam = world.client("iam")
    pair = new_user(iam, name, allow("sts:AssumeRole"))
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"AWS": "111122223333"}))["Role"]["Arn"]
    narrow = document(
        allow("dynamodb:ListTables"), {"Effect": "Deny", "Action": "dynamodb:DescribeLimits", "Resource": "*"}
    )
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=narrow)
    sts = world.client("sts", "eu-west-1", **keys(pair))
    given = within(1.0, lambda: sts.assume_role(RoleArn=role, RoleSessionName="there"))["Credentials"]
    for region in ("us-east-1", FAR, "ap-northeast-1"):
        session = world.client("dynamodb", region, **keys(given))
        within(1.0, session.list_tables)
        assert "explicit deny" in message_of(session.describe_limits)
        who = world.client("sts", region, **keys(given)).get_caller_identity()
        assert who["Arn"] == f"arn:aws:sts::111122223333:assumed-role/{name}/there"
    cut = {**given, "SessionToken": given["SessionToken"][:-8] + "AAAAAAAA"}
    assert code_of(world.client("dynamodb", FAR, **keys(cut)).list_tables) == "UnrecognizedClientException"


def test_the_bucket_policy_of_one_denies_another(world: World, name: str) -> None:
    iam, s3 = world.client("iam"), world.client("s3")
    bucket = f"guarded-{name}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    who = world.client("s3", **keys(new_user(iam, name, allow("s3:*"))))
    who.get_object(Bucket=bucket, Key="k")
    arn = f"arn:aws:iam::111122223333:user/{name}"
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=document(deny))
    assert message_of(who.get_object, Bucket=bucket, Key="k").endswith(
        "with an explicit deny in a resource-based policy"
    )
    insecure = {**deny, "Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(insecure))
    who.get_object(Bucket=bucket, Key="k")
    plain = world.client("s3", endpoint_url=f"http://{world.config.hosts['us-east-1']}:{world.config.port}")
    assert code_of(plain.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


def test_the_command_line_does_all_of_it(world: World, name: str) -> None:
    user = world.aws("iam", "create-user", "--user-name", name)["User"]
    assert user["Arn"].endswith(f":user/{name}")
    policy = document(allow("s3:ListAllMyBuckets"))
    world.aws("iam", "put-user-policy", "--user-name", name, "--policy-name", "p", "--policy-document", policy)
    listed = world.aws("iam", "list-users", "--query", "Users[].UserName", region=FAR)
    assert name in listed
    verdict = world.aws(
        "iam", "simulate-principal-policy", "--policy-source-arn", user["Arn"], "--action-names", "s3:ListAllMyBuckets"
    )  # fmt: skip
    assert verdict["EvaluationResults"][0]["EvalDecision"] == "allowed"
    trusting = trust({"Service": "lambda.amazonaws.com"})
    role = world.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", trusting)
    assert json.loads(trusting) == role["Role"]["AssumeRolePolicyDocument"]
    assert world.aws("sts", "get-caller-identity", region="ap-northeast-1")["Arn"].endswith(":root")


def test_authorisation_goes_on_while_iams_home_is_dead(make_world: Callable[..., World]) -> None:
    world = make_world("--replication-delay-ms", "none")
    iam = world.client("iam")
    pair = new_user(iam, "ann", allow("dynamodb:ListTables"), allow("sts:AssumeRole"))
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": "111122223333"}))["Role"]["Arn"]
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("dynamodb:DescribeLimits")))
    far = world.client("dynamodb", FAR, **keys(pair))
    sts = world.client("sts", FAR, **keys(pair))
    within(1.0, far.list_tables)
    within(1.0, lambda: sts.assume_role(RoleArn=role, RoleSessionName="xx"))
    world.fault("region-killed", "us-east-1")
    far.list_tables()
    assert code_of(far.describe_limits) == "AccessDeniedException"
    session = sts.assume_role(RoleArn=role, RoleSessionName="xx")["Credentials"]
    elsewhere = world.client("dynamodb", "eu-west-1", **keys(session))
    within(1.0, elsewhere.describe_limits)
    assert code_of(elsewhere.list_tables) == "AccessDeniedException"
    assert code_of(world.client("iam", FAR).create_user, UserName="bob") == "ServiceUnavailable"
    assert code_of(world.client("iam", FAR).list_users) == "ServiceUnavailable"

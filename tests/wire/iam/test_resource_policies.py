"""Policies of resources, end to end: of functions (for users and for API Gateway), of tables and of buckets.

https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import World
from tests.wire.apigateway.test_apigateway_world import Answer, api, host_of, request
from tests.wire.iam.test_iam import allow, code_of, document, message_of, new_user
from tests.wire.iam.test_iam_world import keys, remove, until_refused, within
from tests.wire.lambda_.made import function, role

ACCOUNT, OTHER = "111122223333", "444455556666"
ANSWER = 'def handler(event, context):\n    return {"statusCode": 200, "body": "here"}\n'


@pytest.fixture(scope="module")
def answering(world: World) -> Iterator[str]:
    """The name of a function that answers."""
    name = f"answers-{uuid.uuid4().hex[:8]}"
    with role(world, name) as arn, function(world, name, ANSWER, arn):
        yield name


@pytest.fixture
def pair(world: World) -> Iterator[tuple[str, str]]:
    """Names of two users of this test's own, gone afterwards."""
    names = (f"ann{uuid.uuid4().hex[:8]}", f"bob{uuid.uuid4().hex[:8]}")
    yield names
    for name in names:
        remove(world.client("iam"), name)


def arn_of(user: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{user}"


def test_a_function_is_given_to_a_user_and_taken_back(world: World, answering: str, pair: tuple[str, str]) -> None:
    ann, bob = (world.client("lambda", **keys(new_user(world.client("iam"), name))) for name in pair)
    owner = world.client("lambda")
    for each in (ann, bob):
        refused = within(2.0, lambda each=each: message_of(each.invoke, FunctionName=answering))
        assert "lambda:InvokeFunction" in refused
    owner.add_permission(
        FunctionName=answering, StatementId="ann", Action="lambda:InvokeFunction", Principal=arn_of(pair[0])
    )
    assert within(1.0, lambda: ann.invoke(FunctionName=answering))["StatusCode"] == 200
    assert code_of(bob.invoke, FunctionName=answering) == "AccessDeniedException"
    assert code_of(ann.get_function, FunctionName=answering) == "AccessDeniedException"
    owner.remove_permission(FunctionName=answering, StatementId="ann")
    assert until_refused(1.0, lambda: ann.invoke(FunctionName=answering)) == "AccessDeniedException"


def test_api_gateway_invokes_only_by_the_functions_leave(world: World, answering: str) -> None:
    owner = world.client("lambda")
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{answering}"
    service = {"FunctionName": answering, "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    with api(world, answering, arn) as ident:

        def ask() -> Answer:
            return request(world, host_of(ident), "POST", "/live/orders", b"{}", signed=True)

        def given(**conditions: Any) -> int:
            owner.add_permission(**{**service, "StatementId": "s", **conditions})
            status = ask().status
            owner.remove_permission(FunctionName=answering, StatementId="s")
            assert ask().status == 500
            return status

        mine = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{ident}"
        assert (ask().status, ask().json) == (500, {"message": "Internal server error"})
        assert given() == 200
        assert given(SourceArn=f"{mine}/*/*/orders") == 200
        assert given(SourceArn=f"{mine}/*/POST/orders", SourceAccount=ACCOUNT) == 200
        assert given(SourceArn=f"{mine}/*/GET/orders") == 500
        assert given(SourceArn=f"arn:aws:execute-api:us-east-1:{ACCOUNT}:other/*") == 500
        assert given(SourceAccount=OTHER) == 500
        assert given(SourceArn=f"{mine}/*", SourceAccount=OTHER) == 500
        assert given(Principal="events.amazonaws.com") == 500
        assert given(Principal="apigateway.us-east-1.amazonaws.com") == 200
        assert given(Principal="apigateway.us-west-2.amazonaws.com") == 500


def all_but(user: str, action: str, resource: Any) -> str:
    """A policy that lets nobody but this user (and the account, without which nobody at all could)."""
    others = {"AWS": [arn_of(user), f"arn:aws:iam::{ACCOUNT}:root"]}
    return document({"Effect": "Deny", "NotPrincipal": others, "Action": action, "Resource": resource})


def test_a_table_denies_all_but_whom_its_policy_names(world: World, pair: tuple[str, str]) -> None:
    dynamodb, name = world.client("dynamodb"), f"t-{uuid.uuid4().hex[:8]}"
    ann, bob = (
        world.client("dynamodb", **keys(new_user(world.client("iam"), each, allow("dynamodb:GetItem"))))
        for each in pair
    )
    table = dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    asked = {"TableName": name, "Key": {"id": {"S": "1"}}}
    try:
        for each in (ann, bob):
            within(2.0, lambda each=each: each.get_item(**asked))
        dynamodb.put_resource_policy(ResourceArn=table, Policy=all_but(pair[0], "dynamodb:GetItem", table))
        assert until_refused(1.0, lambda: bob.get_item(**asked)) == "AccessDeniedException"
        assert message_of(bob.get_item, **asked).endswith("with an explicit deny in a resource-based policy")
        ann.get_item(**asked)
        dynamodb.get_item(**asked)
        dynamodb.delete_resource_policy(ResourceArn=table)
        within(1.0, lambda: bob.get_item(**asked))
    finally:
        dynamodb.delete_table(TableName=name)


def test_a_bucket_denies_all_but_whom_its_policy_names(world: World, pair: tuple[str, str]) -> None:
    s3, bucket = world.client("s3"), f"b-{uuid.uuid4().hex[:12]}"
    ann, bob = (world.client("s3", **keys(new_user(world.client("iam"), each, allow("s3:GetObject")))) for each in pair)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    asked = {"Bucket": bucket, "Key": "k"}
    try:
        for each in (ann, bob):
            within(2.0, lambda each=each: each.get_object(**asked))
        s3.put_bucket_policy(Bucket=bucket, Policy=all_but(pair[0], "s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
        assert until_refused(1.0, lambda: bob.get_object(**asked)) == "AccessDenied"
        ann.get_object(**asked)
        s3.get_object(**asked)
        s3.delete_bucket_policy(Bucket=bucket)
        within(1.0, lambda: bob.get_object(**asked))
    finally:
        s3.delete_object(**asked)
        s3.delete_bucket(Bucket=bucket)

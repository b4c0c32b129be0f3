"""Policies that let a user touch only some items and attributes of a table.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import World
from tests.wire.iam.test_iam import allow, new_user
from tests.wire.iam.test_iam_world import keys, remove

NAMES = [{"AttributeName": name, "AttributeType": "S"} for name in ("who", "at", "shop")]


def key(who: str, at: str = "1") -> dict[str, Any]:
    return {"who": {"S": who}, "at": {"S": at}}


@pytest.fixture(scope="module")
def visits(world: World) -> Iterator[World]:
    """A world with a table `visits` that has an index by shop."""
    client = world.client("dynamodb")
    by_shop = {
        "IndexName": "by-shop",
        "KeySchema": [{"AttributeName": "shop", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    client.create_table(
        TableName="visits",
        AttributeDefinitions=NAMES,
        KeySchema=[{"AttributeName": "who", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[by_shop],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="visits", WaiterConfig={"Delay": 1})
    yield world
    client.delete_table(TableName="visits")


@pytest.fixture
def ann(visits: World) -> Iterator[Callable[..., Any]]:
    """Makes the user, with one statement's condition, and returns her client."""
    iam = visits.client("iam")
    name = f"ann{uuid.uuid4().hex[:8]}"

    def made(condition: dict[str, Any], action: str = "dynamodb:*") -> Any:
        pair = new_user(iam, name, allow(action, Condition=condition))
        return visits.client("dynamodb", **keys(pair))

    yield made
    remove(iam, name)


def refused(act: Callable[..., Any], **params: Any) -> bool:
    try:
        act(**params)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


def requests(client: Any, who: str) -> dict[str, Callable[[], Any]]:
    """Every kind of request that names partition `who`, by name."""
    t = {"TableName": "visits"}
    value = {"ExpressionAttributeValues": {":w": {"S": who}}}
    item = {**key(who), "shop": {"S": who}}
    condition = {"AttributeValueList": [{"S": who}], "ComparisonOperator": "EQ"}
    touch = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    return {
        "put": lambda: client.put_item(**t, Item=item),
        "get": lambda: client.get_item(**t, Key=key(who)),
        "update": lambda: client.update_item(**t, Key=key(who), **touch),
        "delete": lambda: client.delete_item(**t, Key=key(who)),
        "query": lambda: client.query(**t, KeyConditionExpression="who = :w", **value),
        "query with more": lambda: client.query(
            **t,
            KeyConditionExpression="#w = :w AND begins_with(#a, :a)",
            FilterExpression="n > :n",
            ExpressionAttributeNames={"#w": "who", "#a": "at"},
            ExpressionAttributeValues={":w": {"S": who}, ":a": {"S": "1"}, ":n": {"N": "0"}},
        ),
        "old query": lambda: client.query(**t, KeyConditions={"who": condition}),
        "query of the index": lambda: client.query(
            **t, IndexName="by-shop", KeyConditionExpression="shop = :w", **value
        ),
        "batch get": lambda: client.batch_get_item(RequestItems={"visits": {"Keys": [key("ann", "9"), key(who)]}}),
        "batch write": lambda: client.batch_write_item(
            RequestItems={"visits": [{"PutRequest": {"Item": key("ann", "2")}}, {"DeleteRequest": {"Key": key(who)}}]}
        ),
        "transact write": lambda: client.transact_write_items(
            TransactItems=[{"Put": {**t, "Item": key("ann", "2")}}, {"Update": {**t, "Key": key(who), **touch}}]
        ),
        "transact get": lambda: client.transact_get_items(TransactItems=[{"Get": {**t, "Key": key(who)}}]),
    }


def test_a_user_reaches_only_the_partitions_that_the_policy_names(ann: Callable[..., Any]) -> None:
    client = ann({"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["ann", "${aws:username}"]}})
    for name, act in requests(client, "ann").items():
        assert not refused(act), name
    for name, act in requests(client, "bob").items():
        assert refused(act), name
    for statement in ("SELECT * FROM visits WHERE who = 'bob'", "SELECT * FROM visits"):
        assert refused(client.execute_statement, Statement=statement)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"ForAllValues:StringEquals": {"dynamodb:Attributes": ["who", "at", "n"]}}, {"all", "some", "touch"}),
        ({"ForAllValues:StringEquals": {"dynamodb:Attributes": ["who", "at"]}}, {"all"}),
        ({"StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"}}, {"some", "shop"}),
        ({"StringEquals": {"dynamodb:Select": "ALL_ATTRIBUTES"}}, {"all"}),
        ({"StringEquals": {"dynamodb:ReturnValues": "NONE"}}, set()),
        ({"StringEqualsIfExists": {"dynamodb:ReturnValues": "UPDATED_OLD"}}, {"all", "some", "shop", "touch"}),
        ({"StringEquals": {"dynamodb:ReturnConsumedCapacity": "NONE"}}, {"all", "some", "shop", "touch"}),
        ({"Null": {"dynamodb:EnclosingOperation": "false"}}, set()),
    ],
)
def test_a_policy_can_limit_what_is_touched_and_returned(
    ann: Callable[..., Any], condition: dict[str, Any], allowed: set[str]
) -> None:
    client = ann(condition)
    query = {
        "TableName": "visits",
        "KeyConditionExpression": "who = :w",
        "ExpressionAttributeValues": {":w": {"S": "ann"}},
    }
    shop = {"ProjectionExpression": "#s", "ExpressionAttributeNames": {"#s": "shop"}}
    touch = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    acts: dict[str, Callable[[], Any]] = {
        "all": lambda: client.query(**query),
        "some": lambda: client.query(**query, ProjectionExpression="n"),
        "shop": lambda: client.query(**query, **shop),
        "touch": lambda: client.update_item(TableName="visits", Key=key("ann"), ReturnValues="UPDATED_OLD", **touch),
    }
    assert {name for name, act in acts.items() if not refused(act)} == allowed


def test_a_policy_can_ask_for_a_transaction(ann: Callable[..., Any]) -> None:
    client = ann({"StringEquals": {"dynamodb:EnclosingOperation": "TransactWriteItems"}}, "dynamodb:PutItem")
    put = {"TableName": "visits", "Item": key("ann")}
    assert refused(client.put_item, **put)
    assert not refused(client.transact_write_items, TransactItems=[{"Put": put}])


def test_a_policy_that_wants_attributes_named_wants_it_of_every_read(ann: Callable[..., Any]) -> None:
    """The condition of AWS's own example; by a read of a single item all attributes could be had else."""
    client = ann(
        {
            "ForAllValues:StringEquals": {"dynamodb:Attributes": ["who", "at", "n"]},
            "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
        }
    )
    some = {"ProjectionExpression": "n"}
    reads: dict[str, Callable[[dict[str, str]], Any]] = {
        "get": lambda more: client.get_item(TableName="visits", Key=key("ann"), **more),
        "batch": lambda more: client.batch_get_item(RequestItems={"visits": {"Keys": [key("ann")], **more}}),
        "transaction": lambda more: client.transact_get_items(
            TransactItems=[
                {"Get": {"TableName": "visits", "Key": key("ann"), **some}},
                {"Get": {"TableName": "visits", "Key": key("bob"), **more}},
            ]
        ),
        "scan": lambda more: client.scan(TableName="visits", **more),
    }
    for name, read in reads.items():
        assert refused(read, more={}), name
        assert not refused(read, more=some), name


def test_what_a_write_gives_back_is_limited_by_return_values_alone(ann: Callable[..., Any]) -> None:
    """As in AWS's second example; what a condition that does not hold would show counts too."""
    client = ann({"StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE", "UPDATED_OLD", "UPDATED_NEW"]}})
    t = {"TableName": "visits"}
    never = {"ConditionExpression": "attribute_exists(never)"}
    touch = {"UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "1"}}}
    shown = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    update = "UPDATE visits SET n = 1 WHERE who = 'ann' AND \"at\" = '1'"
    check = {**t, "Key": key("ann"), "ConditionExpression": "attribute_not_exists(never)"}
    hidden: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
        "put": (client.put_item, {**t, "Item": key("ann"), "ReturnValues": "ALL_OLD"}),
        "put that fails": (client.put_item, {**t, "Item": key("ann"), **never, **shown}),
        "update": (client.update_item, {**t, "Key": key("ann"), **touch, "ReturnValues": "ALL_NEW"}),
        "update that fails": (client.update_item, {**t, "Key": key("ann"), **touch, **never, **shown}),
        "delete that fails": (client.delete_item, {**t, "Key": key("ann"), **never, **shown}),
        "check": (client.transact_write_items, {"TransactItems": [{"ConditionCheck": {**check, **shown}}]}),
        "statement": (client.execute_statement, {"Statement": f"{update} returning /* all */ ALL OLD *"}),
        "statement that fails": (client.execute_statement, {"Statement": update, **shown}),
        "batch": (client.batch_execute_statement, {"Statements": [{"Statement": update, **shown}]}),
        "transaction": (client.execute_transaction, {"TransactStatements": [{"Statement": update, **shown}]}),
    }
    for name, (act, params) in hidden.items():
        assert refused(act, **params), name
    assert not refused(client.update_item, **t, Key=key("ann"), **touch, ReturnValues="UPDATED_NEW")
    assert not refused(client.transact_write_items, TransactItems=[{"ConditionCheck": check}])
    assert not refused(client.execute_statement, Statement=f"{update} RETURNING MODIFIED NEW *")

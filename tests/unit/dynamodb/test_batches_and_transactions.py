"""Many items in one request: batches, and transactions that happen whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Cloud, Home

VALUE = {":v": {"N": "1"}}


def key(name: str) -> dict[str, Any]:
    return {"p": {"S": name}}


def put(name: str, **more: Any) -> dict[str, Any]:
    return {"PutRequest": {"Item": {**key(name), **more}}}


@pytest.fixture
async def two(db: Home) -> Home:
    """Two tables; the first has items a, b and c."""
    await db.table("things")
    await db.table("others")
    for number, name in enumerate("abc"):
        await db("PutItem", TableName="things", Item={**key(name), "n": {"N": str(number)}})
    return db


async def keys_of(db: Home, table: str) -> list[str]:
    return sorted(item["p"]["S"] for item in (await db("Scan", TableName=table))["Items"])


async def test_batches_write_and_read_several_tables(two: Home) -> None:
    reply = await two(
        "BatchWriteItem",
        RequestItems={
            "things": [put("d"), {"DeleteRequest": {"Key": key("a")}}],
            "others": [put("x", y={"S": "z"})],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["UnprocessedItems"] == {}
    assert reply["ConsumedCapacity"] == [
        {"TableName": "things", "CapacityUnits": 2.0},
        {"TableName": "others", "CapacityUnits": 1.0},
    ]
    assert await keys_of(two, "things") == ["b", "c", "d"]
    reply = await two(
        "BatchGetItem",
        RequestItems={
            "things": {"Keys": [key("a"), key("b")], "ConsistentRead": True},
            "others": {"Keys": [key("x")], "ProjectionExpression": "y"},
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["Responses"] == {"things": [{**key("b"), "n": {"N": "1"}}], "others": [{"y": {"S": "z"}}]}
    assert reply["UnprocessedKeys"] == {}
    assert [each["CapacityUnits"] for each in reply["ConsumedCapacity"]] == [2.0, 0.5]


async def test_a_batch_of_16_megabytes_leaves_the_rest(two: Home) -> None:
    for number in range(42):
        await two("PutItem", TableName="others", Item={**key(f"{number:02}"), "x": {"S": "y" * 400_000}})
    wanted = [key(f"{number:02}") for number in range(42)]
    reply = await two("BatchGetItem", RequestItems={"others": {"Keys": wanted}})
    got, left = reply["Responses"]["others"], reply["UnprocessedKeys"]["others"]["Keys"]
    assert len(got) == 41
    assert left == wanted[41:]


@pytest.mark.parametrize(
    ("operation", "items", "message"),
    [
        ("BatchWriteItem", {}, "The requestItems parameter is required for BatchWriteItem"),
        (
            "BatchGetItem",
            {},
            "Value at 'RequestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "BatchWriteItem",
            {"things": [put(str(number)) for number in range(26)]},
            "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
            "Member must have length greater than or equal to 1]",
        ),
        (
            "BatchWriteItem",
            {"things": [put(f"{number}") for number in range(20)], "others": [put(f"{number}") for number in range(6)]},
            "Too many items requested for the BatchWriteItem call",
        ),
        (
            "BatchGetItem",
            {"things": {"Keys": [key(str(number)) for number in range(101)]}},
            "Value at 'RequestItems.things.member.Keys' failed to satisfy constraint: "
            "Member must have length less than or equal to 100",
        ),
        ("BatchWriteItem", {"things": [put("x"), put("x")]}, "Provided list of item keys contains duplicates"),
        (
            "BatchWriteItem",
            {"things": [put("x"), {"DeleteRequest": {"Key": key("x")}}]},
            "Provided list of item keys contains duplicates",
        ),
        ("BatchGetItem", {"things": {"Keys": [key("x"), key("x")]}}, "Provided list of item keys contains duplicates"),
        (
            "BatchWriteItem",
            {"things": [{"PutRequest": {"Item": {"p": {"N": "1"}}}}]},
            "The provided key element does not match the schema",
        ),
        (
            "BatchGetItem",
            {"things": {"Keys": [{"q": {"S": "1"}}]}},
            "The provided key element does not match the schema",
        ),
        (
            "BatchGetItem",
            {"things": {"Keys": [key("a")], "AttributesToGet": ["p"], "ProjectionExpression": "p"}},
            "Can not use both expression and non-expression parameters in the same request",
        ),
    ],
)
async def test_batches_that_are_refused(two: Home, operation: str, items: Any, message: str) -> None:
    fault = await two.refused(operation, RequestItems=items)
    assert fault.code == "ValidationException"
    assert message in fault.message
    assert await keys_of(two, "things") == ["a", "b", "c"]


async def test_a_batch_with_an_unknown_table_does_nothing(two: Home) -> None:
    fault = await two.refused("BatchWriteItem", RequestItems={"things": [put("x")], "nothing": [put("x")]})
    assert (fault.code, fault.message) == ("ResourceNotFoundException", "Requested resource not found")
    assert await keys_of(two, "things") == ["a", "b", "c"]


def update(name: str, expression: str = "SET n = :v", table: str = "things", **more: Any) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": key(name),
            "UpdateExpression": expression,
            "ExpressionAttributeValues": VALUE,
            **more,
        }
    }


def check(name: str, condition: str = "attribute_exists(p)", **more: Any) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": "things", "Key": key(name), "ConditionExpression": condition, **more}}


def delete(name: str, **more: Any) -> dict[str, Any]:
    return {"Delete": {"TableName": "things", "Key": key(name), **more}}


def insert(name: str, table: str = "things", **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {**key(name), "n": {"N": "5"}}, **more}}


async def test_a_transaction_does_all_four_things(two: Home) -> None:
    reply = await two(
        "TransactWriteItems",
        TransactItems=[check("a"), update("b"), delete("c"), insert("d"), insert("x", "others")],
        ReturnConsumedCapacity="TOTAL",
    )
    assert await keys_of(two, "things") == ["a", "b", "d"]
    assert await keys_of(two, "others") == ["x"]
    assert reply["ConsumedCapacity"] == [
        {"TableName": "things", "CapacityUnits": 8.0, "WriteCapacityUnits": 8.0},
        {"TableName": "others", "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0},
    ]
    reply = await two(
        "TransactGetItems",
        TransactItems=[
            {"Get": {"TableName": "things", "Key": key("b"), "ProjectionExpression": "n"}},
            {"Get": {"TableName": "things", "Key": key("c")}},
            {"Get": {"TableName": "others", "Key": key("x")}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["Responses"] == [{"Item": {"n": {"N": "1"}}}, {}, {"Item": {**key("x"), "n": {"N": "5"}}}]
    assert [each["ReadCapacityUnits"] for each in reply["ConsumedCapacity"]] == [4.0, 2.0]


async def test_a_cancelled_transaction_tells_every_reason_and_does_nothing(two: Home) -> None:
    returned = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    fault = await two.refused(
        "TransactWriteItems",
        TransactItems=[
            insert("x"),
            check("a", "n > :v", ExpressionAttributeValues=VALUE, **returned),
            check("zzz", **returned),
            update("b", "SET p2 = nope + :v"),
            insert("a", "others", ConditionExpression="attribute_not_exists(p)"),
        ],
    )
    assert fault.code == "TransactionCanceledException"
    reasons = fault.fields["CancellationReasons"]
    codes = [reason["Code"] for reason in reasons]
    assert codes == [
        "None",
        "ConditionalCheckFailed",
        "ConditionalCheckFailed",
        "ValidationError",
        "None",
    ]
    assert fault.message == (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{', '.join(codes)}]"
    )
    assert reasons[0] == {"Code": "None"}
    assert reasons[1]["Item"]["n"] == {"N": "0"}
    assert "Item" not in reasons[2]
    assert "refers to an attribute that does not exist in the item" in reasons[3]["Message"]
    assert await keys_of(two, "things") == ["a", "b", "c"]
    assert await keys_of(two, "others") == []


async def test_of_actions_that_do_not_fit_their_tables_the_first_is_told_and_no_condition_is_judged(two: Home) -> None:
    wrong = {"Put": {"TableName": "others", "Item": {"p": {"N": "1"}}}}
    fault = await two.refused("TransactWriteItems", TransactItems=[check("zzz"), update("c", "SET p = :v"), wrong])
    reasons = fault.fields["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ValidationError", "None"]
    assert "Cannot update attribute p. This attribute is part of the key" in reasons[1]["Message"]


async def test_a_transaction_may_carry_four_megabytes(two: Home) -> None:
    large = {"b": {"S": "x" * 350_000}}
    actions = [{"Put": {"TableName": "things", "Item": {**key(str(place)), **large}}} for place in range(13)]
    fault = await two.refused("TransactWriteItems", TransactItems=actions)
    assert fault.message == "Transaction payload size cannot exceed 4 MB"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "Member must have length greater than or equal to 1"),
        ([insert(str(number)) for number in range(101)], "Member must have length less than or equal to 100"),
        ([{}], "TransactItems can only contain one of Check, Put, Update or Delete"),
        ([{**insert("x"), **delete("y")}], "TransactItems can only contain one of Check, Put, Update or Delete"),
        (
            [insert("a"), delete("a")],
            "Transaction request cannot include multiple operations on one item",
        ),
        ([insert("x", ConditionExpression="n = ")], "Invalid ConditionExpression: Syntax error"),
        ([delete("")], "The AttributeValue for a key attribute cannot contain an empty string value"),
        ([{"Update": {"TableName": "things", "Key": key("a")}}], "updateExpression"),
        ([{"Put": {"TableName": "things", "Item": {**key("x"), "y": {"S": "z" * 409_600}}}}], "Item size has exceeded"),
    ],
)
async def test_transactions_that_are_refused(two: Home, items: Any, message: str) -> None:
    fault = await two.refused("TransactWriteItems", TransactItems=items)
    assert fault.code == "ValidationException"
    assert message in fault.message
    assert await keys_of(two, "things") == ["a", "b", "c"]


async def test_a_token_makes_a_transaction_happen_once(cloud: Cloud) -> None:
    db = await cloud.start()
    await db.table()
    add = {"Update": {"TableName": "things", "Key": key("a"), "UpdateExpression": "ADD n :v"}}
    add["Update"]["ExpressionAttributeValues"] = VALUE
    given = {"TransactItems": [add], "ClientRequestToken": "once", "ReturnConsumedCapacity": "TOTAL"}
    first = await db("TransactWriteItems", **given)
    assert first["ConsumedCapacity"][0]["WriteCapacityUnits"] == 2.0
    again = await db("TransactWriteItems", **given)
    assert again["ConsumedCapacity"][0]["ReadCapacityUnits"] == 2.0
    await cloud.stop()
    db = await cloud.start()
    await db("TransactWriteItems", **given)
    assert (await db("GetItem", TableName="things", Key=key("a")))["Item"]["n"] == {"N": "1"}
    fault = await db.refused("TransactWriteItems", **{**given, "TransactItems": [insert("b")]})
    assert fault.code == "IdempotentParameterMismatchException"
    db.clock.shift_ms = 11 * 60_000  # type: ignore[attr-defined]
    await db("TransactWriteItems", **given)
    assert (await db("GetItem", TableName="things", Key=key("a")))["Item"]["n"] == {"N": "2"}


async def test_read_transactions_are_refused_for_what_is_wrong(two: Home) -> None:
    get = {"Get": {"TableName": "things", "Key": key("a")}}
    fault = await two.refused("TransactGetItems", TransactItems=[get, get])
    assert fault.message == "Transaction request cannot include multiple operations on one item"
    fault = await two.refused("TransactGetItems", TransactItems=[{"Get": {"TableName": "nothing", "Key": key("a")}}])
    assert fault.code == "ResourceNotFoundException"
    wrong = {"Get": {"TableName": "things", "Key": {"p": {"N": "1"}}}}
    fault = await two.refused("TransactGetItems", TransactItems=[get, wrong])
    assert [reason["Code"] for reason in fault.fields["CancellationReasons"]] == ["None", "ValidationError"]

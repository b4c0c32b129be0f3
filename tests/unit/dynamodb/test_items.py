"""One item at a time: what comes back, what conditions stop, what it costs, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

KEY = {"p": {"S": "a"}}
FAILED = "The conditional request failed"
INVALID = "One or more parameter values were invalid: "
NOT_VALID = "One or more parameter values are not valid. "


@pytest.fixture
async def things(db: Home) -> Home:
    """A table with one item."""
    await db.table()
    await db("PutItem", TableName="things", Item={**KEY, "n": {"N": "1"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}})
    return db


async def item(db: Home, **key: Any) -> Any:
    reply = await db("GetItem", TableName="things", Key=key or KEY, ConsistentRead=True)
    return reply.get("Item")


async def update(db: Home, expression: str, values: Any = None, **more: Any) -> Any:
    if values:
        more["ExpressionAttributeValues"] = values
    return await db("UpdateItem", TableName="things", **{"Key": KEY, "UpdateExpression": expression, **more})


async def test_put_replaces_and_returns_the_old_item(things: Home) -> None:
    new = {**KEY, "x": {"BOOL": True}}
    reply = await things("PutItem", TableName="things", Item=new, ReturnValues="ALL_OLD")
    assert reply == {"Attributes": {**KEY, "n": {"N": "1"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}}}
    assert await item(things) == new
    assert await things("PutItem", TableName="things", Item={"p": {"S": "b"}}, ReturnValues="ALL_OLD") == {}
    assert await things("PutItem", TableName="things", Item=new, ReturnValues="NONE") == {}
    for wrong in ("ALL_NEW", "UPDATED_OLD"):
        fault = await things.refused("PutItem", TableName="things", Item=new, ReturnValues=wrong)
        assert fault.message == "1 validation error detected: ReturnValues can only be ALL_OLD or NONE"


@pytest.mark.parametrize(("depth", "wrapped"), [(40, True), (62, True), (63, False), (100, False)])
async def test_return_values_beside_a_very_deep_value_are_refused_first_and_in_older_words(
    things: Home, depth: int, wrapped: bool
) -> None:
    deep: dict[str, Any] = {"S": "leaf"}
    for level in range(depth):
        deep = {"M": {"n": deep}} if level % 2 else {"L": [deep]}
    condition = {"ConditionExpression": "d = :d", "ExpressionAttributeValues": {":d": deep}}
    given: dict[str, Any] = {"TableName": "things", "ReturnValues": "UPDATED_NEW"}
    only = "ReturnValues can only be ALL_OLD or NONE"
    for each in (condition, {"Expected": {"d": {"Value": deep}}}, {"Expected": {"d": {"AttributeValueList": [deep]}}}):
        message = (await things.refused("DeleteItem", Key=KEY, **given, **each)).message
        assert message == (f"1 validation error detected: {only}" if wrapped else only)
    if not wrapped:
        assert (await things.refused("DeleteItem", Key={"p": deep}, **given)).message == only
        assert (await things.refused("PutItem", Item={**KEY, "d": deep}, **given)).message == only


@pytest.mark.parametrize("expression", ["REMOVE x.y", "REMOVE x[0], z", "REMOVE x DELETE y :s", "DELETE x.y :s"])
async def test_taking_away_from_an_item_that_is_not_there_does_nothing(things: Home, expression: str) -> None:
    update: dict[str, Any] = {"TableName": "things", "Key": {"p": {"S": "nobody"}}, "UpdateExpression": expression}
    if ":s" in expression:
        update["ExpressionAttributeValues"] = {":s": {"SS": ["s"]}}
    assert await things("UpdateItem", **update, ReturnValues="ALL_NEW") == {}
    await things("TransactWriteItems", TransactItems=[{"Update": update}])
    assert await things("GetItem", TableName="things", Key={"p": {"S": "nobody"}}) == {}
    if "x." in expression or "[" in expression:
        fault = await things.refused("UpdateItem", **{**update, "Key": KEY})
        assert fault.message == "The document path provided in the update expression is invalid for update"


async def test_get_gives_what_is_asked_for(things: Home) -> None:
    assert "Item" not in await things("GetItem", TableName="things", Key={"p": {"S": "nobody"}})
    reply = await things("GetItem", TableName="things", Key=KEY, ProjectionExpression="l[1], n")
    assert reply["Item"] == {"l": {"L": [{"S": "y"}]}, "n": {"N": "1"}}
    reply = await things("GetItem", TableName="things", Key=KEY, AttributesToGet=["n", "zzz"])
    assert reply["Item"] == {"n": {"N": "1"}}
    reply = await things("GetItem", TableName="things", Key=KEY, ProjectionExpression="zzz")
    assert reply["Item"] == {}
    fault = await things.refused(
        "GetItem", TableName="things", Key=KEY, ProjectionExpression="n", AttributesToGet=["n"]
    )
    assert fault.message == (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
    )


async def test_delete_returns_what_was_there(things: Home) -> None:
    old = await item(things)
    assert await things("DeleteItem", TableName="things", Key=KEY, ReturnValues="ALL_OLD") == {"Attributes": old}
    assert await things("DeleteItem", TableName="things", Key=KEY, ReturnValues="ALL_OLD") == {}
    assert await item(things) is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {**KEY, "n": {"N": "1"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}}),
        ("ALL_NEW", {**KEY, "n": {"N": "3"}, "l": {"L": [{"S": "x"}, {"S": "z"}]}, "fresh": {"S": "v"}}),
        ("UPDATED_OLD", {"n": {"N": "1"}, "l": {"L": [{"S": "y"}]}}),
        ("UPDATED_NEW", {"n": {"N": "3"}, "l": {"L": [{"S": "z"}]}, "fresh": {"S": "v"}}),
    ],
)
async def test_update_returns_what_is_asked_for(things: Home, wanted: str, expected: Any) -> None:
    reply = await update(
        things,
        "SET n = n + :two, l[1] = :z, fresh = :v",
        {":two": {"N": "2"}, ":z": {"S": "z"}, ":v": {"S": "v"}},
        ReturnValues=wanted,
    )
    assert reply.get("Attributes") == expected


async def test_update_makes_an_item_only_when_it_writes(things: Home) -> None:
    await update(things, "SET n = :n", {":n": {"N": "7"}}, Key={"p": {"S": "new"}})
    assert await item(things, p={"S": "new"}) == {"p": {"S": "new"}, "n": {"N": "7"}}
    await things("UpdateItem", TableName="things", Key={"p": {"S": "bare"}})
    assert await item(things, p={"S": "bare"}) == {"p": {"S": "bare"}}
    reply = await update(things, "ADD c :one", {":one": {"N": "1"}}, Key={"p": {"S": "d"}}, ReturnValues="ALL_NEW")
    assert reply["Attributes"] == {"p": {"S": "d"}, "c": {"N": "1"}}
    reply = await update(things, "SET n = :n", {":n": {"N": "7"}}, Key={"p": {"S": "e"}}, ReturnValues="ALL_OLD")
    assert reply == {}


async def test_conditions_stop_writes(things: Home) -> None:
    guard = {
        "ConditionExpression": "n > :five",
        "ExpressionAttributeValues": {":five": {"N": "5"}},
        "TableName": "things",
    }
    for operation, more in (("PutItem", {"Item": KEY}), ("DeleteItem", {"Key": KEY}), ("UpdateItem", {"Key": KEY})):
        fault = await things.refused(operation, **guard, **more)
        assert (fault.code, fault.message) == ("ConditionalCheckFailedException", FAILED)
        assert "Item" not in fault.fields
        fault = await things.refused(operation, **guard, **more, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        assert fault.fields["Item"]["n"] == {"N": "1"}
    absent = {"TableName": "things", "Key": {"p": {"S": "nobody"}}, "ConditionExpression": "attribute_exists(p)"}
    fault = await things.refused("DeleteItem", **absent, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert "Item" not in fault.fields
    await things("PutItem", TableName="things", Item={"p": {"S": "z"}}, ConditionExpression="attribute_not_exists(p)")
    assert (await item(things))["n"] == {"N": "1"}


@pytest.mark.parametrize(
    ("expected", "passes"),
    [
        ({"n": {"Value": {"N": "1"}}}, True),
        ({"n": {"Value": {"N": "2"}}}, False),
        ({"n": {"Exists": False}}, False),
        ({"zzz": {"Exists": False}}, True),
        ({"n": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "1"}]}}, True),
        ({"n": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "3"}, {"N": "4"}]}}, False),
        ({"n": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "0"}, {"N": "4"}]}}, True),
        ({"zzz": {"ComparisonOperator": "NULL"}, "n": {"ComparisonOperator": "NOT_NULL"}}, True),
        ({"n": {"ComparisonOperator": "NE", "AttributeValueList": [{"N": "1"}]}}, False),
        ({"zzz": {"ComparisonOperator": "NE", "AttributeValueList": [{"N": "1"}]}}, True),
        ({"zzz": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"N": "1"}]}}, False),
    ],
)
async def test_expected_of_old(things: Home, expected: Any, passes: bool) -> None:
    if passes:
        await things("PutItem", TableName="things", Item=KEY, Expected=expected)
    else:
        fault = await things.refused("PutItem", TableName="things", Item=KEY, Expected=expected)
        assert fault.message == FAILED


async def test_old_updates(things: Home) -> None:
    await things(
        "UpdateItem",
        TableName="things",
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "5"}},
            "t": {"Action": "ADD", "Value": {"SS": ["a", "b"]}},
            "x": {"Value": {"S": "put"}},
            "l": {"Action": "DELETE"},
        },
        Expected={"n": {"Value": {"N": "9"}}, "p": {"ComparisonOperator": "NOT_NULL"}},
        ConditionalOperator="OR",
    )
    found = await item(things)
    assert found == {**KEY, "n": {"N": "6"}, "t": {"SS": ["a", "b"]}, "x": {"S": "put"}}
    fault = await things.refused(
        "UpdateItem",
        TableName="things",
        Key=KEY,
        AttributeUpdates={"x": {"Value": {"S": "y"}}},
        UpdateExpression="SET x = :x",
        ExpressionAttributeValues={":x": {"S": "z"}},
    )
    assert "Non-expression parameters: {AttributeUpdates} Expression parameters: {UpdateExpression}" in fault.message


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({}, "The provided key element does not match the schema"),
        ({"p": {"N": "1"}}, "The provided key element does not match the schema"),
        ({"p": {"S": "a"}, "q": {"S": "a"}}, "The provided key element does not match the schema"),
        ({"p": {"S": ""}}, f"{NOT_VALID}The AttributeValue for a key attribute cannot contain an empty string value"),
        ({"p": {"S": "x" * 2049}}, f"{INVALID}Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        ({"p": {"NULL": False}}, f"{INVALID}Null attribute value types must have the value of true"),
        ({"p": {"N": "x"}}, "The parameter cannot be converted to a numeric value: x"),
        ({"p": {"SS": []}}, f"{INVALID}An string set  may not be empty"),
        ({"p": {}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ({"p": {"S": "a", "N": "1"}}, "Supplied AttributeValue has more than one datatypes set"),
    ],
)
async def test_keys_that_are_refused(things: Home, key: Any, message: str) -> None:
    for operation in ("GetItem", "DeleteItem", "UpdateItem"):
        fault = await things.refused(operation, TableName="things", Key=key)
        assert fault.code == "ValidationException"
        assert message in fault.message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": {"S": "a"}}, f"{INVALID}Missing the key p in the item"),
        ({"p": {"N": "1"}}, f"{INVALID}Type mismatch for key p expected: S actual: N"),
        ({"p": {"S": ""}}, f"{NOT_VALID}The AttributeValue for a key attribute cannot contain an empty string value"),
        ({"p": {"S": "a"}, "x": {"NS": ["1", "1.0"]}}, f"{INVALID}Input collection contains duplicates."),
        ({"p": {"S": "a"}, "x": {"SS": ["a", "a"]}}, f'{INVALID}Input collection ["a", "a"] contains duplicates.'),
        ({"p": {"S": "a"}, "x": {"N": "1e126"}}, "Number overflow. Attempting to store a number with magnitude"),
        ({"p": {"S": "a"}, "x": {"N": "1e-131"}}, "Number underflow. Attempting to store a number with magnitude"),
        ({"p": {"S": "a"}, "x": {"N": "1" * 39}}, "Attempting to store more than 38 significant digits in a Number"),
        ({"p": {"S": "a"}, "x": {"S": "y" * 409_600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
async def test_items_that_are_refused(things: Home, given: Any, message: str) -> None:
    fault = await things.refused("PutItem", TableName="things", Item=given)
    assert fault.code == "ValidationException"
    assert message in fault.message


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        ("SET p = :v", {":v": {"S": "x"}}, f"{INVALID}Cannot update attribute p. This attribute is part of the key"),
        ("REMOVE p", {}, f"{INVALID}Cannot update attribute p. This attribute is part of the key"),
        ("SET zzz.a = :v", {":v": {"S": "x"}}, "The document path provided in the update expression is invalid for up"),
        ("SET n.a = :v", {":v": {"S": "x"}}, "The document path provided in the update expression is invalid for up"),
        ("SET n = zzz + :v", {":v": {"N": "1"}}, "refers to an attribute that does not exist in the item"),
        ("SET n = l + :v", {":v": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
        ("ADD l :v", {":v": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
        ("SET n = n + :v", {":v": {"N": "9" * 38 + "E87"}}, "Number overflow"),
        ("SET n = :v", {":v": {"S": "y" * 409_600}}, "Item size to update has exceeded the maximum allowed size"),
        ("SET #n = :v", {":v": {"S": "x"}}, "An expression attribute name used in the document path is not defined"),
        ("SET n = :v", {":w": {"S": "x"}}, "An expression attribute value used in expression is not defined"),
        (
            "SET n = :v",
            {":v": {"S": "x"}, ":w": {"S": "x"}},
            "Value provided in ExpressionAttributeValues unused in ex",
        ),
        ("SET n = :v, n = :v", {":v": {"S": "x"}}, "Two document paths overlap with each other"),
        ("", {}, "Invalid UpdateExpression: The expression can not be empty;"),
        ("SET size = :v", {":v": {"S": "x"}}, "Attribute name is a reserved keyword; reserved keyword: size"),
    ],
)
async def test_updates_that_are_refused(things: Home, expression: str, values: Any, message: str) -> None:
    before = await item(things)
    more = {"ExpressionAttributeValues": values} if values else {}
    fault = await things.refused("UpdateItem", TableName="things", Key=KEY, UpdateExpression=expression, **more)
    assert fault.code == "ValidationException"
    assert message in fault.message
    assert await item(things) == before


async def test_what_is_wrong_is_told_in_order(things: Home) -> None:
    """Values before conditions, conditions before the table, the table before the key."""
    given: dict[str, Any] = {
        "TableName": "nothing",
        "Item": {"p": {"N": "x"}},
        "ConditionExpression": "a = ",
        "ReturnValues": "ALL_NEW",
    }
    assert "cannot be converted" in (await things.refused("PutItem", **given)).message
    given["Item"] = {"zzz": {"N": "1"}}
    assert "ReturnValues can only be" in (await things.refused("PutItem", **given)).message
    given["ReturnValues"] = "NONE"
    assert "Syntax error" in (await things.refused("PutItem", **given)).message
    given["ConditionExpression"] = "attribute_exists(a)"
    assert (await things.refused("PutItem", **given)).code == "ResourceNotFoundException"
    given["TableName"] = "things"
    assert "Missing the key p in the item" in (await things.refused("PutItem", **given)).message


async def test_capacity_is_true(things: Home) -> None:
    async def units(operation: str, **given: Any) -> float:
        reply = await things(operation, TableName="things", ReturnConsumedCapacity="TOTAL", **given)
        found: float = reply["ConsumedCapacity"]["CapacityUnits"]
        return found

    big = {**KEY, "x": {"S": "y" * 9000}}
    assert await units("PutItem", Item=big) == 9
    assert await units("GetItem", Key=KEY) == 1.5
    assert await units("GetItem", Key=KEY, ConsistentRead=True) == 3
    assert await units("GetItem", Key=KEY, ProjectionExpression="p") == 1.5
    assert await units("GetItem", Key={"p": {"S": "none"}}) == 0.5
    assert await units("UpdateItem", Key=KEY, UpdateExpression="REMOVE x") == 9
    assert await units("PutItem", Item=big) == 9
    assert await units("PutItem", Item=KEY) == 9
    assert await units("DeleteItem", Key=KEY) == 1
    assert await units("DeleteItem", Key=KEY) == 1
    reply = await things("PutItem", TableName="things", Item=KEY, ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"] == {
        "TableName": "things",
        "CapacityUnits": 1.0,
        "Table": {"CapacityUnits": 1.0},
    }


async def test_numbers_come_back_in_normal_form(things: Home) -> None:
    await things("PutItem", TableName="things", Item={**KEY, "n": {"N": "001.500e3"}, "s": {"NS": ["-0", "1e2"]}})
    assert await item(things) == {**KEY, "n": {"N": "1500"}, "s": {"NS": ["0", "100"]}}


async def test_numeric_keys_are_the_same_however_they_are_written(db: Home) -> None:
    await db.table(
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
    )
    await db("PutItem", TableName="things", Item={"p": {"N": "10"}, "v": {"S": "1"}})
    await db("PutItem", TableName="things", Item={"p": {"N": "1.0e1"}, "v": {"S": "2"}})
    found = (await db("Scan", TableName="things"))["Items"]
    assert found == [{"p": {"N": "10"}, "v": {"S": "2"}}]


async def test_metrics_tell_what_happened(things: Home) -> None:
    await things.refused("PutItem", TableName="things", Item=KEY, ConditionExpression="attribute_not_exists(p)")
    names = {record.key.name for record in things.region.meter.drain()}
    assert {"ConsumedWriteCapacityUnits", "SuccessfulRequestLatency", "ConditionalCheckFailedRequests"} <= names


@pytest.mark.parametrize(
    ("held", "action", "value"),
    [
        ({"SS": ["a"]}, "ADD", {"N": "1"}),
        ({"N": "1"}, "ADD", {"L": [{"N": "1"}]}),
        ({"NS": ["1"]}, "DELETE", {"SS": ["a"]}),
    ],
)
async def test_attribute_updates_name_a_wrong_type_in_their_own_words(
    db: Home, held: Any, action: str, value: Any
) -> None:
    await db.table()
    await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "x": held})
    fault = await db.refused(
        "UpdateItem",
        TableName="things",
        Key={"p": {"S": "a"}},
        AttributeUpdates={"x": {"Action": action, "Value": value}},
    )
    assert (fault.code, fault.message) == ("ValidationException", "Type mismatch for attribute to update")

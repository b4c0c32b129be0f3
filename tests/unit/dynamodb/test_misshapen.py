"""What has no shape at all, or is nested without end, is the client's fault: never an internal error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

REFUSALS = ("ValidationException", "SerializationException")
KEY = {"p": {"S": "a"}}
SHAPELESS: tuple[Any, ...] = ([], [None], "x", 1, 1.5, True)


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(levels):
        value = {"M": {"a": value}}
    return value


@pytest.fixture
async def things(db: Home) -> Home:
    await db.table()
    return db


@pytest.mark.parametrize("wrong", SHAPELESS)
async def test_items_keys_and_values_without_a_shape(things: Home, wrong: Any) -> None:
    put = {"TableName": "things", "Item": KEY, "ConditionExpression": "p = :v"}
    for operation, given in (
        ("PutItem", {"TableName": "things", "Item": wrong}),
        ("PutItem", {"TableName": "things", "Item": wrong, "ReturnValues": "ALL_NEW"}),
        ("PutItem", {**put, "ExpressionAttributeValues": wrong, "ReturnValues": "UPDATED_OLD"}),
        ("DeleteItem", {"TableName": "things", "Key": wrong, "ReturnValues": "UPDATED_NEW"}),
        ("BatchGetItem", {"RequestItems": {"": {"Keys": [wrong, KEY]}}}),
        ("BatchWriteItem", {"RequestItems": {"": [{"PutRequest": {"Item": wrong}}]}}),
        ("TransactWriteItems", {"TransactItems": [{"Put": {"TableName": "things", "Item": wrong}}] * 101}),
    ):
        assert (await things.refused(operation, **given)).code in REFUSALS, (operation, given)


@pytest.mark.parametrize("levels", [130, 200])
async def test_values_nested_deeper_than_json_is_written(things: Home, levels: int) -> None:
    deep = {**KEY, "d": nested(levels)}
    put = {"Put": {"TableName": "things", "Item": deep}}
    insert = {"Statement": "INSERT INTO things VALUE {'p': 'a', 'd': ?}", "Parameters": [nested(levels)]}
    for operation, given in (
        ("TransactWriteItems", {"TransactItems": [put], "ClientRequestToken": "one"}),
        ("TransactWriteItems", {"TransactItems": [put] * 101}),
        ("ExecuteTransaction", {"TransactStatements": [insert], "ClientRequestToken": "two"}),
        ("BatchGetItem", {"RequestItems": {"a!": {"Keys": [deep]}}}),
        ("BatchWriteItem", {"RequestItems": {"a!": [{"PutRequest": {"Item": deep}}]}}),
    ):
        assert (await things.refused(operation, **given)).code in REFUSALS, operation
    assert (await things("Scan", TableName="things"))["Count"] == 0


async def test_a_token_that_was_used_does_not_answer_for_what_is_nested_too_deep(things: Home) -> None:
    token = {"ClientRequestToken": "one"}
    await things("TransactWriteItems", TransactItems=[{"Put": {"TableName": "things", "Item": KEY}}], **token)
    deep = {"Put": {"TableName": "things", "Item": {**KEY, "d": nested(130)}}}
    fault = await things.refused("TransactWriteItems", TransactItems=[deep], **token)
    assert fault.code == "IdempotentParameterMismatchException"

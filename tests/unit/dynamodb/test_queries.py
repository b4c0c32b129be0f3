"""Query and Scan: key conditions, order, pages, filters, segments, counts."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

TABLE_KEY = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]
NUMBERS = ["-100", "-1.5", "0", "0.001", "2", "10", "100"]
NO_MIX = "Can not use both expression and non-expression parameters in the same request: "


@pytest.fixture
async def sorted_(db: Home) -> Home:
    """A table with numbers as sort keys in two partitions."""
    await db.table(
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
        ],
        KeySchema=TABLE_KEY,
    )
    for place, number in enumerate(NUMBERS):
        for partition in ("a", "ab"):
            item = {"p": {"S": partition}, "s": {"N": number}, "place": {"N": str(place)}}
            await db("PutItem", TableName="things", Item=item)
    return db


async def query(db: Home, condition: str, values: Any = None, **more: Any) -> Any:
    bound = {":p": {"S": "a"}, **(values or {})}
    return await db(
        "Query",
        TableName="things",
        KeyConditionExpression=condition,
        ExpressionAttributeValues=bound,
        **more,
    )


def places(reply: Any) -> list[int]:
    return [int(item["place"]["N"]) for item in reply["Items"]]


@pytest.mark.parametrize(
    ("condition", "low", "high", "expected"),
    [
        ("", None, None, range(7)),
        ("s = :low", "10.0", None, [5]),
        ("s < :low", "2", None, range(4)),
        ("s <= :low", "2", None, range(5)),
        ("s > :low", "2", None, [5, 6]),
        ("s >= :low", "2", None, [4, 5, 6]),
        ("s BETWEEN :low AND :high", "-2", "0.001", [1, 2, 3]),
    ],
)
async def test_key_conditions_and_both_orders(
    sorted_: Home, condition: str, low: Any, high: Any, expected: Any
) -> None:
    text = "p = :p" + (f" AND {condition}" if condition else "")
    values = {name: {"N": value} for name, value in ((":low", low), (":high", high)) if value is not None}
    assert places(await query(sorted_, text, values)) == list(expected)
    assert places(await query(sorted_, text, values, ScanIndexForward=False)) == list(reversed(expected))
    turned = f"{condition} AND p = :p" if condition else "(p = :p)"
    assert places(await query(sorted_, turned, values)) == list(expected)


async def test_prefixes(db: Home) -> None:
    await db.table(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "ps"], KeySchema=TABLE_KEY
    )
    for text in ("a", "ab", "abc", "abcd", "ac", "\U0010ffff", "é"):
        await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "s": {"S": text}})

    async def found(prefix: str) -> list[str]:
        reply = await query(db, "p = :p AND begins_with(s, :x)", {":x": {"S": prefix}})
        return [item["s"]["S"] for item in reply["Items"]]

    assert await found("ab") == ["ab", "abc", "abcd"]
    assert await found("a") == ["a", "ab", "abc", "abcd", "ac"]
    assert await found("\U0010ffff") == ["\U0010ffff"]
    assert await found("x") == []


@pytest.mark.parametrize(
    ("condition", "values", "message"),
    [
        ("s = :s", {":s": {"N": "1"}}, "Query condition missed key schema element: p"),
        ("p > :p", {}, "Query key condition not supported"),
        ("p = :p AND s <> :s", {":s": {"N": "1"}}, "Invalid operator used in KeyConditionExpression: <>"),
        ("p = :p OR s = :s", {":s": {"N": "1"}}, "Invalid operator used in KeyConditionExpression: OR"),
        ("p = :p AND place = :s", {":s": {"N": "1"}}, "Query condition missed key schema element: s"),
        ("p = :p AND s = :s", {":s": {"S": "1"}}, "Condition parameter type does not match schema type"),
        ("p = :p AND s BETWEEN :s AND :t", {":s": {"N": "2"}, ":t": {"N": "1"}}, "The BETWEEN operator requires upper"),
        ("p = :p AND s > :s AND s < :s", {":s": {"N": "1"}}, "KeyConditionExpressions must only contain one condition"),
        ("p = :p AND size(s) > :s", {":s": {"N": "1"}}, "KeyConditionExpressions cannot contain nested operations"),
        ("p = :p AND", {}, 'Invalid KeyConditionExpression: Syntax error; token: "<EOF>", near: "AND"'),
        ("p = :nope", {}, "An expression attribute value used in expression is not defined"),
    ],
)
async def test_key_conditions_that_are_refused(sorted_: Home, condition: str, values: Any, message: str) -> None:
    bound = {**({":p": {"S": "a"}} if ":p" in condition else {}), **values}
    more = {"ExpressionAttributeValues": bound} if bound else {"ExpressionAttributeValues": {":x": {"S": "x"}}}
    fault = await sorted_.refused("Query", TableName="things", KeyConditionExpression=condition, **more)
    assert fault.code == "ValidationException"
    assert message in fault.message


async def test_pages_by_limit(sorted_: Home) -> None:
    for forward in (True, False):
        found: list[int] = []
        start: dict[str, Any] = {}
        sizes = []
        while True:
            reply = await query(sorted_, "p = :p", ScanIndexForward=forward, Limit=3, **start)
            found += places(reply)
            sizes.append(reply["Count"])
            if "LastEvaluatedKey" not in reply:
                break
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
        assert found == (list(range(7)) if forward else list(range(6, -1, -1)))
        assert sizes == [3, 3, 1]


async def test_a_page_holds_one_megabyte(sorted_: Home) -> None:
    for number in range(6):
        item = {"p": {"S": "big"}, "s": {"N": str(number)}, "x": {"S": "y" * 300_000}}
        await sorted_("PutItem", TableName="things", Item=item)
    reply = await query(sorted_, "p = :p", {":p": {"S": "big"}}, Select="COUNT", ReturnConsumedCapacity="TOTAL")
    assert (reply["Count"], reply["LastEvaluatedKey"]["s"]) == (3, {"N": "2"})
    assert "Items" not in reply
    assert reply["ConsumedCapacity"]["CapacityUnits"] == 110.0
    reply = await query(
        sorted_, "p = :p", {":p": {"S": "big"}}, ExclusiveStartKey=reply["LastEvaluatedKey"], ProjectionExpression="s"
    )
    assert [item["s"]["N"] for item in reply["Items"]] == ["3", "4", "5"]


async def test_filters_are_applied_after_reading(sorted_: Home) -> None:
    reply = await query(
        sorted_,
        "p = :p",
        {":x": {"N": "3"}},
        FilterExpression="place > :x",
        Limit=5,
        ReturnConsumedCapacity="TOTAL",
    )
    assert (places(reply), reply["Count"], reply["ScannedCount"]) == ([4], 1, 5)
    assert reply["LastEvaluatedKey"]["s"] == {"N": "2"}
    fault = await sorted_.refused(
        "Query",
        TableName="things",
        KeyConditionExpression="p = :p",
        FilterExpression="s > :x",
        ExpressionAttributeValues={":p": {"S": "a"}, ":x": {"N": "3"}},
    )
    assert fault.message == ("Filter Expression can only contain non-primary key attributes: Primary key attribute: s")


async def test_old_key_conditions(sorted_: Home) -> None:
    given = {
        "TableName": "things",
        "KeyConditions": {
            "p": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
            "s": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "0"}, {"N": "10"}]},
        },
        "QueryFilter": {"place": {"ComparisonOperator": "NE", "AttributeValueList": [{"N": "3"}]}},
        "AttributesToGet": ["place"],
    }
    reply = await sorted_("Query", **given)
    assert reply["Items"] == [{"place": {"N": "2"}}, {"place": {"N": "4"}}, {"place": {"N": "5"}}]
    fault = await sorted_.refused("Query", **given, ProjectionExpression="p")
    assert fault.message.startswith(
        f"{NO_MIX}Non-expression parameters: {{AttributesToGet, QueryFilter, KeyConditions}} "
        "Expression parameters: {ProjectionExpression}"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        (
            {"Limit": 0},
            "1 validation error detected: Value at 'Limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1",
        ),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing",
        ),
        (
            {"Select": "COUNT", "ProjectionExpression": "p"},
            "1 validation error detected: Cannot specify the ProjectionExpression when choosing to get only the Count",
        ),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES"},
            "1 validation error detected: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
        (
            {"Select": "OTHER"},
            "Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, "
            "ALL_PROJECTED_ATTRIBUTES]",
        ),
    ],
)
async def test_queries_that_are_refused(sorted_: Home, given: Any, message: str) -> None:
    fault = await sorted_.refused("Query", TableName="things", **given)
    assert message in fault.message


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"p": {"S": "a"}}, "The provided starting key is invalid"),
        ({"p": {"S": "a"}, "s": {"S": "x"}}, "The provided starting key is invalid"),
        ({"p": {"S": "b"}, "s": {"N": "1"}}, "The provided starting key is outside query boundaries"),
        ({"p": {"S": "a"}, "s": {"N": "50"}}, "The provided starting key does not match the range key predicate"),
    ],
)
async def test_start_keys_that_are_refused(sorted_: Home, start: Any, message: str) -> None:
    fault = await sorted_.refused(
        "Query",
        TableName="things",
        KeyConditionExpression="p = :p AND s < :s",
        ExpressionAttributeValues={":p": {"S": "a"}, ":s": {"N": "10"}},
        ExclusiveStartKey=start,
    )
    assert message in fault.message


async def test_a_scan_reads_all_in_pages_and_in_segments(sorted_: Home) -> None:
    whole = (await sorted_("Scan", TableName="things"))["Items"]
    assert len(whole) == 14
    found: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        reply = await sorted_("Scan", TableName="things", Limit=4, **start)
        found += reply["Items"]
        if "LastEvaluatedKey" not in reply:
            break
        start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
    assert found == whole
    for total in (1, 3, 7):
        parts = [
            (await sorted_("Scan", TableName="things", Segment=segment, TotalSegments=total))["Items"]
            for segment in range(total)
        ]
        assert [item for part in parts for item in part] == whole
    last = {name: whole[-1][name] for name in ("p", "s")}
    fault = await sorted_.refused("Scan", TableName="things", Segment=0, TotalSegments=100, ExclusiveStartKey=last)
    assert "does not map to the provided Segment and TotalSegments" in fault.message


async def test_scans_filter_count_and_project(sorted_: Home) -> None:
    values = {":x": {"N": "5"}}
    reply = await sorted_(
        "Scan",
        TableName="things",
        FilterExpression="place >= :x AND begins_with(p, :ab)",
        ExpressionAttributeValues={**values, ":ab": {"S": "ab"}},
        ProjectionExpression="place",
    )
    assert (sorted(places(reply)), reply["ScannedCount"]) == ([5, 6], 14)
    reply = await sorted_("Scan", TableName="things", Select="COUNT", ReturnConsumedCapacity="TOTAL")
    assert (reply["Count"], "Items" in reply) == (14, False)
    assert reply["ConsumedCapacity"]["CapacityUnits"] == 0.5
    reply = await sorted_(
        "Scan",
        TableName="things",
        ScanFilter={
            "place": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "1"}]},
            "p": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [{"S": "b"}]},
        },
        ConditionalOperator="OR",
    )
    assert reply["Count"] == 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Segment": 0}, "The TotalSegments parameter is required but was not present in the request when Segment"),
        ({"TotalSegments": 2}, "The Segment parameter is required but was not present in the request when parameter"),
        ({"Segment": 2, "TotalSegments": 2}, "Segment: 2 is not less than TotalSegments: 2"),
        ({"Segment": 0, "TotalSegments": 1_000_001}, "Member must have value less than or equal to 1000000"),
        ({"Limit": 0}, "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or eq"),
        ({"FilterExpression": ""}, "Invalid FilterExpression: The expression can not be empty;"),
        (
            {"ExpressionAttributeValues": {":x": {"S": "x"}}},
            "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null",
        ),
        (
            {"ExpressionAttributeNames": {"#x": "x"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        ({"ExclusiveStartKey": {"p": {"S": "a"}}}, "The provided starting key is invalid"),
    ],
)
async def test_scans_that_are_refused(sorted_: Home, given: Any, message: str) -> None:
    fault = await sorted_.refused("Scan", TableName="things", **given)
    assert message in fault.message

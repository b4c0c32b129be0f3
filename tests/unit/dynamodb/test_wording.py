"""Which words DynamoDB chooses: today's or the older ones for values, the envelope of single writes, the order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

KEY = {"p": {"S": "a"}}
INVALID = "One or more parameter values were invalid: "
NOT_NUMERIC = "The parameter cannot be converted to a numeric value"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
VALUES: list[tuple[dict[str, Any], str, str]] = [
    ({"N": "abc"}, f"{NOT_NUMERIC}: abc", f"{NOT_NUMERIC}: abc"),
    ({"N": ""}, f"{NOT_NUMERIC}: ", NOT_NUMERIC),
    ({"N": "1e126"}, OVERFLOW, OVERFLOW),
    ({"N": "1e2147483647"}, OVERFLOW, UNDERFLOW),
    ({"N": "1e99999999999"}, OVERFLOW, f"{NOT_NUMERIC}: 1e99999999999"),
    ({"N": "1e9223372036854775808"}, f"{NOT_NUMERIC}: 1e9223372036854775808", f"{NOT_NUMERIC}: 1e9223372036854775808"),
    ({"N": "0e126"}, OVERFLOW, OVERFLOW),
    (
        {"SS": ["b", "a", "b"]},
        f'{INVALID}Input collection ["a", "b", "b"] contains duplicates.',
        f"{INVALID}Input collection [b, a, b] contains duplicates.",
    ),
    (
        {"BS": ["/w==", "AA==", "AA=="]},
        f'{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        f"{INVALID}Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
    ),
    (
        {"NS": ["2", "1", "2"]},
        f"{INVALID}Input collection contains duplicates.",
        "Input collection contains duplicates",
    ),
]


@pytest.fixture
async def things(db: Home) -> Home:
    """A table of which nothing is written."""
    await db.table()
    return db


def enveloped(message: str) -> str:
    return f"1 validation error detected: {message}"


@pytest.mark.parametrize(("value", "today", "older"), VALUES)
async def test_each_operation_words_a_bad_value_its_own_way(
    things: Home, value: dict[str, Any], today: str, older: str
) -> None:
    bound = {"ExpressionAttributeValues": {":v": value}}
    named = f"ExpressionAttributeValues contains invalid value: {older} for key :v"
    update = {"TableName": "things", "Key": KEY, "UpdateExpression": "SET x = :v", **bound}
    check = {"TableName": "things", "Key": KEY, "ConditionExpression": "x = :v", **bound}
    put = {"TableName": "things", "Item": {**KEY, "x": value}}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("PutItem", put, enveloped(today)),
        ("UpdateItem", update, enveloped(today)),
        ("DeleteItem", check, enveloped(today)),
        ("GetItem", {"TableName": "things", "Key": {"p": value}}, today),
        ("BatchGetItem", {"RequestItems": {"things": {"Keys": [{"p": value}]}}}, today),
        ("Query", {"TableName": "things", "KeyConditionExpression": "p = :v", **bound}, today),
        ("Scan", {"TableName": "things", "FilterExpression": "x = :v", **bound}, named),
        ("BatchWriteItem", {"RequestItems": {"things": [{"PutRequest": {"Item": {**KEY, "x": value}}}]}}, older),
        ("TransactWriteItems", {"TransactItems": [{"Put": put}]}, older),
        ("TransactWriteItems", {"TransactItems": [{"Update": update}]}, named),
        ("TransactGetItems", {"TransactItems": [{"Get": {"TableName": "things", "Key": {"p": value}}}]}, older),
        ("ExecuteStatement", {"Statement": 'SELECT * FROM "things" WHERE p = ?', "Parameters": [value]}, older),
    ]
    for operation, params, message in cases:
        assert (operation, (await things.refused(operation, **params)).message) == (operation, message)


async def test_the_envelope_is_for_single_writes_before_their_table_is_looked_up(things: Home) -> None:
    written = {"TableName": "things", "Item": KEY}
    for more, message in (
        ({"ConditionExpression": ""}, "Invalid ConditionExpression: The expression can not be empty;"),
        (
            {"ExpressionAttributeValues": {":v": {"S": "x"}}},
            "ExpressionAttributeValues can only be specified when using expressions",
        ),
        (
            {"Expected": {"a": {"ComparisonOperator": "EQ"}}},
            f"{INVALID}Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
    ):
        assert (await things.refused("PutItem", **written, **more)).message == enveloped(message)
    fault = await things.refused("PutItem", TableName="things", Item={"p": {"N": "1"}})
    assert fault.message == f"{INVALID}Type mismatch for key p expected: S actual: N"
    fault = await things.refused("PutItem", TableName="things", Item={**KEY, "x": {"S": "y" * 410_000}})
    assert fault.message == "Item size has exceeded the maximum allowed size"


async def test_sets_come_back_in_order(things: Home) -> None:
    sets = {"s": {"SS": ["b", "", "a"]}, "n": {"NS": ["10", "9", "-1"]}, "b": {"BS": ["/w==", "AA=="]}}
    await things("PutItem", TableName="things", Item={**KEY, **sets})
    await things(
        "UpdateItem",
        TableName="things",
        Key=KEY,
        UpdateExpression="ADD s :v",
        ExpressionAttributeValues={":v": {"SS": ["aa"]}},
    )
    reply = await things("GetItem", TableName="things", Key=KEY)
    assert reply["Item"] == {
        **KEY,
        "s": {"SS": ["", "a", "aa", "b"]},
        "n": {"NS": ["-1", "9", "10"]},
        "b": {"BS": ["AA==", "/w=="]},
    }


async def test_a_key_condition_names_its_first_mistake(things: Home) -> None:
    operand = "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"
    undefined = "An expression attribute value used in expression is not defined; attribute value: :m"
    for text, message in (
        ("begins_with(q, :n) AND p = :m", operand),
        ("p = :m AND begins_with(q, :n)", undefined),
        ("p = :p AND q = :p AND r = :p", "The number of query conditions (3) exceeds the number of key attributes"),
    ):
        values = {name: value for name, value in ((":n", {"N": "1"}), (":p", {"S": "a"})) if name in text}
        fault = await things.refused(
            "Query", TableName="things", KeyConditionExpression=text, ExpressionAttributeValues=values
        )
        assert message in fault.message


DEEP: dict[str, Any] = {"S": "leaf"}
for _ in range(40):
    DEEP = {"M": {"n": DEEP}}
NESTED = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([{"Put": {"Item": {**KEY, "d": DEEP}}}, {"Put": {"Item": {**KEY, "": {"S": "x"}}}}], NESTED),
        ([{"Put": {"Item": {**KEY, "d": DEEP, "": {"S": "x"}}}}], "Empty attribute name"),
        (
            [{"Delete": {"Key": {"p": DEEP}, "ConditionExpression": "a = = b"}}],
            'Invalid ConditionExpression: Syntax error; token: "=", near: "= = b"',
        ),
        (
            [{"Update": {"Key": KEY, "UpdateExpression": "SET " + "a = a, " * 700 + "b = a"}}],
            "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;",
        ),
    ],
)
async def test_the_actions_of_a_transaction_are_checked_in_their_order(
    things: Home, actions: list[Any], message: str
) -> None:
    placed = [{kind: {"TableName": "nowhere", **given} for kind, given in action.items()} for action in actions]
    assert (await things.refused("TransactWriteItems", TransactItems=placed)).message == message


UNKNOWN = (
    "Value 'BOGUS' at 'returnConsumedCapacity' failed to satisfy constraint: "
    "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
)
NAMES = (
    "failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to "
    "255, Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: "
    "[a-zA-Z0-9_.-]+]"
)
GOT = f'Value \'{{"bad!name":{{"Keys":[{{"p":{{"S":"a"}}}}]}}}}\' at \'requestItems\' {NAMES}'


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("BatchGetItem", {"RequestItems": {"bad!name": {"Keys": [KEY]}}}, enveloped(GOT)),
        (
            "BatchGetItem",
            {"RequestItems": {"bad!name": {"Keys": [KEY]}}, "ReturnConsumedCapacity": "BOGUS"},
            f"2 validation errors detected: {GOT}; {UNKNOWN}",
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"bad!name": [{"DeleteRequest": {"Key": KEY}}]}},
            enveloped(
                "Value '{bad!name=[WriteRequest(putRequest=null, deleteRequest=DeleteRequest(key={p=AttributeValue("
                f"s=a)}}))]}}' at 'requestItems' {NAMES}"
            ),
        ),
        (
            "UpdateItem",
            {"TableName": "", "ReturnConsumedCapacity": "BOGUS"},
            f"3 validation errors detected: {UNKNOWN}; Value '' at 'tableName' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1; Value null at 'key' failed to satisfy constraint: Member "
            "must not be null",
        ),
        (
            "PutItem",
            {"TableName": "", "Item": {}, "ReturnConsumedCapacity": "BOGUS"},
            enveloped(
                "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal "
                "to 1"
            ),
        ),
        ("UpdateItem", {"TableName": "abc", "Key": KEY, "ReturnValues": "X", "ReturnConsumedCapacity": "BOGUS"},
         enveloped(UNKNOWN)),
    ],
)  # fmt: skip
async def test_constraints_are_reported_in_dynamodbs_order(
    things: Home, operation: str, params: dict[str, Any], message: str
) -> None:
    assert (await things.refused(operation, **params)).message == message


async def test_several_sort_attributes_leave_no_gap(db: Home) -> None:
    parts = [{"AttributeName": name, "KeyType": kind} for name, kind in (("h", "HASH"), ("x", "RANGE"), ("y", "RANGE"))]
    await db(
        "CreateTable",
        TableName="many",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "phxy"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{"IndexName": "all", "KeySchema": parts, "Projection": {"ProjectionType": "ALL"}}],
    )
    await db.active("many")
    values = {f":{name}": {"S": "1"} for name in "hxy"}
    for text in ("h = :h AND y = :y", "h = :h AND x > :x AND y = :y"):
        fault = await db.refused(
            "Query",
            TableName="many",
            IndexName="all",
            KeyConditionExpression=text,
            ExpressionAttributeValues={name: value for name, value in values.items() if name in text},
        )
        assert fault.message == (
            "RANGE key attributes x must have equality conditions specified in the query because a condition is "
            "present on key attribute y"
        )


async def test_size_counts_utf_16_units_of_text(things: Home) -> None:
    await things("PutItem", TableName="things", Item={"p": {"S": "a"}, "t": {"S": "\u00e9\U0001d11e"}})
    for units, found in (("3", 1), ("2", 0), ("6", 0)):
        reply = await things(
            "Scan",
            TableName="things",
            FilterExpression="size(t) = :n",
            ExpressionAttributeValues={":n": {"N": units}},
        )
        assert reply["Count"] == found


async def test_an_empty_map_of_values_is_refused_after_the_same_text_went_without(things: Home) -> None:
    call = {"TableName": "things", "FilterExpression": "attribute_exists(never)"}
    assert (await things("Scan", **call))["Count"] == 0
    fault = await things.refused("Scan", **call, ExpressionAttributeValues={})
    assert fault.message == "ExpressionAttributeValues must not be empty"


@pytest.mark.parametrize(
    ("values", "message"),
    [([{"S": "a"}], "Start of list found where not expected"), ("a", "Unexpected value type in payload")],
)
async def test_values_of_expressions_are_a_map(things: Home, values: Any, message: str) -> None:
    fault = await things.refused(
        "Query", TableName="things", KeyConditionExpression="p = :p", ExpressionAttributeValues=values
    )
    assert (fault.code, fault.message) == ("SerializationException", message)

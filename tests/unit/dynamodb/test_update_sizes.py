"""How large an UpdateItem may be: the finished item, and what its statement writes, each up to 400 KB."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

LIMIT = 409_600
TOO_LARGE = "Item size to update has exceeded the maximum allowed size"
PADDED = 3 + 19 + 1
ONE = {":one": {"N": "1"}}


@pytest.mark.parametrize(
    ("clause", "charge", "values", "seed"),
    [
        ("", 0, {}, {}),
        (", c = m.z", 19 + 1 + 1 + 15 + 15, {}, {"m": {"M": {"z": {"S": "y" * 10}}}}),
        (", n = n + :one", 19 + 1 + 34 + 16 + 2, ONE, {"n": {"N": "1"}}),
        (", n = n - :one", 19 + 1 + 37 + 16 + 2, ONE, {"n": {"N": "1"}}),
        (", c = if_not_exists(c, :v)", 19 + 1 + 39 + 16 + 10, {":v": {"S": "v" * 10}}, {"c": {"S": "c"}}),
        (", l = list_append(l, :l)", 19 + 1 + 37 + 16 + 14, {":l": {"L": [{"S": "y" * 10}]}}, {"l": {"L": []}}),
        (" ADD abc :one", 19 + 3 + 2, ONE, {}),
        (" REMOVE r", 1 + 1, {}, {"r": {"S": "r"}}),
        (" REMOVE m.yyyy, l[10]", 1 + 1 + 4 + 4 + 1 + 1 + 4 + 2, {}, {"m": {"M": {}}, "l": {"L": []}}),
        (" DELETE ss :s", 1 + 2, {":s": {"SS": ["b" * 20]}}, {"ss": {"SS": ["a", "b" * 20]}}),
    ],
)
async def test_each_clause_weighs_what_aws_charges(
    db: Home, clause: str, charge: int, values: dict[str, Any], seed: dict[str, Any]
) -> None:
    await db.table()

    async def update(padding: int) -> None:
        await db("PutItem", TableName="things", Item={"p": {"S": "K"}, **seed})
        await db(
            "UpdateItem",
            TableName="things",
            Key={"p": {"S": "K"}},
            UpdateExpression=f"SET b = :pad{clause}",
            ExpressionAttributeValues={**values, ":pad": {"S": "x" * padding}},
        )

    room = LIMIT - PADDED - charge
    await update(room)
    with pytest.raises(Exception, match=TOO_LARGE):
        await update(room + 1)


async def test_the_finished_item_alone_counts_elsewhere(db: Home) -> None:
    await db.table()
    room = {"S": "x" * (LIMIT - 3)}
    key = {"p": {"S": "K"}}
    await db("UpdateItem", TableName="things", Key=key, AttributeUpdates={"b": {"Action": "PUT", "Value": room}})
    update = {"TableName": "things", "Key": key, "UpdateExpression": "SET b = :b"}
    update["ExpressionAttributeValues"] = {":b": room}
    assert (await db.refused("UpdateItem", **update)).message == TOO_LARGE
    await db("TransactWriteItems", TransactItems=[{"Update": update}])
    await db("ExecuteStatement", Statement="UPDATE things SET b = ? WHERE p = 'K'", Parameters=[room])
    fault = await db.refused("PutItem", TableName="things", Item={**key, "b": {"S": "x" * (LIMIT - 2)}})
    assert fault.message == "Item size has exceeded the maximum allowed size"


@pytest.mark.parametrize("condition", [None, "attribute_exists(c)", "attribute_exists(absent)"])
async def test_a_statement_is_weighed_before_its_condition_and_whatever_it_writes(
    db: Home, condition: str | None
) -> None:
    await db.table()
    await db("PutItem", TableName="things", Item={"p": {"S": "K"}, "c": {"S": "x"}})
    given: dict[str, Any] = {"UpdateExpression": "SET c = if_not_exists(c, :huge)"}
    if condition is not None:
        given["ConditionExpression"] = condition
    values = {":huge": {"S": "h" * 409_700}}
    fault = await db.refused(
        "UpdateItem", TableName="things", Key={"p": {"S": "K"}}, ExpressionAttributeValues=values, **given
    )
    assert fault.message == TOO_LARGE
    values[":huge"] = {"S": "h" * 400_000}
    await db(
        "UpdateItem",
        TableName="things",
        Key={"p": {"S": "K"}},
        ExpressionAttributeValues=values,
        **given | {"ConditionExpression": "attribute_exists(c)"},
    )
    assert (await db("GetItem", TableName="things", Key={"p": {"S": "K"}}))["Item"]["c"] == {"S": "x"}

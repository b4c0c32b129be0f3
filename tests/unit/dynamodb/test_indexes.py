"""Secondary indexes: which items are in them, in which order, at which price; made and dropped while writes go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Cloud, Home, until

Item = dict[str, Any]
DEFINITIONS = [
    {"AttributeName": "p", "AttributeType": "S"},
    {"AttributeName": "s", "AttributeType": "N"},
    {"AttributeName": "g", "AttributeType": "S"},
    {"AttributeName": "h", "AttributeType": "N"},
]
TABLE_KEY = [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}]


def schema(*names: str, ranges: tuple[str, ...] = ()) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": "HASH"} for name in names] + [
        {"AttributeName": name, "KeyType": "RANGE"} for name in ranges
    ]


def index(name: str, key: Any, projection: str = "ALL", *extra: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"ProjectionType": projection}
    if extra:
        shown["NonKeyAttributes"] = list(extra)
    return {"IndexName": name, "KeySchema": key, "Projection": shown}


async def indexed(db: Home, *global_: Any, local: Any = (), definitions: Any = None) -> Home:
    more: dict[str, Any] = {}
    if global_:
        more["GlobalSecondaryIndexes"] = list(global_)
    if local:
        more["LocalSecondaryIndexes"] = list(local)
    used = {"p", "s"} | {e["AttributeName"] for i in (*global_, *local) for e in i["KeySchema"]}
    known = definitions or DEFINITIONS
    await db.table(
        AttributeDefinitions=[each for each in known if each["AttributeName"] in used], KeySchema=TABLE_KEY, **more
    )
    return db


async def put(db: Home, p: str, s: int, **more: Any) -> Any:
    item = {"p": {"S": p}, "s": {"N": str(s)}, **more}
    return await db("PutItem", TableName="things", Item=item, ReturnConsumedCapacity="INDEXES")


async def query(db: Home, name: str, condition: str, values: Any, **more: Any) -> list[Item]:
    reply = await db(
        "Query",
        TableName="things",
        IndexName=name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=values,
        **more,
    )
    found: list[Item] = reply["Items"]
    return found


async def test_an_index_is_sparse_and_sorted_and_follows_every_write(db: Home) -> None:
    await indexed(db, index("by-g", schema("g", ranges=("h",))))
    await put(db, "a", 1, g={"S": "x"}, h={"N": "10"})
    await put(db, "a", 2, g={"S": "x"}, h={"N": "-3"})
    await put(db, "b", 1, g={"S": "x"}, h={"N": "2"})
    await put(db, "c", 1, g={"S": "x"})
    await put(db, "d", 1, h={"N": "1"})

    async def found(**more: Any) -> list[str]:
        items = await query(db, "by-g", "g = :g", {":g": {"S": "x"}}, **more)
        return [item["h"]["N"] for item in items]

    assert await found() == ["-3", "2", "10"]
    assert await found(ScanIndexForward=False) == ["10", "2", "-3"]
    key = {"p": {"S": "b"}, "s": {"N": "1"}}
    await db(
        "UpdateItem",
        TableName="things",
        Key=key,
        UpdateExpression="SET h = :h",
        ExpressionAttributeValues={":h": {"N": "99"}},
    )
    assert await found() == ["-3", "10", "99"]
    await db("UpdateItem", TableName="things", Key=key, UpdateExpression="REMOVE g")
    assert await found() == ["-3", "10"]
    await db("DeleteItem", TableName="things", Key={"p": {"S": "a"}, "s": {"N": "1"}})
    assert await found() == ["-3"]
    assert len((await db("Scan", TableName="things", IndexName="by-g"))["Items"]) == 1


async def test_projections_hold_what_they_say(db: Home) -> None:
    await indexed(
        db,
        index("keys", schema("g"), "KEYS_ONLY"),
        index("some", schema("g"), "INCLUDE", "x"),
        index("all", schema("g")),
    )
    await put(db, "a", 1, g={"S": "x"}, x={"S": "1"}, y={"S": "2"})
    values = {":g": {"S": "x"}}
    names = {name: sorted((await query(db, name, "g = :g", values))[0]) for name in ("keys", "some", "all")}
    assert names == {"keys": ["g", "p", "s"], "some": ["g", "p", "s", "x"], "all": ["g", "p", "s", "x", "y"]}
    fault = await db.refused(
        "Query",
        TableName="things",
        IndexName="some",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues=values,
        Select="ALL_ATTRIBUTES",
    )
    assert "Select type ALL_ATTRIBUTES is not supported for global secondary index some" in fault.message
    fault = await db.refused(
        "Query",
        TableName="things",
        IndexName="some",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues=values,
        ProjectionExpression="y",
    )
    assert "Global secondary index some does not project [y]" in fault.message


async def test_a_local_index_fetches_what_it_does_not_hold(db: Home) -> None:
    await indexed(db, local=[index("local", schema("p", ranges=("h",)), "KEYS_ONLY")])
    await put(db, "a", 1, h={"N": "2"}, x={"S": "1"})
    await put(db, "a", 2, h={"N": "1"}, x={"S": "2"})
    values = {":p": {"S": "a"}}
    found = await query(db, "local", "p = :p", values, Select="ALL_ATTRIBUTES", ConsistentRead=True)
    assert [item["x"]["S"] for item in found] == ["2", "1"]
    reply = await db(
        "Query",
        TableName="things",
        IndexName="local",
        KeyConditionExpression="p = :p AND h > :h",
        ExpressionAttributeValues={**values, ":h": {"N": "1"}},
        ProjectionExpression="x",
        ReturnConsumedCapacity="INDEXES",
    )
    assert reply["Items"] == [{"x": {"S": "1"}}]
    assert reply["ConsumedCapacity"] == {
        "TableName": "things",
        "CapacityUnits": 1.0,
        "Table": {"CapacityUnits": 0.5},
        "LocalSecondaryIndexes": {"local": {"CapacityUnits": 0.5}},
    }
    assert sorted((await query(db, "local", "p = :p", values))[0]) == ["h", "p", "s"]


async def test_a_global_index_gives_no_consistent_reads(db: Home) -> None:
    await indexed(db, index("by-g", schema("g")))
    for operation, more in (
        ("Scan", {}),
        ("Query", {"KeyConditionExpression": "g = :g", "ExpressionAttributeValues": {":g": {"S": "x"}}}),
    ):
        fault = await db.refused(operation, TableName="things", IndexName="by-g", ConsistentRead=True, **more)
        assert fault.message == "Consistent reads are not supported on global secondary indexes"
        fault = await db.refused(operation, TableName="things", IndexName="other", **more)
        assert fault.message == "The table does not have the specified index: other"


async def test_an_index_that_changes_costs_units(db: Home) -> None:
    await indexed(db, index("by-g", schema("g"), "INCLUDE", "x"))

    def units(reply: Any) -> tuple[float, float]:
        consumed = reply["ConsumedCapacity"]
        indexes = consumed.get("GlobalSecondaryIndexes", {})
        return consumed["Table"]["CapacityUnits"], indexes.get("by-g", {}).get("CapacityUnits", 0)

    assert units(await put(db, "a", 1)) == (1, 0)
    assert units(await put(db, "a", 1, g={"S": "x"})) == (1, 1)
    assert units(await put(db, "a", 1, g={"S": "x"}, y={"S": "not projected"})) == (1, 0)
    assert units(await put(db, "a", 1, g={"S": "x"}, x={"S": "projected"})) == (1, 1)
    assert units(await put(db, "a", 1, g={"S": "moved"}, x={"S": "projected"})) == (1, 2)
    assert units(await put(db, "a", 1, g={"S": "moved"}, x={"S": "x" * 2000})) == (2, 2)
    assert units(await put(db, "a", 1)) == (2, 2)


async def test_keys_of_an_index_have_their_type(db: Home) -> None:
    await indexed(db, index("by-g", schema("g", ranges=("h",))))
    fault = await db.refused("PutItem", TableName="things", Item={"p": {"S": "a"}, "s": {"N": "1"}, "g": {"N": "1"}})
    assert fault.message == (
        "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: by-g"
    )
    fault = await db.refused("PutItem", TableName="things", Item={"p": {"S": "a"}, "s": {"N": "1"}, "g": {"S": ""}})
    assert fault.message == (
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
        "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-g, IndexKey: g"
    )
    fault = await db.refused(
        "UpdateItem",
        TableName="things",
        Key={"p": {"S": "a"}, "s": {"N": "1"}},
        UpdateExpression="SET g = :g",
        ExpressionAttributeValues={":g": {"S": ""}},
    )
    assert "The update expression attempted to update a secondary index key to a value" in fault.message


async def test_keys_of_several_parts(db: Home) -> None:
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "a", "b", "c", "d")]
    definitions.append({"AttributeName": "s", "AttributeType": "N"})
    key = schema("a", "b", ranges=("c", "s", "d"))
    await indexed(db, index("wide", key), definitions=definitions)
    for number, (b, c, d) in enumerate([("1", "x", "m"), ("1", "x", "n"), ("1", "y", "m"), ("2", "x", "m")]):
        await put(db, "p", number, a={"S": "A"}, b={"S": b}, c={"S": c}, d={"S": d})
    await put(db, "p", 9, a={"S": "A"}, b={"S": "1"}, c={"S": "x"})

    async def found(condition: str, **values: Any) -> list[int]:
        bound = {f":{name}": {"N" if name == "s" else "S": value} for name, value in values.items()}
        return [int(item["s"]["N"]) for item in await query(db, "wide", condition, bound)]

    assert await found("a = :a AND b = :b", a="A", b="1") == [0, 1, 2]
    assert await found("a = :a AND b = :b AND c = :c", a="A", b="1", c="x") == [0, 1]
    assert await found("a = :a AND b = :b AND begins_with(c, :c)", a="A", b="1", c="y") == [2]
    assert await found("a = :a AND b = :b AND c = :c AND s > :s", a="A", b="1", c="x", s="0") == [1]
    for condition, values in (
        ("a = :a", {"a": "A"}),
        ("a = :a AND b = :b AND s = :s", {"a": "A", "b": "1", "s": "1"}),
        ("a = :a AND b = :b AND c > :c AND s = :s", {"a": "A", "b": "1", "c": "x", "s": "1"}),
        ("a = :a AND b > :b", {"a": "A", "b": "1"}),
        ("a = :a AND b = :b AND c = :c AND begins_with(s, :d)", {"a": "A", "b": "1", "c": "x", "d": "1"}),
    ):
        bound = {f":{name}": {"N" if name == "s" else "S": value} for name, value in values.items()}
        fault = await db.refused(
            "Query",
            TableName="things",
            IndexName="wide",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=bound,
        )
        assert fault.code == "ValidationException"
    legacy = {name: {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "A"}]} for name in "ab"}
    fault = await db.refused("Query", TableName="things", IndexName="wide", KeyConditions=legacy)
    assert fault.message.startswith("KeyConditions cannot be used with an index whose partition key has several")


async def test_older_key_conditions_on_several_sort_attributes(db: Home) -> None:
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g", "a", "b")]
    definitions.append({"AttributeName": "s", "AttributeType": "N"})
    await indexed(db, index("long", schema("g", ranges=("a", "b"))), definitions=definitions)
    for number, (a, b) in enumerate([("x", "1"), ("x", "2"), ("y", "1")]):
        await put(db, "p", number, g={"S": "G"}, a={"S": a}, b={"S": b})

    def asked(**tests: tuple[str, str]) -> dict[str, Any]:
        conditions = {
            name: {"ComparisonOperator": operator, "AttributeValueList": [{"S": value}]}
            for name, (operator, value) in tests.items()
        }
        return {"TableName": "things", "IndexName": "long", "KeyConditions": conditions}

    for tests, count in (
        ({"g": ("EQ", "G")}, 3),
        ({"g": ("EQ", "G"), "a": ("BEGINS_WITH", "x")}, 2),
        ({"g": ("EQ", "G"), "a": ("EQ", "x"), "b": ("GT", "1")}, 1),
    ):
        assert (await db("Query", **asked(**tests)))["Count"] == count
    fault = await db.refused("Query", **asked(g=("EQ", "G"), b=("GT", "1")))
    assert fault.message.startswith("RANGE key attributes a must have equality conditions specified in the query")


async def test_pages_of_an_index_go_on_where_they_ended(db: Home) -> None:
    await indexed(db, index("by-g", schema("g", ranges=("h",))))
    for number in range(7):
        await put(db, f"p{number}", number, g={"S": "x"}, h={"N": str(number // 3)})
    for forward in (True, False):
        found: list[str] = []
        start: dict[str, Any] = {}
        while True:
            reply = await db(
                "Query",
                TableName="things",
                IndexName="by-g",
                KeyConditionExpression="g = :g",
                ExpressionAttributeValues={":g": {"S": "x"}},
                Limit=2,
                ScanIndexForward=forward,
                **start,
            )
            found += [item["p"]["S"] for item in reply["Items"]]
            if "LastEvaluatedKey" not in reply:
                break
            assert set(reply["LastEvaluatedKey"]) == {"p", "s", "g", "h"}
            start = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}
        assert sorted(found) == [f"p{number}" for number in range(7)]
        groups = [int(name[1]) // 3 for name in found]
        assert groups == sorted(groups, reverse=not forward)
    fault = await db.refused(
        "Query",
        TableName="things",
        IndexName="by-g",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues={":g": {"S": "x"}},
        ExclusiveStartKey={"p": {"S": "p1"}, "s": {"N": "1"}},
    )
    assert fault.message == "The provided starting key is invalid"


async def test_an_index_is_filled_and_dropped_while_writes_go_on(cloud: Cloud) -> None:
    db = await cloud.start()
    await indexed(db)
    for number in range(600):
        await put(db, f"p{number % 7}", number, g={"S": "x" if number % 2 else "y"})
    await put(db, "odd", 1, g={"N": "5"})
    for number, misfit in enumerate(["", "x" * 2049, "\u00e9" * 1500, "x" * 70_000]):
        await put(db, "misfit", number, g={"S": misfit})
    await put(db, "longest", 1, g={"S": "x" * 2048})
    create = {"Create": index("late", schema("g"))}
    definitions = [each for each in DEFINITIONS if each["AttributeName"] == "g"]
    changed = await db(
        "UpdateTable", TableName="things", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[create]
    )
    shown = changed["TableDescription"]["GlobalSecondaryIndexes"][0]
    assert shown["IndexStatus"] == "CREATING"
    fault = await db.refused("Scan", TableName="things", IndexName="late")
    assert fault.message == "Cannot read from backfilling global secondary index: late"
    await put(db, "new", 1, g={"S": "x"})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "p1"}, "s": {"N": "1"}})
    await db.active("things")
    found = await query(db, "late", "g = :g", {":g": {"S": "x"}})
    assert len(found) == 300
    assert (await db("Scan", TableName="things", IndexName="late", Select="COUNT"))["Count"] == 601
    await db("DeleteItem", TableName="things", Key={"p": {"S": "misfit"}, "s": {"N": "3"}})
    fault = await db.refused("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[create])
    assert "Attempting to create an index which already exists" in fault.message
    await db("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "late"}}])
    await cloud.stop()
    db = await cloud.start()

    async def gone() -> bool:
        return "GlobalSecondaryIndexes" not in (await db("DescribeTable", TableName="things"))["Table"]

    await until(gone)
    table = await db.active("things")
    assert [each["AttributeName"] for each in table["AttributeDefinitions"]] == ["p", "s"]
    await db("UpdateTable", TableName="things", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=[create])
    await db.active("things")
    assert len(await query(db, "late", "g = :g", {":g": {"S": "x"}})) == 300


@pytest.mark.parametrize(
    ("updates", "code", "message"),
    [
        ([{}], "ValidationException", "must not be null"),
        ([{"Delete": {"IndexName": "nothing"}}], "ResourceNotFoundException", "Requested resource not found"),
        (
            [{"Delete": {"IndexName": "by-g"}}, {"Delete": {"IndexName": "by-g"}}],
            "ValidationException",
            "Only one global secondary index update per index is allowed simultaneously. Index: by-g",
        ),
        (
            [{"Create": index("one", schema("g"))}, {"Create": index("two", schema("g"))}],
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        ),
        ([{"Create": index("one", schema("zzz"))}], "ValidationException", "not defined in AttributeDefinitions"),
        (
            [
                {
                    "Update": {
                        "IndexName": "by-g",
                        "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                    }
                }
            ],
            "ValidationException",
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
    ],
)
async def test_index_updates_that_are_refused(db: Home, updates: Any, code: str, message: str) -> None:
    await indexed(db, index("by-g", schema("g")))
    fault = await db.refused("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=updates)
    assert fault.code == code
    assert message in fault.message


async def test_a_new_index_names_the_types_of_its_key_again_and_changes_none(db: Home) -> None:
    await indexed(db, index("by-g", schema("g")))
    create = [{"Create": index("again", schema("g"))}]
    fault = await db.refused("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=create)
    assert "Some index key attributes are not defined in AttributeDefinitions. Keys: [g]" in fault.message
    definitions = [{"AttributeName": "g", "AttributeType": "N"}]
    fault = await db.refused(
        "UpdateTable", TableName="things", AttributeDefinitions=definitions, GlobalSecondaryIndexUpdates=create
    )
    assert fault.message == (
        "One or more parameter values were invalid: Attributes cannot be redefined. Please check that your attribute "
        "has the same type as previously defined. Existing schema: Schema:[SchemaElement: key{g:S:HASH}] "
        "New schema: Schema:[SchemaElement: key{g:N:HASH}]"
    )


async def test_item_collections_are_told(db: Home) -> None:
    await indexed(db, local=[index("local", schema("p", ranges=("h",)))])
    reply = await db(
        "PutItem",
        TableName="things",
        Item={"p": {"S": "a"}, "s": {"N": "1"}},
        ReturnItemCollectionMetrics="SIZE",
    )
    metrics = reply["ItemCollectionMetrics"]
    assert metrics["ItemCollectionKey"] == {"p": {"S": "a"}}
    assert len(metrics["SizeEstimateRangeGB"]) == 2


async def test_an_index_tells_its_items_and_bytes(db: Home) -> None:
    part = [{"AttributeName": "g", "KeyType": "HASH"}]
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g")]
    first = {"IndexName": "first", "KeySchema": part, "Projection": {"ProjectionType": "KEYS_ONLY"}}
    later = {"IndexName": "later", "KeySchema": part, "Projection": {"ProjectionType": "ALL"}}
    await db.table(AttributeDefinitions=definitions, GlobalSecondaryIndexes=[first])

    async def counted() -> dict[str, tuple[int, int]]:
        table = (await db("DescribeTable", TableName="things"))["Table"]
        return {
            each["IndexName"]: (each["ItemCount"], each["IndexSizeBytes"]) for each in table["GlobalSecondaryIndexes"]
        }

    for name in "abc":
        item = {"p": {"S": name}, "g": {"S": "one"}, "x": {"S": "12345"}}
        await db("PutItem", TableName="things", Item=item)
    assert await counted() == {"first": (3, 18)}
    await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "g": {"S": "longer"}})
    await db("PutItem", TableName="things", Item={"p": {"S": "b"}})
    assert await counted() == {"first": (2, 15)}
    await db(
        "UpdateTable",
        TableName="things",
        AttributeDefinitions=definitions,
        GlobalSecondaryIndexUpdates=[{"Create": later}],
    )
    await db("PutItem", TableName="things", Item={"p": {"S": "d"}, "g": {"S": "two"}})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "a"}})
    await db.active("things")
    assert await counted() == {"first": (2, 12), "later": (2, 18)}
    await db("DeleteItem", TableName="things", Key={"p": {"S": "c"}})
    await db("DeleteItem", TableName="things", Key={"p": {"S": "d"}})
    assert await counted() == {"first": (0, 0), "later": (0, 0)}


async def test_sort_keys_of_an_index_are_bounded_together(db: Home) -> None:
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "g", "a", "b")]
    definitions.append({"AttributeName": "s", "AttributeType": "N"})
    turned = index("turned", schema("g", ranges=("p",)))
    await indexed(db, turned, index("long", schema("g", ranges=("a", "b"))), definitions=definitions)
    fits, over = "x" * 1024, "x" * 1025
    await put(db, fits, 1, g={"S": "G"})
    await put(db, over, 1)
    await put(db, "q", 1, g={"S": "G"}, a={"S": "x" * 512}, b={"S": "x" * 512})
    too_long = (
        "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of "
        "1024 bytes"
    )
    key = {"p": {"S": over}, "s": {"N": "1"}}
    joined = {"p": {"S": "q"}, "s": {"N": "2"}, "g": {"S": "G"}, "a": {"S": "x" * 512}, "b": {"S": "x" * 513}}
    set_g = {"UpdateExpression": "SET g = :g", "ExpressionAttributeValues": {":g": {"S": "G"}}}
    for operation, given in (
        ("PutItem", {"Item": {**key, "g": {"S": "G"}}}),
        ("UpdateItem", {"Key": key, **set_g}),
        ("PutItem", {"Item": joined}),
    ):
        fault = await db.refused(operation, TableName="things", **given)
        assert (fault.code, fault.message) == ("ValidationException", too_long)
    fault = await db.refused("BatchWriteItem", RequestItems={"things": [{"PutRequest": {"Item": joined}}]})
    assert fault.message == too_long

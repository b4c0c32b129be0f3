"""PartiQL: one statement, batches and transactions of statements."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

MALFORMED = "Statement wasn't well formed, can't be processed: "
NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"


@pytest.fixture
async def songs(db: Home) -> Home:
    """A table with sort key and index, and six items."""
    await db.table(
        AttributeDefinitions=[
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    for number in range(6):
        await run(
            db,
            "INSERT INTO things VALUE {'p': ?, 's': ?, 'g': 'even', 'n': {'in': [1, 'two']}}",
            {"S": "ab"[number % 2]},
            {"N": str(number)},
        )
    return db


async def run(db: Home, statement: str, *parameters: Any, **more: Any) -> list[dict[str, Any]]:
    """The items of a statement."""
    given = {"Parameters": list(parameters)} if parameters else {}
    found: list[dict[str, Any]] = (await db("ExecuteStatement", Statement=statement, **given, **more))["Items"]
    return found


async def refusal(db: Home, statement: str, *parameters: Any) -> str:
    given = {"Parameters": list(parameters)} if parameters else {}
    fault = await db.refused("ExecuteStatement", Statement=statement, **given)
    return f"{fault.code}: {fault.message}"


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [int(item["s"]["N"]) for item in found]


async def test_values_of_every_type_are_written_and_read(db: Home) -> None:
    await db.table()
    await run(
        db,
        """INSERT INTO "things" VALUE {'p': 'it''s', 'n': -1.50, 'e': 1e3, 't': true, 'z': null,
        'l': [1, [], {}], 'm': {'a b': {'c': 'd'}}, 's': <<'x','y'>>, 'ns': <<1, 2.0>>, 'b': ?} -- done""",
        {"B": "AAE="},
    )
    item = (await db("GetItem", TableName="things", Key={"p": {"S": "it's"}}))["Item"]
    assert item == {
        "p": {"S": "it's"},
        "n": {"N": "-1.5"},
        "e": {"N": "1000"},
        "t": {"BOOL": True},
        "z": {"NULL": True},
        "l": {"L": [{"N": "1"}, {"L": []}, {"M": {}}]},
        "m": {"M": {"a b": {"M": {"c": {"S": "d"}}}}},
        "s": {"SS": ["x", "y"]},
        "ns": {"NS": ["1", "2"]},
        "b": {"B": "AAE="},
    }
    assert await run(db, "SELECT * FROM things WHERE p = 'it''s'") == [item]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("p = 'a'", [0, 2, 4]),
        ("p = 'a' ORDER BY s DESC", [4, 2, 0]),
        ("'a' = p AND s > 0", [2, 4]),
        ("p = 'a' AND 2 >= s", [0, 2]),
        ("p = 'a' AND s BETWEEN 1 AND 3", [2]),
        ("p = 'a' AND s IN [0, 4]", [0, 4]),
        ("p IN ['a', 'b'] AND s >= 3", [4, 3, 5]),
        ("p = 'a' AND NOT s = 2", [0, 4]),
        ("p = 'a' AND (s = 0 OR s = 4)", [0, 4]),
        ("p = 'a' AND s <> 2", [0, 4]),
        ("p = 'a' AND n.\"in\"[0] = 1 AND s < 3", [0, 2]),
        ("p = 'a' AND z IS MISSING AND s = 2", [2]),
        ("p = 'a' AND n IS NOT MISSING AND s = 2", [2]),
        ("p = 'a' AND n IS NULL", []),
        ("p = 'a' AND begins_with(g, 'ev') AND s = 4", [4]),
        ("p = 'a' AND contains(g, 'xx')", []),
        ("p = 'a' AND size(g) = 4 AND s = 0", [0]),
        ("p = 'nobody'", []),
    ],
)
async def test_where_and_order(songs: Home, where: str, expected: list[int]) -> None:
    assert numbers(await run(songs, f"SELECT * FROM things WHERE {where}")) == expected


async def test_a_scan_finds_all_and_pages_go_on(songs: Home) -> None:
    assert sorted(numbers(await run(songs, "SELECT * FROM things"))) == [0, 1, 2, 3, 4, 5]
    assert sorted(numbers(await run(songs, "SELECT s FROM things WHERE s > 2"))) == [3, 4, 5]
    for statement in ("SELECT * FROM things", "SELECT * FROM things WHERE p IN ['a','b'] AND s > 0 ORDER BY s DESC"):
        found: list[int] = []
        token: dict[str, str] = {}
        pages = 0
        while True:
            reply = await songs("ExecuteStatement", Statement=statement, Limit=2, **token)
            found += numbers(reply["Items"])
            pages += 1
            if "NextToken" not in reply:
                break
            token = {"NextToken": reply["NextToken"]}
        assert sorted(found) == numbers(sorted(await run(songs, statement), key=lambda item: int(item["s"]["N"])))
        assert pages > 2
    fault = await songs.refused("ExecuteStatement", Statement="SELECT * FROM things", NextToken="x")
    assert fault.message == "Invalid NextToken"


async def test_projections_are_named_by_their_leaf(songs: Home) -> None:
    found = await run(songs, "SELECT p, n.\"in\"[1], n FROM things WHERE p = 'a' AND s = 0")
    nested = {"M": {"in": {"L": [{"N": "1"}, {"S": "two"}]}}}
    assert found == [{"p": {"S": "a"}, "in[1]": {"S": "two"}, "n": nested}]


async def test_indexes_are_read_by_name(songs: Home) -> None:
    found = await run(songs, """SELECT * FROM "things"."by-g" WHERE g = 'even' AND s > 3""")
    assert sorted(numbers(found)) == [4, 5]
    assert set(found[0]) == {"p", "s", "g"}
    assert "does not have the specified index" in await refusal(songs, "SELECT * FROM things.other")
    fault = await songs.refused("ExecuteStatement", Statement='SELECT * FROM things."by-g"', ConsistentRead=True)
    assert "Strongly consistent" in fault.message


async def test_update_and_delete_with_returned_values(songs: Home) -> None:
    where = "WHERE p = 'a' AND s = 0"
    assert await run(songs, f'UPDATE things SET x = 1 SET n."in"[0] = 5 REMOVE g {where}') == []
    assert await run(songs, f"UPDATE things SET x = x + 1 {where} RETURNING MODIFIED NEW *") == [{"x": {"N": "2"}}]
    assert await run(songs, f"UPDATE things SET x = x - 5 {where} RETURNING MODIFIED OLD *") == [{"x": {"N": "2"}}]
    (found,) = await run(songs, f"UPDATE things SET l = list_append([1], [2]) {where} RETURNING ALL NEW *")
    assert found["x"] == {"N": "-3"}
    assert found["l"] == {"L": [{"N": "1"}, {"N": "2"}]}
    assert "g" not in found
    await run(songs, f"UPDATE things SET t = <<'a'>> {where}")
    await run(songs, f"UPDATE things SET t = set_add(t, <<'b','c'>>) {where}")
    (found,) = await run(songs, f"UPDATE things SET t = set_delete(t, <<'a'>>) {where} RETURNING ALL NEW *")
    assert found["t"] == {"SS": ["b", "c"]}
    (found,) = await run(songs, f"UPDATE things SET t = set_delete(t, <<'b','c'>>) {where} RETURNING ALL NEW *")
    assert "t" not in found
    assert await run(songs, f"DELETE FROM things {where} RETURNING ALL OLD *") == [found]
    assert await run(songs, f"DELETE FROM things {where} RETURNING ALL OLD *") == []


async def test_writes_are_refused_as_they_must(songs: Home) -> None:
    duplicate = await refusal(songs, "INSERT INTO things VALUE {'p': 'a', 's': 0}")
    assert duplicate == "DuplicateItemException: Duplicate primary key exists in table"
    failed = "ConditionalCheckFailedException: The conditional request failed"
    assert await refusal(songs, "UPDATE things SET x = 1 WHERE p = 'a' AND s = 9") == failed
    assert await refusal(songs, "UPDATE things SET x = 1 WHERE p = 'a' AND s = 0 AND g = 'odd'") == failed
    assert await refusal(songs, "DELETE FROM things WHERE p = 'a' AND s = 0 AND g = 'odd'") == failed
    fault = await songs.refused(
        "ExecuteStatement",
        Statement="DELETE FROM things WHERE p = 'a' AND s = 0 AND g = 'odd'",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert fault.fields["Item"]["s"] == {"N": "0"}
    assert NO_KEY in await refusal(songs, "UPDATE things SET x = 1 WHERE p = 'a'")
    assert NO_KEY in await refusal(songs, "DELETE FROM things WHERE p = 'a' AND s > 0")
    assert "ResourceNotFoundException" in await refusal(songs, "SELECT * FROM nothing")
    assert (await refusal(songs, "INSERT INTO things VALUE {'p': 'a'}")).startswith("ValidationException")
    assert (await refusal(songs, "EXISTS(SELECT * FROM things WHERE p = 'a' AND s = 0)")).startswith("Validation")


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("HELLO", []),
        ("", []),
        ("SELECT", []),
        ("SELECT * FROM", []),
        ("SELECT * FROM things WHERE", []),
        ("SELECT * FROM things WHERE p = 'a' nonsense", []),
        ("SELECT * FROM things WHERE p = 'a", []),
        ("SELECT * FROM things WHERE p", []),
        ("SELECT * FROM things WHERE p = ?", []),
        ("SELECT * FROM things WHERE p = ?", [{"S": "a"}, {"S": "b"}]),
        ("SELECT * FROM a.b.c", []),
        ("SELECT * FROM things ORDER BY s", []),
        ("SELECT * FROM things WHERE p = 'a' ORDER BY g", []),
        ("SELECT * FROM things WHERE p = 'a' AND size(g, g) = 1", []),
        ("SELECT * FROM things WHERE p = 'a' AND s IN 5", []),
        ("INSERT INTO things VALUE 'x'", []),
        ("INSERT INTO things VALUE {'p': 'a', 's': 1e999}", []),
        ("INSERT INTO things VALUE {'p': 'a', 's': 9, 'x': <<1, 'a'>>}", []),
        ("INSERT INTO things VALUE {'p': 'a', 's': 9, 'x': " + "[" * 300 + "]" * 300 + "}", []),
        ("UPDATE things SET x = 1", []),
        ("UPDATE things WHERE p = 'a' AND s = 0", []),
        ("UPDATE things SET s = 1 WHERE p = 'a' AND s = 0", []),
        ("UPDATE things SET x = 1 SET x.y = 2 WHERE p = 'a' AND s = 0", []),
        ("UPDATE things SET x = 1 WHERE p = 'a' AND s = 0 RETURNING SOME *", []),
        ("DELETE FROM things WHERE p = 'a' AND s = 0 RETURNING MODIFIED NEW *", []),
        ("SELECT * FROM things WHERE p = 'a' AND " + "(" * 3000 + "s = 1" + ")" * 3000, []),
    ],
)
async def test_what_cannot_be_read_is_a_validation_exception(
    songs: Home, statement: str, parameters: list[Any]
) -> None:
    if not statement:
        assert (await songs.refused("ExecuteStatement", Statement="")).code == "ValidationException"
    elif statement.count("(") > 1000:
        assert numbers(await run(songs, statement)) == []
    else:
        assert (await refusal(songs, statement, *parameters)).startswith("ValidationException: ")


async def test_malformed_statements_say_so(db: Home) -> None:
    expected = f"ValidationException: {MALFORMED}Expected data manipulation"
    assert await refusal(db, "GIVE ME ALL") == expected


async def test_capacity_is_told(songs: Home) -> None:
    reply = await songs(
        "ExecuteStatement",
        Statement="SELECT * FROM things WHERE p = 'a'",
        ConsistentRead=True,
        ReturnConsumedCapacity="TOTAL",
    )
    assert reply["ConsumedCapacity"] == {"TableName": "things", "CapacityUnits": 1.0}
    reply = await songs(
        "ExecuteStatement",
        Statement="UPDATE things SET g = 'odd' WHERE p = 'a' AND s = 0",
        ReturnConsumedCapacity="INDEXES",
    )
    assert reply["ConsumedCapacity"]["CapacityUnits"] == 3.0
    assert reply["ConsumedCapacity"]["GlobalSecondaryIndexes"]["by-g"]["CapacityUnits"] == 2.0


async def test_members_of_a_batch_stand_alone(songs: Home) -> None:
    statements = [
        {"Statement": "INSERT INTO things VALUE {'p': 'c', 's': 1}"},
        {"Statement": "INSERT INTO things VALUE {'p': 'a', 's': 0}"},
        {"Statement": "UPDATE things SET x = 1 WHERE p = 'a' AND s = 0 RETURNING ALL NEW *"},
        {"Statement": "DELETE FROM nothing WHERE p = 'a'"},
        {"Statement": "DELETE FROM things WHERE p = ?", "Parameters": [{"S": "a"}]},
    ]
    responses = (await songs("BatchExecuteStatement", Statements=statements))["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "DuplicateItem", None, "ResourceNotFound", "ValidationError"]
    assert responses[2]["Item"]["x"] == {"N": "1"}
    reads = [
        {"Statement": "SELECT * FROM things WHERE p = 'c' AND s = 1"},
        {"Statement": "SELECT * FROM things WHERE p = 'c'"},
        {"Statement": "SELECT * FROM things WHERE p = 'c' AND s = 7"},
        {"Statement": "SELECT s FROM things WHERE p = 'a' AND s IN [2]"},
    ]
    reply = await songs("BatchExecuteStatement", Statements=reads, ReturnConsumedCapacity="TOTAL")
    responses = reply["Responses"]
    assert responses[0] == {"TableName": "things", "Item": {"p": {"S": "c"}, "s": {"N": "1"}}}
    assert "must specify the primary key" in responses[1]["Error"]["Message"]
    assert responses[2] == {"TableName": "things"}
    assert responses[3]["Item"] == {"s": {"N": "2"}}
    assert reply["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 1.5}]
    fault = await songs.refused("BatchExecuteStatement", Statements=[statements[0], reads[0]])
    assert fault.code == "ValidationException"


async def test_transactions_of_statements_are_whole_or_nothing(songs: Home) -> None:
    insert = {"Statement": "INSERT INTO things VALUE {'p': 'c', 's': 1}"}
    exists = {"Statement": "EXISTS(SELECT * FROM things WHERE p = 'a' AND s = 0 AND g = 'even')"}
    update = {"Statement": "UPDATE things SET x = ? WHERE p = 'a' AND s = 2", "Parameters": [{"N": "7"}]}
    delete = {"Statement": "DELETE FROM things WHERE p = 'b' AND s = 1"}
    duplicate = {"Statement": "INSERT INTO things VALUE {'p': 'a', 's': 4}"}
    fault = await songs.refused("ExecuteTransaction", TransactStatements=[insert, update, duplicate])
    assert fault.code == "TransactionCanceledException"
    assert [reason["Code"] for reason in fault.fields["CancellationReasons"]] == ["None", "None", "DuplicateItem"]
    assert await run(songs, "SELECT * FROM things WHERE p = 'c'") == []
    statements = [insert, exists, update, delete]
    token = {"ClientRequestToken": "once"}
    assert (await songs("ExecuteTransaction", TransactStatements=statements, **token))["Responses"] == []
    assert (await songs("ExecuteTransaction", TransactStatements=statements, **token))["Responses"] == []
    fault = await songs.refused("ExecuteTransaction", TransactStatements=[insert], **token)
    assert fault.code == "IdempotentParameterMismatchException"
    reads = [
        {"Statement": "SELECT x FROM things WHERE p = 'a' AND s = 2"},
        {"Statement": "SELECT * FROM things WHERE p = 'b' AND s = 1"},
    ]
    reply = await songs("ExecuteTransaction", TransactStatements=reads, ReturnConsumedCapacity="TOTAL")
    assert reply["Responses"] == [{"Item": {"x": {"N": "7"}}}, {}]
    assert reply["ConsumedCapacity"][0]["CapacityUnits"] == 4.0


@pytest.mark.parametrize(
    "statements",
    [
        ["SELECT * FROM things WHERE p = 'a' AND s = 0", "DELETE FROM things WHERE p = 'a' AND s = 0"],
        ["SELECT * FROM things WHERE p = 'a'"],
        ["""SELECT * FROM things."by-g" WHERE g = 'even'"""],
        ["DELETE FROM things WHERE p = 'a' AND s = 0 RETURNING ALL OLD *"],
        ["DELETE FROM things WHERE p = 'a' AND s = 0", "UPDATE things SET x = 1 WHERE p = 'a' AND s = 0"],
        ["DELETE FROM things WHERE p = 'a' AND s = 0", "nonsense"],
    ],
)
async def test_transactions_that_are_refused(songs: Home, statements: list[str]) -> None:
    given = [{"Statement": statement} for statement in statements]
    fault = await songs.refused("ExecuteTransaction", TransactStatements=given)
    assert fault.code == "ValidationException"


async def test_a_condition_of_a_transaction_cancels_it(songs: Home) -> None:
    given = [
        {"Statement": "EXISTS(SELECT * FROM things WHERE p = 'a' AND s = 0 AND g = 'odd')"},
        {
            "Statement": "DELETE FROM things WHERE p = 'a' AND s = 2 AND g = 'odd'",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ]
    fault = await songs.refused("ExecuteTransaction", TransactStatements=given)
    reasons = fault.fields["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed"] * 2
    assert "Item" not in reasons[0]
    assert reasons[1]["Item"]["s"] == {"N": "2"}

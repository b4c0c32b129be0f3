"""PartiQL's own words: where a function stands, which literals cannot be read, what an index or an alias forbids."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

MALFORMED = "Statement wasn't well formed, can't be processed: "
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
PATH_WANTED = "Operator or function requires a document path; operator or function: attribute_exists"
SEVERAL = (
    "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
)


@pytest.fixture
async def things(db: Home) -> Home:
    """A table with one item that has a set, a string and a flag."""
    await db.table()
    await db(
        "PutItem",
        TableName="things",
        Item={"p": {"S": "a"}, "ss": {"SS": ["a", "b"]}, "s": {"S": "str"}, "f": {"BOOL": True}, "z": {"NULL": True}},
    )
    return db


async def run(db: Home, statement: str, *parameters: Any) -> list[dict[str, Any]]:
    given = {"Parameters": list(parameters)} if parameters else {}
    found: list[dict[str, Any]] = (await db("ExecuteStatement", Statement=statement, **given))["Items"]
    return found


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM things WHERE p = 1 foo", f"{MALFORMED}Unexpected token after expression"),
        ("INSERT INTO things t VALUE {'p': 'x'}", f"{MALFORMED}Unexpected token after expression"),
        ("SELECT * FROM things WHERE p = 1e2147483648", MALFORMED),
        ("SELECT * FROM things WHERE p = 1.5e-2147483647", MALFORMED),
        ("SELECT * FROM things WHERE p = 1 # note", MALFORMED),
        ("SELECT * FROM things WHERE p = 1 /* note", MALFORMED),
        ("SELECT * FROM things WHERE", f"{MALFORMED}Unexpected term"),
        ("SELECT * FROM things t WHERE p = 'x'", "Aliasing is not supported"),
        ("UPDATE things AS t SET a = 3 WHERE p = 'x'", "Aliasing is not supported"),
        ("SELECT * FROM things WHERE p = 1e126", f"{OVERFLOW} under root"),
        ("INSERT INTO things VALUE {'p': 'x', 'm': {'x': 1e126}}", f"{OVERFLOW} under root.x"),
        ("INSERT INTO things VALUE {'p': 'x', 'l': [1, 1e126]}", f"{OVERFLOW} under root[1]"),
        ("SELECT * FROM things WHERE p = 'a' AND attribute_exists('ss')", PATH_WANTED),
        (
            "SELECT * FROM things WHERE p = 'a' AND attribute_exists()",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, "
            "number of operands: 0",
        ),
        ("SELECT size(ss) FROM things WHERE p = 'a'", "Unexpected path component at 1:8:4"),
        ("SELECT * FROM things\nWHERE EXISTS(ss)", "Unrecognized function: exists at 2:7:6"),
        ("SELECT * FROM things WHERE attribute_exists(m.inner)", f"{MALFORMED}Invalid path dot component"),
        (
            "UPDATE things SET t = set_add(ss, <<'x'>>) WHERE p = 'a'",
            "The first argument to SET_ADD must equal the assignment value at 1:23:7",
        ),
        (
            "UPDATE things SET ss = set_delete(ss, 'x') WHERE p = 'a'",
            "The second argument to SET_DELETE must be a value with type SET at 1:35:2",
        ),
        ("UPDATE things SET ss = set_add(ss) WHERE p = 'a'", "SET_ADD must have exactly two arguments at 1:24:7"),
        ("UPDATE things SET ss = set_add(ss, <<>>) WHERE p = 'a'", "Empty bags are not supported"),
        (
            "UPDATE things SET ss = set_add(ss, <<1>>) WHERE p = 'a'",
            "An operand in the update expression has an incorrect data type",
        ),
        (
            "INSERT INTO things VALUE {'p': 'x', 's': set_add(<<'a'>>, <<'b'>>)}",
            "Unsupported data type: set_add under key root at 1:42:7",
        ),
    ],
)  # fmt: skip
async def test_statements_that_are_refused_in_words_of_their_own(things: Home, statement: str, message: str) -> None:
    fault = await things.refused("ExecuteStatement", Statement=statement)
    assert (fault.code, fault.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("attribute_exists(ss) = true", True),
        ("attribute_exists(ss) = false", False),
        ("f IS BOOL", True),
        ("s IS STRING", True),
        ("s IS NOT BOOL", True),
        ("z IS NULL", True),
        ("ATTRIBUTE_NOT_EXISTS(ss)", False),
    ],
)
async def test_conditions_by_function_and_type(things: Home, condition: str, holds: bool) -> None:
    assert bool(await run(things, f"SELECT * FROM things WHERE p = 'a' AND {condition}")) is holds


async def test_an_update_may_name_its_item_first(things: Home) -> None:
    found = await run(things, "FROM things WHERE p = ? SET n = 1 REMOVE s, f, z, ss RETURNING ALL NEW *", {"S": "a"})
    assert found == [{"p": {"S": "a"}, "n": {"N": "1"}}]
    for statement in ("FROM things WHERE p = 'a' AND n = 2 SET n = 3", "FROM things WHERE p = 'b' SET n = 3"):
        fault = await things.refused("ExecuteStatement", Statement=statement)
        assert fault.code == "ConditionalCheckFailedException"
    batch = [{"Statement": "FROM things WHERE p = 'a' SET n = 5"}, {"Statement": "DELETE FROM things WHERE p = 'c'"}]
    reply = await things("BatchExecuteStatement", Statements=batch)
    assert not any("Error" in each for each in reply["Responses"])


async def test_what_transactions_and_batches_refuse(things: Home) -> None:
    read = "SELECT * FROM things WHERE p = 'a' AND attribute_exists(ss)"
    wanted = "Select statements within {} must specify the primary key in the where clause."
    fault = await things.refused("ExecuteTransaction", TransactStatements=[{"Statement": read}])
    told = "Validation failed in TransactStatements[0]: "
    assert fault.message == told + wanted.format("ExecuteTransaction")
    reply = await things("BatchExecuteStatement", Statements=[{"Statement": read}])
    assert reply["Responses"][0]["Error"]["Message"] == wanted.format("BatchExecuteStatement")
    exists = {"Statement": "EXISTS(SELECT * FROM things WHERE p = 'a')"}
    fault = await things.refused("ExecuteTransaction", TransactStatements=[exists])
    assert fault.message == f"{told}EXISTS() must contain a single item read with additional condition"
    bad = {"Statement": "UPDATE things SET n = ? WHERE p = 'a'", "Parameters": [{"N": "1e99999999999"}]}
    fault = await things.refused("ExecuteTransaction", TransactStatements=[bad])
    assert fault.message == "The parameter cannot be converted to a numeric value: 1e99999999999"


async def test_an_index_of_several_attributes_is_not_for_partiql(db: Home) -> None:
    parts = [{"AttributeName": name, "KeyType": kind} for name, kind in (("g", "HASH"), ("h", "HASH"), ("r", "RANGE"))]
    await db.table(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pghr"],
        GlobalSecondaryIndexes=[{"IndexName": "all", "KeySchema": parts, "Projection": {"ProjectionType": "ALL"}}],
    )
    for statement in ('SELECT * FROM things."all" WHERE g = 5', 'SELECT COUNT(*) FROM things."all"'):
        assert (await db.refused("ExecuteStatement", Statement=statement)).message == SEVERAL
    assert await run(db, "SELECT * FROM things WHERE p = 'x'") == []


async def test_exists_is_for_transactions_alone(db: Home) -> None:
    await db.table()
    statement = "EXISTS(SELECT * FROM things WHERE p = 'a' AND g = 1)"
    fault = await db.refused("ExecuteStatement", Statement=statement)
    assert (fault.code, fault.message) == ("ValidationException", "EXISTS is supported in ExecuteTransaction only")
    answered = await db("BatchExecuteStatement", Statements=[{"Statement": statement}])
    assert answered["Responses"][0]["Error"] == {
        "Code": "ValidationError",
        "Message": "EXISTS is supported in ExecuteTransaction only",
    }

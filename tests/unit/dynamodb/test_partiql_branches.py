"""PartiQL's alternatives, keys and grammar: which statements AWS refuses, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.dynamodb.harness import Home

MALFORMED = "Statement wasn't well formed, can't be processed: "
OVERLAP = "Overlapping conditions with range keys are not supported in where clause"
TOO_MANY = "Too many decomposed read operations for a given query."
MANDATORY = "Where clause does not contain a mandatory equality on all key attributes"
TYPES = "Key attribute's data type should match its data type in table's schema: Key "
MISFIT = "The provided key element does not match the schema"
OPERAND = "Incorrect operand type for operator or function; operator or function: {}, operand type: {}"
DEEP = "Nesting Levels have exceeded supported limits under root"


@pytest.fixture
async def pairs(db: Home) -> Home:
    """A table with a sort key and three items of one partition."""
    await db.table(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "psg"],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "few",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["held"]},
            }
        ],
    )
    for sort in "123":
        await db("PutItem", TableName="things", Item={"p": {"S": "a"}, "s": {"S": sort}})
    return db


def listed(count: int) -> str:
    return "[" + ",".join(f"'v{number}'" for number in range(count)) + "]"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("p = 'a' AND NOT s = '1' OR p = 'a' AND s = '2'", "23"),
        ("p = 'a' AND s <> '1' OR p = 'a' AND s = '2'", "23"),
        ("p = 'a' AND NOT s IN ['1', '3'] OR p = 'a' AND s = '2'", "2"),
        ("p = 'a' OR p = 'a' AND NOT s = '1'", "123"),
        ("p = 'a' AND (s < '2' OR s > '2' OR s = '2')", "123"),
        ("p = 'a' AND (s = '1' OR s BETWEEN '3' AND '2')", "1"),
        ("p = 'a' AND s = '1' AND s > '0'", "1"),
        ("p = 'a' OR s = '1'", "123"),
        ("p = 'a' AND (p = 'b' OR x = '1')", ""),
        (f"p IN {listed(50)} AND x IN {listed(100)}", ""),
        (f"p IN {listed(51)} OR x = 'one'", ""),
        ("p > 1", ""),
        ("p = 'a' AND s = '1';", "1"),
        ("p = 'a' AND s = '1'; -- done", "1"),
        ("p = 'a' AND x = - - 1", ""),
    ],
)
async def test_alternatives_that_run(pairs: Home, where: str, expected: str) -> None:
    found = (await pairs("ExecuteStatement", Statement=f"SELECT s FROM things WHERE {where}"))["Items"]
    assert "".join(sorted(item["s"]["S"] for item in found)) == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("p = 'b' OR p = 'a'", "a1 a2 a3 b1"),
        ("p IN ['b', 'a'] ORDER BY p DESC", "b1 a3 a2 a1"),
        ("p = 'a' AND s = '1' OR p = 'b' ORDER BY s DESC", "a1 b1"),
        ("p = 'a' AND s IN ['3', '1'] ORDER BY s", "a1 a3"),
        ("p = 'a' AND (s = '1' OR s = '3') ORDER BY s DESC", "a3 a1"),
        ("p = 'a' AND NOT s = '1' OR p = 'a' AND s >= '3'", "a2 a3"),
        ("(p = 'a' OR p = 'b') AND s = '1'", "a1 b1"),
        ("p = 'a' AND s > '2' OR p = 'a' AND s < '2' OR p = 'nobody'", "a1 a3"),
    ],
)
async def test_alternatives_are_read_by_their_keys_in_the_order_of_partitions(
    pairs: Home, where: str, expected: str
) -> None:
    await pairs("PutItem", TableName="things", Item={"p": {"S": "b"}, "s": {"S": "1"}, "x": {"S": "x" * 5_000}})
    for number in range(9):
        item = {"p": {"S": f"c{number}"}, "s": {"S": "1"}, "x": {"S": "x" * 40_000}}
        await pairs("PutItem", TableName="things", Item=item)
    statement = f"SELECT p, s FROM things WHERE {where}"
    whole = await pairs("ExecuteStatement", Statement=statement, ReturnConsumedCapacity="TOTAL")
    found = [item["p"]["S"] + item["s"]["S"] for item in whole["Items"]]
    assert " ".join(found) == expected
    assert whole["ConsumedCapacity"]["CapacityUnits"] <= 1.0
    paged: list[Any] = []
    token: dict[str, str] = {}
    for _ in range(9):
        page = await pairs("ExecuteStatement", Statement=statement, Limit=1, **token)
        paged += page["Items"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert paged == whole["Items"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("p = 'a' AND x = '1' OR p = 'a' AND s = '2'", OVERLAP),
        ("p = 'a' AND (s > '0' OR s < '5')", OVERLAP),
        ("p IN ['a', 'a']", OVERLAP),
        ("(p = 'a' AND x = 1) OR (p = 'a' AND x = 2)", OVERLAP),
        (f"p IN {listed(51)}", TOO_MANY),
        (f"p IN {listed(26)} AND s IN ['1', '2']", TOO_MANY),
        (f"p IN {listed(100)} AND s IN {listed(100)} AND (s = '1' OR s = '2')", TOO_MANY),
        (
            f"p = 'a' AND x IN {listed(101)}",
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        ("p = 1 OR p = 'a'", f"{TYPES}p"),
        ("p = 'a' AND s IN ['1', 2]", f"{TYPES}s"),
        ("p = 'a' AND attribute_type(l, 1)", OPERAND.format("attribute_type", "N")),
        ("p = 'a' AND", f"{MALFORMED}Missing right-hand side expression of infix operator"),
        ("p =", f"{MALFORMED}Missing right-hand side expression of infix operator"),
        ("ORDER BY p", f"{MALFORMED}Unexpected keyword"),
        ("IS NULL", f"{MALFORMED}Unexpected operator"),
        ("p = LIKE", f"{MALFORMED}Unexpected operator"),
        ("p = 'a' AND x IS FOO", f"{MALFORMED}Expected type name"),
        ("p = 'a' AND x > - p", f"{MALFORMED}Unexpected token"),
        ("p = 'a';;", MALFORMED),
    ],
)
async def test_conditions_that_are_refused(pairs: Home, where: str, message: str) -> None:
    fault = await pairs.refused("ExecuteStatement", Statement=f"SELECT s FROM things WHERE {where}")
    assert (fault.code, fault.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("x IS DOUBLE PRECISION", "Unsupported operation: IsType"),
        ("x IS NOT INT4 y", f"{MALFORMED}Expected data manipulation"),
        ("DELETE FROM", f"{MALFORMED}Expected identifier for simple path"),
        ("SELECT * FROM", f"{MALFORMED}Unexpected term"),
        ("FROM things SET c = 1", MANDATORY),
        ("UPDATE things SET c = 1", MANDATORY),
        ("DELETE FROM things", MANDATORY),
        ("FROM things SET c = 1 WHERE p = 'a'", f"{MALFORMED}Unexpected token after expression"),
        ("SELECT l[-1] FROM things", "List index is not within the allowable range; index: [-1] at 1:11:1"),
        (
            "SELECT l[2147483648] FROM things",
            "List index is not within the allowable range; index: [2147483648] at 1:10:10",
        ),
        ("UPDATE things SET x = [?] WHERE p = 'a'", "Unsupported data type: Parameter under key root[0] at 1:24:1"),
        (f"UPDATE things SET x = {'[' * 32}1{']' * 32} WHERE p = 'a' AND s = '1'", DEEP + "[0]" * 32),
        ("UPDATE things SET x = 'a' + 1 WHERE p = 'a' AND s = '1'", OPERAND.format("+", "S")),
        (
            "UPDATE things SET x = <<2, 2.0>> WHERE p = 'a' AND s = '1'",
            "One or more parameter values were invalid: Input collection [2, 2.0] contains duplicates! under root",
        ),
        (
            "UPDATE things SET x = 1 WHERE p = 'a' AND s = '1' AND p = 'b'",
            "Multiple conditions on same key p. Only single item Update/Insert/Delete are supported",
        ),
        (
            "SELECT * FROM things WHERE p = 'a' AND x IS INT4",
            "Unsupported data type for IS operator: INT4. Supported data types are [MISSING, NULL, BOOLEAN, BLOB, "
            "STRING, NUMERIC, STRUCT, TUPLE, LIST]",
        ),
    ],
)  # fmt: skip
async def test_statements_that_are_refused(pairs: Home, statement: str, message: str) -> None:
    fault = await pairs.refused("ExecuteStatement", Statement=statement)
    assert (fault.code, fault.message) == ("ValidationException", message)


async def test_a_deep_literal_within_the_limit_is_stored_and_a_deeper_path_is_refused(pairs: Home) -> None:
    inside = "{'a':" * 31 + "1" + "}" * 31
    await pairs("ExecuteStatement", Statement=f"INSERT INTO things VALUE {{'p': 'd', 's': '1', 'd': {inside}}}")
    value: dict[str, Any] = {"S": "x"}
    for _ in range(31):
        value = {"M": {"a": value}}
    fault = await pairs.refused(
        "ExecuteStatement", Statement="UPDATE things SET d.b = ? WHERE p = 'd' AND s = '1'", Parameters=[value]
    )
    assert fault.message == "Nesting Levels have exceeded supported limits"
    update = {"Statement": "UPDATE things SET d.b = ? WHERE p = 'd' AND s = '1'", "Parameters": [value]}
    fault = await pairs.refused("ExecuteTransaction", TransactStatements=[update])
    reason = {"Code": "ValidationError", "Message": "Nesting Levels have exceeded supported limits"}
    assert fault.fields["CancellationReasons"] == [reason]


@pytest.mark.parametrize(
    ("where", "absent"),
    [
        ("g = 'y' AND b = '1' AND (a = '2' OR held = '3')", "a, b"),
        ("g = 'y' AND (zz = '1' OR aa = '2' OR mm = '3')", "zz, aa, mm"),
        ("(g = 'b' AND u1 = '1') OR (g = 'q' AND u2 = '1')", "u2"),
        ("(g = 'q' AND u1 = '1') OR (g = 'b' AND u2 = '1')", "u1"),
        ("g = 'y' AND (g = 'z' OR zz = '1')", None),
        ("(g = 'y' AND held = '1') OR (g = 'z' AND aa = '1')", None),
        ("g > 'a' AND zz = '1'", None),
    ],
)
async def test_an_index_answers_for_the_last_of_its_alternatives(pairs: Home, where: str, absent: str | None) -> None:
    statement = f'SELECT p FROM things."few" WHERE {where}'
    if absent is None:
        assert (await pairs("ExecuteStatement", Statement=statement))["Items"] == []
        return
    fault = await pairs.refused("ExecuteStatement", Statement=statement)
    assert fault.message.endswith(f"does not project one or more filter attributes: [{absent}]")


async def test_many_absent_attributes_are_told_in_the_order_of_aws_set_of_names(pairs: Home) -> None:
    names = [f"x{number}" for number in range(14)]
    where = " AND ".join(f"{name} = 1" for name in names)
    fault = await pairs.refused("ExecuteStatement", Statement=f"SELECT p FROM things.\"few\" WHERE g = 'y' AND {where}")
    told = fault.message.rpartition("[")[2].rstrip("]").split(", ")
    assert sorted(told) == sorted(names)


def _reasons(fault: Any) -> list[tuple[str, str | None]]:
    return [(reason["Code"], reason.get("Message")) for reason in fault.fields["CancellationReasons"]]


async def test_a_transaction_tells_of_each_statement_that_names_no_item(pairs: Home) -> None:
    def statements(*texts: str) -> list[dict[str, str]]:
        return [{"Statement": text} for text in texts]

    update = "UPDATE things SET x = 1 WHERE "
    missing = ("ResourceNotFound", "Requested resource not found")
    for given, told in (
        (
            (f"{update}p = 'k'", f"{update}p = 'k' AND s = 1", f"{update}p = 'k' AND s = '1'"),
            [("ValidationError", MISFIT), ("ValidationError", MISFIT), ("None", None)],
        ),
        (
            ("INSERT INTO things VALUE {'p': 'k'}",),
            [("ValidationError", "One or more parameter values were invalid: Missing the key s in the item")],
        ),
        (
            ("UPDATE gone SET x = 1 WHERE p = 'k' RETURNING ALL NEW *", "DELETE FROM gone WHERE p = 'k'"),
            [missing, missing],
        ),
        (
            ("SELECT * FROM things WHERE p = 'a' AND s = '1'", 'SELECT * FROM gone."i" WHERE p = 1'),
            [("None", None), missing],
        ),
        (("SELECT * FROM things WHERE p = 'a' AND s = 1",), [("ValidationError", MISFIT)]),
    ):
        fault = await pairs.refused("ExecuteTransaction", TransactStatements=statements(*given))
        assert _reasons(fault) == told
    wanted = "Select statements within ExecuteTransaction must specify the primary key in the where clause."
    for where, message in (
        ("p = 'a' AND s = '1' AND x = 1", wanted),
        ("p = 'a' AND s = '1' AND p = 'b'", wanted),
        ("p IN ['a', 'a'] AND s = '1'", OVERLAP),
    ):
        read = statements(f"SELECT * FROM things WHERE {where}")
        fault = await pairs.refused("ExecuteTransaction", TransactStatements=read)
        assert fault.message == f"Validation failed in TransactStatements[0]: {message}"
    reads = statements("SELECT s FROM things WHERE p IN ['a'] AND s IN ['2']")
    reply = await pairs("ExecuteTransaction", TransactStatements=reads)
    assert reply["Responses"] == [{"Item": {"s": {"S": "2"}}}]
    exists = statements("EXISTS(SELECT * FROM things WHERE p IN ['a'] AND s = '1' AND x = 1)")
    fault = await pairs.refused("ExecuteTransaction", TransactStatements=exists)
    assert fault.message.endswith("EXISTS() must contain a single item read with additional condition")

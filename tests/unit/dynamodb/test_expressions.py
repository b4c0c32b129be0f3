"""Expressions say what AWS says: meaning, and the text of every mistake."""

from __future__ import annotations

from typing import Any

import pytest

from outlast.cloud.contract.fault import Fault
from outlast.cloud.services.dynamodb.expressions import bind
from outlast.cloud.services.dynamodb.expressions.keyconditions import key_tests, match_schema
from outlast.cloud.services.dynamodb.schema import KeyAttribute, KeySchema

ITEM: dict[str, Any] = {
    "s": {"S": "hello"},
    "n": {"N": "5"},
    "l": {"L": [{"S": "x"}, {"N": "1"}]},
    "m": {"M": {"k": {"N": "7"}}},
    "ss": {"SS": ["a", "b"]},
    "b": {"B": "AAEC"},
}
VALUES: dict[str, Any] = {
    ":five": {"N": "5"},
    ":six": {"N": "6"},
    ":hello": {"S": "hello"},
    ":he": {"S": "he"},
    ":a": {"S": "a"},
    ":ba": {"SS": ["b", "a"]},
    ":type": {"S": "N"},
    ":one": {"N": "1"},
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("n = :five", True),
        ("n <> :five", False),
        ("absent <> :five", True),
        ("absent = :five", False),
        ("n < :hello", False),
        ("n between :one and :six", True),
        ("n in (:one, :five)", True),
        ("ss = :ba", True),
        ("contains(ss, :a) and contains(s, :he)", True),
        ("contains(l, :one)", True),
        ("begins_with(s, :he) and not begins_with(s, :a)", True),
        ("attribute_type(m.k, :type)", True),
        ("size(s) = :five and size(l) < :five", True),
        ("attribute_exists(l[1]) and attribute_not_exists(l[2])", True),
        ("(n = :six or n = :five) and s = :hello", True),
        ("not (n = :six) and (m.k) > :six", True),
        ("n = :one or n = :five and s = :he", False),
    ],
)
def test_conditions_judge_items(text: str, holds: bool) -> None:
    compiled = bind.condition(text, "ConditionExpression")
    compiled.check_values(VALUES)
    assert compiled.test(ITEM, VALUES) is holds


def _message(text: str, values: dict[str, Any] | None = None, names: dict[str, str] | None = None) -> str:
    with pytest.raises(Fault) as caught:
        bind.condition(text, "ConditionExpression", names or {}).check_values(values or {})
    return caught.value.message.removeprefix("Invalid ConditionExpression: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty;"),
        ("a", 'Syntax error; token: "<EOF>", near: "a"'),
        ("!!! NO", 'Syntax error; token: "!", near: "!!"'),
        ("a = :b &", 'Syntax error; token: "&", near: ":b &"'),
        ("_a = :b", 'Syntax error; token: "_", near: "_a"'),
        ("((a = b))", "The expression has redundant parentheses;"),
        ("f(a) = b", "Invalid function name; function: f"),
        ("if_not_exists(a, b) = c", "The function is not allowed in a condition expression; function: if_not_exists"),
        ("a = list_append(b, c)", "The function is not allowed in a condition expression; function: list_append"),
        ("size(a)", "The function is not allowed to be used this way in an expression; function: size"),
        (
            "a = attribute_exists(b)",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        ("Status = b", "Attribute name is a reserved keyword; reserved keyword: Status"),
        (
            "#x = b",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        ("a = :x", "An expression attribute value used in expression is not defined; attribute value: :x"),
        (
            "attribute_exists(a, b)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, "
            "number of operands: 2",
        ),
        (
            "contains(a, a)",
            "The first operand must be distinct from the remaining operands for this operator or function; "
            "operator: contains, first operand: [a]",
        ),
        ("a=b " + "or a=b " * 150, "The expression contains too many operators; operator count: 301"),
        ("a" * 4097, "Expression size has exceeded the maximum allowed size; expression size: 4097"),
    ],
)
def test_conditions_name_their_mistake(text: str, message: str) -> None:
    assert _message(text) == message


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        (
            "begins_with(a, :v)",
            {"N": "5"},
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "a < :v",
            {"BOOL": True},
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "attribute_type(a, :v)",
            {"S": "X"},
            "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "attribute_exists(:v)",
            {"S": "X"},
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "a between :v and :w",
            {"N": "2"},
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            "lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
        ),
    ],
)  # fmt: skip
def test_conditions_refuse_values_of_the_wrong_type(text: str, value: dict[str, Any], message: str) -> None:
    assert _message(text, {":v": value, ":w": {"N": "1"}}) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("SET a = ", 'Syntax error; token: "<EOF>", near: "="'),
        ("SET a = :v + :v + :v", 'Syntax error; token: "+", near: ":v + :v"'),
        ("SET a = :v SET b = :v", 'The "SET" section can only be used once in an update expression;'),
        ("SET a = f(b)", "Invalid function name; function: f"),
        ("SET a = size(b)", "The function is not allowed in an update expression; function: size"),
        ("SET a = contains(b, :s)", "The function is not allowed in an update expression; function: contains"),
        (
            "SET a.b = :v, a = :v",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            "path one: [a, b], path two: [a]",
        ),
        (
            "SET a[0] = :v REMOVE a.b",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; "
            "path one: [a, [0]], path two: [a, b]",
        ),
        (
            "ADD a :s",
            "Incorrect operand type for operator or function; operator: ADD, operand type: STRING, "
            "typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "DELETE a :v",
            "Incorrect operand type for operator or function; operator: DELETE, operand type: NUMBER, "
            "typeSet: ALLOWED_FOR_DELETE_OPERAND",
        ),
        (
            "SET a = list_append(b, :v)",
            "Incorrect operand type for operator or function; operator or function: list_append, operand type: N",
        ),
        (
            "SET a = list_append(list_append(b, c), d)",
            "The function is not allowed to be used this way in an expression; function: list_append",
        ),
        ("SET a = :none", "An expression attribute value used in expression is not defined; attribute value: :none"),
    ],
)
def test_updates_name_their_mistake(text: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        bind.update(text).check_values({":v": {"N": "1"}, ":s": {"S": "x"}})
    assert caught.value.message == f"Invalid UpdateExpression: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET a = absent", "The provided expression refers to an attribute that does not exist in the item"),
        ("SET a = s + :five", "An operand in the update expression has an incorrect data type"),
        ("SET absent.a = :five", "The document path provided in the update expression is invalid for update"),
        ("REMOVE absent.a", "The document path provided in the update expression is invalid for update"),
        ("SET l.x = :five", "The document path provided in the update expression is invalid for update"),
        ("ADD s :five", "An operand in the update expression has an incorrect data type"),
    ],
)
def test_updates_that_do_not_fit_the_item(text: str, message: str) -> None:
    with pytest.raises(Fault) as caught:
        bind.update(text).update.apply(ITEM, VALUES)
    assert caught.value.message == message


def test_an_update_reads_the_item_as_it_was() -> None:
    compiled = bind.update(
        "SET n = n + :one, before1 = n, l[5] = :a, l[3] = :he, m.j = if_not_exists(m.k, :one) REMOVE l[0]"
    )
    after = compiled.update.apply(ITEM, VALUES)
    assert after["n"] == {"N": "6"}
    assert after["before1"] == {"N": "5"}
    assert after["l"] == {"L": [{"N": "1"}, {"S": "he"}, {"S": "a"}]}
    assert after["m"] == {"M": {"k": {"N": "7"}, "j": {"N": "7"}}}
    assert compiled.update.touched.of(after) == {
        "n": {"N": "6"},
        "before1": {"N": "5"},
        "l": {"L": [{"N": "1"}]},
        "m": {"M": {"j": {"N": "7"}}},
    }


def test_unused_names_and_values_are_refused() -> None:
    compiled = bind.condition("#a = :v", "ConditionExpression", {"#a": "a", "#b": "b"})
    with pytest.raises(Fault, match=r"ExpressionAttributeNames unused in expressions: keys: {#b}"):
        bind.check_unused({"#a": "a", "#b": "b"}, {}, [compiled])
    with pytest.raises(Fault, match=r"ExpressionAttributeValues unused in expressions: keys: {:w}"):
        bind.check_unused({"#a": "a"}, {":v": {}, ":w": {}}, [compiled])


def test_a_projection_packs_list_elements_in_order() -> None:
    projection = bind.projection("l[1], l[0], m.k, m.nil, s").projection
    assert projection.of(ITEM) == {"l": ITEM["l"], "m": ITEM["m"], "s": ITEM["s"]}


SCHEMA = KeySchema((KeyAttribute("p", "S"),), (KeyAttribute("c", "N"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c = :n", "Query condition missed key schema element: p"),
        ("p = :s and x = :n", "Query condition missed key schema element: c"),
        ("p > :s", "Query key condition not supported"),
        ("p = :n", "One or more parameter values were invalid: Condition parameter type does not match schema type"),
        (
            "p = :s and p = :s",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        ("p = :s or c = :n", "Invalid operator used in KeyConditionExpression: OR"),
        ("p = :s and contains(c, :n)", "Invalid operator used in KeyConditionExpression: contains"),
        ("p = :s and c.x = :n", "KeyConditionExpressions cannot have conditions on nested attributes"),
        ("p = :s and size(c) = :n", "KeyConditionExpressions cannot contain nested operations"),
        ("p = c", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"),
        (":s = :s", "Invalid condition in KeyConditionExpression: No key attribute specified"),
    ],
)  # fmt: skip
def test_key_conditions_name_their_mistake(text: str, message: str) -> None:
    values = {":s": {"S": "x"}, ":n": {"N": "1"}}
    with pytest.raises(Fault) as caught:
        match_schema(key_tests(bind.condition(text, "KeyConditionExpression").condition, values), SCHEMA)
    assert caught.value.message == message


def test_key_conditions_may_be_turned_round_and_in_parentheses() -> None:
    compiled = bind.condition("((p = :s)) and (:n <= c)", "KeyConditionExpression")
    partition, sort = match_schema(key_tests(compiled.condition, {":s": {"S": "x"}, ":n": {"N": "1"}}), SCHEMA)
    assert partition == [{"S": "x"}]
    assert sort[0][1].operator == ">="

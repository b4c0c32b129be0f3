"""Expressions: any text gives a tree or a fault; updates agree with a slow reference."""

from __future__ import annotations

import contextlib
import copy
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlast.cloud.contract.fault import Fault
from outlast.cloud.services.dynamodb.expressions import bind, evaluate
from outlast.cloud.services.dynamodb.expressions.tree import Add, Assign, Discard, Literal, Remove
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.partiql.parser import parse
from tests.property.dynamodb.strategies import items, values

words = st.sampled_from(
    [
        "a",
        "b",
        "c[0]",
        "c[1].d",
        "#n",
        ":v",
        ":w",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "(",
        ")",
        ",",
        ".",
        "[",
        "]",
        "+",
        "-",
        "0",
        "12",
        "AND",
        "OR",
        "NOT",
        "BETWEEN",
        "IN",
        "size(",
        "begins_with(",
        "contains(",
        "attribute_exists(",
        "attribute_type(",
        "if_not_exists(",
        "list_append(",
        "SET",
        "REMOVE",
        "ADD",
        "DELETE",
        "status",
        "_",
        "!",
        "é",
        "\0",
    ]
)
texts = st.lists(words, max_size=14).map(" ".join) | st.text(max_size=30)
names = {"#n": "name"}
bindings = {":v": {"S": "x"}, ":w": {"N": "1"}}
item = {"a": {"S": "x"}, "b": {"N": "2"}, "c": {"L": [{"S": "e"}, {"M": {"d": {"SS": ["x"]}}}]}, "name": {"BOOL": True}}


@settings(max_examples=400)
@given(texts)
def test_any_text_is_a_condition_or_a_fault(text: str) -> None:
    for label in ("ConditionExpression", "FilterExpression", "KeyConditionExpression"):
        try:
            compiled = bind.condition(text, label, names)
            compiled.check_values(bindings)
        except Fault as fault:
            outcome: object = fault.message.startswith(f"Invalid {label}: ")
        else:
            outcome = compiled.test(item, bindings) in (True, False)
        assert outcome


@settings(max_examples=400)
@given(texts)
def test_any_text_is_an_update_or_a_fault(text: str) -> None:
    before = copy.deepcopy(item)
    try:
        compiled = bind.update(text, names)
        compiled.check_values(bindings)
        compiled.update.apply(item, bindings)
    except Fault as fault:
        worded = bool(fault.message)
    else:
        worded = True
    assert worded
    assert item == before


@given(texts)
def test_any_text_is_a_projection_or_a_fault(text: str) -> None:
    try:
        compiled = bind.projection(text, names)
    except Fault as fault:
        outcome = fault.message.startswith("Invalid ProjectionExpression: ")
    else:
        outcome = compiled.projection.of(item).keys() <= item.keys()
    assert outcome


@given(items)
@settings(max_examples=5)
def test_deep_parentheses_exhaust_nothing(found: dict[str, Any]) -> None:
    for text in (
        "(" * 4000,
        "(" * 2000 + "a<b" + ")" * 2000,
        "not " * 300 + "a=b",
        "a=" + "size(" * 600 + "b" + ")" * 600,
    ):
        with contextlib.suppress(Fault):
            bind.condition(text, "ConditionExpression").test(found, {})
    deep = "a=b " + "or (a=b and (a=b " * 70 + "))" * 70
    assert bind.condition(deep, "ConditionExpression").test({"a": {"S": "1"}, "b": {"S": "1"}}, {})


def _reference(document: dict[str, Any], actions: list[Any]) -> dict[str, Any]:
    """What top-level actions make of an item, written the slow and obvious way."""
    result = copy.deepcopy(document)
    for action in actions:
        head = action.path[0]
        if isinstance(action, Remove):
            result.pop(head, None)
            continue
        value = action.operand.value
        (kind,) = value
        if isinstance(action, Assign):
            result[head] = value
        elif isinstance(action, Add):
            if head not in result:
                result[head] = value
            elif kind == "N":
                result[head] = {"N": str(int(Decimal(result[head]["N"]) + Decimal(value["N"])))}
            else:
                held = result[head][kind]
                result[head] = {kind: sorted({*held, *value[kind]})}
        elif head in result:
            left = [member for member in result[head][kind] if member not in value[kind]]
            result[head] = {kind: left}
            if not left:
                del result[head]
    return result


numbers = st.integers(-50, 50).map(lambda number: {"N": str(number)})
strings = st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True).map(lambda found: {"SS": found})
documents = st.fixed_dictionaries({}, optional={"n": numbers, "s": strings, "v": values})
actions_ = st.fixed_dictionaries(
    {},
    optional={
        "n": numbers.map(lambda value: Add(("n",), Literal(value)))
        | numbers.map(lambda value: Assign(("n",), Literal(value))),
        "s": strings.map(lambda value: Add(("s",), Literal(value)))
        | strings.map(lambda value: Discard(("s",), Literal(value))),
        "v": values.map(lambda value: Assign(("v",), Literal(value))) | st.just(Remove(("v",))),
        "w": values.map(lambda value: Assign(("w",), Literal(value))),
    },
)


@given(documents, actions_)
def test_updates_agree_with_the_slow_reference(document: dict[str, Any], chosen: dict[str, Any]) -> None:
    actions = list(chosen.values())
    before = copy.deepcopy(document)
    assert Update(actions).apply(document, {}) == _reference(document, actions)
    assert document == before


nested_actions = st.lists(
    st.tuples(
        st.sampled_from([("m", "k"), ("m", "l", 0), ("m", "l", 1), ("m", "l", 7), ("m", "l", 9), ("l", 2), ("l", 5)]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda pair: pair[0],
)


@given(nested_actions)
def test_nested_changes_mean_the_item_as_it_was(chosen: list[tuple[tuple[Any, ...], bool]]) -> None:
    def text(label: str) -> dict[str, str]:
        return {"S": label}

    inner = [text("p"), text("q"), text("r")]
    outer = [text("x"), text("y"), text("z")]
    document = {"m": {"M": {"k": text("k"), "l": {"L": inner}}}, "l": {"L": outer}}
    actions = [Assign(path, Literal(text(f"new{path}"))) if assign else Remove(path) for path, assign in chosen]
    result = Update(actions).apply(document, {})
    wanted = dict(chosen)

    def expected(path: tuple[Any, ...], held: list[dict[str, str]]) -> list[dict[str, str]]:
        kept = []
        for place, element in enumerate(held):
            choice = wanted.get((*path, place))
            if choice is None:
                kept.append(element)
            elif choice:
                kept.append(text(f"new{(*path, place)}"))
        beyond = sorted(p[-1] for p, assign in wanted.items() if p[:-1] == path and assign and p[-1] >= len(held))
        return kept + [text(f"new{(*path, place)}") for place in beyond]

    assert result["m"]["M"]["l"]["L"] == expected(("m", "l"), inner)
    assert result["l"]["L"] == expected(("l",), outer)
    choice = wanted.get(("m", "k"))
    assert result["m"]["M"].get("k") == (text("k") if choice is None else text("new('m', 'k')") if choice else None)


partiql_words = words | st.sampled_from(
    [
        "SELECT",
        "*",
        "FROM",
        "t",
        '"t"."i"',
        "WHERE",
        "INSERT INTO",
        "VALUE",
        "UPDATE",
        "DELETE",
        "SET",
        "REMOVE",
        "RETURNING ALL OLD *",
        "ORDER BY a",
        "DESC",
        "?",
        "'x'",
        "'",
        "1e5",
        "-",
        "{'a':",
        "}",
        "<<1,",
        ">>",
        "IS MISSING",
        "EXISTS",
        "set_add(",
        "true",
        "null",
    ]
)
beginnings = st.sampled_from(
    ["", "SELECT * FROM t WHERE", "INSERT INTO t VALUE", "UPDATE t SET a =", "DELETE FROM t WHERE a ="]
)
statements = st.builds(
    lambda start, rest: f"{start} {' '.join(rest)}", beginnings, st.lists(partiql_words, max_size=10)
) | st.text(max_size=30)


@settings(max_examples=400)
@given(statements, st.lists(values, max_size=2))
def test_any_statement_has_a_meaning_or_is_a_fault(text: str, parameters: list[Any]) -> None:
    with contextlib.suppress(Fault):
        found = parse(text, parameters)
        where = getattr(found, "where", None)
        if where is not None:
            evaluate.tester(where)(item, {})

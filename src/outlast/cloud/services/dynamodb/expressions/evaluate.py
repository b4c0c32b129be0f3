"""Conditions and operands as closures over an item and the values of a call.

A missing attribute makes every comparison false except <>, which it makes true; comparisons between types are false.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.expressions.tree import (
    All,
    AnyOf,
    Between,
    Compare,
    Condition,
    In,
    Literal,
    Not,
    Operand,
    Path,
    PathParts,
    Predicate,
    Size,
    ValueRef,
)
from outlast.cloud.services.dynamodb.values import Item, Value

Bindings = Mapping[str, Value]
Test = Callable[[Item, Bindings], bool]
Read = Callable[[Item, Bindings], "Value | None"]
_SETS = {"SS": "S", "NS": "N", "BS": "B"}


def follow(item: Item, path: PathParts) -> Value | None:
    """The value at a document path, or None."""
    value: Any = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if value is None:
            return None
        if isinstance(part, int):
            elements = value.get("L")
            value = elements[part] if elements is not None and part < len(elements) else None
        else:
            members = value.get("M")
            value = members.get(part) if members is not None else None
    found: Value | None = value
    return found


def reader(operand: Operand) -> Read:
    """A closure that gives the operand's value, or None when it is missing."""
    if isinstance(operand, Path):
        parts = operand.parts
        if len(parts) == 1:
            head = str(parts[0])
            return lambda item, _values: item.get(head)
        return lambda item, _values: follow(item, parts)
    if isinstance(operand, ValueRef):
        name = operand.name
        return lambda _item, values: values[name]
    if isinstance(operand, Literal):
        literal = operand.value
        return lambda _item, _values: literal
    if isinstance(operand, Size):
        read = reader(operand.operand)
        return lambda item, values: size_of(read(item, values))
    raise TypeError(f"{operand} cannot stand in a condition")


def size_of(value: Value | None) -> Value | None:
    """size(): UTF-16 units of text, bytes or elements; None for types without a size."""
    if value is None:
        return None
    for kind, raw in value.items():
        if kind == "B":
            return {"N": str(av.value_size(value))}
        if kind == "S" and not raw.isascii():
            return {"N": str(len(raw.encode("utf-16-le", "surrogatepass")) // 2)}
        if kind in ("S", "SS", "NS", "BS", "L", "M"):
            return {"N": str(len(raw))}
    return None


def tester(condition: Condition) -> Test:
    """A closure that judges an item."""
    if isinstance(condition, Compare):
        return _compare(condition)
    if isinstance(condition, Predicate):
        return _predicate(condition)
    if isinstance(condition, All):
        return _all([tester(term) for term in condition.terms])
    if isinstance(condition, AnyOf):
        return _any([tester(term) for term in condition.terms])
    if isinstance(condition, Not):
        inner = tester(condition.term)
        return lambda item, values: not inner(item, values)
    if isinstance(condition, Between):
        return _between(condition)
    return _in(condition)


def _all(terms: list[Test]) -> Test:
    def test(item: Item, values: Bindings) -> bool:
        for term in terms:  # noqa: SIM110 - a loop costs one frame, a generator two
            if not term(item, values):
                return False
        return True

    return test


def _any(terms: list[Test]) -> Test:
    def test(item: Item, values: Bindings) -> bool:
        for term in terms:  # noqa: SIM110
            if term(item, values):
                return True
        return False

    return test


def _compare(condition: Compare) -> Test:
    left, right = reader(condition.left), reader(condition.right)
    operator = condition.operator
    if operator == "=":

        def same(item: Item, values: Bindings) -> bool:
            one, two = left(item, values), right(item, values)
            return one is not None and two is not None and av.equal(one, two)

        return same
    if operator == "<>":

        def other(item: Item, values: Bindings) -> bool:
            one, two = left(item, values), right(item, values)
            return one is None or two is None or not av.equal(one, two)

        return other
    judge = JUDGES[operator]

    def ordered(item: Item, values: Bindings) -> bool:
        pair = comparable(left(item, values), right(item, values))
        return pair is not None and judge(pair[0], pair[1])

    return ordered


JUDGES: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, two: bool(one < two),
    "<=": lambda one, two: bool(one <= two),
    ">": lambda one, two: bool(one > two),
    ">=": lambda one, two: bool(one >= two),
}


def comparable(one: Value | None, two: Value | None) -> tuple[Any, Any] | None:
    """What orders two scalars of one type, or None when they have no order."""
    if one is None or two is None:
        return None
    for kind in one:
        if kind in two and kind in ("S", "N", "B"):
            return av.ordering(one), av.ordering(two)
    return None


def _between(condition: Between) -> Test:
    operand, low, high = reader(condition.operand), reader(condition.low), reader(condition.high)

    def test(item: Item, values: Bindings) -> bool:
        value = operand(item, values)
        lower = comparable(low(item, values), value)
        if lower is None or lower[0] > lower[1]:
            return False
        upper = comparable(value, high(item, values))
        return upper is not None and bool(upper[0] <= upper[1])

    return test


def _in(condition: In) -> Test:
    operand = reader(condition.operand)
    options = [reader(option) for option in condition.options]

    def test(item: Item, values: Bindings) -> bool:
        value = operand(item, values)
        if value is None:
            return False
        for option in options:
            candidate = option(item, values)
            if candidate is not None and av.equal(value, candidate):
                return True
        return False

    return test


def _predicate(condition: Predicate) -> Test:
    name = condition.function
    first = reader(condition.arguments[0])
    if name == "attribute_exists":
        return lambda item, values: first(item, values) is not None
    if name == "attribute_not_exists":
        return lambda item, values: first(item, values) is None
    second = reader(condition.arguments[1])
    judge = {"begins_with": begins_with, "contains": contains, "attribute_type": has_type}[name]

    def test(item: Item, values: Bindings) -> bool:
        one, two = first(item, values), second(item, values)
        return one is not None and two is not None and judge(one, two)

    return test


def has_type(value: Value, wanted: Value) -> bool:
    """attribute_type()."""
    return wanted.get("S") in value


def begins_with(value: Value, prefix: Value) -> bool:
    """begins_with(), for text and binary."""
    if "S" in value and "S" in prefix:
        return bool(value["S"].startswith(prefix["S"]))
    if "B" in value and "B" in prefix:
        return av.decode_binary(value["B"]).startswith(av.decode_binary(prefix["B"]))
    return False


def contains(value: Value, part: Value) -> bool:
    """contains(): a part of a text or binary, a member of a set, an element of a list."""
    for kind, raw in value.items():
        if kind == "S":
            return "S" in part and part["S"] in raw
        if kind == "B":
            return "B" in part and av.decode_binary(part["B"]) in av.decode_binary(raw)
        if kind in _SETS:
            member = part.get(_SETS[kind])
            return member is not None and member in raw
        if kind == "L":
            return any(av.equal(element, part) for element in raw)
    return False

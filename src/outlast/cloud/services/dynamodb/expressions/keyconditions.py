"""What a Query asks of the key: conditions by attribute, and the range of keys that meets them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.expressions.evaluate import Bindings
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
    Predicate,
    Size,
    ValueRef,
)
from outlast.cloud.services.dynamodb.schema import KeyAttribute, KeySchema, empty_value_fault
from outlast.cloud.services.dynamodb.values import Value

_LABEL = "KeyConditionExpression"
_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
UNSUPPORTED = "Query key condition not supported"


@dataclass(frozen=True, slots=True)
class KeyTest:
    """One attribute's condition: operator (=, <, <=, >, >=, BETWEEN, begins_with) and its one or two values."""

    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """All keys from `start` up to, but not including, `end`; None is no bound."""

    start: bytes
    end: bytes | None


@dataclass(frozen=True, slots=True)
class KeyShape:
    """What a key condition asks, values left open: attribute, operator and operands of each condition."""

    tests: tuple[tuple[str, str, tuple[Operand, ...]], ...]


@lru_cache(maxsize=2000)
def key_shape(condition: Condition) -> KeyShape:
    """The shape of a key condition; raises ValidationException for what a key cannot be asked."""
    terms = condition.terms if isinstance(condition, All) else (condition,)
    found: dict[str, tuple[str, str, tuple[Operand, ...]]] = {}
    for term in terms:
        name, operator, operands = _key_test(term)
        if name in found:
            raise ValidationException(f"Invalid {_LABEL}: {_LABEL}s must only contain one condition per key")
        found[name] = (name, operator, operands)
    return KeyShape(tuple(found.values()))


def bound_tests(shape: KeyShape, values: Bindings) -> dict[str, KeyTest]:
    """The conditions by attribute, with the values of a call."""
    return {
        name: KeyTest(operator, tuple([_value(operand, values) for operand in operands]))
        for name, operator, operands in shape.tests
    }


def key_tests(condition: Condition, values: Bindings) -> dict[str, KeyTest]:
    """The conditions of a key condition by attribute; raises ValidationException for what a key cannot be asked."""
    return bound_tests(key_shape(condition), values)


def _key_test(term: Condition) -> tuple[str, str, tuple[Operand, ...]]:
    if isinstance(term, Compare) and term.operator != "<>":
        return _comparison(term)
    if isinstance(term, Between):
        name = _first_operand("BETWEEN", term.operand, (term.low, term.high))
        return name, "BETWEEN", (term.low, term.high)
    if isinstance(term, Predicate) and term.function == "begins_with":
        name = _first_operand("begins_with", term.arguments[0], term.arguments[1:])
        return name, "begins_with", term.arguments[1:]
    if isinstance(term, AnyOf):
        operator = "OR"
    elif isinstance(term, Not):
        operator = "NOT"
    elif isinstance(term, In):
        operator = "IN"
    elif isinstance(term, Predicate):
        operator = term.function
    else:
        operator = "<>"
    raise ValidationException(f"Invalid operator used in {_LABEL}: {operator}")


def _comparison(term: Compare) -> tuple[str, str, tuple[Operand, ...]]:
    left, right, operator = term.left, term.right, term.operator
    if isinstance(left, Size) or isinstance(right, Size):
        raise ValidationException(f"{_LABEL}s cannot contain nested operations")
    if isinstance(left, Path) and isinstance(right, Path):
        raise ValidationException(f"Invalid condition in {_LABEL}: Multiple attribute names used in one condition")
    if isinstance(right, Path):
        left, right, operator = right, left, _FLIPPED[operator]
    if not isinstance(left, Path):
        raise ValidationException(f"Invalid condition in {_LABEL}: No key attribute specified")
    return _attribute(left), operator, (right,)


def _first_operand(operator: str, first: Operand, others: Sequence[Operand]) -> str:
    if any(isinstance(operand, Size) for operand in (first, *others)):
        raise ValidationException(f"{_LABEL}s cannot contain nested operations")
    paths = [operand for operand in (first, *others) if isinstance(operand, Path)]
    if not paths:
        raise ValidationException(f"Invalid condition in {_LABEL}: No key attribute specified")
    if not isinstance(first, Path):
        raise ValidationException(
            f"Invalid condition in {_LABEL}: {operator} operator must have the key attribute as its first operand"
        )
    if len(paths) > 1:
        raise ValidationException(f"Invalid condition in {_LABEL}: Multiple attribute names used in one condition")
    return _attribute(first)


def _attribute(path: Path) -> str:
    if len(path.parts) != 1:
        raise ValidationException(f"{_LABEL}s cannot have conditions on nested attributes")
    return str(path.parts[0])


def _value(operand: Operand, values: Bindings) -> Value:
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, ValueRef):
        return values[operand.name]
    raise ValidationException(f"{_LABEL}s cannot contain nested operations")


def match_schema(
    tests: Mapping[str, KeyTest], schema: KeySchema
) -> tuple[list[Value], list[tuple[KeyAttribute, KeyTest]]]:
    """The values of the partition key and the conditions on the sort key, in the schema's order.

    Raises ValidationException when a partition attribute lacks an equality, when a sort attribute is skipped, or
    when a value does not fit.
    """
    if len(tests) > max(2, len(schema.attributes)):
        raise ValidationException(
            f"The number of query conditions ({len(tests)}) exceeds the number of key attributes "
            f"defined in the schema ({len(schema.attributes)})"
        )
    for attribute in schema.partition:
        if attribute.name not in tests:
            raise ValidationException(f"Query condition missed key schema element: {attribute.name}")
    rest = len(tests) - len(schema.partition)
    used = schema.sort[:rest]
    if len(schema.sort) > 1:
        _check_no_gap(tests, schema)
    for attribute in used:
        if attribute.name not in tests:
            raise ValidationException(f"Query condition missed key schema element: {attribute.name}")
    if rest > len(schema.sort):
        raise ValidationException(UNSUPPORTED)
    for attribute in (*schema.partition, *used):
        _check_test(attribute, tests[attribute.name])
    if any(tests[attribute.name].operator != "=" for attribute in (*schema.partition, *used[:-1])):
        raise ValidationException(UNSUPPORTED)
    partition = [tests[attribute.name].values[0] for attribute in schema.partition]
    return partition, [(attribute, tests[attribute.name]) for attribute in used]


def _check_no_gap(tests: Mapping[str, KeyTest], schema: KeySchema) -> None:
    """Of several sort attributes, all before the last one asked for need an equality; raises ValidationException."""
    asked = [place for place, attribute in enumerate(schema.sort) if attribute.name in tests]
    last = asked[-1] if asked else 0
    wanting = [each.name for each in schema.sort[:last] if each.name not in tests or tests[each.name].operator != "="]
    if wanting:
        raise ValidationException(
            f"RANGE key attributes {', '.join(wanting)} must have equality conditions specified in the query because "
            f"a condition is present on key attribute {schema.sort[last].name}"
        )


def _check_test(attribute: KeyAttribute, test: KeyTest) -> None:
    for value in test.values:
        kind = av.type_of(value)
        if test.operator == "begins_with" and kind not in ("S", "B"):
            raise ValidationException(
                f"Invalid {_LABEL}: Incorrect operand type for operator or function; "
                f"operator or function: begins_with, operand type: {kind}"
            )
        if kind != attribute.type:
            raise invalid("Condition parameter type does not match schema type")
        if test.operator != "begins_with":
            fault = empty_value_fault(value, attribute.name)
            if fault is not None:
                raise fault
    if test.operator == "BETWEEN" and av.ordering(test.values[0]) > av.ordering(test.values[1]):
        low, high = test.values
        raise ValidationException(
            f"Invalid {_LABEL}: The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            f"lower bound operand: AttributeValue: {{{attribute.type}:{low[attribute.type]}}}, "
            f"upper bound operand: AttributeValue: {{{attribute.type}:{high[attribute.type]}}}"
        )


def table_range(partition: Value, sort: KeyTest | None, has_sort: bool) -> KeyRange:
    """The keys of a table that a query reaches."""
    head = keys.partition_prefix(keys.scalar_bytes(partition))
    if not has_sort:
        return KeyRange(head, head + b"\x00")
    end = keys.successor(head)
    if sort is None:
        return KeyRange(head, end)
    first = head + keys.scalar_bytes(sort.values[0])
    operator = sort.operator
    if operator == "=":
        return KeyRange(first, first + b"\x00")
    if operator == "<":
        return KeyRange(head, first)
    if operator == "<=":
        return KeyRange(head, first + b"\x00")
    if operator == ">":
        return KeyRange(first + b"\x00", end)
    if operator == ">=":
        return KeyRange(first, end)
    if operator == "BETWEEN":
        return KeyRange(first, head + keys.scalar_bytes(sort.values[1]) + b"\x00")
    return KeyRange(first, keys.successor(first))


def index_range(partition: Sequence[Value], sort: Sequence[KeyTest]) -> KeyRange:
    """The entries of an index that a query reaches: equalities on leading sort parts, then one condition."""
    head = keys.partition_prefix(keys.joined_partition(partition))
    if not sort:
        return KeyRange(head, keys.successor(head))
    head += b"".join(keys.terminated(test.values[0]) for test in sort[:-1])
    last = sort[-1]
    end = keys.successor(head)
    first = head + keys.terminated(last.values[0])
    operator = last.operator
    if operator == "=":
        return KeyRange(first, keys.successor(first))
    if operator == "<":
        return KeyRange(head, first)
    if operator == "<=":
        return KeyRange(head, keys.successor(first))
    if operator == ">":
        return KeyRange(keys.successor(first) or first, end)
    if operator == ">=":
        return KeyRange(first, end)
    if operator == "BETWEEN":
        return KeyRange(first, keys.successor(head + keys.terminated(last.values[1])))
    opened = head + keys.open_ended(last.values[0])
    return KeyRange(opened, keys.successor(opened))

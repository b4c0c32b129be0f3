"""From a WHERE clause to keys: the item that a write means, and the ranges that a SELECT reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb.expressions.keyconditions import KeyRange, KeyTest, index_range, table_range
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
    all_of,
)
from outlast.cloud.services.dynamodb.indexes import Index
from outlast.cloud.services.dynamodb.schema import KeyAttribute, KeySchema, empty_value_fault
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value, ordering

MANDATORY = "Where clause does not contain a mandatory equality on all key attributes"
_FLIPPED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def terms(where: Condition | None) -> tuple[Condition, ...]:
    """The conditions that must all hold."""
    if where is None:
        return ()
    return where.terms if isinstance(where, All) else (where,)


def key_test(term: Condition) -> tuple[str, KeyTest] | None:
    """(attribute, test) when a term is one that a key can answer."""
    if isinstance(term, Compare) and term.operator in _FLIPPED:
        left, right, operator = term.left, term.right, term.operator
        if isinstance(left, Literal):
            left, right, operator = right, left, _FLIPPED[operator]
        if isinstance(left, Path) and len(left.parts) == 1 and isinstance(right, Literal):
            return str(left.parts[0]), KeyTest(operator, (right.value,))
    if (
        isinstance(term, Between)
        and isinstance(term.operand, Path)
        and len(term.operand.parts) == 1
        and isinstance(term.low, Literal)
        and isinstance(term.high, Literal)
    ):
        return str(term.operand.parts[0]), KeyTest("BETWEEN", (term.low.value, term.high.value))
    if isinstance(term, Predicate) and term.function == "begins_with":
        path, prefix = term.arguments
        if isinstance(path, Path) and len(path.parts) == 1 and isinstance(prefix, Literal):
            return str(path.parts[0]), KeyTest("begins_with", (prefix.value,))
    return None


def exact_key(table: Table, where: Condition | None) -> tuple[Item, tuple[Condition, ...]]:
    """The key that equalities on all key attributes give, and the other terms; raises ValidationException."""
    key: Item = {}
    others = []
    names = table.schema.names
    for term in terms(where):
        found = key_test(term)
        if found is None or found[0] not in names or found[1].operator != "=":
            others.append(term)
        elif found[0] not in key:
            key[found[0]] = found[1].values[0]
        elif key[found[0]] != found[1].values[0]:
            others.append(term)
    if len(key) != len(names):
        raise ValidationException(MANDATORY)
    for name in names:
        fault = empty_value_fault(key[name], name)
        if fault is not None:
            raise fault
    return key, tuple(others)


def only_key(table: Table, where: Condition | None) -> tuple[Item, tuple[Condition, ...]]:
    """As exact_key, for a write: no key attribute may be wanted to have two values; raises ValidationException."""
    key, others = exact_key(table, where)
    for term in others:
        found = key_test(term)
        if found is not None and found[0] in key and found[1].operator == "=":
            raise ValidationException(
                f"Multiple conditions on same key {found[0]}. Only single item Update/Insert/Delete are supported"
            )
    return key, others


def read_key(table: Table, where: Condition | None) -> Item | None:
    """The key that a SELECT of one item names by equalities alone, or by IN with one value; None for anything else."""
    same = tuple(
        Compare("=", term.operand, term.options[0]) if isinstance(term, In) and len(term.options) == 1 else term
        for term in terms(where)
    )
    try:
        key, others = exact_key(table, all_of(list(same)) if same else None)
    except ValidationException:
        return None
    return None if others else key


@dataclass(frozen=True, slots=True)
class Reading:
    """What a SELECT reads: ranges one after the other; `keyed` when they follow from the partition key."""

    ranges: tuple[KeyRange, ...]
    keyed: bool


def reading(table: Table, index: Index | None, where: Condition | None) -> Reading:
    """The ranges of keys in which every item lies that can meet the condition."""
    schema = table.schema if index is None else index.schema
    choices: list[list[Value]] = []
    tests: dict[str, KeyTest] = {}
    listed: dict[str, list[Value]] = {}
    for term in terms(where):
        found = key_test(term)
        if found is not None and (found[0] not in tests or found[1].operator == "="):
            tests[found[0]] = found[1]
        elif isinstance(term, In) and isinstance(term.operand, Path) and len(term.operand.parts) == 1:
            options = [option.value for option in term.options if isinstance(option, Literal)]
            if len(options) == len(term.options):
                listed[str(term.operand.parts[0])] = options
    for attribute in schema.partition:
        test = tests.get(attribute.name)
        equal = test is not None and test.operator == "="
        if not equal and attribute.name not in listed:
            start, end = keys.segment_bounds(0, 1)
            return Reading((KeyRange(start, end),), False)
        values = [test.values[0]] if test is not None and equal else listed[attribute.name]
        choices.append([value for value in values if attribute.type in value])
    return Reading(tuple(_ranges(schema, choices, tests, index is not None)), True)


def _ranges(
    schema: KeySchema, choices: list[list[Value]], tests: Mapping[str, KeyTest], is_index: bool
) -> Iterator[KeyRange]:
    sort = list(_sort_tests(schema.sort, tests))
    for partition in _products(choices):
        if is_index:
            yield index_range(partition, sort)
        else:
            yield table_range(partition[0], sort[0] if sort else None, bool(schema.sort))


def _sort_tests(attributes: tuple[KeyAttribute, ...], tests: Mapping[str, KeyTest]) -> Iterator[KeyTest]:
    """Equalities from the first sort attribute on, and one range after them."""
    for attribute in attributes:
        test = tests.get(attribute.name)
        if test is None or any(attribute.type not in value for value in test.values):
            return
        if test.operator == "BETWEEN" and ordering(test.values[0]) > ordering(test.values[1]):
            return
        if test.operator == "begins_with" and attribute.type == "N":
            return
        yield test
        if test.operator != "=":
            return


def _products(choices: list[list[Value]]) -> Iterator[list[Value]]:
    if not choices:
        yield []
        return
    for value in choices[0]:
        for rest in _products(choices[1:]):
            yield [value, *rest]


def attributes_of(node: Condition | Operand) -> Iterator[str]:
    """The top-level attributes that a condition looks at."""
    if isinstance(node, Path):
        yield str(node.parts[0])
    elif isinstance(node, (All, AnyOf)):
        for term in node.terms:
            yield from attributes_of(term)
    elif isinstance(node, Not):
        yield from attributes_of(node.term)
    elif isinstance(node, Compare):
        yield from attributes_of(node.left)
        yield from attributes_of(node.right)
    elif isinstance(node, Between):
        for each in (node.operand, node.low, node.high):
            yield from attributes_of(each)
    elif isinstance(node, In):
        for each in (node.operand, *node.options):
            yield from attributes_of(each)
    elif isinstance(node, Predicate):
        for argument in node.arguments:
            yield from attributes_of(argument)
    elif isinstance(node, Size):
        yield from attributes_of(node.operand)

"""The parameters from before expressions, turned into the same trees.

Expected, AttributeUpdates, KeyConditions, QueryFilter, ScanFilter and AttributesToGet.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.expressions.keyconditions import KeyTest
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.expressions.tree import (
    Action,
    Add,
    Assign,
    Between,
    Compare,
    Condition,
    Discard,
    In,
    Literal,
    Not,
    Path,
    Predicate,
    Remove,
    all_of,
    any_of,
)
from outlast.cloud.services.dynamodb.values import Value

COMPARISONS = {"EQ": "=", "NE": "<>", "LE": "<=", "LT": "<", "GE": ">=", "GT": ">"}
SCALARS = ("S", "N", "B")
ARGUMENTS: dict[str, tuple[int, int]] = {
    "EQ": (1, 1),
    "NE": (1, 1),
    "LE": (1, 1),
    "LT": (1, 1),
    "GE": (1, 1),
    "GT": (1, 1),
    "CONTAINS": (1, 1),
    "NOT_CONTAINS": (1, 1),
    "BEGINS_WITH": (1, 1),
    "NULL": (0, 0),
    "NOT_NULL": (0, 0),
    "BETWEEN": (2, 2),
    "IN": (1, 1_000_000),
}
_TYPES: dict[str, tuple[str, ...]] = {
    "LE": SCALARS,
    "LT": SCALARS,
    "GE": SCALARS,
    "GT": SCALARS,
    "BETWEEN": SCALARS,
    "IN": SCALARS,
    "CONTAINS": (*SCALARS, "NULL", "BOOL"),
    "NOT_CONTAINS": (*SCALARS, "NULL", "BOOL"),
    "BEGINS_WITH": ("S", "B"),
}


def comparison(name: str, operator: str, arguments: Sequence[Value]) -> Condition:
    """The tree of one legacy comparison on a top-level attribute."""
    path = Path((name,))
    literals = tuple(map(Literal, arguments))
    if operator in COMPARISONS:
        return Compare(COMPARISONS[operator], path, literals[0])
    if operator == "NULL":
        return Predicate("attribute_not_exists", (path,))
    if operator == "NOT_NULL":
        return Predicate("attribute_exists", (path,))
    if operator == "BEGINS_WITH":
        return Predicate("begins_with", (path, literals[0]))
    if operator == "BETWEEN":
        return Between(path, literals[0], literals[1])
    if operator == "IN":
        return In(path, literals)
    holds = Predicate("contains", (path, literals[0]))
    if operator == "CONTAINS":
        return holds
    return all_of([Predicate("attribute_exists", (path,)), Not(holds)])


def check_arguments(name: str, operator: Any, arguments: Sequence[Value]) -> None:
    """Check count and types of a comparison's arguments, and bring their values to normal form."""
    for argument in arguments:
        av.check_value(argument)
    limits = ARGUMENTS.get(operator)
    if limits is None:
        raise ValidationException(
            f"1 validation error detected: Value '{operator}' at 'comparisonOperator' failed to satisfy constraint: "
            "Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, "
            "BEGINS_WITH, GE, CONTAINS]"
        )
    if not limits[0] <= len(arguments) <= limits[1]:
        raise invalid(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    allowed = _TYPES.get(operator)
    kinds = [av.type_of(argument) for argument in arguments]
    for kind in kinds:
        if allowed is not None and kind not in allowed:
            raise invalid(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if operator in ("IN", "BETWEEN") and len(set(kinds)) > 1:
        raise invalid("AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and av.ordering(arguments[0]) > av.ordering(arguments[1]):
        low, high = arguments
        kind = kinds[0]
        raise ValidationException(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound: "
            f"lower bound operand: AttributeValue: {{{kind}:{low[kind]}}}, "
            f"upper bound operand: AttributeValue: {{{kind}:{high[kind]}}}"
        )


def check_operator(operator: str | None, conditions: Mapping[str, Any] | None) -> None:
    """ConditionalOperator goes with two conditions or more."""
    if operator is not None and (conditions is None or len(conditions) <= 1):
        raise ValidationException(
            "ConditionalOperator cannot be used without Filter or Expected"
            if conditions is None
            else "ConditionalOperator can only be used when Filter or Expected has two or more elements"
        )


def filter_condition(conditions: Mapping[str, Mapping[str, Any]], operator: str | None) -> Condition | None:
    """The tree of a QueryFilter or ScanFilter; None when it is empty."""
    terms = []
    for name, condition in conditions.items():
        arguments = condition.get("AttributeValueList") or []
        check_arguments(name, condition.get("ComparisonOperator"), arguments)
        terms.append(comparison(name, condition["ComparisonOperator"], arguments))
    return join(terms, operator)


def join(terms: list[Condition], operator: str | None) -> Condition | None:
    """Terms joined by AND, or by OR when asked; None for none."""
    if not terms:
        return None
    return any_of(terms) if operator == "OR" else all_of(terms)


def expected_condition(expected: Mapping[str, Mapping[str, Any]], operator: str | None) -> Condition | None:
    """The tree of Expected; raises ValidationException as AWS words it."""
    return join([_expected(name, dict(entry)) for name, entry in expected.items()], operator)


def _expected(name: str, entry: dict[str, Any]) -> Condition:
    entry = {member: value for member, value in entry.items() if value is not None}
    value, exists = entry.get("Value"), entry.get("Exists")
    operator, arguments = entry.get("ComparisonOperator"), entry.get("AttributeValueList")
    if value is not None:
        av.check_value(value)
    if operator is not None:
        if exists is not None:
            raise invalid(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
        if value is not None and arguments is not None:
            raise invalid(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
        if value is None and arguments is None and operator not in ("NULL", "NOT_NULL"):
            raise invalid(
                f"Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {name}"
            )
        given = arguments if arguments is not None else ([] if value is None else [value])
        check_arguments(name, operator, given)
        return comparison(name, operator, given)
    if arguments is not None:
        raise invalid(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    if exists is False:
        if value is not None:
            raise invalid(f"Value cannot be used when Exists is false for Attribute: {name}")
        return Predicate("attribute_not_exists", (Path((name,)),))
    if value is None:
        shown = "null" if exists is None else "true"
        raise invalid(f"Value must be provided when Exists is {shown} for Attribute: {name}")
    return Compare("=", Path((name,)), Literal(value))


def update_actions(updates: Mapping[str, Mapping[str, Any]]) -> list[Action]:
    """The actions of AttributeUpdates; raises ValidationException as AWS words it."""
    actions: list[Action] = []
    for name, entry in updates.items():
        if len(name) > av.MAX_NAME_BYTES // 4 and av.text_bytes(name) > av.MAX_NAME_BYTES:
            raise av.name_fault(av.text_bytes(name))
        value, action = entry.get("Value"), entry.get("Action") or "PUT"
        path = (name,)
        if value is None:
            if action != "DELETE":
                raise invalid("Only DELETE action is allowed when no attribute value is specified")
            actions.append(Remove(path))
            continue
        av.check_value(value)
        kind = av.type_of(value)
        if action == "DELETE":
            if kind not in ("SS", "NS", "BS"):
                raise invalid(f"DELETE action with value is not supported for the type {kind}")
            actions.append(Discard(path, Literal(value)))
        elif action == "ADD":
            if kind not in ("N", "SS", "NS", "BS", "L"):
                raise invalid(f"ADD action is not supported for the type {kind}")
            actions.append(Add(path, Literal(value)))
        elif action == "PUT":
            actions.append(Assign(path, Literal(value)))
        else:
            raise ValidationException(
                f"1 validation error detected: Value '{action}' at 'attributeUpdates.{name}.member.action' failed to "
                "satisfy constraint: Member must satisfy enum value set: [ADD, DELETE, PUT]"
            )
    return actions


def key_condition_tests(conditions: Mapping[str, Mapping[str, Any]]) -> dict[str, KeyTest]:
    """The key conditions of KeyConditions by attribute."""
    tests = {}
    for name, entry in conditions.items():
        operator, arguments = entry.get("ComparisonOperator"), entry.get("AttributeValueList") or []
        check_arguments(name, operator, arguments)
        if operator == "BETWEEN" or operator in ("EQ", "LE", "LT", "GE", "GT", "BEGINS_WITH"):
            shown = {"BEGINS_WITH": "begins_with", "BETWEEN": "BETWEEN"}.get(operator) or COMPARISONS[operator]
            tests[name] = KeyTest(shown, tuple(arguments))
        else:
            raise ValidationException("Attempted conditional constraint is not an indexable operation")
    return tests


def attributes_projection(attributes: Sequence[str]) -> Projection:
    """The projection of AttributesToGet; names are whole attributes, dots and all."""
    seen: set[str] = set()
    for name in attributes:
        if len(name) > av.MAX_NAME_BYTES // 4 and av.text_bytes(name) > av.MAX_NAME_BYTES:
            raise av.name_fault(av.text_bytes(name))
        if name in seen:
            raise invalid(f"Duplicate value in attribute name: {name}")
        seen.add(name)
    return Projection([(name,) for name in attributes])

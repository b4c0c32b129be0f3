"""What requests have in common: old and new parameters kept apart, names and values bound, conditions made ready."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb.expressions import bind, legacy
from outlast.cloud.services.dynamodb.expressions.evaluate import Test, tester
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.values import ITEM_TOO_LARGE, Value, check_value

NO_VALUES: Mapping[str, Value] = {}
BARE = frozenset({ITEM_TOO_LARGE})
OLD_OR_NONE = frozenset({"NONE", "ALL_OLD"})
ONLY_OLD = "ReturnValues can only be ALL_OLD or NONE"
_OLDER_READER = 62
"""AWS reads a request with a value that is nested deeper than this in an older way."""


class Guard(NamedTuple):
    """A condition with the values bound to it."""

    test: Test
    values: Mapping[str, Value]


class Mixture(NamedTuple):
    """The parameters of an operation that may not be mixed: expressions, what came before them, who takes values."""

    expressions: tuple[str, ...]
    others: tuple[str, ...] = ()
    takers: tuple[str, ...] = ()
    names_takers: bool = True

    def check(self, expressions: Sequence[Any], others: Sequence[Any], names: Any, values: Any) -> None:
        """Refuse expressions beside older parameters, and names or values without an expression."""
        given = [name for name, value in zip(self.expressions, expressions, strict=True) if value is not None]
        others_given = [name for name, value in zip(self.others, others, strict=True) if value is not None]
        if given and others_given:
            raise ValidationException(
                "Can not use both expression and non-expression parameters in the same request: Non-expression "
                f"parameters: {{{', '.join(others_given)}}} Expression parameters: {{{', '.join(given)}}}"
            )
        if names is not None and not given:
            raise ValidationException("ExpressionAttributeNames can only be specified when using expressions")
        if values is not None and not any(name in given for name in self.takers):
            verb = "are" if len(self.takers) > 1 else "is"
            missing = f": {' and '.join(self.takers)} {verb} null" if self.names_takers else ""
            raise ValidationException(
                f"ExpressionAttributeValues can only be specified when using expressions{missing}"
            )


def enveloped(fault: ValidationException) -> ValidationException:
    """What PutItem, UpdateItem and DeleteItem say of a request that is refused before its table is looked up."""
    if fault.message in BARE or fault.message.startswith("1 validation error detected: "):
        return fault
    return ValidationException(f"1 validation error detected: {fault.message}")


GET = Mixture(("ProjectionExpression",), ("AttributesToGet",))
TRANSACT_GET = Mixture(("ProjectionExpression",))
WRITE = Mixture(("ConditionExpression",), ("Expected", "ConditionalOperator"), ("ConditionExpression",), False)
UPDATE = Mixture(
    ("UpdateExpression", "ConditionExpression"),
    ("AttributeUpdates", "Expected", "ConditionalOperator"),
    ("UpdateExpression", "ConditionExpression"),
    False,
)
TRANSACT_WRITE = Mixture(("ConditionExpression",), (), ("ConditionExpression",))
TRANSACT_UPDATE = Mixture(UPDATE.expressions, (), UPDATE.takers)
QUERY = Mixture(
    ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    ("AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"),
    ("FilterExpression", "KeyConditionExpression"),
)
SCAN = Mixture(
    ("ProjectionExpression", "FilterExpression"),
    ("AttributesToGet", "ScanFilter", "ConditionalOperator"),
    ("FilterExpression",),
)


def guard(
    expression: str | None,
    expected: Mapping[str, Any] | None,
    operator: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Value] | None,
) -> Guard | None:
    """The condition of a put or delete, from an expression or from Expected; None when there is none."""
    if expression is not None:
        prepared, bound = bind.prepare(bind.Texts(condition=expression), names, values)
        assert prepared.condition is not None
        return Guard(prepared.condition.test, bound)
    if expected is None and operator is None:
        return None
    return expected_guard(expected, operator)


def expected_guard(expected: Mapping[str, Any] | None, operator: str | None) -> Guard | None:
    """The condition of Expected; None when there is none."""
    legacy.check_operator(operator, expected)
    if not expected:
        return None
    condition = legacy.expected_condition(expected, operator)
    return None if condition is None else Guard(tester(condition), NO_VALUES)


def update_and_guard(
    update: str | None,
    condition: str | None,
    updates: Mapping[str, Any] | None,
    expected: Mapping[str, Any] | None,
    operator: str | None,
    names: Mapping[str, str] | None,
    values: Mapping[str, Value] | None,
) -> tuple[Update | None, Guard | None, Mapping[str, Value]]:
    """The update and the condition of UpdateItem, with the values bound to both."""
    if update is None and condition is None:
        actions = legacy.update_actions(updates) if updates else []
        held = expected_guard(expected, operator)
        return (Update(actions) if actions else None), held, NO_VALUES
    prepared, bound = bind.prepare(bind.Texts(update, condition), names, values)
    held = Guard(prepared.condition.test, bound) if prepared.condition is not None else None
    return (prepared.update.update if prepared.update is not None else None), held, bound


def projection(
    expression: str | None, attributes: Sequence[str] | None, names: Mapping[str, str] | None
) -> Projection | None:
    """The projection of a read, from an expression or from AttributesToGet; None for whole items."""
    if expression is not None:
        prepared, _ = bind.prepare(bind.Texts(projection=expression), names, None)
        assert prepared.projection is not None
        return prepared.projection.projection
    if attributes is not None:
        return legacy.attributes_projection(attributes)
    return None


def check_deep_return(
    return_values: str,
    item: Mapping[str, Value],
    expected: Mapping[str, Any] | None,
    values: Mapping[str, Value] | None,
) -> None:
    """Refuse ReturnValues of a put or delete in the older words, which come first; raises ValidationException."""
    if return_values in OLD_OR_NONE:
        return
    conditions = [held for held in (expected or {}).values() if isinstance(held, dict)]
    given = [held for held in (item, values) if isinstance(held, dict)]  # nobody has checked that they are maps
    sent = [value for held in given for value in held.values()] + [held.get("Value") for held in conditions]
    for held in conditions:
        sent += held.get("AttributeValueList") or ()
    for _ in range(_OLDER_READER + 1):
        sent = [inner for value in sent for inner in _inside(value)]
    if sent:
        raise ValidationException(ONLY_OLD)


def _inside(value: Any) -> Iterable[Any]:
    """What lies one level deeper in a value that nobody has checked."""
    members, elements = (value.get("M"), value.get("L")) if isinstance(value, dict) else (None, None)
    if isinstance(members, dict):
        return members.values()
    return elements if isinstance(elements, list) else ()


def check_key(key: Any) -> None:
    """Check the values of a Key parameter and bring numbers to normal form; raises Fault."""
    if key.__class__ is not dict:
        check_value(key)
    for value in key.values():
        check_value(value)

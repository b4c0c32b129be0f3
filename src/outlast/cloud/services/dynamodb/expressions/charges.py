"""What an UpdateExpression weighs: beside the finished item, AWS holds what the statement writes against 400 KB.

Measured on AWS, in bytes: 3 for the statement; 19, the target and the operand for each SET and ADD; 1 and the target
for each REMOVE and DELETE. The parameters from before expressions, PartiQL and transactions are judged by the finished
item alone. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html (item size)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.expressions.tree import (
    Action,
    Add,
    Arithmetic,
    Assign,
    IfNotExists,
    ListAppend,
    Literal,
    Operand,
    Path,
    PathParts,
    ValueRef,
)
from outlast.cloud.services.dynamodb.values import Value

STATEMENT = 3
WRITE = 19
ERASE = 1
TARGET_STEP = 4
OPERAND_STEP = 14
OPERATORS = {"+": 34, "-": 37}
APPENDED = 37
DEFAULTED = 39


def statement_bytes(actions: Iterable[Action], values: Mapping[str, Value]) -> int:
    """The weight of a statement's actions; 0 for actions that do not come from an expression."""
    total = STATEMENT
    for action in actions:
        total += _target(action.path)
        if not isinstance(action, (Assign, Add)):
            total += ERASE
        elif isinstance(action.operand, Literal):
            return 0
        else:
            total += WRITE + _operand(action.operand, values)
    return total


def _target(path: PathParts) -> int:
    return av.text_bytes(str(path[0])) + sum(TARGET_STEP + av.text_bytes(str(part)) for part in path[1:])


def _operand(operand: Operand, values: Mapping[str, Value]) -> int:
    if isinstance(operand, ValueRef):
        return av.value_size(values[operand.name])
    if isinstance(operand, Path):
        return 1 + sum(OPERAND_STEP + av.text_bytes(str(part)) for part in operand.parts)
    if isinstance(operand, Arithmetic):
        return OPERATORS[operand.operator] + _operand(operand.left, values) + _operand(operand.right, values)
    if isinstance(operand, IfNotExists):
        return DEFAULTED + _operand(operand.path, values) + _operand(operand.otherwise, values)
    if isinstance(operand, ListAppend):
        return APPENDED + _operand(operand.first, values) + _operand(operand.second, values)
    return 0

"""Condition keys of item operations: which partitions and attributes a request touches, and what it asks back.

Made only when a policy looks at a condition. What the operation itself will refuse has no keys here.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import Fault, ValidationException
from outlast.cloud.services.dynamodb.expressions import bind, legacy
from outlast.cloud.services.dynamodb.expressions.keyconditions import bound_tests, key_shape
from outlast.cloud.services.dynamodb.partiql.lexer import words
from outlast.cloud.services.dynamodb.reading import find_index
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.values import Value

Params = Mapping[str, Any]
Keys = dict[str, Sequence[str]]
LEADING = "dynamodb:LeadingKeys"
ATTRIBUTES = "dynamodb:Attributes"
SELECT = "dynamodb:Select"
RETURNED = "dynamodb:ReturnValues"
UNKNOWN: Keys = {LEADING: ("",), ATTRIBUTES: ("",), SELECT: ("",)}
"""Of statements in PartiQL, which are not read for this: no limit on keys or attributes is met."""
_NAMED = ("Key", "Item", "Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter")
_ON_FAILURE = "ReturnValuesOnConditionCheckFailure"
_MORE = ("NONE", "UPDATED_NEW", "UPDATED_OLD", "ALL_NEW", "ALL_OLD")
"""What may be asked back, the most last."""


def item_keys(params: Params, call: Call[DynamoDB]) -> Keys:
    """Of an operation on one item."""
    return _asked(params) | _returned([params]) | _touched([params], call)


def _returned(parts: Iterable[Params]) -> Keys:
    """`ReturnValues`: what a write asks back, whether it is done or its condition does not hold.

    A policy that names attributes limits what comes back by this key alone, as in AWS's second example: a condition on
    `dynamodb:Attributes` says nothing of it. Of several parts the one that asks for most.
    """
    asked = {str(part.get(name)) for part in parts for name in ("ReturnValues", _ON_FAILURE)}
    return {RETURNED: (max(asked & set(_MORE), key=_MORE.index, default="NONE"),)}


def read_keys(params: Params, call: Call[DynamoDB]) -> Keys:
    """Of GetItem, Query and Scan."""
    return _asked(params) | _touched([params], call) | _selected([params])


def _selected(parts: Sequence[Params]) -> Keys:
    """`Select` as it holds when it is left out; of reads of single items too, which could have all attributes else.

    Of several parts the one that asks for most. See the policy and its note on
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_dynamodb_attributes.html
    """
    for part in parts:
        if part.get("Select"):
            return {SELECT: (str(part["Select"]),)}
        if part.get("ProjectionExpression") is None and part.get("AttributesToGet") is None:
            return {SELECT: ("ALL_PROJECTED_ATTRIBUTES" if part.get("IndexName") else "ALL_ATTRIBUTES",)}
    return {SELECT: ("SPECIFIC_ATTRIBUTES",)}


def batch_keys(params: Params, call: Call[DynamoDB]) -> Keys:
    """Of BatchGetItem and BatchWriteItem."""
    parts: list[Params] = []
    read: list[Params] = []
    for table, asked in (params.get("RequestItems") or {}).items():
        if isinstance(asked, Mapping):
            shared = {name: asked[name] for name in asked if name != "Keys"}
            read.append(shared)
            parts += [{**shared, "TableName": table, "Key": key} for key in asked.get("Keys") or ()]
        else:
            parts += [{**each, "TableName": table} for entry in asked for each in entry.values() if each]
    selected = _selected(read) if read else {}
    return _asked(params) | _touched(parts, call) | selected


def transaction_keys(params: Params, call: Call[DynamoDB]) -> Keys:
    """Of TransactWriteItems and TransactGetItems."""
    parts = [
        each for entry in params.get("TransactItems") or () for each in entry.values() if isinstance(each, Mapping)
    ]
    found = _asked(params) | _touched(parts, call)
    found["dynamodb:EnclosingOperation"] = (call.operation,)
    return found | (_selected(parts) if call.operation == "TransactGetItems" else _returned(parts))


def statement_keys(params: Params, call: Call[DynamoDB]) -> Keys:
    """Of PartiQL."""
    del call
    parts: list[Params] = [params, *(params.get("Statements") or ()), *(params.get("TransactStatements") or ())]
    clauses = [{"ReturnValues": _returning(part["Statement"])} for part in parts if part.get("Statement")]
    return UNKNOWN | _returned([*parts, *clauses])


def _returning(statement: str) -> str:
    """What a statement returns of what it writes, in the words of the other operations."""
    try:
        found = [word.text.upper() for word in words(statement)]
    except ValidationException:  # the operation refuses it
        return "NONE"
    if "RETURNING" not in found:
        return "NONE"
    return "_".join("UPDATED" if word == "MODIFIED" else word for word in found[found.index("RETURNING") + 1 :][:2])


def _asked(params: Params) -> Keys:
    return {"dynamodb:ReturnConsumedCapacity": (str(params.get("ReturnConsumedCapacity") or "NONE"),)}


def _touched(parts: Iterable[Params], call: Call[DynamoDB]) -> Keys:
    """Leading keys and top-level attributes of everything that the request names."""
    leading: dict[str, None] = {}
    attributes: dict[str, None] = {}
    for part in parts:
        try:
            leading.update(dict.fromkeys(_leading(part, call.state)))
            attributes.update(dict.fromkeys(_attributes(part)))
        except (Fault, AttributeError, TypeError):  # the operation refuses it in its own words
            continue
    found: Keys = {}
    if leading:
        found[LEADING] = tuple(leading)
    if attributes:
        found[ATTRIBUTES] = tuple(attributes)
    return found


def _leading(part: Params, state: DynamoDB) -> list[str]:
    """The partition key's values, as text."""
    table = state.table(str(part.get("TableName")))
    index = find_index(table, part.get("IndexName"), consistent=False)
    schema = table.schema if index is None else index.schema
    held: Mapping[str, Value] = part.get("Key") or part.get("Item") or _tested(part)
    return [str(next(iter(held[each.name].values()))) for each in schema.partition if each.name in held]


def _tested(part: Params) -> dict[str, Value]:
    """What a Query asks of the key: attribute and first value of each condition."""
    if part.get("KeyConditions"):
        tests = legacy.key_condition_tests(part["KeyConditions"])
    else:
        prepared, bound = _prepared(part)
        if prepared.key is None:
            return {}
        tests = bound_tests(key_shape(prepared.key.condition), bound)
    return {name: test.values[0] for name, test in tests.items()}


def _attributes(part: Params) -> Iterable[str]:
    for name in _NAMED:
        yield from part.get(name) or ()
    yield from part.get("AttributesToGet") or ()
    prepared, _ = _prepared(part)
    for compiled in prepared.all:
        yield from compiled.heads


def _prepared(part: Params) -> tuple[bind.Prepared, Mapping[str, Value]]:
    texts = bind.Texts(
        part.get("UpdateExpression"),
        part.get("ConditionExpression"),
        part.get("KeyConditionExpression"),
        part.get("FilterExpression"),
        part.get("ProjectionExpression"),
    )
    return bind.prepare(texts, part.get("ExpressionAttributeNames"), part.get("ExpressionAttributeValues"))

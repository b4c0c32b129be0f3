"""What DynamoDB says in other words, or in another order, than the constraints of its model would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Service
from outlast.cloud.services.dynamodb.names import broken_rules, plain_name_rules

TABLE_CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")
MAX_BATCH_KEYS = 100
MAX_BATCH_WRITES = 25
DETECTED = "1 validation error detected: "
MAP_KEYS = (
    "failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to "
    "255, Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: "
    "[a-zA-Z0-9_.-]+]"
)
_PATH = re.compile(r" at '([A-Za-z]+)")
_FIRST = ("clientRequestToken", "conditionalOperator", "returnConsumedCapacity", "returnItemCollectionMetrics",
          "tableName", "returnValues")  # fmt: skip
_LAST = ("globalSecondaryIndexes", "localSecondaryIndexes")


def _new_table(params: Mapping[str, Any]) -> str | None:
    name = params.get("TableName")
    if name is None:
        return "The parameter 'TableName' is required but was not present in the request"
    if name.__class__ is str and not name.startswith("arn:"):
        broken = broken_rules(name, "tableName", plain_name_rules(name, 3))
        if broken is not None:
            return broken
    return _table_class(params)


def _table_class(params: Mapping[str, Any]) -> str | None:
    if params.get("TableClass") in (None, *TABLE_CLASSES):
        return None
    return (
        "Invalid table-class parameter provided. Please try again with a valid table-class value: "
        f"[{', '.join(TABLE_CLASSES)}]."
    )


def _query(params: Mapping[str, Any]) -> str | None:
    limit = params.get("Limit")
    if limit is not None and limit < 1:
        return (
            f"{DETECTED}Value at 'Limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )
    if (params.get("ConditionalOperator") or "OR") not in ("AND", "OR") and len(params.get("QueryFilter") or ()) > 1:
        return "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"
    return None


def _batch_get(params: Mapping[str, Any]) -> str | None:
    requested = params.get("RequestItems")
    if not requested:
        return f"{DETECTED}Value at 'RequestItems' {_shortest(1)}"
    for table, entry in requested.items():
        keys = entry.get("Keys") if entry is not None else None
        if keys is not None and not 0 < len(keys) <= MAX_BATCH_KEYS:
            rule = f"failed to satisfy constraint: Member must have length less than or equal to {MAX_BATCH_KEYS}"
            return f"{DETECTED}Value at 'RequestItems.{table}.member.Keys' {rule if keys else _shortest(1)}"
    return None


def _shortest(least: int) -> str:
    return f"failed to satisfy constraint: Member must have length greater than or equal to {least}"


def _batch_write(params: Mapping[str, Any]) -> str | None:
    requested = params.get("RequestItems")
    if not requested:
        return "The requestItems parameter is required for BatchWriteItem"
    for table, entries in requested.items():
        if entries is not None and not 0 < len(entries) <= MAX_BATCH_WRITES:
            shown = f"{len(entries)} writes" if entries else ""
            return (
                f"{DETECTED}Value '{{{table}=[{shown}]}}' at 'requestItems' failed to satisfy "
                "constraint: Map value must satisfy constraint: [Member must have length less than or equal to "
                f"{MAX_BATCH_WRITES}, Member must have length greater than or equal to 1]"
            )
    return None


def misnamed_get(requested: Mapping[str, Any]) -> str:
    """What BatchGetItem says of a malformed table name: the request as JSON, and the rules of names."""
    try:
        shown = f" '{orjson.dumps(requested).decode()}'"
    except orjson.JSONEncodeError:  # nested deeper than JSON is written
        shown = ""
    return f"Value{shown} at 'requestItems' {MAP_KEYS}"


def misnamed_write(requested: Mapping[str, Any]) -> str:
    """What BatchWriteItem says of a malformed table name: the request as Java prints it, and the rules of names."""
    try:
        tables = ", ".join(f"{name}=[{', '.join(map(_write_request, found))}]" for name, found in requested.items())
    except RecursionError:
        tables = "..."
    return f"Value '{{{tables}}}' at 'requestItems' {MAP_KEYS}"


def _write_request(request: Mapping[str, Any]) -> str:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    shown_put = "null" if put is None else f"PutRequest(item={_java_item(put['Item'])})"
    shown_delete = "null" if delete is None else f"DeleteRequest(key={_java_item(delete['Key'])})"
    return f"WriteRequest(putRequest={shown_put}, deleteRequest={shown_delete})"


def _java_item(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return "{" + ", ".join(f"{name}={_java_value(value)}" for name, value in item.items()) + "}"


def _java_value(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return f"AttributeValue({', '.join(f'{kind.lower()}={raw}' for kind, raw in value.items())})"


def _rank(violation: str) -> int:
    found = _PATH.search(violation)
    path = found[1] if found is not None else ""
    if path in _FIRST:
        return _FIRST.index(path)
    return len(_FIRST) + (1 + _LAST.index(path) if path in _LAST else 0)


def _in_order(params: Mapping[str, Any], found: list[str]) -> list[str]:
    """The violations as DynamoDB lists them."""
    del params
    return sorted(found, key=_rank)


def _one_item(params: Mapping[str, Any], found: list[str]) -> list[str]:
    """Those of a put or delete: a malformed table name is named alone, unless the item or key is missing too."""
    named = [violation for violation in found if " at 'tableName'" in violation]
    whole = params.get("Key", params.get("Item")) is not None
    return named if named and whole and params.get("TableName") is not None else _in_order(params, found)


def _update(params: Mapping[str, Any], found: list[str]) -> list[str]:
    """Those of an update: only the first, unless the key is missing too."""
    shown = _one_item(params, found)
    return shown[:1] if params.get("Key") is not None else shown


def _batch_get_found(params: Mapping[str, Any], found: list[str]) -> list[str]:
    """Those of BatchGetItem, among them a malformed table name, which the model does not constrain."""
    requested = params.get("RequestItems") or {}
    if any(not name.startswith("arn:") and plain_name_rules(name, 3) for name in requested):
        return [misnamed_get(requested), *found]
    return found


def word(service: Service[Any]) -> None:
    """Give the operations of DynamoDB their own words."""
    refinements = {
        "CreateTable": _new_table,
        "UpdateTable": _table_class,
        "Query": _query,
        "BatchGetItem": _batch_get,
        "BatchWriteItem": _batch_write,
    }
    for name, refinement in refinements.items():
        service.operations[name].operation.refine(refinement)
    orders = {
        "CreateTable": _in_order,
        "TransactWriteItems": _in_order,
        "PutItem": _one_item,
        "DeleteItem": _one_item,
        "UpdateItem": _update,
        "BatchGetItem": _batch_get_found,
    }
    for name, order in orders.items():
        service.operations[name].operation.arrange(order)

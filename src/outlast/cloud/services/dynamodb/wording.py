"""What DynamoDB says in other words than the constraints of its model would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outlast.cloud.contract import Service

MAX_BATCH_KEYS = 100
MAX_BATCH_WRITES = 25
DETECTED = "1 validation error detected: "


def _table_name(params: Mapping[str, Any]) -> str | None:
    if params.get("TableName") is None:
        return "The parameter 'TableName' is required but was not present in the request"
    return None


def _query(params: Mapping[str, Any]) -> str | None:
    limit = params.get("Limit")
    if limit is not None and limit < 1:
        return (
            f"{DETECTED}Value at 'Limit' failed to satisfy constraint: "
            "Member must have value greater than or equal to 1"
        )
    return None


def _batch_get(params: Mapping[str, Any]) -> str | None:
    requested = params.get("RequestItems")
    if not requested:
        return "The requestItems parameter is required for BatchGetItem"
    for table, entry in requested.items():
        if entry is not None and len(entry.get("Keys") or ()) > MAX_BATCH_KEYS:
            return (
                f"{DETECTED}Value at 'RequestItems.{table}.member.Keys' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BATCH_KEYS}"
            )
    return None


def _batch_write(params: Mapping[str, Any]) -> str | None:
    requested = params.get("RequestItems")
    if not requested:
        return "The requestItems parameter is required for BatchWriteItem"
    for table, entries in requested.items():
        if entries is not None and not 0 < len(entries) <= MAX_BATCH_WRITES:
            return (
                f"{DETECTED}Value '{{{table}=[{len(entries)} writes]}}' at 'requestItems' failed to satisfy "
                "constraint: Map value must satisfy constraint: [Member must have length less than or equal to "
                f"{MAX_BATCH_WRITES}, Member must have length greater than or equal to 1]"
            )
    return None


def word(service: Service[Any]) -> None:
    """Give the operations of DynamoDB their own words."""
    refinements = {
        "CreateTable": _table_name,
        "Query": _query,
        "BatchGetItem": _batch_get,
        "BatchWriteItem": _batch_write,
    }
    for name, refinement in refinements.items():
        service.operations[name].operation.refine(refinement)

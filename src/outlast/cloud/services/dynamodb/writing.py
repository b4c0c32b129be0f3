"""What writes have in common: sizes after an update, faults of conditions, metrics of item collections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, write_units
from outlast.cloud.services.dynamodb.errors import ConditionalCheckFailedException, invalid
from outlast.cloud.services.dynamodb.expressions.charges import statement_bytes
from outlast.cloud.services.dynamodb.expressions.tree import Assign, ValueRef
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.indexes import HEADER, empty_index_value, stored_size
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value

UPDATE_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"
CONDITION_FAILED = "The conditional request failed"


def check_updated(table: Table, update: Update, values: Mapping[str, Value]) -> None:
    """Refuse an update of a key attribute, or of an index key to an empty value; raises ValidationException."""
    for name in table.schema.names:
        if name in update.heads:
            raise invalid(f"Cannot update attribute {name}. This attribute is part of the key")
    names = table.index_keys.names
    if names and not names.isdisjoint(update.heads):
        for action in update.actions:
            if isinstance(action, Assign) and isinstance(action.operand, ValueRef) and action.path[0] in names:
                value = values[action.operand.name]
                for kind, raw in value.items():
                    if not raw and kind in ("S", "B") and len(action.path) == 1:
                        word = "string" if kind == "S" else "binary"
                        raise empty_index_value(str(action.path[0]), "", word, True)


def check_weight(update: Update | None, values: Mapping[str, Value]) -> None:
    """Refuse a statement that writes more than an item may hold, whatever becomes of it; raises ValidationException."""
    if update is not None and statement_bytes(update.actions, values) > av.MAX_ITEM_BYTES:
        raise ValidationException(UPDATE_TOO_LARGE)


def grown_size(base_size: int, base: Item, new: Item, update: Update) -> int:
    """The item's size after an update, from the attributes that it touched."""
    size = base_size
    for head in update.heads:
        before, after = base.get(head), new.get(head)
        if before is not None:
            size -= av.text_bytes(head) + av.value_size(before)
        if after is not None:
            size += av.text_bytes(head) + av.value_size(after)
    return size


def condition_failed(table: Table, held: bytes | None, wanted: str | None) -> ConditionalCheckFailedException:
    """The fault of a false condition, counted and charged; with the item when it was asked for."""
    table.metrics.condition_failures.add(1)
    table.metrics.writes.add(write_units(stored_size(held)))
    if wanted == "ALL_OLD" and held is not None:
        return ConditionalCheckFailedException(CONDITION_FAILED, Item=orjson.Fragment(held[HEADER:]))
    return ConditionalCheckFailedException(CONDITION_FAILED)


def write_consumed(table: Table, name: str, units: float) -> Consumed:
    """What the last write of the table consumed, its indexes included."""
    consumed = Consumed(name, units)
    for index in table.indexes:
        amount = table.index_units.get(index.name)
        if amount is not None:
            (consumed.global_indexes if index.is_global else consumed.local_indexes)[index.name] = amount
    return consumed


def collection_metrics(reply: dict[str, Any], table: Table, item: Mapping[str, Value]) -> None:
    """ItemCollectionMetrics, which only tables with local indexes have."""
    shown = item_collection(table, item)
    if shown is not None:
        reply["ItemCollectionMetrics"] = shown


def item_collection(table: Table, item: Mapping[str, Value]) -> dict[str, Any] | None:
    """The collection that an item belongs to, with an estimate of its size; None without local indexes."""
    if not table.local:
        return None
    name = table.key.partition
    return {"ItemCollectionKey": {name: item[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}


def too_large() -> ValidationException:
    """The fault of an item over 400 KB."""
    return ValidationException(av.ITEM_TOO_LARGE)

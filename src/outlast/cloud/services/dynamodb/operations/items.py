"""One item at a time: GetItem, PutItem, UpdateItem, DeleteItem.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import requests
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units, write_units
from outlast.cloud.services.dynamodb.condition_keys import item_keys, read_keys
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.indexes import HEADER, packed, stored_size, unpacked
from outlast.cloud.services.dynamodb.names import table_resource
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value
from outlast.cloud.services.dynamodb.writing import (
    UPDATE_TOO_LARGE,
    check_updated,
    check_weight,
    collection_metrics,
    condition_failed,
    grown_size,
    write_consumed,
)

NEARLY_FULL = av.MAX_ITEM_BYTES - 100_000


@dynamodb.operation(resource=table_resource, conditions=read_keys)
def get_item(
    call: Call[DynamoDB],
    *,
    table_name: str,
    key: dict[str, Value],
    attributes_to_get: list[str] | None = None,
    consistent_read: bool = False,
    return_consumed_capacity: str | None = None,
    projection_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
) -> Reply:
    """Read one item by its key; a whole item leaves as it is stored."""
    state = call.state
    began = state.latencies.now_s()
    projection = None
    if projection_expression is not None or attributes_to_get is not None or expression_attribute_names is not None:
        requests.GET.check((projection_expression,), (attributes_to_get,), expression_attribute_names, None)
    requests.check_key(key)
    if projection_expression is not None or attributes_to_get is not None:
        projection = requests.projection(projection_expression, attributes_to_get, expression_attribute_names)
    table = state.table(table_name)
    stored = table.items.get(table.key.of_key(key))
    units = read_units(stored_size(stored), consistent_read)
    table.metrics.reads.add(units)
    reply: dict[str, Any] = {}
    if stored is not None:
        if projection is None:
            reply["Item"] = orjson.Fragment(stored[HEADER:])
        else:
            reply["Item"] = projection.of(unpacked(stored))
    if return_consumed_capacity is not None:
        shown = Consumed(table_name, units, reads=True).shown(return_consumed_capacity)
        if shown is not None:
            reply["ConsumedCapacity"] = shown
    state.latencies.note(table.metrics.latency("GetItem"), began)
    return reply


@dynamodb.operation(resource=table_resource, conditions=item_keys)
def put_item(
    call: Call[DynamoDB],
    *,
    table_name: str,
    item: Item,
    expected: dict[str, Any] | None = None,
    return_values: str | None = None,
    return_consumed_capacity: str | None = None,
    return_item_collection_metrics: str | None = None,
    conditional_operator: str | None = None,
    condition_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
    expression_attribute_values: dict[str, Value] | None = None,
    return_values_on_condition_check_failure: str | None = None,
) -> Reply:
    """Put one item in the place of whatever has its key."""
    state = call.state
    began = state.latencies.now_s()
    names, values = expression_attribute_names, expression_attribute_values
    if return_values is not None:
        requests.check_deep_return(return_values, item, expected, values)
    try:
        if condition_expression is not None or names is not None or values is not None:
            requests.WRITE.check((condition_expression,), (expected, conditional_operator), names, values)
        size = av.check_item(item)
        if return_values is not None and return_values not in requests.OLD_OR_NONE:
            raise ValidationException(requests.ONLY_OLD)
        if size > av.MAX_ITEM_BYTES:
            raise ValidationException(av.ITEM_TOO_LARGE)
        guard = requests.guard(condition_expression, expected, conditional_operator, names, values)
    except ValidationException as fault:
        raise requests.enveloped(fault) from None
    table = state.table(table_name)
    raw = table.key.of_item(item)
    if table.indexes:
        table.index_keys.check(item)
    stored, old = packed(item, size), None
    with state.engine.begin() as tx:
        if guard is not None:
            held = tx.get(table.items, raw)
            old = unpacked(held) if held is not None else None
            if not guard.test(old or {}, guard.values):
                raise condition_failed(table, held, return_values_on_condition_check_failure)
        table.write(tx, raw, stored, old, item, b"PutItem " + call.request_id.encode())
    before = table.before
    reply: dict[str, Any] = {}
    if return_values == "ALL_OLD" and before is not None:
        reply["Attributes"] = orjson.Fragment(before[HEADER:])
    _finish(reply, table, table_name, max(size, table.before_size), return_consumed_capacity)
    if return_item_collection_metrics == "SIZE":
        collection_metrics(reply, table, item)
    state.latencies.note(table.metrics.latency("PutItem"), began)
    return reply


def _finish(reply: dict[str, Any], table: Table, name: str, size: int, detail: str | None) -> None:
    """Count what a write consumed, and show it when asked."""
    units = write_units(size)
    if table.index_units:
        consumed = write_consumed(table, name, units)
        table.metrics.writes.add(consumed.total)
    else:
        table.metrics.writes.add(units)
        if detail is None:
            return
        consumed = Consumed(name, units)
    shown = consumed.shown(detail)
    if shown is not None:
        reply["ConsumedCapacity"] = shown


@dynamodb.operation(resource=table_resource, conditions=item_keys)
def delete_item(
    call: Call[DynamoDB],
    *,
    table_name: str,
    key: dict[str, Value],
    expected: dict[str, Any] | None = None,
    conditional_operator: str | None = None,
    return_values: str | None = None,
    return_consumed_capacity: str | None = None,
    return_item_collection_metrics: str | None = None,
    condition_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
    expression_attribute_values: dict[str, Value] | None = None,
    return_values_on_condition_check_failure: str | None = None,
) -> Reply:
    """Delete one item by its key; nothing happens when there is none."""
    state = call.state
    began = state.latencies.now_s()
    names, values = expression_attribute_names, expression_attribute_values
    if return_values is not None:
        requests.check_deep_return(return_values, key, expected, values)
    try:
        requests.WRITE.check((condition_expression,), (expected, conditional_operator), names, values)
        requests.check_key(key)
        if return_values is not None and return_values not in requests.OLD_OR_NONE:
            raise ValidationException(requests.ONLY_OLD)
        guard = requests.guard(condition_expression, expected, conditional_operator, names, values)
    except ValidationException as fault:
        raise requests.enveloped(fault) from None
    table = state.table(table_name)
    raw = table.key.of_key(key)
    with state.engine.begin() as tx:
        held = tx.get(table.items, raw)
        old = None
        if guard is not None:
            old = unpacked(held) if held is not None else None
            if not guard.test(old or {}, guard.values):
                raise condition_failed(table, held, return_values_on_condition_check_failure)
        table.write(tx, raw, None, old, None, b"DeleteItem " + call.request_id.encode())
    reply: dict[str, Any] = {}
    if return_values == "ALL_OLD" and held is not None:
        reply["Attributes"] = orjson.Fragment(held[HEADER:])
    _finish(reply, table, table_name, stored_size(held), return_consumed_capacity)
    if return_item_collection_metrics == "SIZE":
        collection_metrics(reply, table, key)
    state.latencies.note(table.metrics.latency("DeleteItem"), began)
    return reply


@dynamodb.operation(resource=table_resource, conditions=item_keys)
def update_item(
    call: Call[DynamoDB],
    *,
    table_name: str,
    key: dict[str, Value],
    attribute_updates: dict[str, Any] | None = None,
    expected: dict[str, Any] | None = None,
    conditional_operator: str | None = None,
    return_values: str | None = None,
    return_consumed_capacity: str | None = None,
    return_item_collection_metrics: str | None = None,
    update_expression: str | None = None,
    condition_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
    expression_attribute_values: dict[str, Value] | None = None,
    return_values_on_condition_check_failure: str | None = None,
) -> Reply:
    """Change one item in place, or make it when the update writes something."""
    state = call.state
    began, names = state.latencies.now_s(), expression_attribute_names
    try:
        if update_expression is None or attribute_updates is not None or expected is not None or conditional_operator:
            older = (attribute_updates, expected, conditional_operator)
            requests.UPDATE.check((update_expression, condition_expression), older, names, expression_attribute_values)
        requests.check_key(key)
        update, guard, values = requests.update_and_guard(
            update_expression,
            condition_expression,
            attribute_updates,
            expected,
            conditional_operator,
            names,
            expression_attribute_values,
        )
    except ValidationException as fault:
        raise requests.enveloped(fault) from None
    table = state.table(table_name)
    raw = table.key.of_key(key)
    if update is not None:
        check_updated(table, update, values)
    with state.engine.begin() as tx:
        held = tx.get(table.items, raw)
        old = unpacked(held) if held is not None else None
        if guard is not None and not guard.test(old or {}, guard.values):
            check_weight(update, values)
            raise condition_failed(table, held, return_values_on_condition_check_failure)
        new, size = _updated(table, update, values, key, old, held)
        if new is not None:
            table.write(tx, raw, packed(new, size), old, new, b"UpdateItem " + call.request_id.encode())
        else:
            table.index_units = {}
    reply: dict[str, Any] = {}
    if return_values is not None and return_values != "NONE":
        _returned(reply, return_values, update, old, held, new)
    _finish(reply, table, table_name, max(size, stored_size(held)), return_consumed_capacity)
    if return_item_collection_metrics == "SIZE":
        collection_metrics(reply, table, key)
    state.latencies.note(table.metrics.latency("UpdateItem"), began)
    return reply


def _updated(
    table: Table,
    update: Update | None,
    values: Mapping[str, Value],
    key: Item,
    old: Item | None,
    held: bytes | None,
) -> tuple[Item | None, int]:
    """The item after the update and its size; None when an update of nothing leaves nothing."""
    base = old if old is not None else dict(key)
    base_size = stored_size(held) if held is not None else av.item_size(base)
    if update is None:
        return base, base_size
    if old is None and not update.creates:
        return None, 0
    new = update.apply(base, values)
    size = grown_size(base_size, base, new, update)
    if size > NEARLY_FULL or update.defaults:
        if size > av.MAX_ITEM_BYTES:
            raise ValidationException(UPDATE_TOO_LARGE)
        check_weight(update, values)
    if table.indexes and not table.index_keys.names.isdisjoint(update.heads):
        table.index_keys.check(new, updating=frozenset(update.heads))
    return new, size


def _returned(
    reply: dict[str, Any],
    wanted: str,
    update: Update | None,
    old: Item | None,
    held: bytes | None,
    new: Item | None,
) -> None:
    """Put the attributes that ReturnValues asks for into the reply."""
    if wanted == "ALL_OLD":
        if held is not None:
            reply["Attributes"] = orjson.Fragment(held[HEADER:])
        return
    if wanted == "ALL_NEW":
        if new is not None:
            reply["Attributes"] = new
        return
    source = old if wanted == "UPDATED_OLD" else new
    if update is not None and source is not None:
        touched = update.touched.of(source)
        if touched:
            reply["Attributes"] = touched

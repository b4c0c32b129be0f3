"""Batches: BatchGetItem and BatchWriteItem. A batch is checked as a whole first; its items then stand alone.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import requests, wording
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units, write_units
from outlast.cloud.services.dynamodb.condition_keys import batch_keys
from outlast.cloud.services.dynamodb.errors import ValueFault
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.indexes import HEADER, packed, stored_size, unpacked
from outlast.cloud.services.dynamodb.names import batch_resources
from outlast.cloud.services.dynamodb.schema import MISMATCH
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item
from outlast.cloud.services.dynamodb.writing import item_collection, too_large, write_consumed

MAX_GETS = 100
MAX_WRITES = 25
RESPONSE_BYTES = 16 * 1024 * 1024
DUPLICATES = "Provided list of item keys contains duplicates"


class Wanted(NamedTuple):
    """The keys that a batch wants of one table, and how."""

    name: str
    keys: list[Item]
    projection: Projection | None
    consistent: bool
    entry: Mapping[str, Any]


def _wanted(name: str, entry: Mapping[str, Any]) -> Wanted:
    expression, attributes = entry.get("ProjectionExpression"), entry.get("AttributesToGet")
    names = entry.get("ExpressionAttributeNames")
    requests.GET.check((expression,), (attributes,), names, None)
    for key in entry["Keys"]:
        requests.check_key(key)
    projection = requests.projection(expression, attributes, names)
    return Wanted(name, entry["Keys"], projection, bool(entry.get("ConsistentRead")), entry)


@dynamodb.operation(resource=batch_resources("dynamodb:BatchGetItem"), conditions=batch_keys)
def batch_get_item(
    call: Call[DynamoDB], *, request_items: dict[str, Any], return_consumed_capacity: str | None = None
) -> Reply:
    """Read up to 100 items by their keys, from one table or several; what passes 16 MB is left for another call."""
    state = call.state
    began = state.latencies.now_s()
    if sum(len(entry["Keys"]) for entry in request_items.values()) > MAX_GETS:
        raise ValidationException("Too many items requested for the BatchGetItem call")
    wanted = [_wanted(name, entry) for name, entry in request_items.items()]
    styles = {"AttributesToGet" if "AttributesToGet" in each.entry else "ProjectionExpression" for each in wanted
              if "AttributesToGet" in each.entry or "ProjectionExpression" in each.entry}  # fmt: skip
    if len(styles) == 2:
        raise ValidationException(
            "Can not use both expression and non-expression parameters in the same request: Non-expression "
            "parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
        )
    tables = _tables(state, [each.name for each in wanted], wording.misnamed_get, request_items)
    places = [_places(table, each.keys) for table, each in zip(tables, wanted, strict=True)]
    responses: dict[str, Any] = {}
    unprocessed: dict[str, Any] = {}
    consumed = []
    room = RESPONSE_BYTES
    for table, each, raws in zip(tables, wanted, places, strict=True):
        found, used, left, room = _read(table, each, raws, room)
        responses[each.name] = found
        if left:
            unprocessed[each.name] = {**each.entry, "Keys": left}
        table.metrics.reads.add(used.total)
        shown = used.shown(return_consumed_capacity)
        if shown is not None:
            consumed.append(shown)
        state.latencies.note(table.metrics.latency("BatchGetItem"), began)
    reply: dict[str, Any] = {"Responses": responses, "UnprocessedKeys": unprocessed}
    if consumed:
        reply["ConsumedCapacity"] = consumed
    return reply


def _tables(
    state: DynamoDB, names: list[str], told: Callable[[Mapping[str, Any]], str], requested: Mapping[str, Any]
) -> list[Table]:
    """The tables of a batch; a name that none can have is told with the whole request."""
    try:
        return [state.table(name) for name in names]
    except ValidationException as fault:
        if "'tableName'" not in fault.message:
            raise
        raise ValidationException(f"{wording.DETECTED}{told(requested)}") from None


def _places(table: Table, found: list[Item]) -> list[bytes]:
    raws = [table.key.of_key(key) for key in found]
    if len(set(raws)) != len(raws):
        raise ValidationException(DUPLICATES)
    return raws


def _read(table: Table, wanted: Wanted, raws: list[bytes], room: int) -> tuple[list[Any], Consumed, list[Item], int]:
    """(items, capacity, keys left over, room left) of one table."""
    items: list[Any] = []
    used = Consumed(wanted.name, reads=True)
    for place, raw in enumerate(raws):
        stored = table.items.get(raw)
        size = stored_size(stored)
        if size > room:
            return items, used, wanted.keys[place:], 0
        room -= size
        used.table += read_units(size, wanted.consistent)
        if stored is not None:
            if wanted.projection is None:
                items.append(orjson.Fragment(stored[HEADER:]))
            else:
                items.append(wanted.projection.of(unpacked(stored)))
    return items, used, [], room


class Write(NamedTuple):
    """One checked write of a batch: `item` is None for a delete."""

    item: Item | None
    key: Item
    size: int


def _checked_write(request: Mapping[str, Any]) -> Write:
    put, delete = request.get("PutRequest"), request.get("DeleteRequest")
    if put is not None and delete is not None:
        raise ValidationException(av.SEVERAL)
    if put is not None:
        size = av.check_item(put["Item"])
        if size > av.MAX_ITEM_BYTES:
            raise too_large()
        return Write(put["Item"], put["Item"], size)
    if delete is None:
        raise ValidationException(av.EMPTY)
    requests.check_key(delete["Key"])
    return Write(None, delete["Key"], 0)


def _place(table: Table, write: Write) -> bytes:
    """The key of a write; raises ValidationException as a batch words it."""
    if write.item is None:
        return table.key.of_key(write.key)
    raw = table.key.found_in(write.item)
    if raw is None:
        raise ValidationException(MISMATCH)
    if table.indexes:
        table.index_keys.check(write.item)
    return raw


@dynamodb.operation(resource=batch_resources("dynamodb:BatchWriteItem"), conditions=batch_keys)
def batch_write_item(
    call: Call[DynamoDB],
    *,
    request_items: dict[str, Any],
    return_consumed_capacity: str | None = None,
    return_item_collection_metrics: str | None = None,
) -> Reply:
    """Put or delete up to 25 items in one table or several."""
    state = call.state
    began = state.latencies.now_s()
    if sum(map(len, request_items.values())) > MAX_WRITES:
        raise ValidationException("Too many items requested for the BatchWriteItem call")
    try:
        checked = [(name, [_checked_write(request) for request in found]) for name, found in request_items.items()]
    except ValueFault as fault:
        raise fault.in_older_words() from None
    tables = _tables(state, [name for name, _ in checked], wording.misnamed_write, request_items)
    work = []
    for table, (name, writes) in zip(tables, checked, strict=True):
        raws = [_place(table, write) for write in writes]
        if len(set(raws)) != len(raws):
            raise ValidationException(DUPLICATES)
        work.append((table, name, writes, raws))
    context = b"BatchWriteItem " + call.request_id.encode()
    consumed, metrics = [], {}
    with state.engine.begin() as tx:
        for table, name, writes, raws in work:
            used = Consumed(name)
            for write, raw in zip(writes, raws, strict=True):
                stored = None if write.item is None else packed(write.item, write.size)
                table.write(tx, raw, stored, None, write.item, context)
                units = write_units(max(write.size, table.before_size))
                if table.indexes:
                    used.merge(write_consumed(table, name, units))
                else:
                    used.table += units
            table.metrics.writes.add(used.total)
            shown = used.shown(return_consumed_capacity)
            if shown is not None:
                consumed.append(shown)
            if return_item_collection_metrics == "SIZE" and table.local:
                metrics[name] = [item_collection(table, write.key) for write in writes]
            state.latencies.note(table.metrics.latency("BatchWriteItem"), began)
    reply: dict[str, Any] = {"UnprocessedItems": {}}
    if consumed:
        reply["ConsumedCapacity"] = consumed
    if metrics:
        reply["ItemCollectionMetrics"] = metrics
    return reply

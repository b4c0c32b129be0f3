"""Transactions: TransactWriteItems and TransactGetItems. All actions take place, or none does.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from typing import Any

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import Fault, ValidationException
from outlast.cloud.services.dynamodb import requests
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units
from outlast.cloud.services.dynamodb.condition_keys import transaction_keys
from outlast.cloud.services.dynamodb.errors import ValueFault
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.indexes import HEADER, stored_size, unpacked
from outlast.cloud.services.dynamodb.names import transact_resources
from outlast.cloud.services.dynamodb.schema import empty_value_fault
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.tokens import digest_of, replayed
from outlast.cloud.services.dynamodb.transacting import (
    MAX_BYTES,
    ONE_ITEM,
    TOO_LARGE,
    cancelled,
    run_actions,
    write_action,
)
from outlast.cloud.services.dynamodb.values import Item

NONE = {"Code": "None"}


@dynamodb.operation(resource=transact_resources, conditions=transaction_keys)
def transact_write_items(
    call: Call[DynamoDB],
    *,
    transact_items: list[Any],
    return_consumed_capacity: str | None = None,
    return_item_collection_metrics: str | None = None,
    client_request_token: str | None = None,
) -> Reply:
    """Put, update, delete and check up to 100 items, all or none; a token makes it happen once."""
    state = call.state
    began = state.latencies.now_s()
    digest = digest_of(transact_items) if client_request_token is not None else b""
    if client_request_token is not None:
        known = replayed(call, client_request_token, digest, return_consumed_capacity)
        if known is not None:
            return known
    try:
        actions = [write_action(entry) for entry in transact_items]
    except ValueFault as fault:
        raise fault.in_older_words() from None
    reply = run_actions(
        call, actions, client_request_token, digest, return_consumed_capacity, return_item_collection_metrics == "SIZE"
    )
    for table in {id(action.table): action.table for action in actions if action.table is not None}.values():
        state.latencies.note(table.metrics.latency("TransactWriteItems"), began)
    return reply


class Get:
    """One read of a transaction."""

    __slots__ = ("fault", "key", "name", "projection", "raw", "table")

    def __init__(self, entry: Any) -> None:
        given = entry["Get"]
        self.name: str = given["TableName"]
        self.key: Item = given["Key"]
        expression, names = given.get("ProjectionExpression"), given.get("ExpressionAttributeNames")
        requests.TRANSACT_GET.check((expression,), (), names, None)
        requests.check_key(self.key)
        self.projection: Projection | None = requests.projection(expression, None, names)
        self.table: Table | None = None
        self.raw = b""
        self.fault: Fault | None = None

    def resolve(self, state: DynamoDB) -> None:
        """Find the table and the item's place; what is wrong with the key is kept for the cancellation."""
        self.table = state.table(self.name)
        for name in self.table.schema.names:
            fault = empty_value_fault(self.key[name], name) if name in self.key else None
            if fault is not None:
                raise fault
        try:
            self.raw = self.table.key.of_key(self.key)
        except ValidationException as fault:
            self.fault = fault


@dynamodb.operation(resource=transact_resources, conditions=transaction_keys)
def transact_get_items(
    call: Call[DynamoDB], *, transact_items: list[Any], return_consumed_capacity: str | None = None
) -> Reply:
    """Read up to 100 items as they are at one moment."""
    state = call.state
    began = state.latencies.now_s()
    try:
        gets = [Get(entry) for entry in transact_items]
    except ValueFault as fault:
        raise fault.in_older_words() from None
    for get in gets:
        get.resolve(state)
    places = [(id(get.table), get.raw) for get in gets if get.fault is None]
    if len(set(places)) != len(places):
        raise ValidationException(ONE_ITEM)
    if any(get.fault is not None for get in gets):
        raise cancelled(
            [NONE if get.fault is None else {"Code": "ValidationError", "Message": get.fault.message} for get in gets]
        )
    responses: list[dict[str, Any]] = []
    used: dict[str, Consumed] = {}
    total = 0
    for get in gets:
        assert get.table is not None
        stored = get.table.items.get(get.raw)
        total += stored_size(stored)
        consumed = used.setdefault(get.name, Consumed(get.name, reads=True, transactional=True))
        units = 2 * read_units(stored_size(stored), True)
        consumed.table += units
        get.table.metrics.reads.add(units)
        if stored is None:
            responses.append({})
        elif get.projection is None:
            responses.append({"Item": orjson.Fragment(stored[HEADER:])})
        else:
            responses.append({"Item": get.projection.of(unpacked(stored))})
    if total > MAX_BYTES:
        raise ValidationException(TOO_LARGE)
    reply: dict[str, Any] = {"Responses": responses}
    shown = [each for each in (consumed.shown(return_consumed_capacity) for consumed in used.values()) if each]
    if shown:
        reply["ConsumedCapacity"] = shown
    for table in {id(get.table): get.table for get in gets if get.table is not None}.values():
        state.latencies.note(table.metrics.latency("TransactGetItems"), began)
    return reply

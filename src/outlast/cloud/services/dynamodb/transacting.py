"""The actions of a write transaction: checked alone, resolved against their tables, judged and applied together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import Fault, ValidationException
from outlast.cloud.engine import Transaction
from outlast.cloud.services.dynamodb import requests, tokens
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units, write_units
from outlast.cloud.services.dynamodb.errors import TransactionCanceledException
from outlast.cloud.services.dynamodb.expressions.update import Update
from outlast.cloud.services.dynamodb.indexes import HEADER, EmptyIndexKey, packed, stored_size, unpacked
from outlast.cloud.services.dynamodb.requests import NO_VALUES, Guard
from outlast.cloud.services.dynamodb.schema import empty_value_fault
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value
from outlast.cloud.services.dynamodb.writing import (
    CONDITION_FAILED,
    UPDATE_TOO_LARGE,
    check_updated,
    grown_size,
    item_collection,
    too_large,
    write_consumed,
)

MAX_BYTES = 4 * 1024 * 1024
ONE_ITEM = "Transaction request cannot include multiple operations on one item"
TOO_LARGE = "Transaction payload size cannot exceed 4 MB"
KINDS = ("ConditionCheck", "Put", "Delete", "Update")
Reason = dict[str, Any]
NOTHING_WRONG: Reason = {"Code": "None"}


class Action:
    """One action of a write transaction.

    `update` changes an item, `item` replaces it; a delete has neither, a check neither and `writes` is False.
    """

    __slots__ = (
        "failure", "fault", "guard", "held", "item", "key", "kind", "name",
        "new", "on_failure", "raw", "size", "table", "update", "values", "writes",
    )  # fmt: skip

    def __init__(self, kind: str, name: str, key: Item, guard: Guard | None, on_failure: str | None) -> None:
        self.kind = kind
        self.name = name
        self.key = key
        self.guard = guard
        self.on_failure = on_failure
        self.writes = kind != "ConditionCheck"
        self.failure: tuple[str, str] = ("ConditionalCheckFailed", CONDITION_FAILED)
        self.item: Item | None = None
        self.update: Update | None = None
        self.values: Mapping[str, Value] = NO_VALUES
        self.size = 0
        self.table: Table | None = None
        self.raw = b""
        self.fault: Fault | None = None
        self.held: bytes | None = None
        self.new: Item | None = None

    def resolve(self, state: DynamoDB) -> None:
        """Find the table and the item's place. Empty key values are refused at once; other misfits are kept."""
        self.table = table = state.table(self.name)
        source = self.key if self.item is None else self.item
        for name in table.schema.names:
            fault = empty_value_fault(source[name], name) if name in source else None
            if fault is not None:
                raise fault
        try:
            if self.item is not None:
                self.raw = table.key.of_item(self.item)
                self._check_index_keys(table, self.item)
            else:
                self.raw = table.key.of_key(self.key)
            if self.update is not None:
                check_updated(table, self.update, self.values)
        except EmptyIndexKey:
            raise
        except ValidationException as fault:
            self.fault = fault

    def _check_index_keys(self, table: Table, item: Item) -> None:
        if table.indexes:
            table.index_keys.check(item)

    def misfit(self) -> Reason:
        """The reason for an action that does not fit its table."""
        assert self.fault is not None
        return {"Code": "ValidationError", "Message": self.fault.message}

    def judge(self, tx: Transaction) -> Reason:
        """Read the item, test the condition, and work out what to write; the reason when it cannot be."""
        table = self.table
        assert table is not None
        self.held = held = tx.get(table.items, self.raw)
        old = unpacked(held) if held is not None and (self.guard is not None or self.update is not None) else None
        if self.guard is not None and not self.guard.test(old or {}, self.guard.values):
            reason: Reason = {"Code": self.failure[0], "Message": self.failure[1]}
            if self.on_failure == "ALL_OLD" and held is not None:
                reason["Item"] = orjson.Fragment(held[HEADER:])
            table.metrics.condition_failures.add(1)
            return reason
        if self.update is not None:
            try:
                self._apply_update(table, self.update, old)
            except ValidationException as fault:
                return {"Code": "ValidationError", "Message": fault.message}
        elif self.item is not None:
            self.new = self.item
        return NOTHING_WRONG

    def _apply_update(self, table: Table, update: Update, old: Item | None) -> None:
        if old is None and not update.creates:
            self.writes = False
            return
        base = old if old is not None else dict(self.key)
        base_size = stored_size(self.held) if self.held is not None else av.item_size(base)
        new = update.apply(base, self.values)
        self.size = grown_size(base_size, base, new, update)
        if self.size > av.MAX_ITEM_BYTES:
            raise ValidationException(UPDATE_TOO_LARGE)
        if table.indexes and not table.index_keys.names.isdisjoint(update.heads):
            table.index_keys.check(new, updating=frozenset(update.heads))
        self.new = new

    def apply(self, tx: Transaction, context: bytes) -> Consumed:
        """Write, and return what the action consumed: twice what it would cost alone."""
        table = self.table
        assert table is not None
        if self.writes:
            stored = packed(self.new, self.size) if self.new is not None else None
            table.write(tx, self.raw, stored, None, self.new, context)
        else:
            table.index_units = {}
        units = write_units(max(self.size, stored_size(self.held)))
        consumed = write_consumed(table, self.name, 2 * units)
        consumed.transactional = True
        for indexes in (consumed.global_indexes, consumed.local_indexes):
            for name in indexes:
                indexes[name] *= 2
        return consumed


def write_action(entry: Mapping[str, Any]) -> Action:
    """An entry of TransactItems, checked as far as it can be without its table; raises Fault."""
    kinds = [kind for kind in KINDS if entry.get(kind) is not None]
    if len(kinds) != 1:
        raise ValidationException("TransactItems can only contain one of Check, Put, Update or Delete")
    kind = kinds[0]
    given = entry[kind]
    condition, update = given.get("ConditionExpression"), given.get("UpdateExpression")
    names, values = given.get("ExpressionAttributeNames"), given.get("ExpressionAttributeValues")
    if kind == "Update":
        requests.TRANSACT_UPDATE.check((update, condition), (), names, values)
    else:
        requests.TRANSACT_WRITE.check((condition,), (), names, values)
    size = 0
    if kind == "Put":
        size = av.check_item(given["Item"])
        if size > av.MAX_ITEM_BYTES:
            raise too_large()
    on_failure = given.get("ReturnValuesOnConditionCheckFailure")
    if kind == "Update":
        changes, guard, bound = requests.update_and_guard(update, condition, None, None, None, names, values)
        requests.check_key(given["Key"])
        action = Action(kind, given["TableName"], given["Key"], guard, on_failure)
        action.update, action.values = changes, bound
        return action
    guard = requests.guard(condition, None, None, names, values)
    if kind != "Put":
        requests.check_key(given["Key"])
    action = Action(kind, given["TableName"], given.get("Key") or {}, guard, on_failure)
    if kind == "Put":
        action.item, action.size = given["Item"], size
    return action


def cancelled(reasons: list[Reason]) -> TransactionCanceledException:
    """The fault of a transaction that did not take place."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return TransactionCanceledException(
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def run_actions(
    call: Call[DynamoDB],
    actions: list[Action],
    token: str | None,
    digest: bytes,
    detail: str | None,
    metrics: bool,
) -> dict[str, Any]:
    """Judge all actions, then apply all; raises TransactionCanceledException when one cannot take place."""
    for action in actions:
        action.resolve(call.state)
    places = [(id(action.table), action.raw) for action in actions if action.fault is None]
    if len(set(places)) != len(places):
        raise ValidationException(ONE_ITEM)
    if sum(action.size for action in actions) > MAX_BYTES:
        raise ValidationException(TOO_LARGE)
    context = b"TransactWriteItems " + call.request_id.encode()
    used: dict[str, Consumed] = {}
    faulty = next((action for action in actions if action.fault is not None), None)
    if faulty is not None:  # nothing is read then, and no other action is looked at
        raise cancelled([action.misfit() if action is faulty else NOTHING_WRONG for action in actions])
    with call.state.engine.begin() as tx:
        reasons = [action.judge(tx) for action in actions]
        if any(reason is not NOTHING_WRONG for reason in reasons):
            raise cancelled(reasons)
        reads: dict[str, float] = {}
        for action in actions:
            consumed = action.apply(tx, context)
            if action.name in used:
                used[action.name].merge(consumed)
            else:
                used[action.name] = consumed
            reads[action.name] = reads.get(action.name, 0) + 2 * read_units(action.size, True)
        if token is not None:
            tokens.keep(call, tx, token, digest, reads)
    for action in actions:
        assert action.table is not None
    _count(actions, used)
    return _reply(actions, used, detail, metrics)


def _count(actions: list[Action], used: Mapping[str, Consumed]) -> None:
    tables = {action.name: action.table for action in actions}
    for name, consumed in used.items():
        table = tables[name]
        if table is not None:
            table.metrics.writes.add(consumed.total)


def _reply(actions: list[Action], used: Mapping[str, Consumed], detail: str | None, metrics: bool) -> dict[str, Any]:
    reply: dict[str, Any] = {}
    shown = [each for each in (consumed.shown(detail) for consumed in used.values()) if each]
    if shown:
        reply["ConsumedCapacity"] = shown
    if metrics:
        collections: dict[str, list[Any]] = {}
        for action in actions:
            if action.table is not None and action.writes:
                collection = item_collection(action.table, action.item if action.item is not None else action.key)
                if collection is not None:
                    collections.setdefault(action.name, []).append(collection)
        if collections:
            reply["ItemCollectionMetrics"] = collections
    return reply

"""INSERT, UPDATE and DELETE, alone and as actions of a transaction."""

from __future__ import annotations

from typing import Any, NamedTuple

from outlast.cloud.contract import Call
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, write_units
from outlast.cloud.services.dynamodb.errors import DuplicateItemException
from outlast.cloud.services.dynamodb.expressions.evaluate import tester
from outlast.cloud.services.dynamodb.expressions.tree import Condition, Path, Predicate, all_of
from outlast.cloud.services.dynamodb.expressions.update import Update as Applied
from outlast.cloud.services.dynamodb.expressions.updates import path_clash
from outlast.cloud.services.dynamodb.indexes import packed, stored_size, unpacked
from outlast.cloud.services.dynamodb.partiql.planning import exact_key, only_key
from outlast.cloud.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Statement, Update
from outlast.cloud.services.dynamodb.requests import NO_VALUES, Guard
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.transacting import Action
from outlast.cloud.services.dynamodb.values import Item
from outlast.cloud.services.dynamodb.writing import (
    UPDATE_TOO_LARGE,
    check_updated,
    condition_failed,
    grown_size,
    too_large,
    write_consumed,
)

DUPLICATE = "Duplicate primary key exists in table"


class Written(NamedTuple):
    """What a write gives back: the item of RETURNING, if any, and what it consumed."""

    returned: Any
    consumed: Consumed


def applied(update: Update) -> Applied:
    """The update to apply; raises ValidationException for paths that clash."""
    paths = [action.path for action in update.actions]
    for place, path in enumerate(paths):
        for other in paths[:place]:
            clash = path_clash(other, path)
            if clash is not None:
                raise ValidationException(f"Invalid UpdateExpression: {clash[1]}")
    return Applied(update.actions, av.TOO_DEEP_SHORT)


def run_write(call: Call[DynamoDB], table: Table, statement: Statement, on_failure: str | None) -> Written:
    """Carry out an INSERT, UPDATE or DELETE; raises Fault."""
    if isinstance(statement, Insert):
        return _insert(call, table, statement)
    if isinstance(statement, Update):
        return _update(call, table, statement, on_failure)
    if not isinstance(statement, Delete):
        raise ValidationException("EXISTS is supported in ExecuteTransaction only")
    return _delete(call, table, statement, on_failure)


def _insert(call: Call[DynamoDB], table: Table, statement: Insert) -> Written:
    size = av.check_item(statement.item)
    if size > av.MAX_ITEM_BYTES:
        raise too_large()
    raw = table.key.of_item(statement.item)
    if table.indexes:
        table.index_keys.check(statement.item)
    with call.state.engine.begin() as tx:
        if tx.get(table.items, raw) is not None:
            raise DuplicateItemException(DUPLICATE)
        table.write(tx, raw, packed(statement.item, size), None, statement.item, _context(call))
    return Written(None, _consumed(table, size))


def _context(call: Call[DynamoDB]) -> bytes:
    return f"{call.operation} {call.request_id}".encode()


def _consumed(table: Table, size: int) -> Consumed:
    consumed = write_consumed(table, table.name, write_units(size))
    table.metrics.writes.add(consumed.total)
    return consumed


def _update(call: Call[DynamoDB], table: Table, statement: Update, on_failure: str | None) -> Written:
    key, others = only_key(table, statement.where)
    raw = table.key.of_key(key)
    update = applied(statement)
    check_updated(table, update, NO_VALUES)
    guard = tester(all_of(list(others))) if others else None
    with call.state.engine.begin() as tx:
        held = tx.get(table.items, raw)
        old = unpacked(held) if held is not None else None
        if old is None or held is None or (guard is not None and not guard(old, NO_VALUES)):
            raise condition_failed(table, held, on_failure)
        new = update.apply(old, NO_VALUES)
        size = grown_size(stored_size(held), old, new, update)
        if size > av.MAX_ITEM_BYTES:
            raise ValidationException(UPDATE_TOO_LARGE)
        if table.indexes and not table.index_keys.names.isdisjoint(update.heads):
            table.index_keys.check(new, updating=frozenset(update.heads))
        table.write(tx, raw, packed(new, size), old, new, _context(call))
    returned: Item | None = None
    if statement.returning is not None:
        source = old if statement.returning.endswith("OLD") else new
        returned = source if statement.returning.startswith("ALL") else update.touched.of(source)
    return Written(returned or None, _consumed(table, max(size, stored_size(held))))


def _delete(call: Call[DynamoDB], table: Table, statement: Delete, on_failure: str | None) -> Written:
    key, others = only_key(table, statement.where)
    raw = table.key.of_key(key)
    guard = tester(all_of(list(others))) if others else None
    with call.state.engine.begin() as tx:
        held = tx.get(table.items, raw)
        old = unpacked(held) if held is not None else None
        if guard is not None and (old is None or not guard(old, NO_VALUES)):
            raise condition_failed(table, held, on_failure)
        table.write(tx, raw, None, old, None, _context(call))
    return Written(old if statement.returning else None, _consumed(table, stored_size(held)))


def as_action(state: DynamoDB, statement: Statement, on_failure: str | None) -> Action:
    """A statement as an action of a write transaction; raises Fault."""
    if isinstance(statement, Insert):
        size = av.check_item(statement.item)
        if size > av.MAX_ITEM_BYTES:
            raise too_large()
        table = state.table(statement.table)
        absent: Condition = Predicate("attribute_not_exists", (Path((table.key.partition,)),))
        action = Action("Put", statement.table, {}, Guard(tester(absent), NO_VALUES), on_failure)
        action.item, action.size, action.failure = statement.item, size, ("DuplicateItem", DUPLICATE)
        return action
    if isinstance(statement, Exists):
        return _keyed(state, "ConditionCheck", statement.select.table, statement.select.where, on_failure, True)
    assert isinstance(statement, (Update, Delete))
    if isinstance(statement, Delete):
        return _keyed(state, "Delete", statement.table, statement.where, on_failure, False)
    action = _keyed(state, "Update", statement.table, statement.where, on_failure, True)
    action.update = applied(statement)
    return action


def _keyed(
    state: DynamoDB, kind: str, name: str, where: Condition | None, on_failure: str | None, must_exist: bool
) -> Action:
    table = state.table(name)
    key, others = exact_key(table, where)
    conditions = list(others)
    if must_exist:
        conditions.insert(0, Predicate("attribute_exists", (Path((table.key.partition,)),)))
    guard = Guard(tester(all_of(conditions)), NO_VALUES) if conditions else None
    return Action(kind, name, key, guard, on_failure)


def is_read(statement: Statement) -> bool:
    """Whether a statement reads."""
    return isinstance(statement, Select)

"""PartiQL: ExecuteStatement, BatchExecuteStatement, ExecuteTransaction.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import Fault, ValidationException
from outlast.cloud.services.dynamodb import reading as pages
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units
from outlast.cloud.services.dynamodb.condition_keys import statement_keys
from outlast.cloud.services.dynamodb.errors import ResourceNotFoundException
from outlast.cloud.services.dynamodb.expressions.tree import Condition
from outlast.cloud.services.dynamodb.indexes import HEADER, stored_size, unpacked
from outlast.cloud.services.dynamodb.names import table_arn
from outlast.cloud.services.dynamodb.partiql import writing
from outlast.cloud.services.dynamodb.partiql.branches import keyed_branches
from outlast.cloud.services.dynamodb.partiql.lexer import words
from outlast.cloud.services.dynamodb.partiql.parser import check_parameters, parse
from outlast.cloud.services.dynamodb.partiql.planning import MANDATORY, exact_key, only_key, read_key
from outlast.cloud.services.dynamodb.partiql.selecting import find_index, projection_of, run_select
from outlast.cloud.services.dynamodb.partiql.statements import Delete, Exists, Insert, Select, Statement, Update
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.tokens import digest_of, replayed
from outlast.cloud.services.dynamodb.transacting import NOTHING_WRONG, ONE_ITEM, Reason, cancelled, run_actions
from outlast.cloud.services.dynamodb.values import Item, Value

if TYPE_CHECKING:
    from outlast.cloud.contract import Region

ACTIONS = {
    "SELECT": "dynamodb:PartiQLSelect",
    "INSERT": "dynamodb:PartiQLInsert",
    "UPDATE": "dynamodb:PartiQLUpdate",
    "FROM": "dynamodb:PartiQLUpdate",
    "DELETE": "dynamodb:PartiQLDelete",
    "EXISTS": "dynamodb:PartiQLSelect",
}
TRANSACTION_KEY = "Select statements within ExecuteTransaction must specify the primary key in the where clause."
MISFIT = "The provided key element does not match the schema"
NO_TABLE: Reason = {"Code": "ResourceNotFound", "Message": "Requested resource not found"}
PRIMARY_KEY = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."


def _touched(statement: Any, region: Region) -> tuple[str, str]:
    """(action, ARN) of a statement, as far as its words tell; what is malformed is refused later."""
    try:
        found = words(str(statement))
    except ValidationException:
        return "dynamodb:PartiQLSelect", "*"
    action = ACTIONS.get(found[0].text.upper(), "dynamodb:PartiQLSelect")
    for place, word in enumerate(found[:-1]):
        if word.kind == "word" and word.text.upper() in ("FROM", "INTO", "UPDATE"):
            arn = table_arn(region, found[place + 1].text)
            if found[place + 2 : place + 3] and found[place + 2].text == "." and place + 3 < len(found):
                arn += f"/index/{found[place + 3].text}"
            return action, arn
    return action, "*"


def one_resource(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
    """What ExecuteStatement touches."""
    return [_touched(params.get("Statement"), region)]


def many_resources(member: str) -> Any:
    """What several statements touch."""

    def resources(params: Mapping[str, Any], region: Region) -> Iterable[tuple[str, str]]:
        found = {_touched(each.get("Statement"), region): None for each in params.get(member) or ()}
        return list(found)

    return resources


@dynamodb.operation(resource=one_resource, conditions=statement_keys)
def execute_statement(
    call: Call[DynamoDB],
    *,
    statement: str,
    parameters: list[Value] | None = None,
    consistent_read: bool = False,
    next_token: str | None = None,
    return_consumed_capacity: str | None = None,
    limit: int | None = None,
    return_values_on_condition_check_failure: str | None = None,
) -> Reply:
    """Run one statement."""
    state = call.state
    began = state.latencies.now_s()
    parsed = parse(statement, parameters)
    table = state.table(_named(parsed))
    if isinstance(parsed, Select):
        page, index, token = run_select(table, parsed, limit, next_token, consistent_read)
        consumed = pages.consumed_by(page, table.name, index, consistent_read)
        table.metrics.reads.add(consumed.total)
        reply: dict[str, Any] = {"Items": page.items}
        if token is not None:
            reply["NextToken"] = token
    else:
        written = writing.run_write(call, table, parsed, return_values_on_condition_check_failure)
        consumed = written.consumed
        reply = {"Items": [] if written.returned is None else [written.returned]}
    shown = consumed.shown(return_consumed_capacity)
    if shown is not None:
        reply["ConsumedCapacity"] = shown
    state.latencies.note(table.metrics.latency("ExecuteStatement"), began)
    return reply


def _named(parsed: Statement) -> str:
    return parsed.select.table if isinstance(parsed, Exists) else parsed.table


@dynamodb.operation(resource=many_resources("Statements"), conditions=statement_keys)
def batch_execute_statement(
    call: Call[DynamoDB], *, statements: list[Any], return_consumed_capacity: str | None = None
) -> Reply:
    """Run up to 25 statements, each for itself: all read one item by its key, or all write."""
    responses: list[dict[str, Any]] = []
    used: dict[str, Consumed] = {}
    kinds = {_is_select(each["Statement"]) for each in statements}
    if len(kinds) > 1:
        raise ValidationException("Statements within a BatchExecuteStatement must be all reads or all writes")
    for each in statements:
        response: dict[str, Any] = {}
        try:
            parsed = parse(each["Statement"], each.get("Parameters"))
            _run_member(call, parsed, each, response, used)
        except Fault as fault:
            code = fault.code.removesuffix("Exception")
            error: dict[str, Any] = {
                "Code": "ValidationError" if code == "Validation" else code,
                "Message": fault.message,
            }
            if "Item" in fault.fields:
                error["Item"] = fault.fields["Item"]
            response["Error"] = error
        responses.append(response)
    reply: dict[str, Any] = {"Responses": responses}
    shown = [found for found in (each.shown(return_consumed_capacity) for each in used.values()) if found]
    if shown:
        reply["ConsumedCapacity"] = shown
    return reply


def _is_select(statement: str) -> bool:
    try:
        return words(statement)[0].text.upper() not in ("INSERT", "UPDATE", "DELETE", "FROM")
    except ValidationException:
        return True


def _run_member(
    call: Call[DynamoDB],
    parsed: Statement,
    given: Mapping[str, Any],
    response: dict[str, Any],
    used: dict[str, Consumed],
) -> None:
    table = call.state.table(_named(parsed))
    response["TableName"] = table.name
    if not isinstance(parsed, Select):
        written = writing.run_write(call, table, parsed, given.get("ReturnValuesOnConditionCheckFailure"))
        if written.returned is not None:
            response["Item"] = written.returned
        _add(used, table.name, written.consumed)
        return
    if find_index(table, parsed, False) is not None:
        raise ValidationException(PRIMARY_KEY)
    key = _key_of(table, parsed, PRIMARY_KEY)
    stored = table.items.get(table.key.of_key(key))
    consumed = Consumed(table.name, read_units(stored_size(stored), bool(given.get("ConsistentRead"))), reads=True)
    table.metrics.reads.add(consumed.total)
    _add(used, table.name, consumed)
    item = _shown(stored, parsed)
    if item is not None:
        response["Item"] = item


def _key_of(table: Table, select: Select, message: str) -> Item:
    """The key that a SELECT of one item names, and nothing beside it; raises ValidationException."""
    if select.called is not None:
        raise ValidationException(select.called)
    key = read_key(table, select.where)
    if key is None:
        keyed_branches(table.schema, select.where, False)
        raise ValidationException(message)
    return key


def _shown(stored: bytes | None, parsed: Select) -> Any:
    """What a SELECT of one item gives: None when it is not there."""
    if stored is None:
        return None
    projection = projection_of(parsed)
    return orjson.Fragment(stored[HEADER:]) if projection is None else projection.of(unpacked(stored))


def _add(used: dict[str, Consumed], name: str, consumed: Consumed) -> None:
    if name in used:
        used[name].merge(consumed)
    else:
        used[name] = consumed


@dynamodb.operation(resource=many_resources("TransactStatements"), conditions=statement_keys)
def execute_transaction(
    call: Call[DynamoDB],
    *,
    transact_statements: list[Any],
    client_request_token: str | None = None,
    return_consumed_capacity: str | None = None,
) -> Reply:
    """Run up to 100 statements, all or none: all read one item by its key, or all write."""
    digest = digest_of(transact_statements)
    if client_request_token is not None:
        known = replayed(call, client_request_token, digest, return_consumed_capacity)
        if known is not None:
            return {**known, "Responses": []}
    parsed = []
    for place, each in enumerate(transact_statements):
        check_parameters(each.get("Parameters"))
        try:
            statement = parse(each["Statement"], each.get("Parameters"))
            table = _found(call.state, _named(statement))
            if table is not None:
                _check_member(table, statement)
        except ValidationException as fault:
            raise ValidationException(f"Validation failed in TransactStatements[{place}]: {fault.message}") from None
        parsed.append(statement)
    if len({writing.is_read(statement) for statement in parsed}) > 1:
        raise ValidationException("Statements within a transaction must be all reads or all writes")
    if writing.is_read(parsed[0]):
        return _read_all(call, [each for each in parsed if isinstance(each, Select)], return_consumed_capacity)
    _cancel([_write_misfit(call.state, statement) for statement in parsed])
    actions = [
        writing.as_action(call.state, statement, given.get("ReturnValuesOnConditionCheckFailure"))
        for statement, given in zip(parsed, transact_statements, strict=True)
    ]
    reply = run_actions(call, actions, client_request_token, digest, return_consumed_capacity, False)
    return {**reply, "Responses": []}


def _found(state: DynamoDB, name: str) -> Table | None:
    try:
        return state.table(name)
    except ResourceNotFoundException:
        return None


def _check_member(table: Table, statement: Statement) -> None:
    if getattr(statement, "returning", None) is not None:
        raise ValidationException("RETURNING clause is not supported in ExecuteTransaction.")
    if isinstance(statement, Select) and statement.index is not None:
        raise ValidationException("Reads on indices are not supported within transactions.")
    if isinstance(statement, Select):
        _key_of(table, statement, TRANSACTION_KEY)
    if isinstance(statement, Exists):
        try:
            _, others = exact_key(table, statement.select.where)
        except ValidationException:
            others = ()
        if not others:
            raise ValidationException("EXISTS() must contain a single item read with additional condition")


def _cancel(reasons: list[Reason]) -> None:
    if any(reason is not NOTHING_WRONG for reason in reasons):
        raise cancelled(reasons)


def _write_misfit(state: DynamoDB, statement: Statement) -> Reason:
    """Why a write cannot name one item of a table that is there, as its transaction's reason."""
    table = _found(state, _named(statement))
    if table is None:
        return NO_TABLE
    try:
        if isinstance(statement, Insert):
            table.key.of_item(statement.item)
        elif isinstance(statement, (Update, Delete)):
            table.key.of_key(_one_key(table, statement.where))
    except ValidationException as fault:
        return {"Code": "ValidationError", "Message": fault.message}
    return NOTHING_WRONG


def _one_key(table: Table, where: Condition | None) -> Item:
    try:
        return only_key(table, where)[0]
    except ValidationException as fault:
        raise ValidationException(MISFIT if fault.message == MANDATORY else fault.message) from None


def _read_misfit(state: DynamoDB, select: Select) -> Reason:
    """Why a read cannot take place, as its transaction's reason."""
    table = _found(state, select.table)
    if table is None:
        return NO_TABLE
    try:
        table.key.of_key(read_key(table, select.where) or {})
    except ValidationException as fault:
        return {"Code": "ValidationError", "Message": fault.message}
    return NOTHING_WRONG


def _read_all(call: Call[DynamoDB], selects: list[Select], detail: str | None) -> Reply:
    """The items of a read transaction."""
    responses: list[dict[str, Any]] = []
    used: dict[str, Consumed] = {}
    seen = set()
    _cancel([_read_misfit(call.state, select) for select in selects])
    for select in selects:
        table = call.state.table(select.table)
        raw = table.key.of_key(read_key(table, select.where) or {})
        if (table.name, raw) in seen:
            raise ValidationException(ONE_ITEM)
        seen.add((table.name, raw))
        stored = table.items.get(raw)
        units = 2 * read_units(stored_size(stored), True)
        table.metrics.reads.add(units)
        _add(used, table.name, Consumed(table.name, units, reads=True, transactional=True))
        item = _shown(stored, select)
        responses.append({} if item is None else {"Item": item})
    reply: dict[str, Any] = {"Responses": responses}
    shown = [found for found in (each.shown(detail) for each in used.values()) if found]
    if shown:
        reply["ConsumedCapacity"] = shown
    return reply

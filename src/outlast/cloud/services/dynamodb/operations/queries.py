"""Many items at a time: Query and Scan.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from outlast.cloud.contract import Call, Reply
from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import keys, reading, requests
from outlast.cloud.services.dynamodb.condition_keys import read_keys
from outlast.cloud.services.dynamodb.errors import ValueFault
from outlast.cloud.services.dynamodb.expressions import bind, legacy
from outlast.cloud.services.dynamodb.expressions.evaluate import tester
from outlast.cloud.services.dynamodb.expressions.keyconditions import (
    KeyRange,
    KeyTest,
    bound_tests,
    index_range,
    key_shape,
    match_schema,
    table_range,
)
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.indexes import Index
from outlast.cloud.services.dynamodb.names import index_resource
from outlast.cloud.services.dynamodb.requests import NO_VALUES, Guard
from outlast.cloud.services.dynamodb.service import dynamodb
from outlast.cloud.services.dynamodb.state import DynamoDB
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value

OUTSIDE = "The provided starting key is outside query boundaries based on provided conditions"
OUTSIDE_SEGMENT = "The provided Exclusive start key does not map to the provided Segment and TotalSegments values."
NO_KEY_CONDITION = "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."


class Asked(NamedTuple):
    """What a request says about the items: conditions on the key, filter, projection."""

    tests: Mapping[str, KeyTest] | None
    filter: Guard | None
    filtered: tuple[str, ...]
    projection: Projection | None


def _bound(
    texts: bind.Texts,
    names: Mapping[str, str] | None,
    values: Mapping[str, Value] | None,
    key_conditions: Mapping[str, Any] | None = None,
) -> Asked:
    """Everything that expressions say, and KeyConditions."""
    tests: Mapping[str, KeyTest] | None = None
    if key_conditions is not None:
        tests = legacy.key_condition_tests(key_conditions)
    prepared, bound = bind.prepare(texts, names, values)
    if prepared.key is not None:
        tests = bound_tests(key_shape(prepared.key.condition), bound)
    guard: Guard | None = None
    filtered: tuple[str, ...] = ()
    if prepared.filter is not None:
        guard, filtered = Guard(prepared.filter.test, bound), prepared.filter.heads
    return Asked(tests, guard, filtered, None if prepared.projection is None else prepared.projection.projection)


def _legacy_filter(conditions: Mapping[str, Any] | None, operator: str | None) -> Guard | None:
    legacy.check_operator(operator, conditions)
    if not conditions:
        return None
    condition = legacy.filter_condition(conditions, operator)
    return None if condition is None else Guard(tester(condition), NO_VALUES)


@dynamodb.operation(resource=index_resource, conditions=read_keys)
def query(
    call: Call[DynamoDB],
    *,
    table_name: str,
    index_name: str | None = None,
    select: str | None = None,
    attributes_to_get: list[str] | None = None,
    limit: int | None = None,
    consistent_read: bool = False,
    key_conditions: dict[str, Any] | None = None,
    query_filter: dict[str, Any] | None = None,
    conditional_operator: str | None = None,
    scan_index_forward: bool = True,
    exclusive_start_key: Item | None = None,
    return_consumed_capacity: str | None = None,
    projection_expression: str | None = None,
    filter_expression: str | None = None,
    key_condition_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
    expression_attribute_values: dict[str, Value] | None = None,
) -> Reply:
    """Read the items of one partition in the order of their sort keys."""
    state = call.state
    began = state.latencies.now_s()
    names, values, guard = expression_attribute_names, expression_attribute_values, None
    if key_condition_expression is None or attributes_to_get or query_filter or conditional_operator or key_conditions:
        requests.QUERY.check(
            (projection_expression, filter_expression, key_condition_expression),
            (attributes_to_get, query_filter, conditional_operator, key_conditions),
            names,
            values,
        )
        guard = _legacy_filter(query_filter, conditional_operator)
    if exclusive_start_key is not None:
        reading.check_start_values(exclusive_start_key)
    reading.check_select(select, projection_expression, attributes_to_get, index_name)
    texts = bind.Texts(key=key_condition_expression, filter=filter_expression, projection=projection_expression)
    asked = _bound(texts, names, values, key_conditions)
    if asked.tests is None:
        raise ValidationException(NO_KEY_CONDITION)
    projection = legacy.attributes_projection(attributes_to_get) if attributes_to_get is not None else asked.projection
    table = state.table(table_name)
    index = reading.find_index(table, index_name, consistent_read)
    filtered = asked.filtered if guard is None else tuple(query_filter or ())
    _check_asked(table, index, filtered, query_filter is not None, key_conditions is not None)
    span = _span(table, index, asked.tests, exclusive_start_key, scan_index_forward)
    fetch = reading.check_projected(index, select, projection, filtered)
    plan = reading.Plan(
        table.space_of(index),
        span.start,
        span.end,
        not scan_index_forward,
        limit,
        guard or asked.filter,
        projection,
        select == "COUNT",
        table if fetch else None,
        consistent_read,
    )
    return _answer(call, plan, table, index, table_name, return_consumed_capacity, began)


def _answer(
    call: Call[DynamoDB],
    plan: reading.Plan,
    table: Table,
    index: Index | None,
    given_name: str,
    detail: str | None,
    began: float,
) -> Reply:
    """Read the page, count what it consumed, and word the reply."""
    page = reading.read_page(plan)
    consumed = reading.consumed_by(page, given_name, index, plan.consistent)
    table.metrics.reads.add(consumed.total)
    table.metrics.returned(call.operation).add(page.count)
    call.state.latencies.note(table.metrics.latency(call.operation), began)
    return reading.reply_of(page, table, index, plan.counting, consumed.shown(detail))


def _check_asked(
    table: Table, index: Index | None, filtered: tuple[str, ...], filter_is_legacy: bool, key_is_legacy: bool
) -> None:
    """A filter may not look at the key that is queried, KeyConditions know one attribute in a partition key.

    Raises ValidationException.
    """
    if key_is_legacy and index is not None and len(index.schema.partition) > 1:
        raise ValidationException(
            "KeyConditions cannot be used with an index whose partition key has several attributes; "
            "use KeyConditionExpression"
        )
    if not filtered:
        return
    schema = table.schema if index is None else index.schema
    what = "QueryFilter" if filter_is_legacy else "Filter Expression"
    for name in schema.names:
        if name in filtered:
            raise ValidationException(
                f"{what} can only contain non-primary key attributes: Primary key attribute: {name}"
            )


def _span(
    table: Table, index: Index | None, tests: Mapping[str, KeyTest], start: Item | None, forward: bool
) -> KeyRange:
    """The keys that the conditions reach after an ExclusiveStartKey; raises ValidationException."""
    if index is None:
        partition, sort = match_schema(tests, table.schema)
        span = table_range(partition[0], sort[0][1] if sort else None, bool(table.schema.sort))
    else:
        partition, sort = match_schema(tests, index.schema)
        span = index_range(partition, [test for _, test in sort])
    return span if start is None else _resumed(table, index, tests, span, start, forward)


def _resumed(
    table: Table, index: Index | None, tests: Mapping[str, KeyTest], span: KeyRange, start: Item, forward: bool
) -> KeyRange:
    """The rest of a span after an ExclusiveStartKey; raises ValidationException when the key lies elsewhere."""
    place = reading.start_key(table, index, start)
    schema = table.schema if index is None else index.schema
    for attribute in schema.partition:
        if start[attribute.name] != tests[attribute.name].values[0]:
            raise ValidationException(OUTSIDE)
    if place < span.start or (span.end is not None and place >= span.end):
        raise ValidationException("The provided starting key does not match the range key predicate")
    if forward:
        return KeyRange(place + b"\x00", span.end)
    return KeyRange(span.start, place)


@dynamodb.operation(resource=index_resource, conditions=read_keys)
def scan(
    call: Call[DynamoDB],
    *,
    table_name: str,
    index_name: str | None = None,
    attributes_to_get: list[str] | None = None,
    limit: int | None = None,
    select: str | None = None,
    scan_filter: dict[str, Any] | None = None,
    conditional_operator: str | None = None,
    exclusive_start_key: Item | None = None,
    return_consumed_capacity: str | None = None,
    total_segments: int | None = None,
    segment: int | None = None,
    projection_expression: str | None = None,
    filter_expression: str | None = None,
    expression_attribute_names: dict[str, str] | None = None,
    expression_attribute_values: dict[str, Value] | None = None,
    consistent_read: bool = False,
) -> Reply:
    """Read all items, or one segment of them, in the order in which they lie."""
    state = call.state
    began = state.latencies.now_s()
    names, values = expression_attribute_names, expression_attribute_values
    older = (attributes_to_get, scan_filter, conditional_operator)
    try:
        requests.SCAN.check((projection_expression, filter_expression), older, names, values)
        guard = _legacy_filter(scan_filter, conditional_operator)
        if exclusive_start_key is not None:
            reading.check_start_values(exclusive_start_key)
        _check_segments(segment, total_segments)
        reading.check_select(select, projection_expression, attributes_to_get, index_name)
        texts = bind.Texts(filter=filter_expression, projection=projection_expression)
        asked = _bound(texts, names, values)
    except ValueFault as fault:
        raise fault.in_older_words() from None
    projection = legacy.attributes_projection(attributes_to_get) if attributes_to_get is not None else asked.projection
    table = state.table(table_name)
    index = reading.find_index(table, index_name, consistent_read)
    fetch = reading.check_projected(index, select, projection, ())
    start, end = keys.segment_bounds(segment or 0, total_segments or 1)
    if exclusive_start_key is not None:
        place = reading.start_key(table, index, exclusive_start_key)
        if place < start or (end is not None and place >= end):
            raise ValidationException(OUTSIDE_SEGMENT)
        start = place + b"\x00"
    plan = reading.Plan(
        table.space_of(index),
        start,
        end,
        False,
        limit,
        guard or asked.filter,
        projection,
        select == "COUNT",
        table if fetch else None,
        consistent_read,
    )
    return _answer(call, plan, table, index, table_name, return_consumed_capacity, began)


def _check_segments(segment: int | None, total: int | None) -> None:
    if segment is not None and total is None:
        raise ValidationException(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if total is not None and segment is None:
        raise ValidationException(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if segment is not None and total is not None and segment >= total:
        raise ValidationException(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )

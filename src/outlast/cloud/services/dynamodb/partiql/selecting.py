"""SELECT: pages of a table or an index, with a token to go on."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.services.dynamodb import reading as pages
from outlast.cloud.services.dynamodb.errors import invalid
from outlast.cloud.services.dynamodb.expressions.evaluate import follow, tester
from outlast.cloud.services.dynamodb.expressions.keyconditions import KeyRange
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.expressions.tree import All, PathParts, path_text
from outlast.cloud.services.dynamodb.indexes import Index
from outlast.cloud.services.dynamodb.partiql.branches import Branch, absent_attributes, keyed_branches, ordered_ranges
from outlast.cloud.services.dynamodb.partiql.planning import Reading, reading
from outlast.cloud.services.dynamodb.partiql.statements import Select
from outlast.cloud.services.dynamodb.requests import NO_VALUES, Guard
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item

SEVERAL_PARTS = (
    "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
)


class Named:
    """A projection whose results are named by the last part of each path."""

    def __init__(self, paths: tuple[PathParts, ...]) -> None:
        self._paths = paths
        self.heads = tuple(dict.fromkeys(str(path[0]) for path in paths))

    def of(self, item: Item) -> Item:
        """The values that the paths reach."""
        found: Item = {}
        for path in self._paths:
            value = follow(item, path)
            if value is not None:
                found[_label(path)] = value
        return found


def _label(path: PathParts) -> str:
    last = path[-1]
    return last if isinstance(last, str) else path_text(path[-2:]).replace(", ", "")[1:-1]


def projection_of(select: Select) -> Projection | None:
    """The projection of a SELECT; None for *."""
    if select.paths is None:
        return None
    if all(len(path) == 1 for path in select.paths):
        return Projection(select.paths)
    named: Any = Named(select.paths)
    projection: Projection = named
    return projection


def find_index(table: Table, select: Select, consistent: bool) -> Index | None:
    """The index that a SELECT names; raises ValidationException in PartiQL's words."""
    if select.index is None:
        return None
    index = table.index(select.index)
    if index is None:
        raise ValidationException("The table does not have the specified index")
    if index.has_parts:
        raise ValidationException(SEVERAL_PARTS)
    if index.is_global and consistent:
        raise ValidationException("Strongly consistent read is not supported on Global Secondary Indexes")
    return pages.find_index(table, select.index, consistent)


def _check_filter(index: Index | None, branches: list[Branch] | None) -> None:
    if index is None or index.projected is None or branches is None:
        return
    absent = absent_attributes(branches, index.projected)
    if absent:
        shown = ", ".join(absent)
        raise invalid(f"Secondary index {index.name} does not project one or more filter attributes: [{shown}]")


def _descending(table: Table, index: Index | None, select: Select, plan: Reading) -> bool:
    """Whether ORDER BY turns the order round; raises ValidationException for an order that keys do not give."""
    if not select.order:
        return False
    if not plan.keyed:
        raise ValidationException("Must have WHERE clause in the statement when using ORDER BY clause.")
    schema = table.schema if index is None else index.schema
    for name, _ in select.order:
        if name not in schema.names:
            raise ValidationException(f"Variable reference {name} in ORDER BY clause must be part of the primary key")
    return select.order[-1][1]


def _planned(table: Table, index: Index | None, select: Select, branches: list[Branch] | None) -> Reading:
    """What is read: each alternative by its keys, partitions in their order or in its reverse where that is asked."""
    if branches is None or len(branches) < 2:
        return reading(table, index, select.where)
    schema = table.schema if index is None else index.schema
    downwards = bool(select.order) and select.order[-1][1]
    partitions = ordered_ranges(schema, branches, lambda branch: reading(table, index, All(branch)).ranges, downwards)
    if (schema.partition[0].name, True) in select.order:
        partitions.reverse()
    return Reading(tuple(span for spans in partitions for span in spans), True)


def run_select(
    table: Table, select: Select, limit: int | None, token: str | None, consistent: bool
) -> tuple[pages.Page, Index | None, str | None]:
    """(page, index, token to go on with) of a SELECT."""
    index = find_index(table, select, consistent)
    if select.called is not None:
        raise ValidationException(select.called)
    schema = table.schema if index is None else index.schema
    branches = keyed_branches(schema, select.where, index is not None)
    _check_filter(index, branches)
    plan = _planned(table, index, select, branches)
    reverse = _descending(table, index, select, plan)
    projection = projection_of(select)
    fetch = pages.check_projected(index, None, projection, ())
    guard = Guard(tester(select.where), NO_VALUES) if select.where is not None else None
    space = table.space_of(index)
    whole = pages.Page()
    number, position = _resumed(token, len(plan.ranges))
    while number < len(plan.ranges):
        span = _after(plan.ranges[number], position, reverse)
        left = None if limit is None else limit - whole.scanned
        page = pages.read_page(
            pages.Plan(
                space,
                span.start,
                span.end,
                reverse,
                left,
                guard,
                projection,
                False,
                table if fetch else None,
                consistent,
            )
        )
        _join(whole, page)
        if page.last_key is not None:
            return whole, index, _token(number, page.last_key)
        number, position = number + 1, None
    return whole, index, None


def _join(whole: pages.Page, page: pages.Page) -> None:
    whole.items.extend(page.items)
    whole.count += page.count
    whole.scanned += page.scanned
    whole.size += page.size
    whole.fetched_units += page.fetched_units


def _after(span: KeyRange, position: bytes | None, reverse: bool) -> KeyRange:
    if position is None:
        return span
    return KeyRange(span.start, position) if reverse else KeyRange(position + b"\x00", span.end)


def _token(number: int, position: bytes) -> str:
    return base64.b64encode(orjson.dumps([number, base64.b64encode(position).decode()])).decode()


def _resumed(token: str | None, ranges: int) -> tuple[int, bytes | None]:
    if token is None:
        return 0, None
    try:
        number, position = orjson.loads(base64.b64decode(token, validate=True))
        found = int(number), base64.b64decode(position, validate=True)
    except (ValueError, TypeError, binascii.Error):
        raise ValidationException("Invalid NextToken") from None
    if not 0 <= found[0] < ranges:
        raise ValidationException("Given NextToken does not match the statement")
    return found

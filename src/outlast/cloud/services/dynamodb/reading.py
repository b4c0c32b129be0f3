"""Reading many items: pages of a table or an index, and what a Query or Scan may ask of it.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from outlast.cloud.contract.fault import ValidationException
from outlast.cloud.engine import Space
from outlast.cloud.services.dynamodb import keys
from outlast.cloud.services.dynamodb import values as av
from outlast.cloud.services.dynamodb.capacity import Consumed, read_units
from outlast.cloud.services.dynamodb.errors import ValueFault, invalid
from outlast.cloud.services.dynamodb.expressions.projection import Projection
from outlast.cloud.services.dynamodb.indexes import HEADER, Index, stored_size, unpacked
from outlast.cloud.services.dynamodb.requests import Guard
from outlast.cloud.services.dynamodb.schema import MISMATCH
from outlast.cloud.services.dynamodb.table import Table
from outlast.cloud.services.dynamodb.values import Item, Value
from outlast.cloud.services.dynamodb.wording import DETECTED

PAGE_BYTES = 1024 * 1024
BAD_START = "The provided starting key is invalid"


@dataclass(slots=True)
class Page:
    """What one page holds. `last` is the entry it ended at when more may follow."""

    items: list[Any] = field(default_factory=list)
    count: int = 0
    scanned: int = 0
    size: int = 0
    last: bytes | None = None
    last_key: bytes | None = None
    fetched_units: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How a page is read.

    `fetch` is the table whose whole items are wanted where a local index holds only a part. `counting` leaves items
    out of the page.
    """

    space: Space
    start: bytes
    end: bytes | None
    reverse: bool = False
    limit: int | None = None
    filter: Guard | None = None
    projection: Projection | None = None
    counting: bool = False
    fetch: Table | None = None
    consistent: bool = False


def read_page(plan: Plan) -> Page:
    """Read until the limit, 1 MB, or the end."""
    page = Page()
    keep, limit, total = plan.filter, plan.limit, 0
    plain = plan.projection is None and plan.fetch is None
    items = page.items
    previous = previous_key = b""
    for key, stored in plan.space.range(plan.start, plan.end, reverse=plan.reverse):
        size = int.from_bytes(stored[:HEADER], "big")
        if page.scanned and total + size > PAGE_BYTES:
            page.last, page.last_key = previous, previous_key
            break
        total += size
        page.scanned += 1
        previous, previous_key = stored, key
        if keep is None and plain:
            page.count += 1
            if not plan.counting:
                items.append(orjson.Fragment(stored[HEADER:]))
        else:
            _take(plan, page, stored)
        if page.scanned == limit:
            page.last, page.last_key = stored, key
            break
    page.size = total
    return page


def _take(plan: Plan, page: Page, stored: bytes) -> None:
    """Judge one entry, and add what is wanted of it."""
    item = unpacked(stored)
    whole: bytes | None = None
    if plan.fetch is not None:
        whole = plan.fetch.items.get(plan.fetch.key.of_item(item))
        page.fetched_units += read_units(stored_size(whole), plan.consistent)
    if plan.filter is not None and not plan.filter.test(item, plan.filter.values):
        return
    page.count += 1
    if plan.counting:
        return
    if whole is not None:
        stored, item = whole, unpacked(whole)
    page.items.append(orjson.Fragment(stored[HEADER:]) if plan.projection is None else plan.projection.of(item))


# ---- what is asked


def find_index(table: Table, name: str | None, consistent: bool) -> Index | None:
    """The index to read, or None for the table; raises ValidationException."""
    if name is None:
        return None
    entry = next((each for each in table.doc["Indexes"] if each["IndexName"] == name), None)
    index = table.index(name)
    if entry is None or index is None:
        raise ValidationException(f"The table does not have the specified index: {name}")
    if entry["Status"] == "CREATING":
        raise ValidationException(f"Cannot read from backfilling global secondary index: {name}")
    if index.is_global and consistent:
        raise ValidationException("Consistent reads are not supported on global secondary indexes")
    return index


def check_select(select: str | None, expression: str | None, attributes: Any, index: str | None) -> None:
    """Select fits the projection and the index; raises ValidationException."""
    given = "ProjectionExpression" if expression is not None else "AttributesToGet" if attributes is not None else None
    if select is None:
        return
    if select == "SPECIFIC_ATTRIBUTES":
        if given is None:
            raise ValidationException(
                f"{DETECTED}Must specify the AttributesToGet or ProjectionExpression when choosing to get "
                "SPECIFIC_ATTRIBUTES"
            )
        return
    if given is not None:
        shown = "only the Count" if select == "COUNT" else select
        raise ValidationException(f"{DETECTED}Cannot specify the {given} when choosing to get {shown}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise ValidationException(
            f"{DETECTED}ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
        )


def check_projected(
    index: Index | None, select: str | None, projection: Projection | None, filtered: Iterable[str]
) -> bool:
    """Whether whole items must be fetched from the table; refuses what an index does not have."""
    if index is None or index.projected is None:
        return False
    held = index.projected
    kind = "Global" if index.is_global else "Local"
    absent = [name for name in dict.fromkeys(filtered) if name not in held]
    if absent:
        raise invalid(
            f"{kind} secondary index {index.name} does not project one or more filter attributes: [{', '.join(absent)}]"
        )
    if select == "ALL_ATTRIBUTES":
        if index.is_global:
            raise invalid(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} because its "
                "projection type is not ALL"
            )
        return True
    if projection is None:
        return False
    outside = [name for name in projection.heads if name not in held]
    if outside and index.is_global:
        raise invalid(f"Global secondary index {index.name} does not project [{', '.join(outside)}]")
    return bool(outside)


def check_start_values(start: Any) -> None:
    """The values of ExclusiveStartKey, brought to normal form; raises ValidationException."""
    if start.__class__ is not dict:
        av.check_value(start)
    for value in start.values():
        try:
            av.check_value(value)
        except ValueFault:
            raise
        except ValidationException as fault:
            raise ValidationException(f"{BAD_START}: {fault.message}") from None


def start_key(table: Table, index: Index | None, start: Item) -> bytes:
    """The place in the table or index that an ExclusiveStartKey names; raises ValidationException."""
    wanted = set(table.schema.names) | (set(index.schema.names) if index is not None else set())
    if set(start) != wanted:
        raise ValidationException(BAD_START if index is not None else f"{BAD_START}: {MISMATCH}")
    try:
        base = table.key.of_key(table.key.key_of(start))
    except ValidationException as fault:
        raise ValidationException(f"{BAD_START}: {fault.message}") from None
    if index is None:
        return base
    parts: list[Value] = []
    for attribute in index.schema.attributes:
        value = start[attribute.name]
        if attribute.type not in value:
            raise ValidationException(f"{BAD_START}: {MISMATCH}")
        parts.append(value)
    split = len(index.schema.partition)
    return keys.index_key(parts[:split], parts[split:], base)


def last_key(table: Table, index: Index | None, stored: bytes) -> Item:
    """LastEvaluatedKey for the entry that a page ended at."""
    item = unpacked(stored)
    names: Sequence[str] = table.schema.names
    if index is not None:
        names = tuple(dict.fromkeys((*index.schema.names, *names)))
    return {name: item[name] for name in names}


def consumed_by(page: Page, name: str, index: Index | None, consistent: bool) -> Consumed:
    """What reading the page consumed."""
    units = read_units(page.size, consistent)
    consumed = Consumed(name, reads=True)
    if index is None:
        consumed.table = units
    else:
        consumed.table = page.fetched_units
        (consumed.global_indexes if index.is_global else consumed.local_indexes)[index.name] = units
    return consumed


def reply_of(
    page: Page, table: Table, index: Index | None, counting: bool, consumed: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The reply of a Query or Scan."""
    reply: dict[str, Any] = {"Count": page.count, "ScannedCount": page.scanned}
    if not counting:
        reply["Items"] = page.items
    if page.last is not None:
        reply["LastEvaluatedKey"] = last_key(table, index, page.last)
    if consumed is not None:
        reply["ConsumedCapacity"] = consumed
    return reply

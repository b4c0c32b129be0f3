"""Writes at risk: which acknowledged orders the survivors did not have at the cut, and what became of each.

An order is two items, the order and the mark on its product; each travels alone, so it may arrive torn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from outlast.ops.clients import again
from outlast.ops.deployment import Tables
from outlast.ops.load.log import Record

State = Literal["whole", "order missing", "product mark missing", "missing"]
Fate = Literal["arrived", "overwritten", "lost", "not known"]
BATCH: Final = 50
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class AtRisk:
    """An acknowledged order that was not whole in the survivor at the cut.

    `fate`: arrived (as it was acknowledged), overwritten (another version stands), lost (nothing of it came).
    `arrived_s`: when it was first seen whole, epoch seconds.
    """

    order_id: str
    product_id: str
    region: str
    acknowledged_s: float
    state: State
    fate: Fate = "not known"
    arrived_s: float | None = None


def candidates(records: Iterable[Record], region: str, from_s: float, cut_s: float) -> list[Record]:
    """Orders that `region` acknowledged in [from_s, cut_s], oldest first."""
    found = [
        record
        for record in records
        if record.acknowledged_write and record.region == region and from_s <= record.ended_s <= cut_s
    ]
    return sorted(found, key=lambda record: record.ended_s)


Items = Mapping[str, Mapping[str, Any]]
"""Items by key."""


def fetch(client: Any, table: str, key: str, idents: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The items of a replica with these keys, by strongly consistent reads. Raises botocore's errors."""
    found: dict[str, Mapping[str, Any]] = {}
    unique = list(dict.fromkeys(idents))
    for start in range(0, len(unique), BATCH):
        keys = [{key: {"S": ident}} for ident in unique[start : start + BATCH]]
        request: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
        for _ in range(ROUNDS):
            answer = again(lambda wanted=request: client.batch_get_item(RequestItems=wanted))  # type: ignore[misc]
            for item in answer["Responses"].get(table, []):
                found[item[key]["S"]] = item
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                break
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """What a Region holds of some orders: the orders, and their products."""

    orders: Items
    products: Items


def look(client: Any, tables: Tables, wanted: Sequence[tuple[str, str]]) -> Held:
    """What the Region of `client` holds of these (order id, product id) pairs."""
    return Held(
        fetch(client, tables.orders, "order_id", [order for order, _ in wanted]),
        fetch(client, tables.products, "product_id", [product for _, product in wanted]),
    )


def state_of(order_id: str, product_id: str, held: Held) -> State:
    """How much of an order a Region holds. A product marked by a later order counts as marked."""
    order = order_id in held.orders
    mark = "sold_to_order" in held.products.get(product_id, {})
    if order and mark:
        return "whole"
    if not order and not mark:
        return "missing"
    return "product mark missing" if order else "order missing"


def at_risk(acknowledged: Sequence[Record], held: Held) -> list[AtRisk]:
    """The acknowledged orders that are not whole in what a survivor holds."""
    found = []
    for record in acknowledged:
        state = state_of(record.order_id, record.product_id, held)
        if state != "whole":
            found.append(AtRisk(record.order_id, record.product_id, record.region, record.ended_s, state))
    return found


def follow(risks: Sequence[AtRisk], held: Held, now_s: float) -> list[AtRisk]:
    """The same writes, with those that have arrived by now marked so."""
    return [
        replace(risk, fate="arrived", arrived_s=now_s) if risk.fate == "not known" and _arrived(risk, held) else risk
        for risk in risks
    ]


def settle(risks: Sequence[AtRisk], held: Held) -> list[AtRisk]:
    """The last word once replication has converged: what has not arrived was overwritten or lost."""
    return [risk if risk.fate != "not known" else replace(risk, fate=_last_fate(risk, held)) for risk in risks]


def _arrived(risk: AtRisk, held: Held) -> bool:
    return state_of(risk.order_id, risk.product_id, held) == "whole" and not _overwritten(risk, held)


def _last_fate(risk: AtRisk, held: Held) -> Fate:
    if _overwritten(risk, held):
        return "overwritten"
    return "arrived" if state_of(risk.order_id, risk.product_id, held) == "whole" else "lost"


def _overwritten(risk: AtRisk, held: Held) -> bool:
    mark = held.products.get(risk.product_id, {}).get("sold_to_order", {}).get("S")
    return mark is not None and mark != risk.order_id


def scan_orders(client: Any, table: str, prefix: str) -> list[Mapping[str, Any]]:
    """All orders whose id begins with `prefix`, by a strongly consistent scan of one replica."""
    found: list[Mapping[str, Any]] = []
    arguments: dict[str, Any] = {
        "TableName": table,
        "ConsistentRead": True,
        "FilterExpression": "begins_with(order_id, :prefix)",
        "ExpressionAttributeValues": {":prefix": {"S": prefix}},
    }
    while True:
        page = again(lambda wanted=dict(arguments): client.scan(**wanted))  # type: ignore[misc]
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return found
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def unequal(left: Sequence[Mapping[str, Any]], right: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ids of orders that the two replicas do not hold alike."""
    mine = {item["order_id"]["S"]: item for item in left}
    theirs = {item["order_id"]["S"]: item for item in right}
    return sorted(ident for ident in mine.keys() | theirs.keys() if mine.get(ident) != theirs.get(ident))

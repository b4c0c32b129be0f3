"""The three tables, through a DynamoDB client. Every order is placed by one transaction.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from orders.domain import FillRequest, Order, OrderIdTaken, OrderRequest, TryAgain, UnknownOrder, refusal_of

BATCH_ITEMS: Final = 25
ROUNDS: Final = 4
CANCELLED: Final = "TransactionCanceledException"
HEALTH_KEY: Final = "health"

Wire = dict[str, dict[str, Any]]


class DynamoDB(Protocol):
    """The calls this store makes, as boto3's client spells them."""

    def transact_write_items(self, **parameters: Any) -> Any: ...

    def get_item(self, **parameters: Any) -> Any: ...

    def batch_write_item(self, **parameters: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Tables:
    """The names of the three tables."""

    customers: str
    products: str
    orders: str


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that stands. `repeated` says that an earlier request had placed it already."""

    order: Order
    repeated: bool


class Store:
    """Orders in one Region's replica of the tables. Failures of the store itself are raised as TryAgain."""

    def __init__(self, client: DynamoDB, tables: Tables, region: str) -> None:
        self._client = client
        self._tables = tables
        self._region = region

    def place(self, request: OrderRequest, placed_at: str) -> Placed:
        """Place the order, or say why not. A repeat of an earlier request gives that order again.

        The customer must exist, the product must be unsold or sold to this very order, the order id must be new: one
        transaction judges all three and writes both items. Raises a Refusal.
        """
        order = Order(request.order_id, request.customer_id, request.product_id, placed_at, self._region)
        for _ in range(ROUNDS):
            try:
                self._client.transact_write_items(TransactItems=self._transaction(order))
            except ClientError as error:
                if _code(error) != CANCELLED:
                    raise TryAgain(f"the store refused: {_code(error)}") from error
                reasons = error.response.get("CancellationReasons", [])
                standing = self._judge(request, reasons)
                if standing is not None:
                    return standing
            except BotoCoreError as error:
                raise TryAgain("the store did not answer") from error
            else:
                return Placed(order, repeated=False)
        raise TryAgain("the order met other changes of the same items")

    def get(self, order_id: str) -> Order:
        """The order, by a strongly consistent read in this Region. Raises UnknownOrder or TryAgain."""
        item = self._read(self._tables.orders, "order_id", order_id)
        if item is None:
            raise UnknownOrder(f"order {order_id} is not known in {self._region}")
        return order_of(item)

    def check(self) -> None:
        """Read each table strongly. Raises TryAgain when one of them cannot be read."""
        self._read(self._tables.orders, "order_id", HEALTH_KEY)
        self._read(self._tables.products, "product_id", HEALTH_KEY)
        self._read(self._tables.customers, "customer_id", HEALTH_KEY)

    def fill(self, request: FillRequest, expires_at_s: int | None = None) -> None:
        """Write the sample customers and products, unsold. Raises TryAgain when not all of them are written."""
        extra: Wire = {} if expires_at_s is None else {"expires_at": {"N": str(expires_at_s)}}
        puts = [
            (self._tables.customers, {"customer_id": {"S": key}, "name": {"S": f"Customer {key}"}, **extra})
            for key in request.customer_ids()
        ] + [
            (self._tables.products, {"product_id": {"S": key}, "name": {"S": f"Product {key}"}, **extra})
            for key in request.product_ids()
        ]
        for start in range(0, len(puts), BATCH_ITEMS):
            self._write_batch(puts[start : start + BATCH_ITEMS])

    def _transaction(self, order: Order) -> list[dict[str, Any]]:
        tables = self._tables
        return [
            {
                "ConditionCheck": {
                    "TableName": tables.customers,
                    "Key": {"customer_id": {"S": order.customer_id}},
                    "ConditionExpression": "attribute_exists(customer_id)",
                }
            },
            {
                "Update": {
                    "TableName": tables.products,
                    "Key": {"product_id": {"S": order.product_id}},
                    "UpdateExpression": "SET sold_to_order = :order, sold_in = :region, sold_at = :at",
                    "ConditionExpression": "attribute_exists(product_id) AND "
                    "(attribute_not_exists(sold_to_order) OR sold_to_order = :order)",
                    "ExpressionAttributeValues": {
                        ":order": {"S": order.order_id},
                        ":region": {"S": order.region},
                        ":at": {"S": order.placed_at},
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            {
                "Put": {
                    "TableName": tables.orders,
                    "Item": item_of(order),
                    "ConditionExpression": "attribute_not_exists(order_id)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
        ]

    def _judge(self, request: OrderRequest, reasons: Sequence[Mapping[str, Any]]) -> Placed | None:
        """The standing order, a refusal (raised), or None: another change was in the way, so try once more."""
        failed = [reason.get("Code") == "ConditionalCheckFailed" for reason in reasons]
        if len(failed) != 3 or not any(failed):
            busy = all(reason.get("Code") in ("None", "TransactionConflict") for reason in reasons)
            if busy and reasons:
                return None
            raise TryAgain("the store cancelled the transaction")
        customer_failed, product_failed, order_failed = failed
        if order_failed:
            standing = order_of(reasons[2].get("Item") or {})
            if standing.answers(request):
                return Placed(standing, repeated=True)
            raise OrderIdTaken(f"order id {request.order_id} belongs to another order")
        product = reasons[1].get("Item") if product_failed else {"product_id": {"S": request.product_id}}
        held = {name: str(value["S"]) for name, value in product.items() if "S" in value} if product else None
        raise refusal_of(request, customer_known=not customer_failed, product=held)

    def _read(self, table: str, key: str, value: str) -> Wire | None:
        try:
            answer = self._client.get_item(TableName=table, Key={key: {"S": value}}, ConsistentRead=True)
        except ClientError as error:
            raise TryAgain(f"the store refused: {_code(error)}") from error
        except BotoCoreError as error:
            raise TryAgain("the store did not answer") from error
        item: Wire | None = answer.get("Item")
        return item

    def _write_batch(self, puts: Sequence[tuple[str, Wire]]) -> None:
        pending: dict[str, list[dict[str, Any]]] = {}
        for table, item in puts:
            pending.setdefault(table, []).append({"PutRequest": {"Item": item}})
        for _ in range(ROUNDS):
            try:
                answer = self._client.batch_write_item(RequestItems=pending)
            except ClientError as error:
                raise TryAgain(f"the store refused: {_code(error)}") from error
            except BotoCoreError as error:
                raise TryAgain("the store did not answer") from error
            pending = answer.get("UnprocessedItems") or {}
            if not pending:
                return
        raise TryAgain("the store left items unwritten")


def item_of(order: Order) -> Wire:
    """The order as a DynamoDB item."""
    return {name: {"S": value} for name, value in order.document().items()}


def order_of(item: Mapping[str, Mapping[str, Any]]) -> Order:
    """The order in a DynamoDB item; members that are missing read as empty."""
    return Order(
        order_id=_text(item, "order_id"),
        customer_id=_text(item, "customer_id"),
        product_id=_text(item, "product_id"),
        placed_at=_text(item, "placed_at"),
        region=_text(item, "region"),
        status=_text(item, "status"),
    )


def _text(item: Mapping[str, Mapping[str, Any]], name: str) -> str:
    return str(item.get(name, {}).get("S", ""))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))

"""What an order is, and when one may be placed. Pure: no clock, no network, no AWS client.

One product is sold once. The rule is judged inside one Region, on that Region's copy of the tables; with asynchronous
replication two Regions may therefore each sell a product in the same second. `double_sales` finds those.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ID_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FILL_LIMIT: Final = 1_000
PLACED: Final = "PLACED"


class Refusal(Exception):
    """The service understood the request and says no. `status` is the HTTP status, `code` is stable for clients."""

    status = 400
    code = "BadRequest"


class InvalidRequest(Refusal):
    """The body or the path does not have the documented form."""

    code = "InvalidRequest"


class UnknownCustomer(Refusal):
    """The order names a customer that this Region does not know."""

    status = 422
    code = "UnknownCustomer"


class UnknownProduct(Refusal):
    """The order names a product that this Region does not know."""

    status = 422
    code = "UnknownProduct"


class ProductSold(Refusal):
    """Another order already has the product."""

    status = 409
    code = "ProductSold"


class OrderIdTaken(Refusal):
    """The order id was used before, for a different customer or product."""

    status = 409
    code = "OrderIdTaken"


class UnknownOrder(Refusal):
    """No order has this id in this Region."""

    status = 404
    code = "UnknownOrder"


class TryAgain(Refusal):
    """Nothing was decided: the store was busy or out of reach. The same request may be sent again."""

    status = 503
    code = "TryAgain"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a customer asks for. The client chooses `order_id`, so a repeat of the request is the same order."""

    order_id: str
    customer_id: str
    product_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order. `placed_at` is ISO 8601 in UTC; `region` is where it was accepted."""

    order_id: str
    customer_id: str
    product_id: str
    placed_at: str
    region: str
    status: str = PLACED

    def answers(self, request: OrderRequest) -> bool:
        """Whether this order is what `request` asked for."""
        mine = (self.order_id, self.customer_id, self.product_id)
        return mine == (request.order_id, request.customer_id, request.product_id)

    def document(self) -> dict[str, str]:
        """The order as clients see it."""
        return {
            "order_id": self.order_id,
            "customer_id": self.customer_id,
            "product_id": self.product_id,
            "placed_at": self.placed_at,
            "region": self.region,
            "status": self.status,
        }


@dataclass(frozen=True, slots=True)
class FillRequest:
    """How much sample data to write. Ids are `<prefix>c-00000` and `<prefix>p-00000` upwards."""

    prefix: str
    customers: int
    products: int

    def customer_ids(self) -> list[str]:
        """The customers to write, in order."""
        return [f"{self.prefix}c-{number:05d}" for number in range(self.customers)]

    def product_ids(self) -> list[str]:
        """The products to write, in order."""
        return [f"{self.prefix}p-{number:05d}" for number in range(self.products)]


def parse_order(body: object) -> OrderRequest:
    """The order in a JSON body. Raises InvalidRequest when a member is missing, unknown or malformed."""
    members = _members(body, {"order_id", "customer_id", "product_id"})
    return OrderRequest(
        order_id=parse_id("order_id", members.get("order_id")),
        customer_id=parse_id("customer_id", members.get("customer_id")),
        product_id=parse_id("product_id", members.get("product_id")),
    )


def parse_fill(body: object) -> FillRequest:
    """The fill request in a JSON body. Raises InvalidRequest; at most FILL_LIMIT items in one request."""
    members = _members(body, {"prefix", "customers", "products"})
    prefix = members.get("prefix", "sample-")
    if not isinstance(prefix, str) or (prefix and not ID_PATTERN.fullmatch(prefix)) or len(prefix) > 40:
        raise InvalidRequest("prefix must be up to 40 letters, digits, dots, dashes and underscores")
    fill = FillRequest(prefix, _count("customers", members), _count("products", members))
    if fill.customers + fill.products > FILL_LIMIT:
        raise InvalidRequest(f"customers and products together must not exceed {FILL_LIMIT}")
    return fill


def parse_id(name: str, value: object) -> str:
    """`value` as an identifier of up to 64 characters. Raises InvalidRequest naming `name`."""
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        raise InvalidRequest(f"{name} must be 1 to 64 letters, digits, dots, dashes and underscores")
    return value


def refusal_of(request: OrderRequest, customer_known: bool, product: Mapping[str, str] | None) -> Refusal:
    """Why `request` cannot be placed, given what the Region holds: never called for an order that can."""
    if not customer_known:
        return UnknownCustomer(f"customer {request.customer_id} is not known")
    if product is None:
        return UnknownProduct(f"product {request.product_id} is not known")
    if product.get("sold_to_order", request.order_id) != request.order_id:
        return ProductSold(f"product {request.product_id} is sold")
    return TryAgain("the order met another change; send it again")


def double_sales(orders: Iterable[Order]) -> dict[str, Sequence[Order]]:
    """Products that more than one order holds, each with its orders in the order they were placed."""
    by_product: defaultdict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_product[order.product_id].append(order)
    return {
        product: sorted(held, key=lambda order: (order.placed_at, order.order_id))
        for product, held in sorted(by_product.items())
        if len(held) > 1
    }


def _members(body: object, known: set[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object")
    unknown = sorted(set(body) - known)
    if unknown:
        raise InvalidRequest(f"unknown member {unknown[0]}")
    return body


def _count(name: str, members: Mapping[str, Any]) -> int:
    value = members.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidRequest(f"{name} must be a whole number, 0 or more")
    return value

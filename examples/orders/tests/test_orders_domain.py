"""Orders: what is accepted, what is refused, and double sales."""

from __future__ import annotations

from typing import Any

import pytest
from orders.domain import (
    FillRequest,
    InvalidRequest,
    Order,
    OrderRequest,
    ProductSold,
    TryAgain,
    UnknownCustomer,
    UnknownProduct,
    double_sales,
    parse_fill,
    parse_order,
    refusal_of,
)

REQUEST = OrderRequest("o-1", "c-1", "p-1")


def order(order_id: str, product_id: str, at: str = "2026-01-01T00:00:00Z", region: str = "us-east-1") -> Order:
    return Order(order_id, "c-1", product_id, at, region)


def test_a_complete_body_is_an_order() -> None:
    assert parse_order({"order_id": "o-1", "customer_id": "c-1", "product_id": "p-1"}) == REQUEST


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"order_id": "o-1", "customer_id": "c-1"},
        {"order_id": "", "customer_id": "c-1", "product_id": "p-1"},
        {"order_id": "o 1", "customer_id": "c-1", "product_id": "p-1"},
        {"order_id": "o" * 65, "customer_id": "c-1", "product_id": "p-1"},
        {"order_id": 1, "customer_id": "c-1", "product_id": "p-1"},
        {"order_id": "o-1", "customer_id": "c-1", "product_id": "p-1", "price": 1},
    ],
)
def test_a_malformed_order_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_order(body)


def test_fill_names_its_items() -> None:
    fill = parse_fill({"prefix": "run-", "customers": 1, "products": 2})
    assert fill == FillRequest("run-", 1, 2)
    assert fill.customer_ids() == ["run-c-00000"]
    assert fill.product_ids() == ["run-p-00000", "run-p-00001"]


@pytest.mark.parametrize(
    "body",
    [
        {"customers": -1},
        {"customers": True},
        {"customers": 1.5},
        {"customers": 600, "products": 401},
        {"prefix": "a/b"},
    ],
)
def test_a_malformed_fill_is_refused(body: Any) -> None:
    with pytest.raises(InvalidRequest):
        parse_fill(body)


def test_the_reason_of_a_refusal_is_what_the_region_holds() -> None:
    assert isinstance(refusal_of(REQUEST, False, {}), UnknownCustomer)
    assert isinstance(refusal_of(REQUEST, True, None), UnknownProduct)
    assert isinstance(refusal_of(REQUEST, True, {"sold_to_order": "o-2"}), ProductSold)
    assert isinstance(refusal_of(REQUEST, True, {"sold_to_order": "o-1"}), TryAgain)


def test_double_sales_lists_products_with_more_than_one_order() -> None:
    first = order("o-2", "p-1", "2026-01-01T00:00:00Z")
    second = order("o-1", "p-1", "2026-01-01T00:00:01Z", "us-west-2")
    assert double_sales([second, order("o-3", "p-2"), first]) == {"p-1": [first, second]}
    assert double_sales([first, order("o-3", "p-2")]) == {}

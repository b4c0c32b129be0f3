"""The store: one transaction an order, repeats are recognised, failures are never taken for answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from orders.domain import (
    FillRequest,
    OrderIdTaken,
    OrderRequest,
    ProductSold,
    TryAgain,
    UnknownCustomer,
    UnknownOrder,
    UnknownProduct,
)
from orders.store import Store, Tables, item_of, order_of

TABLES = Tables("customers", "products", "orders")
REQUEST = OrderRequest("o-1", "c-1", "p-1")
NOW = "2026-01-01T00:00:00.000000Z"
ITEM = {
    "order_id": {"S": "o-1"},
    "customer_id": {"S": "c-1"},
    "product_id": {"S": "p-1"},
    "placed_at": {"S": "2025-12-31T23:59:59.000000Z"},
    "region": {"S": "us-west-2"},
    "status": {"S": "PLACED"},
}
OK = {"Code": "None"}
FAILED = {"Code": "ConditionalCheckFailed"}


@pytest.fixture
def store(dynamodb: Any) -> Store:
    return Store(dynamodb, TABLES, "us-east-1")


def cancelled(stub: Stubber, *reasons: dict[str, Any]) -> None:
    fields = {"CancellationReasons": list(reasons)} if reasons else {}
    stub.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=fields)


def test_an_order_is_one_transaction_over_three_tables(store: Store, dynamodb: Any, stub: Stubber) -> None:
    sent: list[dict[str, Any]] = []
    dynamodb.meta.events.register("provide-client-params.*.*", lambda params, **_: sent.append(params))
    stub.add_response("transact_write_items", {})
    placed = store.place(REQUEST, NOW)
    assert not placed.repeated
    assert placed.order.region == "us-east-1"
    (call,) = sent
    actions = [(kind, item["TableName"]) for entry in call["TransactItems"] for kind, item in entry.items()]
    assert actions == [("ConditionCheck", "customers"), ("Update", "products"), ("Put", "orders")]
    assert "attribute_not_exists(sold_to_order)" in call["TransactItems"][1]["Update"]["ConditionExpression"]
    assert call["TransactItems"][2]["Put"]["ConditionExpression"] == "attribute_not_exists(order_id)"


def test_a_repeat_gives_the_first_order(store: Store, stub: Stubber) -> None:
    cancelled(stub, OK, OK, {**FAILED, "Item": ITEM})
    placed = store.place(REQUEST, NOW)
    assert placed.repeated
    assert placed.order == order_of(ITEM)
    assert placed.order.region == "us-west-2"


@pytest.mark.parametrize(
    ("reasons", "refusal"),
    [
        ((OK, OK, {**FAILED, "Item": {**ITEM, "product_id": {"S": "p-9"}}}), OrderIdTaken),
        ((FAILED, OK, OK), UnknownCustomer),
        ((OK, FAILED, OK), UnknownProduct),
        ((OK, {**FAILED, "Item": {"product_id": {"S": "p-1"}, "sold_to_order": {"S": "o-9"}}}, OK), ProductSold),
        (({"Code": "ThrottlingError"}, OK, OK), TryAgain),
        ((), TryAgain),
    ],
)
def test_a_cancelled_transaction_says_why(store: Store, stub: Stubber, reasons: Any, refusal: type[Exception]) -> None:
    cancelled(stub, *reasons)
    with pytest.raises(refusal):
        store.place(REQUEST, NOW)


def test_a_conflict_is_tried_again(store: Store, stub: Stubber) -> None:
    cancelled(stub, OK, {"Code": "TransactionConflict"}, OK)
    stub.add_response("transact_write_items", {})
    assert not store.place(REQUEST, NOW).repeated


def test_conflicts_without_end_are_given_up(store: Store, stub: Stubber) -> None:
    for _ in range(4):
        cancelled(stub, OK, {"Code": "TransactionConflict"}, OK)
    with pytest.raises(TryAgain):
        store.place(REQUEST, NOW)


@pytest.mark.parametrize("code", ["InternalServerError", "ThrottlingException", "AccessDeniedException"])
def test_a_failing_store_is_never_an_answer(store: Store, stub: Stubber, code: str) -> None:
    stub.add_client_error("transact_write_items", code)
    with pytest.raises(TryAgain):
        store.place(REQUEST, NOW)
    stub.add_client_error("get_item", code)
    with pytest.raises(TryAgain):
        store.get("o-1")


def test_a_store_out_of_reach_is_never_an_answer() -> None:
    class Cut:
        def get_item(self, **parameters: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

        batch_write_item = transact_write_items = get_item

    store = Store(Cut(), TABLES, "us-east-1")
    for call in (lambda: store.place(REQUEST, NOW), store.check, lambda: store.fill(FillRequest("", 1, 0))):
        with pytest.raises(TryAgain):
            call()


def test_an_order_is_read_strongly(store: Store, stub: Stubber) -> None:
    expected = {"TableName": "orders", "Key": {"order_id": {"S": "o-1"}}, "ConsistentRead": True}
    stub.add_response("get_item", {"Item": ITEM}, expected)
    assert item_of(store.get("o-1")) == ITEM
    stub.add_response("get_item", {})
    with pytest.raises(UnknownOrder):
        store.get("o-2")


def test_health_reads_every_table(store: Store, stub: Stubber) -> None:
    for table in ("orders", "products", "customers"):
        key = {f"{table[:-1]}_id": {"S": "health"}}
        stub.add_response("get_item", {}, {"TableName": table, "Key": key, "ConsistentRead": True})
    store.check()
    stub.add_response("get_item", {})
    stub.add_client_error("get_item", "InternalServerError")
    with pytest.raises(TryAgain):
        store.check()


def test_fill_writes_in_batches_and_sends_the_rest_again(store: Store, dynamodb: Any, stub: Stubber) -> None:
    sent: list[int] = []
    dynamodb.meta.events.register(
        "provide-client-params.*.*",
        lambda params, **_: sent.append(sum(len(items) for items in params["RequestItems"].values())),
    )
    left = {"products": [{"PutRequest": {"Item": {"product_id": {"S": "p-00000"}}}}]}
    stub.add_response("batch_write_item", {})
    stub.add_response("batch_write_item", {"UnprocessedItems": left})
    stub.add_response("batch_write_item", {})
    store.fill(FillRequest("", 2, 28))
    assert sent == [25, 5, 1]


def test_fill_that_cannot_finish_says_so(store: Store, stub: Stubber) -> None:
    left = {"products": [{"PutRequest": {"Item": {"product_id": {"S": "p-00000"}}}}]}
    for _ in range(4):
        stub.add_response("batch_write_item", {"UnprocessedItems": left})
    with pytest.raises(TryAgain):
        store.fill(FillRequest("", 0, 1))

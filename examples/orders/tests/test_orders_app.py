"""The handler: routes, statuses and the Region in every answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.stub import Stubber
from orders.store import Store, Tables

from orders import app as module

BODY = {"order_id": "o-1", "customer_id": "c-1", "product_id": "p-1"}


@dataclass
class Context:
    function_name: str = "orders"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:orders"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def wired(dynamodb: Any, stub: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(dynamodb, Tables("customers", "products", "orders"), "us-east-1")
    monkeypatch.setattr(module, "store", lambda: store)


def call(method: str, path: str, body: object = None) -> tuple[int, dict[str, Any], dict[str, Any]]:
    event = {
        "httpMethod": method,
        "path": path,
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "requestContext": {"requestId": "r-1", "httpMethod": method, "path": path},
        "body": body if isinstance(body, str) or body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    answer = module.handler(event, Context())
    return answer["statusCode"], json.loads(answer["body"]), answer["multiValueHeaders"]


@pytest.mark.parametrize("path", ["/orders", "/v1/orders"])
def test_an_order_is_placed_with_and_without_the_base_path(stub: Stubber, path: str) -> None:
    stub.add_response("transact_write_items", {})
    status, body, headers = call("POST", path, BODY)
    assert status == 201
    assert body["region"] == "us-east-1"
    assert headers["X-Region"] == ["us-east-1"]
    assert {name: body["order"][name] for name in BODY} == BODY
    assert body["order"]["placed_at"].endswith("Z")


def test_an_order_is_read(stub: Stubber) -> None:
    stub.add_response("get_item", {"Item": {name: {"S": value} for name, value in BODY.items()}})
    status, body, _ = call("GET", "/v1/orders/o-1")
    assert (status, body["order"]["product_id"]) == (200, "p-1")


def test_refusals_have_a_status_and_a_code(stub: Stubber) -> None:
    stub.add_response("get_item", {})
    status, body, _ = call("GET", "/orders/o-1")
    assert (status, body["code"], body["region"]) == (404, "UnknownOrder", "us-east-1")
    for malformed in ("{", "[]", None, {"order_id": "o-1"}):
        status, body, _ = call("POST", "/orders", malformed)
        assert (status, body["code"]) == (400, "InvalidRequest")


def test_health_is_honest(stub: Stubber) -> None:
    for _ in range(3):
        stub.add_response("get_item", {})
    assert call("GET", "/health")[:2] == (200, {"status": "ok", "region": "us-east-1"})
    stub.add_client_error("get_item", "InternalServerError")
    status, body, _ = call("GET", "/health")
    assert (status, body["code"]) == (503, "TryAgain")


def test_fill_writes_samples_that_expire(dynamodb: Any, stub: Stubber) -> None:
    sent: list[Any] = []
    dynamodb.meta.events.register("provide-client-params.*.*", lambda params, **_: sent.append(params))
    stub.add_response("batch_write_item", {})
    status, body, _ = call("POST", "/fill", {"prefix": "t-", "customers": 1, "products": 1})
    assert (status, body["products"]) == (200, 1)
    assert "expires_at" in sent[0]["RequestItems"]["products"][0]["PutRequest"]["Item"]


def test_metrics_are_written_as_embedded_metrics(stub: Stubber, capsys: pytest.CaptureFixture[str]) -> None:
    stub.add_response("transact_write_items", {})
    call("POST", "/orders", BODY)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert lines[0]["OrdersPlaced"] == [1.0]
    assert lines[0]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Orders"


def test_an_unknown_route_is_not_found() -> None:
    assert call("DELETE", "/orders/o-1")[0] == 404

"""The Lambda function behind the REST API: thin handlers over the domain and the store.

Routes: POST /orders, GET /orders/{id}, POST /fill, GET /health. Every answer names the Region that gave it, in the
body and in the header X-Region. https://docs.aws.amazon.com/powertools/python/latest/core/event_handler/api_gateway/
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response, content_types
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from orders.domain import Refusal, parse_fill, parse_id, parse_order
from orders.store import DynamoDB, Store, Tables

SAMPLE_LIFE_S: Final = 7 * 24 * 3600
CLIENT: Final = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})

region: Final = os.environ.get("AWS_REGION", "us-east-1")
logger: Final = Logger(service="orders")
metrics: Final = Metrics(namespace="Orders", service="orders")
app: Final = APIGatewayRestResolver(strip_prefixes=[f"/{os.environ.get('BASE_PATH', 'v1')}"])


@cache
def store() -> Store:
    """The store of this Region, made once for each worker."""
    tables = Tables(
        customers=os.environ["CUSTOMERS_TABLE"],
        products=os.environ["PRODUCTS_TABLE"],
        orders=os.environ["ORDERS_TABLE"],
    )
    return Store(cast(DynamoDB, boto3.client("dynamodb", config=CLIENT)), tables, region)


@app.post("/orders")
def place_order() -> Response[str]:
    """Place an order: 201, or 200 when the same request was sent before."""
    placed = store().place(parse_order(_body()), _now())
    metrics.add_metric(name="OrdersRepeated" if placed.repeated else "OrdersPlaced", unit=MetricUnit.Count, value=1)
    return _answer(200 if placed.repeated else 201, {"order": placed.order.document()})


@app.get("/orders/<order_id>")
def get_order(order_id: str) -> Response[str]:
    """Read an order from this Region's replica."""
    return _answer(200, {"order": store().get(parse_id("order_id", order_id)).document()})


@app.post("/fill")
def fill() -> Response[str]:
    """Write sample customers and products. They expire after a week."""
    request = parse_fill(_body())
    expires_at_s = int(datetime.now(UTC).timestamp()) + SAMPLE_LIFE_S
    store().fill(request, expires_at_s)
    metrics.add_metric(name="SamplesWritten", unit=MetricUnit.Count, value=request.customers + request.products)
    return _answer(200, {"prefix": request.prefix, "customers": request.customers, "products": request.products})


@app.get("/health")
def health() -> Response[str]:
    """Say that this Region can serve: 200 only after a strong read of each table."""
    store().check()
    return _answer(200, {"status": "ok"})


@app.exception_handler(Refusal)  # type: ignore[untyped-decorator]
def refuse(refusal: Refusal) -> Response[str]:
    """A refusal as its status, with a stable code."""
    metrics.add_metric(name=f"Refused{refusal.code}", unit=MetricUnit.Count, value=1)
    if refusal.status >= 500:
        logger.warning("refused", extra={"code": refusal.code, "reason": str(refusal)})
    return _answer(refusal.status, {"code": refusal.code, "message": str(refusal)})


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_REST, clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point of the Lambda function."""
    return app.resolve(event, context)


def _body() -> object:
    try:
        return app.current_event.json_body
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError):
        return None


def _answer(status: int, body: dict[str, Any]) -> Response[str]:
    metrics.add_metric(name="Answers", unit=MetricUnit.Count, value=1)
    return Response(
        status_code=status,
        content_type=content_types.APPLICATION_JSON,
        body=json.dumps({**body, "region": region}, separators=(",", ":")),
        headers={"X-Region": region},
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

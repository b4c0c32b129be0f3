"""A canary that buys something: sample data of its own, one order, the same order again, and the order read back.

It finds what a health answer cannot: writes that fail, transactions that are slow, orders that do not stay.
"""

from __future__ import annotations

import uuid
from typing import Any

from signed import Answer, CheckFailed, Service, service_from_environment


def check(service: Service, run: str) -> str:
    """The order that was placed in this run. Raises CheckFailed at the first step that goes wrong."""
    prefix = f"canary-{run}-"
    order = {"order_id": f"{prefix}o", "customer_id": f"{prefix}c-00000", "product_id": f"{prefix}p-00000"}
    _expect(200, service.request("POST", "/fill", {"prefix": prefix, "customers": 1, "products": 1}), "fill")
    placed = _expect(201, service.request("POST", "/orders", order), "place")
    again = _expect(200, service.request("POST", "/orders", order), "place again")
    read = _expect(200, service.request("GET", f"/orders/{order['order_id']}"), "read")
    if not placed.body["order"] == again.body["order"] == read.body["order"]:
        raise CheckFailed("the order read back is not the order placed")
    return order["order_id"]


def handler(event: dict[str, Any], context: object) -> str:
    """Entry point of the canary."""
    return check(service_from_environment(), uuid.uuid4().hex[:12])


def _expect(status: int, answer: Answer, step: str) -> Answer:
    if answer.status != status:
        raise CheckFailed(f"{step} answered {answer.status}, not {status}: {answer.body.get('code', '')}")
    return answer

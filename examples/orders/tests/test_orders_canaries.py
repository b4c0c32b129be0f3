"""The canaries: they pass on a well service, and fail on each thing that can be wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import health_canary
import order_canary
import pytest
import signed
import urllib3


@dataclass
class Reply:
    status: int
    data: bytes


@dataclass
class Wire:
    """Answers requests in place of the network, and remembers them."""

    answer: Callable[[str, str, dict[str, Any]], tuple[int, dict[str, Any]]]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def request(self, method: str, url: str, headers: dict[str, str], body: bytes | None, timeout: float) -> Reply:
        path = url.removeprefix("https://orders.example.com/v1")
        self.seen.append((method, path, headers))
        status, answer = self.answer(method, path, json.loads(body or b"{}"))
        return Reply(status, json.dumps(answer).encode())


class Shop:
    """A well-behaved service."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}

    def __call__(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path in ("/ping", "/health"):
            return 200, {"region": "us-west-2", "status": "ok"}
        if path == "/fill":
            return 200, {}
        if method == "POST":
            known = body["order_id"] in self.orders
            self.orders.setdefault(body["order_id"], body)
            return (200 if known else 201), {"order": self.orders[body["order_id"]]}
        order = self.orders.get(path.removeprefix("/orders/"))
        return (200, {"order": order}) if order else (404, {"code": "UnknownOrder"})


def service(monkeypatch: pytest.MonkeyPatch, answer: Any, slowest_ms: float = 1500.0) -> tuple[signed.Service, Wire]:
    wire = Wire(answer)
    monkeypatch.setattr(signed, "http", wire)
    return signed.Service("https://orders.example.com/v1/", slowest_ms=slowest_ms), wire


def test_health_is_asked_for_signed_for_the_region_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    target, wire = service(monkeypatch, Shop())
    assert health_canary.check(target) == "us-west-2"
    (ping, health) = wire.seen
    assert ping[:2] == ("GET", "/ping")
    assert "Authorization" not in ping[2]
    assert "/us-west-2/execute-api/aws4_request" in health[2]["Authorization"]


@pytest.mark.parametrize("broken", ["/ping", "/health"])
def test_the_health_canary_fails_on_errors(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    shop = Shop()
    target, _ = service(monkeypatch, lambda m, p, b: (503, {}) if p == broken else shop(m, p, b))
    with pytest.raises(signed.CheckFailed):
        health_canary.check(target)


def test_the_health_canary_fails_on_slow_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    target, _ = service(monkeypatch, Shop(), slowest_ms=0.0)
    with pytest.raises(signed.CheckFailed, match="took"):
        health_canary.check(target)


def test_a_broken_connection_fails_the_canary(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(method: str, path: str, body: dict[str, Any]) -> Any:
        raise urllib3.exceptions.ProtocolError("cut")

    target, _ = service(monkeypatch, cut)
    with pytest.raises(signed.CheckFailed, match="ProtocolError"):
        health_canary.check(target)


def test_the_order_canary_buys_and_reads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    target, wire = service(monkeypatch, Shop())
    assert order_canary.check(target, "r1") == "canary-r1-o"
    assert [path for _, path, _ in wire.seen] == ["/ping", "/fill", "/orders", "/orders", "/orders/canary-r1-o"]


@pytest.mark.parametrize("step", [("POST", "/fill"), ("POST", "/orders"), ("GET", "/orders/canary-r1-o")])
def test_the_order_canary_fails_at_each_step(monkeypatch: pytest.MonkeyPatch, step: tuple[str, str]) -> None:
    shop = Shop()
    target, _ = service(monkeypatch, lambda m, p, b: (500, {}) if (m, p) == step else shop(m, p, b))
    with pytest.raises(signed.CheckFailed):
        order_canary.check(target, "r1")


def test_the_order_canary_finds_an_order_that_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()

    def torn(method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status, answer = shop(method, path, body)
        if method == "GET" and "order" in answer:
            return status, {"order": {**answer["order"], "status": "LOST"}}
        return status, answer

    target, _ = service(monkeypatch, torn)
    with pytest.raises(signed.CheckFailed, match="not the order placed"):
        order_canary.check(target, "r1")


def test_the_environment_names_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(Shop())
    monkeypatch.setattr(signed, "http", wire)
    monkeypatch.setenv("TARGET_URL", "https://orders.example.com/v1")
    assert health_canary.handler({}, None) == "us-west-2"
    assert order_canary.handler({}, None).startswith("canary-")

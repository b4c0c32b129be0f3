"""Measuring: recovery times by phases, writes at risk one by one, objectives met or not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from outlast.ops.deployment import Tables
from outlast.ops.drill.measure import Marks, customers, double_sales, percentile, recovery, share_in, traffic
from outlast.ops.drill.objectives import Objective, judge, verdict
from outlast.ops.drill.writes import (
    Held,
    at_risk,
    candidates,
    fetch,
    follow,
    look,
    scan_orders,
    settle,
    state_of,
    unequal,
)
from outlast.ops.load.log import Outcome, Record
from outlast.ops.outcome import Exit, UsageError

A, B = "us-east-1", "us-west-2"
MARKS = Marks(A, impact_s=100, ended_s=160, detected_s=110, decided_s=111, switched_s=112)


def record(
    at_s: float,
    outcome: Outcome = "served",
    region: str = A,
    *,
    ms: float = 50,
    stubborn: bool = False,
    order: str = "",
) -> Record:
    answered = region if outcome == "served" else ""
    record = Record(at_s, ms, "c", "east", stubborn, "order", outcome, region=answered, aimed=region)
    return replace(record, order_id=order, product_id=f"p-{order}")


def test_recovery_is_split_by_phase_and_ends_with_the_last_failing_request() -> None:
    records = [record(101, "error"), record(113, "error"), record(116.5, "timeout", ms=500), record(130)]
    rto = recovery(records, MARKS, stubborn=False)
    assert rto.seconds == 17.0
    assert rto.phases == (("detected", 10.0), ("decided", 1.0), ("switched", 1.0), ("last failing request", 5.0))
    assert sum(seconds for _, seconds in rto.phases) == rto.seconds
    assert rto.lost == 3


def test_only_requests_lost_to_the_region_count_and_slow_ones_are_lost() -> None:
    records = [record(150, "error", B), record(120, ms=2100), record(90, "error"), record(123, region=B)]
    rto = recovery(records, MARKS, stubborn=False)
    assert rto.seconds == pytest.approx(22.1)
    assert rto.lost == 1
    assert recovery([record(121, "unresolved", "")], MARKS, stubborn=False).lost == 1


def test_stubborn_clients_are_told_apart() -> None:
    records = [record(115, "error"), record(155, "error", stubborn=True), record(116), record(156, stubborn=True)]
    assert recovery(records, MARKS, stubborn=False).seconds == pytest.approx(15.05)
    assert recovery(records, MARKS, stubborn=True).seconds == pytest.approx(55.05)


def test_what_is_not_over_has_no_recovery_time() -> None:
    unswitched = Marks(A, impact_s=100, ended_s=160, detected_s=110)
    rto = recovery([record(120, "error")], unswitched, stubborn=False)
    assert rto.seconds is None
    assert rto.phases == (("detected", 10.0),)
    assert recovery([record(159.99, "error", ms=100)], MARKS, stubborn=False).seconds is None


def test_nobody_has_recovered_who_was_not_served_again() -> None:
    """The world may have died with its customers: that no request was lost any more is no recovery."""
    lost = [record(101, "error"), record(113, "unresolved", "")]
    assert recovery([record(99), *lost], MARKS, stubborn=False).seconds is None
    assert recovery([*lost, record(112.9, region=B)], MARKS, stubborn=False).seconds is None
    assert recovery([*lost, record(114, stubborn=True)], MARKS, stubborn=False).seconds is None
    assert recovery([*lost, record(114, region=B)], MARKS, stubborn=False).seconds == pytest.approx(13.05)
    nobody = recovery([record(99)], MARKS, stubborn=False)
    assert (nobody.felt, nobody.seconds) == (False, None)


def test_an_impact_that_nobody_felt_is_said_to_be_so() -> None:
    rto = recovery([record(120)], MARKS, stubborn=False)
    assert (rto.felt, rto.seconds) == (False, 0.0)


def test_customers_are_counted_whole() -> None:
    found = customers(
        [record(1), record(2, "error"), record(3, ms=9000), record(4, "refused"), record(5, "shed", ms=0)]
    )
    assert found.requests == 5
    assert found.bad == 3
    assert found.outcomes == {"error": 1, "refused": 1, "served": 2, "shed": 1}
    assert found.p99_ms == 9000
    assert customers([]).bad_share == 0
    assert percentile([1, 2, 3, 4], 50) == 2


def test_traffic_is_told_by_second_and_region() -> None:
    found = traffic([record(10.2), record(10.9, region=B), record(12.0, "error"), record(12.5, "unresolved", "")])
    assert found.start_s == 10
    assert found.good == {A: [1, 0, 0], B: [1, 0, 0]}
    assert found.bad == {A: [0, 0, 1], "nowhere": [0, 0, 1]}
    assert found.p50_ms[1] is None
    assert traffic([]).good == {}


def test_a_share_is_of_what_was_sent_somewhere() -> None:
    records = [record(1), record(2, region=B), record(3, region=B), record(3.5, "unresolved", "")]
    assert share_in(records, A, 0, 4) == pytest.approx(1 / 3)
    assert share_in(records, A, 10, 20) is None


def item(order_id: str, product_id: str, region: str = A, at: str = "t") -> dict[str, Any]:
    return {name: {"S": value} for name, value in
            {"order_id": order_id, "product_id": product_id, "region": region, "placed_at": at}.items()}  # fmt: skip


def test_a_product_sold_twice_is_found() -> None:
    found = double_sales([item("o-2", "p-1", B, "t2"), item("o-1", "p-1", A, "t1"), item("o-3", "p-2"), {"x": {}}])
    assert [sale["product_id"] for sale in found] == ["p-1"]
    assert [order["order_id"] for order in found[0]["orders"]] == ["o-1", "o-2"]


class Table:
    """DynamoDB with one page of two items, and one unprocessed key."""

    def __init__(self, items: dict[str, dict[str, dict[str, Any]]]) -> None:
        self.items = items
        self.left_over = True

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((table, request),) = RequestItems.items()
        assert request["ConsistentRead"]
        keys = request["Keys"]
        left: list[Any] = []
        if self.left_over and len(keys) > 1:
            self.left_over, left, keys = False, keys[-1:], keys[:-1]
        idents = [next(iter(key.values()))["S"] for key in keys]
        found = [self.items[table][ident] for ident in idents if ident in self.items[table]]
        unprocessed = {table: {"Keys": left, "ConsistentRead": True}} if left else {}
        return {"Responses": {table: found}, "UnprocessedKeys": unprocessed}

    def scan(self, **wanted: Any) -> dict[str, Any]:
        items = list(self.items["orders"].values())
        start = wanted.get("ExclusiveStartKey", 0)
        more = {"LastEvaluatedKey": start + 2} if start + 2 < len(items) else {}
        return {"Items": items[start : start + 2], **more}


def sold(product_id: str, order_id: str) -> dict[str, Any]:
    return {"product_id": {"S": product_id}, "sold_to_order": {"S": order_id}}


def test_acknowledged_writes_are_looked_up_in_the_survivor() -> None:
    acknowledged = [record(100 + n, order=f"o-{n}") for n in range(4)]
    others = [record(101, region=B, order="x"), record(101, "error", order="y"), record(200, order="z")]
    found = candidates([*others, *acknowledged], A, 90, 150)
    assert [each.order_id for each in found] == ["o-0", "o-1", "o-2", "o-3"]
    client = Table(
        {
            "orders": {"o-0": item("o-0", "p-o-0"), "o-1": item("o-1", "p-o-1")},
            "products": {
                "p-o-0": sold("p-o-0", "o-0"),
                "p-o-1": {"product_id": {"S": "p-o-1"}},
                "p-o-2": sold("p-o-2", "o-2"),
            },
        }
    )
    held = look(client, Tables("customers", "products", "orders"), [(r.order_id, r.product_id) for r in found])
    risks = at_risk(found, held)
    assert [(risk.order_id, risk.state) for risk in risks] == [
        ("o-1", "product mark missing"),
        ("o-2", "order missing"),
        ("o-3", "missing"),
    ]


def test_the_fate_of_each_write_is_followed() -> None:
    risks = at_risk([record(100 + n, order=f"o-{n}") for n in range(3)], Held({}, {}))
    first = Held({"o-0": item("o-0", "p-o-0")}, {"p-o-0": sold("p-o-0", "o-0")})
    risks = follow(risks, first, 130.0)
    assert [(risk.fate, risk.arrived_s) for risk in risks] == [
        ("arrived", 130.0),
        ("not known", None),
        ("not known", None),
    ]
    last = Held({**first.orders, "o-1": item("o-1", "p-o-1")}, {**first.products, "p-o-1": sold("p-o-1", "o-9")})
    assert [risk.fate for risk in settle(risks, last)] == ["arrived", "overwritten", "lost"]
    assert state_of("o-1", "p-o-1", last) == "whole"


def test_reading_goes_on_after_unprocessed_keys_and_pages() -> None:
    orders = {f"o-{n}": item(f"o-{n}", "p") for n in range(5)}
    assert set(fetch(Table({"orders": orders}), "orders", "order_id", [*orders, "o-0"])) == set(orders)
    assert len(scan_orders(Table({"orders": orders}), "orders", "o-")) == 5


def test_replicas_are_compared_item_by_item() -> None:
    same, other = item("o-1", "p-1"), item("o-1", "p-2")
    assert unequal([same], [same]) == []
    assert unequal([same], [other]) == ["o-1"]
    assert unequal([same], []) == ["o-1"]


def test_objectives_are_read_and_judged() -> None:
    objectives = [
        Objective.parse(text) for text in ("rto <= 90 s", "lost_writes == 0", "bad_share < 5 %", "drain<=9000ms")
    ]
    assert objectives[3].limit == 9.0
    judged = judge(objectives, {"rto": 30.0, "lost_writes": 1.0, "bad_share": 4.9})
    assert [each.met for each in judged] == [True, False, True, None]
    assert verdict(judged) == Exit.MISSED
    assert verdict([judged[0], judged[3]]) == Exit.UNDECIDED
    assert verdict([judged[0]]) == Exit.GOOD


@pytest.mark.parametrize("text", ["rto", "speed <= 1", "rto <= 90 %", "rto =< 9", ""])
def test_a_bad_objective_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        Objective.parse(text)

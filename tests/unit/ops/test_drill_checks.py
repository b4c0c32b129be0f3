"""Each check of a drill fails when the thing that it checks is broken, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from outlast.ops.act.evacuate import Evacuated
from outlast.ops.decide.rules import Decision
from outlast.ops.deployment import Tables as Names
from outlast.ops.drill import aftermath, evidence
from outlast.ops.drill.objectives import Objective, judge
from outlast.ops.drill.story import AlarmChange, Converged, Story
from outlast.ops.drill.writes import AtRisk, candidates, scan_orders
from tests.unit.ops.test_drill import Tables, judged, last, told, whole
from tests.unit.ops.test_measure import A, B, item, record

RISK = AtRisk("o-1", "p-1", A, 1.0, "missing", "arrived", 2.0)


def performed(
    decision: Decision, *, unequal: tuple[str, ...] = (), fate: Any = "arrived", converged: bool = True
) -> Story:
    story = told()
    story.risks = [replace(RISK, fate=fate)]
    story.convergence = Converged(1.0, 5, unequal, {}) if converged else None
    evidence.performs(story, decision)
    return story


def test_step_twelve_needs_health_and_equal_replicas_and_no_lost_write() -> None:
    well = judged()
    ill = replace(well, findings=tuple(replace(finding, state="impaired") for finding in well.findings))
    assert last(performed(well)).state == "true"
    assert last(performed(well, fate="overwritten")).state == "true", "a conflict is known; it is not lost"
    assert last(performed(ill)).state == "false"
    assert last(performed(well, unequal=("o-3",))).state == "false"
    assert last(performed(well, fate="lost")).state == "false"
    assert last(performed(well, converged=False)).state == "false"
    assert "NOT alike" in last(performed(well, unequal=("o-3",))).evidence


def test_step_seven_needs_a_customer_who_was_let_down_after_the_impact() -> None:
    story = told()
    story.mark("impact_s", 950.0)
    story.records = [record(940, "error"), record(960), record(961, "error", region=B)]
    evidence.struck(story)
    assert last(story).state == "false"
    story.records.append(record(962, "error"))
    evidence.struck(story)
    assert last(story).state == "true"


def test_step_five_needs_an_acknowledged_order() -> None:
    story = told()
    story.records = [replace(record(902, "error", order="o-1"), coast="east")]
    evidence.served(story)
    assert (last(story).number, last(story).state) == (5, "false")


@pytest.mark.parametrize("ending", ["rolled back", "not seen"])
def test_step_nine_needs_a_region_that_was_left(ending: Any) -> None:
    story = told()
    evidence.evacuated(story, Evacuated(ending, 1.0, 2.0, None, "it was not"), "left")
    assert last(story).state == "false"


def test_step_eight_does_not_count_an_alarm_from_before_the_impact() -> None:
    story = told()
    story.mark("impact_s", 950.0)
    ill = judged()
    ill = replace(ill, findings=tuple(replace(finding, state="impaired") for finding in ill.findings))
    story.alarms = [AlarmChange(940.0, "us-east-2", "early", "ALARM"), AlarmChange(960.0, "us-east-2", "late", "OK")]
    evidence.detected(story, ill)
    assert last(story).state == "false"
    story.alarms.append(AlarmChange(960.0, "us-east-2", "late", "ALARM"))
    evidence.detected(story, ill)
    assert last(story).state == "true"
    assert "early" not in last(story).evidence
    evidence.detected(story, judged())
    assert last(story).state == "false"


def test_only_writes_of_the_window_before_the_cut_are_at_risk() -> None:
    records = [record(at_s, order=f"o-{at_s}") for at_s in (80, 100, 149)]
    assert [each.order_id for each in candidates(records, A, 90, 149)] == ["o-100"]


@pytest.mark.parametrize(
    ("relation", "truths"),
    [
        ("<=", (True, True, False)),
        ("<", (True, False, False)),
        ("==", (False, True, False)),
        (">=", (False, True, True)),
        (">", (False, False, True)),
    ],
)
def test_an_objective_means_what_it_says_at_its_limit(relation: str, truths: tuple[bool, bool, bool]) -> None:
    objective = Objective.parse(f"rto {relation} 10 s")
    assert tuple(judge([objective], {"rto": value})[0].met for value in (9.9, 10.0, 10.1)) == truths


def test_replicas_are_read_strongly() -> None:
    class Replica:
        def scan(self, **wanted: Any) -> dict[str, Any]:
            assert wanted["ConsistentRead"]
            return {"Items": [item("o-1", "p-1")]}

    assert len(scan_orders(Replica(), Names("customers", "products", "orders").orders, "o-")) == 1


def test_equal_replicas_are_not_waited_for_and_their_double_sales_are_listed() -> None:
    story = told()
    story.mark("switched_s", 1000.0)
    both = whole("o-1", "o-2")
    for order in both["orders-orders"].values():
        order["product_id"] = {"S": "p-9"}
    looks = 0

    def now_s() -> float:
        nonlocal looks
        looks += 1
        assert looks < 50, "it waits although the replicas are alike"
        return 1000.0

    story.now_s = now_s
    aftermath.compare(story, Tables(us_east_1=both, us_west_2=both).clients(), "o-", {}, patience_s=60)
    assert story.convergence is not None
    assert story.convergence.unequal == ()
    (sale,) = story.double_sales
    assert sale["product_id"] == "p-9"
    assert {order["order_id"] for order in sale["orders"]} == {"o-1", "o-2"}

"""Plans: what stands for and against, and that unknown is never taken for fine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlast.ops.outcome import RefusedError
from outlast.ops.plan.evacuation import EvacuationPlan, plan_evacuation, writes_at_risk
from outlast.ops.plan.facts import Capacity, Facts
from outlast.ops.plan.failback import plan_failback
from outlast.ops.plan.room import Room

A, B = "us-east-1", "us-west-2"
FACTS = Facts(
    at_s=1000.0,
    states={A: True, B: True},
    rates={A: 20.0, B: 10.0},
    health={A: "impaired", B: "healthy"},
    lag_ms={A: 900.0, B: 800.0},
    capacity={A: Capacity(500, 100), B: Capacity(500, 100)},
    ttl_s=5,
    write_share=0.5,
    durations_ms={A: 50.0, B: 50.0},
    request_usd=1e-5,
)


def weights(plan: EvacuationPlan) -> dict[str, str]:
    return {check.name: check.weight for check in plan.checks}


def test_a_plan_switches_off_one_and_keeps_the_others_on() -> None:
    plan = plan_evacuation(A, "it fails", (A, B), FACTS)
    assert plan.controls == {A: False, B: True}
    assert plan.survivors == (B,)
    assert set(weights(plan).values()) == {"fine"}
    assert plan.expected_s == 7.0
    assert plan.writes_at_risk == pytest.approx(9.0)
    assert plan.document()["controls"] == {A: False, B: True}


def test_an_impaired_survivor_refuses_the_plan() -> None:
    plan = plan_evacuation(A, "it fails", (A, B), replace(FACTS, health={A: "impaired", B: "impaired"}))
    assert [check.name for check in plan.refused] == ["health of us-west-2"]


def test_a_survivor_that_is_full_or_doubtful_is_a_warning() -> None:
    plan = plan_evacuation(A, "x", (A, B), replace(FACTS, health={A: "impaired", B: "suspect"}))
    assert weights(plan)["health of us-west-2"] == "warning"
    for full in (Capacity(35, 100), Capacity(500, 1)):
        crowded = plan_evacuation(A, "x", (A, B), replace(FACTS, capacity={B: full}))
        assert weights(crowded)["room in us-west-2"] == "warning"


def test_the_last_region_that_is_known_to_be_healthy_is_not_left() -> None:
    for word in ("suspect", "unknown"):
        plan = plan_evacuation(A, "x", (A, B), replace(FACTS, health={A: "healthy", B: word}))
        assert [check.name for check in plan.refused] == ["health of us-west-2"]
        assert "last Region that is known to be healthy" in plan.refused[0].text
    assert not plan_evacuation(A, "x", (A, B), replace(FACTS, health={A: "healthy", B: "healthy"})).refused
    assert not plan_evacuation(A, "x", (A, B), replace(FACTS, health={})).refused, "nobody looked: the operator did"


def test_the_plan_says_what_is_to_come_what_it_costs_and_how_many_retries_there_is_room_for() -> None:
    texts = {check.name: check.text for check in plan_evacuation(A, "x", (A, B), FACTS).checks}
    assert texts["room in us-west-2"] == (
        "30.0 requests a second of 500 let in; 1.5 function runs at once of 100; retry budget: 12 of each request, "
        "with all that is to come"
    )
    assert texts["cost"] == "nothing more: about 0.72 USD an hour for requests moves to us-west-2"
    blind = plan_evacuation(A, "x", (A, B), replace(FACTS, rates={A: None, B: None}))
    assert {check.name for check in blind.checks if check.weight == "unknown"} >= {"room in us-west-2", "cost"}
    assert "lets in 500" in next(check.text for check in blind.checks if check.name == "room in us-west-2")


@pytest.mark.parametrize(
    ("room", "full", "retries"),
    [
        (Room(0.0, Capacity(500, 100), 50.0), False, None),
        (Room(400.0, Capacity(500, None)), False, 0),
        (Room(401.0, Capacity(500, None)), True, 0),
        (Room(100.0, Capacity(500, 10), 50.0), False, 0),
        (Room(100.0, Capacity(None, 100), 50.0), False, 15),
        (Room(100.0, Capacity()), False, None),
        (Room(1.0, Capacity(0.0, None)), True, 0),
    ],
)
def test_room_is_judged_by_the_limit_that_is_reached_first(room: Room, full: bool, retries: int | None) -> None:
    assert (room.full, room.retries) == (full, retries)


def test_the_last_region_that_is_on_is_not_left_for_one_that_nobody_knows_to_be_well() -> None:
    off = replace(FACTS, states={A: True, B: False}, health={})
    for health in ({}, {B: "suspect"}, {A: "impaired", B: "suspect"}):
        refused = plan_evacuation(A, "x", (A, B), replace(off, health=health)).refused
        assert [check.name for check in refused] == ["safety rule"]
    assert not plan_evacuation(A, "x", (A, B), replace(off, health={B: "healthy"})).refused
    for states in ({A: False, B: False}, {}):
        assert not plan_evacuation(A, "x", (A, B), replace(off, states=states)).refused


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    plan = plan_evacuation(A, "x", (A, B), Facts(1000.0, {}))
    assert weights(plan)["switch"] == "unknown"
    assert weights(plan)["room in us-west-2"] == "unknown"
    assert weights(plan)["writes at risk"] == "unknown"
    assert plan.writes_at_risk is None
    assert writes_at_risk(A, replace(FACTS, lag_ms={A: None})) is None


def test_the_only_region_is_never_left() -> None:
    with pytest.raises(RefusedError):
        plan_evacuation(A, "x", (A,), FACTS)


WELL = replace(FACTS, states={A: False, B: True}, health={A: "healthy", B: "healthy"})


def test_a_failback_goes_by_steps_once_all_is_well() -> None:
    plan = plan_failback(A, (A, B), WELL, watch_s=10, unreviewed=0)
    assert plan.refused == ()
    assert plan.steps == (5, 25, 50, 100)
    assert plan.expected_s == 4 * 15


@pytest.mark.parametrize(
    ("facts", "unreviewed", "against"),
    [
        (replace(WELL, health={A: "suspect"}), 0, "health of us-east-1"),
        (replace(WELL, lag_ms={A: 20_000.0, B: 1.0}), 0, "replication out of us-east-1"),
        (replace(WELL, lag_ms={A: 1.0, B: None}), 0, "replication out of us-west-2"),
        (WELL, 3, "conflicts"),
    ],
)
def test_a_failback_waits_for_health_data_and_review(facts: Facts, unreviewed: int, against: str) -> None:
    plan = plan_failback(A, (A, B), facts, unreviewed=unreviewed)
    assert [check.name for check in plan.refused] == [against]


def test_reviewed_conflicts_do_not_stand_in_the_way() -> None:
    assert plan_failback(A, (A, B), WELL, unreviewed=3, reviewed=True).refused == ()


@pytest.mark.parametrize("steps", [(), (50,), (0, 100), (50, 25, 100)])
def test_steps_rise_to_all(steps: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="100"):
        plan_failback(A, (A, B), WELL, steps=steps)

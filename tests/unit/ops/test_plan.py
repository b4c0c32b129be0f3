"""Plans: what stands for and against, and that unknown is never taken for fine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outlast.ops.outcome import RefusedError
from outlast.ops.plan.evacuation import EvacuationPlan, plan_evacuation, writes_at_risk
from outlast.ops.plan.facts import Capacity, Facts
from outlast.ops.plan.failback import plan_failback
from outlast.ops.plan.room import Room
from outlast.ops.plan.throughput import Throughput, parse

A, B = "us-east-1", "us-west-2"
ORDERS = Throughput(1000.0, {"orders": {"read": {"the table's read limit": 100.0}}}, {"orders": {"read": 20.0}})
FACTS = Facts(
    at_s=1000.0,
    states={A: True, B: True},
    rates={A: 20.0, B: 10.0},
    health={A: "impaired", B: "healthy"},
    lag_ms={A: 900.0, B: 800.0},
    capacity={A: Capacity(500, 100), B: Capacity(500, 100)},
    throughput={A: ORDERS, B: ORDERS},
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
        "370.0 a second, with all that is to come"
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


def of_throughput(facts: Facts) -> tuple[str, str]:
    check = next(check for check in plan_evacuation(A, "x", (A, B), facts).checks if check.name.startswith("through"))
    assert check.name == "throughput of us-west-2"
    return check.weight, check.text


def test_the_plan_holds_what_tables_consume_in_all_regions_against_what_the_survivors_let_in() -> None:
    assert of_throughput(FACTS) == (
        "fine",
        "the fullest of DynamoDB's limits: 40.0 read units a second of orders, of 100 by the table's read limit, "
        "with all that is to come",
    )
    busy = {A: replace(ORDERS, used={"orders": {"read": 61.0}}), B: ORDERS}
    weight, text = of_throughput(replace(FACTS, throughput=busy))
    assert weight == "warning"
    assert text.startswith("DynamoDB nearly or already full: 81.0 read units a second of orders, of 100")


def test_writes_are_counted_once() -> None:
    """AWS counts a write in every replica, so each Region's count is of all of them; a local world's is not."""
    written = Throughput(1000.0, {"orders": {"write": {"the write quota": 100.0}}}, {"orders": {"write": 50.0}})
    facts = replace(FACTS, throughput={A: written, B: written})
    assert "50.0 write units" in of_throughput(facts)[1]
    weight, text = of_throughput(replace(facts, writes_counted_everywhere=False))
    assert (weight, "100.0 write units" in text) == ("warning", True)


def test_throughput_that_is_not_known_is_not_taken_for_enough() -> None:
    blind = replace(ORDERS, used=None)
    for throughput, told in (
        ({}, "lets in in us-west-2 is not known"),
        ({B: ORDERS}, "consume in us-east-1 is not known"),
        ({A: blind, B: ORDERS}, "consume in us-east-1 is not known"),
        ({A: blind, B: blind}, "consume in us-east-1 and us-west-2 is not known"),
        ({A: ORDERS, B: replace(ORDERS, limits={})}, "lets in in us-west-2 is not known"),
    ):
        weight, text = of_throughput(replace(FACTS, throughput=throughput))
        assert weight == "unknown"
        assert told in text
    free = replace(ORDERS, limits={"orders": {"read": {}}})
    assert of_throughput(replace(FACTS, throughput={A: ORDERS, B: free})) == (
        "fine",
        "no table of us-west-2 has a limit",
    )


@pytest.mark.parametrize(
    ("age_s", "told"),
    [(100.0, ""), (240.0, " (noted 4 minutes ago)"), (7200.0, " (noted 2 hours ago)"), (3e5, " (noted 3 days ago)")],
)
def test_a_figure_that_is_not_of_now_says_how_old_it_is(age_s: float, told: str) -> None:
    old = replace(ORDERS, at_s=FACTS.at_s - age_s)
    text = of_throughput(replace(FACTS, throughput={A: old, B: ORDERS}))[1]
    assert text.endswith(f"with all that is to come{told}")
    offline = plan_evacuation(A, "x", (A, B), replace(FACTS, noted_s=FACTS.at_s - age_s, rates={}))
    room = next(check.text for check in offline.checks if check.name == "room in us-west-2")
    assert room.endswith(f"us-west-2 lets in 500 requests a second{told}")


def test_what_cannot_be_asked_is_filled_from_what_was_noted() -> None:
    noted = replace(ORDERS, at_s=10.0)
    assert parse(noted.document()) == noted
    assert Throughput(1000.0, {}, None).filled(noted) == noted
    assert ORDERS.filled(noted) == ORDERS
    assert ORDERS.filled(None) == ORDERS
    half = replace(ORDERS, used=None).filled(noted)
    assert (half.at_s, half.limits, half.used) == (10.0, ORDERS.limits, noted.used)


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

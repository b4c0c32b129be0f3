"""How much of what a Region is asked is asked again: what can be measured is, and what nobody can know is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from outlast.ops.observe import retries as observed
from outlast.ops.observe.survey import Latest
from outlast.ops.plan.facts import Capacity
from outlast.ops.plan.retries import Asked, Usual, document, usual, words
from outlast.ops.plan.room import Room
from outlast.ops.report import status
from tests.unit.ops.fakes import sample_deployment
from tests.unit.ops_kit.test_status import WELL, shown

A, B = "us-east-1", "us-west-2"
NOW_S = 1_000_020.0
HOUR = {60.0 * minute: 600.0 for minute in range(58)}
CALM = Asked(20.0, 200.0, 0.0, 200.0, 0.0, 600.0, 0.0, HOUR)


def test_what_is_more_than_usual_in_all_regions_together_is_retries_at_most() -> None:
    """After a switch one Region has the requests of both; that is no retry."""
    moved = {A: replace(CALM, requests=0.0), B: replace(CALM, requests=400.0)}
    assert usual((A, B), moved) == Usual(20.0, 20.0)
    assert usual((A, B), moved).excess == 0.0
    stormy = {A: replace(CALM, requests=0.0), B: replace(CALM, requests=500.0)}
    assert usual((A, B), stormy).excess == pytest.approx(0.2)
    fewer = {A: replace(CALM, requests=0.0), B: replace(CALM, requests=100.0)}
    assert usual((A, B), fewer).excess == 0.0
    idle = {A: replace(CALM, requests=0.0), B: replace(CALM, requests=0.0)}
    assert usual((A, B), idle).excess == 0.0


def test_one_odd_minute_is_not_what_is_usual_and_few_minutes_are_nothing_usual() -> None:
    odd = {A: replace(CALM, minutes=HOUR | {0.0: 60_000.0})}
    assert usual((A,), odd).before == 10.0
    assert usual((A, B), {A: CALM}) == Usual(None, None, "us-west-2 does not tell what it is asked")
    young = usual((A,), {A: replace(CALM, minutes={0.0: 1.0})})
    assert (young.excess, young.why) == (None, "1 minutes were counted before, 10 say what is usual")


def test_each_layer_tells_what_it_can() -> None:
    asked = {B: Asked(20.0, 500.0, 10.0, 450.0, 50.0, 990.0, 10.0, HOUR)}
    known = Usual(25.0, 20.0)
    assert words(B, asked, known) == (
        "retries: 20% of all Regions' requests at most (25.0 a second, 20.0 in the median minute of the hour before; "
        "no service tells a retry from a new request); 2% of its requests ended in an error and may come again; "
        "10% of the function's runs were throttled; 1% of the calls to DynamoDB were throttled and sent again"
    )
    assert document(B, asked, known) == {
        "at_most_share": pytest.approx(0.2),
        "usual_per_s": 20.0,
        "not_known": None,
        "failed_share": 0.02,
        "throttled_run_share": 0.1,
        "throttled_call_share": 0.01,
    }


def test_what_is_not_known_is_said() -> None:
    known = Usual(None, None, "us-east-1 does not tell what it is asked")
    told = words(B, {B: replace(CALM, requests=0.0, throttled_calls=None)}, known)
    assert "what share of all requests is not known (us-east-1 does not tell what it is asked)" in told
    assert "nothing to say of how many of its requests ended in an error" in told
    assert "calls that DynamoDB throttled are not counted here" in told
    assert words(A, {}, known) == "retries: not known, nobody tells what it is asked"
    assert document(A, {}, known) is None


class CloudWatch:
    """Answers every series with one point of 3, but the hour before with two; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def get_metric_data(self, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        moment = datetime.fromtimestamp(NOW_S - 60, UTC)
        return {"MetricDataResults": [
            {"Id": each["Id"], "Timestamps": [moment], "Values": [3.0]} for each in parameters["MetricDataQueries"]
        ]}  # fmt: skip


@pytest.mark.parametrize(("kind", "throttled"), [("local", None), ("aws", 18.0)])
def test_what_cloudwatch_counts_is_read(kind: Any, throttled: float | None) -> None:
    client, deployment = CloudWatch(), replace(sample_deployment(), kind=kind)
    found = observed.read(client, deployment, deployment.region(B), NOW_S)
    calls = 3.0 * 3 * len(observed.CALLS)
    assert found == Asked(20.0, 3.0, 3.0, 3.0, 3.0, calls, throttled, {NOW_S - 60: 3.0})
    late, before = client.asked
    assert late["EndTime"].timestamp() <= NOW_S
    assert (late["EndTime"] - late["StartTime"]).total_seconds() == 20.0, "four whole periods"
    assert (before["EndTime"].timestamp(), before["MetricDataQueries"][0]["MetricStat"]["Period"]) == (999_900.0, 60)
    idents = [each["Id"] for each in late["MetricDataQueries"]]
    assert len(idents) == len(set(idents))
    assert all(ident.isalnum() and ident[0].islower() for ident in idents), "as CloudWatch takes them"


def test_the_budget_is_what_is_left_below_the_limit_that_is_reached_first() -> None:
    room = Room(40.0, Capacity(500, 10), 50.0)
    assert room.left == pytest.approx(120.0), "10 runs at once, 8 of them without hurting, 50 ms each: 160 a second"
    assert "retry budget: 3 of each request, 120.0 a second" in room.text
    assert Room(40.0, Capacity()).left is None
    assert Room(500.0, Capacity(500, None)).left == 0.0


def test_the_status_shows_it() -> None:
    latest = Latest(rates={A: 10.0, B: 10.0}, asked={A: CALM, B: replace(CALM, failed=20.0)})
    screen = " ".join(shown(WELL, latest, None).split())
    assert "us-west-2: retries: 0% of all Regions' requests at most (20.0 a second, 20.0 in the median minute" in screen
    assert "10% of its requests ended in an error and may come again" in screen
    assert status.document(sample_deployment(), WELL, latest, None)["regions"][B]["retries"]["failed_share"] == 0.1

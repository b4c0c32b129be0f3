"""Standby takes over: stop alarms as one switch, a Region that is dead, and what a doctor says of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from outlast.ops.act.boards import board_of
from outlast.ops.act.standby import StandbyBoard, alarm_name
from outlast.ops.clients import Clients
from outlast.ops.deployment import Arc, Deployment
from outlast.ops.doctor.examine import examine
from outlast.ops.observe.facts import switch_s
from outlast.ops.outcome import OpsError, RefusedError, UsageError
from outlast.ops.plan.failback import plan_failback
from tests.unit.ops.fakes import FakeClients, fault, sample_deployment
from tests.unit.ops.test_plan import FACTS
from tests.unit.ops_kit.doctored import alarm, ready

A, B = "us-east-1", "us-west-2"
T = 1_700_000_040.0
"""A whole minute."""


def standby(base: Deployment | None = None) -> Deployment:
    parts = tuple(replace(part, routing_control_arn="") for part in (base or sample_deployment()).regions)
    return replace(base or sample_deployment(), arc=Arc("", "", "", ()), switch="standby-takes-over", regions=parts)


class Watch:
    """One Region's CloudWatch as the board uses it: sums by the minute."""

    def __init__(self) -> None:
        self.sums: dict[str, dict[datetime, float]] = {}
        self.states: dict[str, str] = {}
        self.dead = False

    def _live(self) -> None:
        if self.dead:
            raise fault("ServiceUnavailable", status=503)

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        self._live()
        (datum,) = MetricData
        assert Namespace == "Outlast/Switch"
        region = datum["Dimensions"][1]["Value"]
        minute = datum["Timestamp"].replace(second=0, microsecond=0)
        sums = self.sums.setdefault(region, {})
        sums[minute] = sums.get(minute, 0.0) + datum["Value"]

    def get_metric_statistics(self, *, Dimensions: Any, StartTime: datetime, EndTime: datetime, **_: Any) -> Any:
        self._live()
        sums = self.sums.get(Dimensions[1]["Value"], {})
        return {
            "Datapoints": [{"Timestamp": at, "Sum": value} for at, value in sums.items() if StartTime <= at < EndTime]
        }

    def describe_alarms(self, *, AlarmNames: list[str]) -> Any:
        self._live()
        (name,) = AlarmNames
        return {"MetricAlarms": [{"StateValue": self.states[name]}] if name in self.states else []}


class Stage:
    """Two Regions' CloudWatch, a clock, and a board over them."""

    def __init__(self) -> None:
        self.watches = {A: Watch(), B: Watch()}
        for watch in self.watches.values():
            watch.states = {alarm_name("orders", region): "INSUFFICIENT_DATA" for region in (A, B)}
        self.now_s = T
        self.tries: list[Any] = []
        self.clients = FakeClients(lambda _, region, __: self.watches[region])
        clients = cast(Clients, self.clients)
        self.board = StandbyBoard(clients, standby(), self.tries.append, now_s=lambda: self.now_s, sleep=lambda _: None)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_the_standby_switches_a_region_off_and_on(stage: Stage) -> None:
    assert stage.board.states() == {A: True, B: True}, "nobody has said anything yet"
    stage.board.set({A: False, B: True})
    assert stage.board.states() == {A: False, B: True}
    assert B not in stage.watches[A].sums, "what is so already is not sent"
    assert set(stage.watches[A].sums) == set(stage.watches[B].sums) == {A}
    stage.board.set({A: False})
    with pytest.raises(RefusedError, match="no Region on"):
        stage.board.set({B: False})
    with pytest.raises(RefusedError, match="no safety rule"):
        stage.board.set({A: True}, ["arn:rule"])
    stage.now_s += 1
    stage.board.set({A: True})
    assert stage.board.states() == {A: True, B: True}


@pytest.mark.parametrize("ahead_s", [600.0, -600.0])
def test_a_word_stands_at_the_time_of_the_region_that_hears_it(stage: Stage, ahead_s: float) -> None:
    """An alarm looks at its last minute: what a machine whose clock is wrong says would be of another."""
    stage.clients.ahead = {A: ahead_s, B: ahead_s}
    stage.now_s = T + ahead_s + 5
    stage.board.set({A: False})
    assert set(stage.watches[B].sums[A]) == {datetime.fromtimestamp(T, UTC)}
    assert stage.board.states() == {A: False, B: True}


def test_the_latest_word_within_a_minute_wins_whatever_was_said_before(stage: Stage) -> None:
    """Every change of mind, a second apart, for a whole minute; some of it sent twice."""
    for second in range(60):
        stage.now_s = T + second
        on = second % 2 == 1
        stage.board.set({A: on})
        if second % 7 == 0 and not on:
            stage.board.set({A: on})
        assert stage.board.states()[A] is on, second
        value = next(iter(stage.watches[B].sums[A].values()))
        assert math.isfinite(value)
        assert abs(value) < 2.0**360, "the most that CloudWatch takes"


def test_a_word_is_kept_by_the_alarm_for_longer_than_it_is_looked_back(stage: Stage) -> None:
    stage.board.set({A: False})
    stage.now_s += 7200
    stage.watches[B].states[alarm_name("orders", A)] = "ALARM"
    assert stage.board.states() == {A: False, B: True}


def test_a_dead_region_is_left_and_cannot_stop_it(stage: Stage) -> None:
    stage.watches[A].dead = True
    assert stage.board.states() == {A: True, B: True}, "the copy tells of the Region whose alarm is in the dead one"
    stage.board.set({A: False, B: True})
    assert stage.board.states()[A] is False
    assert [(each.region, each.error) for each in stage.tries] == [(B, ""), (A, "ServiceUnavailable")]


def test_a_dead_standby_is_told_and_nothing_was_switched(stage: Stage) -> None:
    stage.watches[B].dead = True
    with pytest.raises(OpsError, match="us-west-2 could not be told to switch us-east-1 off"):
        stage.board.set({A: False})
    stage.watches[A].dead = True
    with pytest.raises(OpsError, match="No stop alarm could be read"):
        stage.board.states()


def test_alarms_that_are_not_there_are_named(stage: Stage) -> None:
    for watch in stage.watches.values():
        watch.states = {}
    with pytest.raises(OpsError, match="there is no alarm orders-stop-us-east-1 in us-west-2"):
        stage.board.states()


def test_a_switch_that_was_not_deployed_is_refused() -> None:
    clients = cast(Clients, FakeClients(lambda *_: None))
    assert isinstance(board_of(None, clients, standby()), StandbyBoard)
    with pytest.raises(UsageError, match="was deployed with routing-controls"):
        board_of("standby-takes-over", clients, sample_deployment())
    with pytest.raises(UsageError, match="was deployed with standby-takes-over"):
        board_of("routing-controls", clients, standby())
    assert (switch_s(sample_deployment()), switch_s(standby())) == (2.0, 20.0)
    assert switch_s(replace(standby(), alarm_period_s=300)) == 120.0


def sound() -> Any:
    """Facts of a deployment whose standbys take over, with nothing wrong."""
    facts = ready()
    stops = {"Namespace": "Outlast/Switch", "TreatMissingData": "ignore", "Statistic": "Sum"}
    regions = tuple(
        replace(
            each,
            alarms=(*(each.alarms or ()), *(alarm(alarm_name("orders", name), each.name, **stops) for name in (A, B))),
        )
        for each in facts.regions
    )
    follows = {
        f"hc-{name}": {
            "HealthCheckConfig": {
                "Type": "CLOUDWATCH_METRIC",
                "AlarmIdentifier": {"Name": alarm_name("orders", name), "Region": other},
                "InsufficientDataHealthStatus": "LastKnownStatus",
            }
        }
        for name, other in ((A, B), (B, A))
    }
    return replace(
        facts,
        deployment=standby(facts.deployment),
        regions=regions,
        switch=replace(facts.switch, endpoints={}, cluster=None, controls=None, rules=None),
        names=replace(facts.names, checks=follows),
    )


def test_the_doctor_finds_nothing_wrong_with_sound_stop_alarms() -> None:
    assert [each for each in examine(sound()) if each.severity == "serious"] == []


def test_the_doctor_finds_stop_alarms_that_are_gone_forget_or_are_not_followed() -> None:
    facts = sound()
    gone = replace(facts, regions=(replace(facts.regions[0], alarms=facts.regions[0].alarms[:-1]), facts.regions[1]))
    assert "stop alarm" in {each.rule for each in examine(gone)}
    forgetful = tuple(
        replace(each, alarms=tuple({**held, "TreatMissingData": "notBreaching"} if "stop" in held["AlarmName"] else held
                                   for held in each.alarms))
        for each in facts.regions
    )  # fmt: skip
    assert sum(each.rule == "stop alarm" for each in examine(replace(facts, regions=forgetful))) == 4
    config = facts.names.checks[f"hc-{A}"]["HealthCheckConfig"]
    for change in ({"AlarmIdentifier": {"Name": "x", "Region": A}}, {"InsufficientDataHealthStatus": "Healthy"}):
        checks = {**facts.names.checks, f"hc-{A}": {"HealthCheckConfig": {**config, **change}}}
        found = examine(replace(facts, names=replace(facts.names, checks=checks)))
        assert [each.region for each in found if each.rule == "health check"] == [A]


def test_a_failback_waits_for_a_slow_switch_before_it_judges_a_step() -> None:
    slow = replace(FACTS, states={A: False, B: True}, health={A: "healthy", B: "healthy"}, switch_s=20.0)
    plan = plan_failback(A, (A, B), slow, reviewed=True, steps=(100,), watch_s=1)
    assert (plan.switch_s, plan.expected_s) == (18.0, 18.0 + 1 + slow.ttl_s)
    assert plan_failback(A, (A, B), replace(slow, states={A: True, B: True}), reviewed=True).switch_s == 0.0
    assert plan_failback(A, (A, B), replace(slow, switch_s=2.0), reviewed=True).switch_s == 0.0

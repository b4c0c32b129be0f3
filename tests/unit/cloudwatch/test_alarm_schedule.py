"""Which alarms are evaluated when: none is passed over, whatever happens to ticks and clocks."""

from __future__ import annotations

from typing import Any

from outlast.cloud.services.cloudwatch.alarms.run import evaluate_due
from outlast.cloud.services.cloudwatch.operations.alarms import put_metric_alarm
from outlast.cloud.services.cloudwatch.store.store import Datum
from tests.unit.cloudwatch.stage import START_S, Stage


def alarm(stage: Stage, period: int) -> None:
    put_metric_alarm(
        stage.call(), alarm_name=f"p{period}", namespace="App", metric_name="M", statistic="Sum", period=period,
        evaluation_periods=1, threshold=5.0, comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
    )  # fmt: skip


def put(stage: Stage, value: float, at: int) -> None:
    stage.state.store.put([Datum(("App", "M", (), "None"), START_S + at, True, value)])


def states(stage: Stage, at: int) -> dict[str, Any]:
    stage.clock.time_s = START_S + at + 1.5
    evaluate_due(stage.state, START_S + at)
    return {name: one.state for name, one in stage.state.alarms.items()}


async def test_a_minute_is_evaluated_also_when_its_tick_came_late(stage: Stage) -> None:
    alarm(stage, 60)
    assert states(stage, 0) == {"p60": "OK"}
    put(stage, 9, 30)
    assert states(stage, 50) == {"p60": "OK"}
    assert states(stage, 70) == {"p60": "ALARM"}


async def test_twenty_and_thirty_seconds_have_their_own_steps(stage: Stage) -> None:
    for period in (10, 20, 30):
        alarm(stage, period)
    put(stage, 9, 5)
    assert states(stage, 10) == {"p10": "ALARM", "p20": "OK", "p30": "OK"}
    assert states(stage, 20) == {"p10": "ALARM", "p20": "ALARM", "p30": "OK"}
    assert states(stage, 30)["p30"] == "ALARM"


async def test_a_clock_that_goes_back_does_not_stop_alarms(stage: Stage) -> None:
    alarm(stage, 60)
    states(stage, 3600)
    put(stage, 9, 30)
    assert states(stage, 60) == {"p60": "ALARM"}


async def test_a_changed_alarm_is_evaluated_at_the_next_tick(stage: Stage) -> None:
    alarm(stage, 60)
    put(stage, 9, -30)
    assert states(stage, 0) == {"p60": "ALARM"}
    put_metric_alarm(
        stage.call(), alarm_name="p60", namespace="App", metric_name="M", statistic="Sum", period=60,
        evaluation_periods=1, threshold=50.0, comparison_operator="GreaterThanThreshold",
    )  # fmt: skip
    assert states(stage, 10) == {"p60": "OK"}

"""Alarms change state, tell their history and set off their actions."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from outlast.cloud.contract import Fault, ValidationException
from outlast.cloud.services.cloudwatch.alarms.actions import act_for_ever
from outlast.cloud.services.cloudwatch.alarms.run import evaluate_due
from outlast.cloud.services.cloudwatch.errors import (
    DashboardInvalidInputError,
    DashboardNotFoundError,
    ResourceNotFound,
)
from outlast.cloud.services.cloudwatch.operations.alarms import (
    delete_alarms,
    disable_alarm_actions,
    put_composite_alarm,
    put_metric_alarm,
    set_alarm_state,
)
from outlast.cloud.services.cloudwatch.operations.dashboards import (
    delete_dashboards,
    get_dashboard,
    list_dashboards,
    put_dashboard,
)
from outlast.cloud.services.cloudwatch.operations.read_alarms import (
    describe_alarm_history,
    describe_alarms,
    describe_alarms_for_metric,
)
from outlast.cloud.services.cloudwatch.operations.tags import list_tags_for_resource, tag_resource, untag_resource
from outlast.cloud.services.cloudwatch.store.store import Datum
from tests.unit.cloudwatch.stage import START_S, Stage

FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:f"


def put(stage: Stage, value: float, at: int = 0, *, fine: bool = False, name: str = "M", space: str = "App") -> None:
    stage.state.store.put([Datum((space, name, (), "None"), START_S + at, fine, value)])


def alarm(stage: Stage, name: str = "a", **more: Any) -> None:
    given: dict[str, Any] = {
        "alarm_name": name, "namespace": "App", "metric_name": "M", "statistic": "Average", "period": 60,
        "evaluation_periods": 1, "threshold": 5.0, "comparison_operator": "GreaterThanThreshold", **more,
    }  # fmt: skip
    put_metric_alarm(stage.call(), **{key: value for key, value in given.items() if value is not None})


def state_of(stage: Stage, name: str = "a") -> str:
    return stage.state.alarms[name].state


def tick(stage: Stage, at: int) -> None:
    stage.clock.time_s = START_S + at + 1.5
    evaluate_due(stage.state, START_S + at)


async def test_an_alarm_follows_its_metric(stage: Stage) -> None:
    alarm(stage)
    assert state_of(stage) == "INSUFFICIENT_DATA"
    put(stage, 1)
    tick(stage, 60)
    assert state_of(stage) == "OK"
    put(stage, 9, at=60)
    tick(stage, 110)
    assert state_of(stage) == "OK"
    tick(stage, 120)
    assert state_of(stage) == "ALARM"
    shown = describe_alarms(stage.call(), alarm_names=["a"])["MetricAlarms"][0]
    assert shown["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [9]")
    assert json.loads(shown["StateReasonData"])["recentDatapoints"] == [9]
    tick(stage, 420)
    assert state_of(stage) == "INSUFFICIENT_DATA"


async def test_a_high_resolution_alarm_is_evaluated_every_ten_seconds(stage: Stage) -> None:
    alarm(stage, period=10, evaluation_periods=2, statistic="Sum", treat_missing_data="notBreaching")
    tick(stage, 0)
    assert state_of(stage) == "OK"
    put(stage, 9, at=1, fine=True)
    tick(stage, 10)
    assert state_of(stage) == "OK"
    put(stage, 9, at=11, fine=True)
    tick(stage, 20)
    assert state_of(stage) == "ALARM"


async def test_a_long_period_slides_with_each_minute(stage: Stage) -> None:
    alarm(stage, period=300, statistic="Sum", threshold=10.0)
    put(stage, 6, at=240)
    put(stage, 6, at=300)
    tick(stage, 360)
    assert state_of(stage) == "ALARM"


async def test_alarms_on_metric_math(stage: Stage) -> None:
    metric = {"Namespace": "App", "MetricName": "M"}
    errors = {"Namespace": "App", "MetricName": "E"}
    queries = [
        {"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "e", "MetricStat": {"Metric": errors, "Period": 60, "Stat": "Sum"}, "ReturnData": False},
        {"Id": "rate", "Expression": "100 * FILL(e, 0) / m"},
    ]
    alarm(stage, metrics=queries, namespace=None, metric_name=None, statistic=None, period=None)
    put(stage, 10)
    tick(stage, 60)
    assert state_of(stage) == "OK"
    put(stage, 10, at=60)
    put(stage, 1, at=60, name="E")
    tick(stage, 120)
    assert state_of(stage) == "ALARM"


async def test_dynamodb_metrics_ignore_missing_data_unless_told(stage: Stage) -> None:
    alarm(stage, "quiet", namespace="AWS/DynamoDB")
    alarm(stage, "told", namespace="AWS/DynamoDB", treat_missing_data="notBreaching")
    put(stage, 9, space="AWS/DynamoDB")
    tick(stage, 60)
    assert (state_of(stage, "quiet"), state_of(stage, "told")) == ("ALARM", "ALARM")
    tick(stage, 600)
    assert (state_of(stage, "quiet"), state_of(stage, "told")) == ("ALARM", "OK")


async def test_composite_alarms_follow_at_once_and_tie_their_children(stage: Stage) -> None:
    alarm(stage, "a")
    alarm(stage, "b")
    put_composite_alarm(stage.call(), alarm_name="both", alarm_rule="ALARM(a) AND ALARM(b)")
    put_composite_alarm(stage.call(), alarm_name="top", alarm_rule='ALARM("both")')
    assert state_of(stage, "top") == "OK"
    for name in ("a", "b"):
        set_alarm_state(stage.call(), alarm_name=name, state_value="ALARM", state_reason="test")
    assert (state_of(stage, "both"), state_of(stage, "top")) == ("ALARM", "ALARM")
    with pytest.raises(ValidationException, match="a cannot be deleted as there are composite alarm"):
        delete_alarms(stage.call(), alarm_names=["a"])
    with pytest.raises(ValidationException, match=r"alarms \[gone\] in the alarm rule do not exist"):
        put_composite_alarm(stage.call(), alarm_name="x", alarm_rule="ALARM(gone)")
    assert describe_alarms(stage.call())["CompositeAlarms"] == []
    found = describe_alarms(stage.call(), alarm_types=["CompositeAlarm"])["CompositeAlarms"]
    assert [one["AlarmName"] for one in found] == ["both", "top"]
    children = describe_alarms(stage.call(), children_of_alarm_name="both")["MetricAlarms"]
    assert [one["AlarmName"] for one in children] == ["a", "b"]
    parents = describe_alarms(stage.call(), parents_of_alarm_name="both")["CompositeAlarms"]
    assert [one["AlarmName"] for one in parents] == ["top"]
    delete_alarms(stage.call(), alarm_names=["top", "both", "a", "b"])
    assert stage.state.alarms == {}


async def test_alarms_survive_a_restart(stage: Stage) -> None:
    alarm(stage)
    set_alarm_state(stage.call(), alarm_name="a", state_value="ALARM", state_reason="test")
    await stage.reopen()
    assert state_of(stage) == "ALARM"
    assert len(describe_alarm_history(stage.call(), alarm_name="a")["AlarmHistoryItems"]) == 2


async def test_actions_invoke_functions_and_others_fail_in_the_history(stage: Stage) -> None:
    topic = "arn:aws:sns:us-east-1:111122223333:t"
    alarm(stage, alarm_actions=[FUNCTION, topic])
    worker = asyncio.ensure_future(act_for_ever(stage.state))
    set_alarm_state(stage.call(), alarm_name="a", state_value="ALARM", state_reason="test")
    for _ in range(10):
        await asyncio.sleep(0)
    worker.cancel()
    (call,) = stage.invoked
    assert call["principal"].arn == "lambda.alarms.cloudwatch.amazonaws.com"
    assert call["source_arn"] == "arn:aws:cloudwatch:us-east-1:111122223333:alarm:a"
    assert json.loads(call["params"]["Payload"])["alarmData"]["state"]["value"] == "ALARM"
    items = describe_alarm_history(stage.call(), alarm_name="a", history_item_type="Action")["AlarmHistoryItems"]
    assert sorted(one["HistorySummary"] for one in items) == [
        f"Failed to execute action {topic}. Received error: This cloud has no service for sns.",
        f"Successfully executed action {FUNCTION}",
    ]


async def test_disabled_actions_do_nothing(stage: Stage) -> None:
    alarm(stage, alarm_actions=[FUNCTION])
    disable_alarm_actions(stage.call(), alarm_names=["a"])
    set_alarm_state(stage.call(), alarm_name="a", state_value="ALARM", state_reason="test")
    assert stage.state.actions.empty()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statistic": None}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"extended_statistic": "p90"}, "Exactly one of Statistic and ExtendedStatistic"),
        ({"metric_name": None}, "Exactly one of MetricName and Metrics"),
        ({"period": 15}, "Period must be 10, 20, 30 or a multiple of 60"),
        ({"evaluation_periods": 1441}, "Metrics cannot be checked across more than a day"),
        ({"datapoints_to_alarm": 2}, "DatapointsToAlarm must be less than or equal"),
        ({"threshold": None}, "The parameter Threshold is required."),
        ({"treat_missing_data": "maybe"}, "Option maybe is not supported."),
        ({"comparison_operator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"statistic": None, "extended_statistic": "tm9"}, "tm9 is not supported"),
        ({"alarm_actions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "is not supported by this cloud"),
        ({"alarm_actions": ["nonsense"]}, "Invalid arn syntax: nonsense"),
        ({"evaluate_low_sample_count_percentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
    ],
)
async def test_bad_alarms_are_refused(stage: Stage, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationException) as caught:
        alarm(stage, **given)
    assert message in caught.value.message


async def test_an_unknown_alarm(stage: Stage) -> None:
    with pytest.raises(ResourceNotFound):
        set_alarm_state(stage.call(), alarm_name="x", state_value="OK", state_reason="")
    with pytest.raises(ResourceNotFound):
        delete_alarms(stage.call(), alarm_names=["x"])


async def test_alarms_of_a_metric_and_tags(stage: Stage) -> None:
    alarm(stage, tags=[{"Key": "k", "Value": "v"}])
    found = describe_alarms_for_metric(stage.call(), metric_name="M", namespace="App")["MetricAlarms"]
    arn = found[0]["AlarmArn"]
    tag_resource(stage.call(), resource_arn=arn, tags=[{"Key": "l", "Value": "w"}])
    untag_resource(stage.call(), resource_arn=arn, tag_keys=["k"])
    assert list_tags_for_resource(stage.call(), resource_arn=arn)["Tags"] == [{"Key": "l", "Value": "w"}]
    assert describe_alarms_for_metric(stage.call(), metric_name="N", namespace="App")["MetricAlarms"] == []


WIDGET = {
    "type": "metric",
    "x": 0,
    "y": 0,
    "width": 12,
    "height": 6,
    "properties": {"metrics": [["App", "M", {"stat": "Sum"}], [{"expression": "m1 * 2"}]], "period": 60},
}


async def test_dashboards(stage: Stage) -> None:
    body = json.dumps({"widgets": [WIDGET, {"type": "text", "properties": {"markdown": "hello"}}], "colour": 1})
    reply = put_dashboard(stage.call(), dashboard_name="d", dashboard_body=body)
    assert reply["DashboardValidationMessages"] == [{"DataPath": "/", "Message": "Unknown property 'colour'"}]
    assert get_dashboard(stage.call(), dashboard_name="d")["DashboardBody"] == body
    assert list_dashboards(stage.call())["DashboardEntries"][0]["Size"] == len(body)
    delete_dashboards(stage.call(), dashboard_names=["d"])
    with pytest.raises(DashboardNotFoundError, match="Dashboard d does not exist"):
        get_dashboard(stage.call(), dashboard_name="d")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("{", ""),
        ("[]", ""),
        ("{}", "/"),
        ('{"widgets": [{}]}', "/widgets/0"),
        ('{"widgets": [{"type": "pie"}]}', "/widgets/0/type"),
        ('{"widgets": [{"type": "text", "properties": {}}]}', "/widgets/0/properties"),
        ('{"widgets": [{"type": "metric", "properties": {"metrics": [1]}}]}', "/widgets/0/properties/metrics/0"),
        ('{"widgets": [{"type": "metric", "properties": {}}]}', "/widgets/0/properties"),
        ('{"widgets": [{"type": "metric", "width": 99, "properties": {"metrics": []}}]}', "/widgets/0/width"),
        ('{"widgets": [{"type": "metric", "x": 20, "width": 10, "properties": {"metrics": []}}]}', "/widgets/0"),
    ],
)
async def test_bad_dashboards_say_where(stage: Stage, body: str, path: str) -> None:
    with pytest.raises(DashboardInvalidInputError) as caught:
        put_dashboard(stage.call(), dashboard_name="d", dashboard_body=body)
    assert caught.value.fields["dashboardValidationMessages"][0]["DataPath"] == path
    with pytest.raises(Fault, match="invalid characters"):
        put_dashboard(stage.call(), dashboard_name="a b", dashboard_body="{}")

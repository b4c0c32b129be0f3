"""Alarms shown, and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudwatch.alarms.rule import alarms_of, read_rule
from outlast.cloud.services.cloudwatch.model import Alarm, HistoryItem
from outlast.cloud.services.cloudwatch.operations.paging import page, shown
from outlast.cloud.services.cloudwatch.query import read_metric
from outlast.cloud.services.cloudwatch.service import ANY_ALARM, cloudwatch
from outlast.cloud.services.cloudwatch.state import Watch

DEFAULT_RECORDS = 50
DEFAULT_HISTORY = 100


@cloudwatch.operation(resource=ANY_ALARM)
def describe_alarms(
    call: Call[Watch],
    *,
    alarm_names: Sequence[str] | None = None,
    alarm_name_prefix: str | None = None,
    alarm_types: Sequence[str] = ("MetricAlarm",),
    children_of_alarm_name: str | None = None,
    parents_of_alarm_name: str | None = None,
    state_value: str | None = None,
    action_prefix: str | None = None,
    max_records: int = DEFAULT_RECORDS,
    next_token: str | None = None,
) -> Reply:
    """Alarms by name; only metric alarms unless AlarmTypes says otherwise.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
    """
    if alarm_names is not None and alarm_name_prefix is not None:
        raise ValidationException("AlarmNamePrefix and AlarmNames are mutually exclusive")
    if children_of_alarm_name is not None or parents_of_alarm_name is not None:
        return _relatives(call, children_of_alarm_name, parents_of_alarm_name)
    wanted = [
        alarm
        for alarm in sorted(call.state.alarms.values(), key=lambda one: one.name)
        if (alarm_names is None or alarm.name in alarm_names)
        and alarm.name.startswith(alarm_name_prefix or "")
        and ("CompositeAlarm" if alarm.is_composite else "MetricAlarm") in alarm_types
        and state_value in (None, alarm.state)
        and (action_prefix is None or any(one.startswith(action_prefix) for one in _actions(alarm)))
    ]
    found, more = page(wanted, next_token, max_records)
    return {
        "MetricAlarms": [show_alarm(one) for one in found if not one.is_composite],
        "CompositeAlarms": [show_alarm(one) for one in found if one.is_composite],
        **more,
    }


def _actions(alarm: Alarm) -> list[str]:
    given = alarm.definition
    return [*given["OKActions"], *given["AlarmActions"], *given["InsufficientDataActions"]]


def _relatives(call: Call[Watch], children_of: str | None, parents_of: str | None) -> Reply:
    """Children of a composite alarm with name and state, or its parents with names alone."""
    if children_of is not None and parents_of is not None:
        raise ValidationException("ChildrenOfAlarmName and ParentsOfAlarmName are mutually exclusive")
    if children_of is not None:
        parent = call.state.alarms.get(children_of)
        names = set(alarms_of(read_rule(parent.rule))) if parent is not None and parent.is_composite else set()
        found = [one for one in call.state.alarms.values() if one.name in names or one.arn in names]
    else:
        found = [
            one
            for one in call.state.alarms.values()
            if one.is_composite and any(_names(name) == parents_of for name in alarms_of(read_rule(one.rule)))
        ]
    found.sort(key=lambda one: one.name)
    members = (
        ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp") if children_of else ("AlarmName", "AlarmArn")
    )
    shown_alarms = [(one, {name: value for name, value in show_alarm(one).items() if name in members}) for one in found]
    return {
        "MetricAlarms": [each for one, each in shown_alarms if not one.is_composite],
        "CompositeAlarms": [each for one, each in shown_alarms if one.is_composite],
    }


def _names(name: str) -> str:
    return name.rpartition(":alarm:")[2] if name.startswith("arn:") else name


def show_alarm(alarm: Alarm) -> dict[str, Any]:
    """An alarm as DescribeAlarms shows it."""
    common = shown(
        AlarmName=alarm.name,
        AlarmArn=alarm.arn,
        AlarmConfigurationUpdatedTimestamp=alarm.updated_ms / 1000,
        StateValue=alarm.state,
        StateReason=alarm.reason,
        StateReasonData=alarm.reason_data or None,
        StateUpdatedTimestamp=alarm.state_ms / 1000,
        StateTransitionedTimestamp=alarm.changed_ms / 1000,
    )
    if alarm.is_composite:
        return {**common, **alarm.definition, "AlarmRule": alarm.rule}
    definition = dict(alarm.definition)
    if "MetricName" in definition:
        definition.setdefault("Dimensions", [])
    return {**common, **definition}


@cloudwatch.operation(resource=ANY_ALARM)
def describe_alarms_for_metric(
    call: Call[Watch],
    *,
    metric_name: str,
    namespace: str,
    statistic: str | None = None,
    extended_statistic: str | None = None,
    dimensions: Sequence[Mapping[str, str]] = (),
    period: int | None = None,
    unit: str | None = None,
) -> Reply:
    """The alarms on one metric."""
    metric = read_metric({"Namespace": namespace, "MetricName": metric_name, "Dimensions": dimensions})
    wanted = {"Statistic": statistic, "ExtendedStatistic": extended_statistic, "Period": period, "Unit": unit}
    found = [
        alarm
        for alarm in sorted(call.state.alarms.values(), key=lambda one: one.name)
        if "MetricName" in alarm.definition
        and read_metric(alarm.definition) == metric
        and all(value is None or alarm.definition.get(name) == value for name, value in wanted.items())
    ]
    return {"MetricAlarms": [show_alarm(one) for one in found]}


@cloudwatch.operation(resource=ANY_ALARM)
def describe_alarm_history(
    call: Call[Watch],
    *,
    alarm_name: str | None = None,
    alarm_types: Sequence[str] = ("MetricAlarm",),
    history_item_type: str | None = None,
    start_date: float | None = None,
    end_date: float | None = None,
    max_records: int = DEFAULT_HISTORY,
    next_token: str | None = None,
    scan_by: str = "TimestampDescending",
) -> Reply:
    """What happened to one alarm or to all, newest first unless asked otherwise.

    Of one alarm by name every line is shown, whatever its type.
    """
    wanted = [
        item
        for item in call.state.history(alarm_name)
        if (alarm_name is not None or item.alarm_type in alarm_types)
        and history_item_type in (None, item.kind)
        and (start_date is None or item.at_ms >= start_date * 1000)
        and (end_date is None or item.at_ms <= end_date * 1000)
    ]
    wanted.sort(key=lambda item: item.at_ms)
    if scan_by == "TimestampDescending":
        wanted.reverse()
    found, more = page(wanted, next_token, max_records)
    return {"AlarmHistoryItems": [_show_item(one) for one in found], **more}


def _show_item(item: HistoryItem) -> dict[str, Any]:
    return {
        "AlarmName": item.alarm,
        "AlarmType": item.alarm_type,
        "Timestamp": item.at_ms / 1000,
        "HistoryItemType": item.kind,
        "HistorySummary": item.summary,
        "HistoryData": item.data,
    }

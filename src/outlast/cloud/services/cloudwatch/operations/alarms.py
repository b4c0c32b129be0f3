"""Alarms made, switched, set and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from outlast.cloud.contract import Call, Reply, ValidationException
from outlast.cloud.services.cloudwatch.alarms.actions import check_actions
from outlast.cloud.services.cloudwatch.alarms.define import check_metric_alarm
from outlast.cloud.services.cloudwatch.alarms.rule import RuleFault, alarms_of, read_rule
from outlast.cloud.services.cloudwatch.alarms.run import evaluate_composites
from outlast.cloud.services.cloudwatch.errors import InvalidFormatFault, LimitExceededFault, ResourceNotFound
from outlast.cloud.services.cloudwatch.model import Alarm, AlarmState
from outlast.cloud.services.cloudwatch.operations.tags import read_tags
from outlast.cloud.services.cloudwatch.service import ALARM, cloudwatch
from outlast.cloud.services.cloudwatch.state import MAX_ALARMS, Watch

Given = Mapping[str, Any]


@cloudwatch.operation(resource=ALARM, control_plane=True)
def put_metric_alarm(
    call: Call[Watch],
    *,
    alarm_name: str,
    alarm_description: str | None = None,
    actions_enabled: bool = True,
    ok_actions: Sequence[str] = (),
    alarm_actions: Sequence[str] = (),
    insufficient_data_actions: Sequence[str] = (),
    metric_name: str | None = None,
    namespace: str | None = None,
    statistic: str | None = None,
    extended_statistic: str | None = None,
    dimensions: Sequence[Given] = (),
    period: int | None = None,
    unit: str | None = None,
    evaluation_periods: int | None = None,
    datapoints_to_alarm: int | None = None,
    threshold: float | None = None,
    comparison_operator: str | None = None,
    treat_missing_data: str | None = None,
    evaluate_low_sample_count_percentile: str | None = None,
    metrics: Sequence[Given] = (),
    tags: Sequence[Given] = (),
) -> Reply:
    """Make or change a metric alarm; its state stays until it is next evaluated.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    definition = _given(
        AlarmDescription=alarm_description,
        ActionsEnabled=actions_enabled,
        OKActions=list(ok_actions),
        AlarmActions=list(alarm_actions),
        InsufficientDataActions=list(insufficient_data_actions),
        MetricName=metric_name,
        Namespace=namespace,
        Statistic=statistic,
        ExtendedStatistic=extended_statistic,
        Dimensions=list(dimensions) or None,
        Period=period,
        Unit=unit,
        EvaluationPeriods=evaluation_periods,
        DatapointsToAlarm=datapoints_to_alarm,
        Threshold=threshold,
        ComparisonOperator=comparison_operator,
        TreatMissingData=treat_missing_data,
        EvaluateLowSampleCountPercentile=evaluate_low_sample_count_percentile,
        Metrics=list(metrics) or None,
    )
    check_metric_alarm(definition, call.region.account_id)
    _check_all_actions(definition)
    _put(call, alarm_name, definition, tags, rule="")
    call.state.evaluated_s.pop(alarm_name, None)
    return {}


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _check_all_actions(definition: Given) -> None:
    for member in ("OKActions", "AlarmActions", "InsufficientDataActions"):
        check_actions(definition[member])


def _put(call: Call[Watch], name: str, definition: Given, tags: Sequence[Given], rule: str) -> None:
    state = call.state
    known = state.alarms.get(name)
    if known is None and len(state.alarms) >= MAX_ALARMS:
        raise LimitExceededFault(f"The maximum limit of {MAX_ALARMS} alarms was exceeded.")
    if known is not None and known.is_composite != bool(rule):
        raise ValidationException(f"An alarm of the other type with the name {name} already exists.")
    alarm = Alarm(
        name=name,
        arn=call.region.arn("cloudwatch", f"alarm:{name}"),
        definition=definition,
        updated_ms=call.now_ms,
        rule=rule,
        state="INSUFFICIENT_DATA" if known is None else known.state,
        reason="Unchecked: Initial alarm creation" if known is None else known.reason,
        reason_data="" if known is None else known.reason_data,
        state_ms=call.now_ms if known is None else known.state_ms,
        changed_ms=call.now_ms if known is None else known.changed_ms,
        tags=read_tags(tags) if known is None else known.tags,
    )
    state.put_alarm(alarm)
    verb, kind = ("created", "Create") if known is None else ("updated", "Update")
    data = {"version": "1.0", "type": kind, "createdAlarm" if known is None else "updatedAlarm": definition}
    state.tell(alarm, "ConfigurationUpdate", f'Alarm "{name}" {verb}', data)


@cloudwatch.operation(resource=ALARM, control_plane=True)
def put_composite_alarm(
    call: Call[Watch],
    *,
    alarm_name: str,
    alarm_rule: str,
    alarm_description: str | None = None,
    actions_enabled: bool = True,
    ok_actions: Sequence[str] = (),
    alarm_actions: Sequence[str] = (),
    insufficient_data_actions: Sequence[str] = (),
    tags: Sequence[Given] = (),
) -> Reply:
    """Make or change an alarm on the states of others; it is evaluated at once.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
    """
    try:
        rule = read_rule(alarm_rule)
    except RuleFault as fault:
        raise ValidationException(f"Invalid AlarmRule: {fault.message}") from fault
    missing = sorted({name for name in alarms_of(rule) if _plain(name) not in call.state.alarms})
    if missing:
        raise ValidationException(
            f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist"
        )
    definition = _given(
        AlarmDescription=alarm_description,
        ActionsEnabled=actions_enabled,
        OKActions=list(ok_actions),
        AlarmActions=list(alarm_actions),
        InsufficientDataActions=list(insufficient_data_actions),
    )
    _check_all_actions(definition)
    _put(call, alarm_name, definition, tags, rule=alarm_rule)
    evaluate_composites(call.state)
    return {}


def _plain(name: str) -> str:
    return name.rpartition(":alarm:")[2] if name.startswith("arn:") else name


@cloudwatch.operation(resource=ALARM, control_plane=True)
def set_alarm_state(
    call: Call[Watch],
    *,
    alarm_name: str,
    state_value: AlarmState,
    state_reason: str,
    state_reason_data: str | None = None,
) -> Reply:
    """Put an alarm into a state until it is next evaluated; its actions are set off."""
    alarm = call.state.alarms.get(alarm_name)
    if alarm is None:
        raise ResourceNotFound(f"Unknown alarm {alarm_name}")
    if state_reason_data:
        try:
            orjson.loads(state_reason_data)
        except orjson.JSONDecodeError:
            raise InvalidFormatFault("StateReasonData was not valid JSON") from None
    call.state.set_state(alarm, state_value, state_reason, state_reason_data or "")
    evaluate_composites(call.state)
    return {}


@cloudwatch.operation(resource="arn:aws:cloudwatch:{region}:{account}:alarm:*", control_plane=True)
def enable_alarm_actions(call: Call[Watch], *, alarm_names: Sequence[str]) -> Reply:
    """Let alarms carry out their actions."""
    return _switch_actions(call, alarm_names, True)


@cloudwatch.operation(resource="arn:aws:cloudwatch:{region}:{account}:alarm:*", control_plane=True)
def disable_alarm_actions(call: Call[Watch], *, alarm_names: Sequence[str]) -> Reply:
    """Keep alarms from carrying out their actions."""
    return _switch_actions(call, alarm_names, False)


def _switch_actions(call: Call[Watch], names: Sequence[str], enabled: bool) -> Reply:
    for name in names:
        alarm = call.state.alarms.get(name)
        if alarm is not None:
            definition = {**alarm.definition, "ActionsEnabled": enabled}
            call.state.put_alarm(_with_definition(alarm, definition, call.now_ms))
    return {}


def _with_definition(alarm: Alarm, definition: Given, now_ms: int) -> Alarm:
    return Alarm(**{**alarm.document(), "definition": definition, "updated_ms": now_ms})


@cloudwatch.operation(resource="arn:aws:cloudwatch:{region}:{account}:alarm:*", control_plane=True)
def delete_alarms(call: Call[Watch], *, alarm_names: Sequence[str]) -> Reply:
    """Delete alarms, all or none; one that a composite alarm looks at stays."""
    state = call.state
    going = set(alarm_names)
    for name in alarm_names:
        if name not in state.alarms:
            raise ResourceNotFound(f"Unknown alarm {name}")
    for other in state.alarms.values():
        if other.is_composite and other.name not in going:
            used = going & {_plain(name) for name in alarms_of(read_rule(other.rule))}
            if used:
                raise ValidationException(
                    f"{sorted(used)[0]} cannot be deleted as there are composite alarm(s) depending on it."
                )
    for name in alarm_names:
        alarm = state.alarms.get(name)
        if alarm is not None:
            state.tell(alarm, "ConfigurationUpdate", f'Alarm "{name}" deleted', {"version": "1.0", "type": "Delete"})
            state.drop_alarm(name)
    return {}

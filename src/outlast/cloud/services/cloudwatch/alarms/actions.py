"""What an alarm sets off when it changes state.

Functions are invoked as CloudWatch does: asynchronously, by the principal lambda.alarms.cloudwatch.amazonaws.com, for
the alarm's ARN. Topics do not exist in this cloud: such an action fails, and the alarm's history says so.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from outlast.cloud.contract import Fault, ValidationException
from outlast.cloud.engine import StorageUnavailable
from outlast.cloud.services.cloudwatch.model import Alarm
from outlast.cloud.services.cloudwatch.state import Watch

log = logging.getLogger("outlast.cloudwatch")

KNOWN: Final = ("arn:aws:lambda:", "arn:aws:sns:")


def check_actions(arns: Any) -> None:
    """Raise ValidationException for an action that this cloud cannot even try."""
    for arn in arns:
        if not str(arn).startswith("arn:"):
            raise ValidationException(f"Invalid arn syntax: {arn}")
        if not str(arn).startswith(KNOWN):
            raise ValidationException(f"The alarm action {arn} is not supported by this cloud.")


async def act_for_ever(state: Watch) -> None:
    """Carry out actions one after another until cancelled."""
    while True:
        alarm, arn, before = await state.actions.get()
        try:
            await _act(state, alarm, arn, before)
        except StorageUnavailable as error:
            log.warning("an alarm action could not be recorded: %s", error)


async def _act(state: Watch, alarm: Alarm, arn: str, before: str) -> None:
    if not arn.startswith("arn:aws:lambda:"):
        state.tell_action(alarm, arn, f"This cloud has no service for {arn.split(':')[2]}.")
        return
    region = state.region
    params = {"FunctionName": arn, "InvocationType": "Event", "Payload": orjson.dumps(_event(alarm, before))}
    try:
        await region.aws(
            "lambda",
            "Invoke",
            params,
            principal=region.service_principal("lambda.alarms.cloudwatch"),
            source_arn=alarm.arn,
        )
    except Fault as fault:
        state.tell_action(alarm, arn, fault.message or fault.code)
    else:
        state.tell_action(alarm, arn)


def _event(alarm: Alarm, before: str) -> dict[str, Any]:
    parts = alarm.arn.split(":")
    at = datetime.fromtimestamp(alarm.changed_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": parts[4],
        "time": at,
        "region": parts[3],
        "alarmData": {
            "alarmName": alarm.name,
            "state": {
                "value": alarm.state,
                "reason": alarm.reason,
                "reasonData": alarm.reason_data,
                "timestamp": at,
            },
            "previousState": {"value": before},
            "configuration": {"description": alarm.definition.get("AlarmDescription", "")},
        },
    }

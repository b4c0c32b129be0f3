"""CloudFormation's AWS::CloudWatch types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudWatch.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

Properties = Mapping[str, Any]
_ALARM: Final = frozenset(
    {
        "ActionsEnabled",
        "AlarmActions",
        "AlarmDescription",
        "AlarmName",
        "ComparisonOperator",
        "DatapointsToAlarm",
        "Dimensions",
        "EvaluateLowSampleCountPercentile",
        "EvaluationPeriods",
        "ExtendedStatistic",
        "InsufficientDataActions",
        "MetricName",
        "Metrics",
        "Namespace",
        "OKActions",
        "Period",
        "Statistic",
        "Tags",
        "Threshold",
        "TreatMissingData",
        "Unit",
    }
)
_COMPOSITE: Final = frozenset(
    {
        "ActionsEnabled",
        "AlarmActions",
        "AlarmDescription",
        "AlarmName",
        "AlarmRule",
        "InsufficientDataActions",
        "OKActions",
        "Tags",
    }
)


async def _retag(aws: Calls, arn: str, old: Properties, new: Properties) -> None:
    before = {tag["Key"]: tag["Value"] for tag in old.get("Tags", ())}
    after = {tag["Key"]: tag["Value"] for tag in new.get("Tags", ())}
    gone = sorted(before.keys() - after.keys())
    if gone:
        await aws("cloudwatch", "UntagResource", {"ResourceARN": arn, "TagKeys": gone})
    if after and after != before:
        tags = [{"Key": key, "Value": value} for key, value in after.items()]
        await aws("cloudwatch", "TagResource", {"ResourceARN": arn, "Tags": tags})


class AlarmType:
    """A metric alarm or a composite one: the same life, another operation."""

    def __init__(self, type_name: str, properties: frozenset[str], operation: str) -> None:
        self.type_name = type_name
        self.properties = properties
        self._operation = operation

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("AlarmName") or stack.generated_name(255)
        return await self._put(aws, name, properties, stack)

    async def _put(self, aws: Calls, name: str, properties: Properties, stack: Stack) -> Made:
        await aws("cloudwatch", self._operation, {**properties, "AlarmName": name})
        arn = f"arn:aws:cloudwatch:{stack.region}:{stack.account_id}:alarm:{name}"
        return Made(name, {"Arn": arn})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if new.get("AlarmName", physical_id) != physical_id:
            return None
        plain = {name: value for name, value in new.items() if name != "Tags"}
        made = await self._put(aws, physical_id, plain, stack)
        await _retag(aws, made.attributes["Arn"], old, new)
        return made

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        try:
            await aws("cloudwatch", "DeleteAlarms", {"AlarmNames": [physical_id]})
        except Fault as fault:
            if fault.code != "ResourceNotFound":
                raise


class DashboardType:
    """A dashboard."""

    type_name = "AWS::CloudWatch::Dashboard"
    properties = frozenset({"DashboardBody", "DashboardName", "Tags"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("DashboardName") or stack.generated_name(255)
        return await self._put(aws, name, properties)

    async def _put(self, aws: Calls, name: str, properties: Properties) -> Made:
        body = properties["DashboardBody"]
        text = body if isinstance(body, str) else json.dumps(body)
        tags = {"Tags": properties["Tags"]} if "Tags" in properties else {}
        await aws("cloudwatch", "PutDashboard", {"DashboardName": name, "DashboardBody": text, **tags})
        return Made(name)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if new.get("DashboardName", physical_id) != physical_id:
            return None
        return await self._put(aws, physical_id, new)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        try:
            await aws("cloudwatch", "DeleteDashboards", {"DashboardNames": [physical_id]})
        except Fault as fault:
            if fault.code != "ResourceNotFound":
                raise


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (
    AlarmType("AWS::CloudWatch::Alarm", _ALARM, "PutMetricAlarm"),
    AlarmType("AWS::CloudWatch::CompositeAlarm", _COMPOSITE, "PutCompositeAlarm"),
    DashboardType(),
)

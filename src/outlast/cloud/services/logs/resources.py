"""CloudFormation's AWS::Logs types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Logs.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

Properties = Mapping[str, Any]


async def _quietly(aws: Calls, operation: str, params: Properties) -> None:
    """Call Logs; what is gone already is no error."""
    try:
        await aws("logs", operation, params)
    except Fault as fault:
        if fault.code != "ResourceNotFoundException":
            raise


async def _made(aws: Calls, operation: str, params: Properties, *, generated: bool) -> None:
    """Make it. One that has the generated name already is this resource's own, made by an earlier try."""
    try:
        await aws("logs", operation, params)
    except Fault as fault:
        if fault.code != "ResourceAlreadyExistsException" or not generated:
            raise


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}


class LogGroupType:
    """A log group with its retention."""

    type_name = "AWS::Logs::LogGroup"
    properties = frozenset({"DeletionProtectionEnabled", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("LogGroupName") or stack.generated_name(512)
        params: dict[str, Any] = {"logGroupName": name}
        if _tags(properties):
            params["tags"] = _tags(properties)
        if "LogGroupClass" in properties:
            params["logGroupClass"] = properties["LogGroupClass"]
        if "DeletionProtectionEnabled" in properties:
            params["deletionProtectionEnabled"] = properties["DeletionProtectionEnabled"]
        await _made(aws, "CreateLogGroup", params, generated="LogGroupName" not in properties)
        if "RetentionInDays" in properties:
            retention = {"logGroupName": name, "retentionInDays": properties["RetentionInDays"]}
            await aws("logs", "PutRetentionPolicy", retention)
        return self._made(name, stack)

    @staticmethod
    def _made(name: str, stack: Stack) -> Made:
        return Made(name, {"Arn": f"arn:aws:logs:{stack.region}:{stack.account_id}:log-group:{name}:*"})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if new.get("LogGroupName", physical_id) != physical_id or old.get("LogGroupClass") != new.get("LogGroupClass"):
            return None
        if "RetentionInDays" in new:
            params = {"logGroupName": physical_id, "retentionInDays": new["RetentionInDays"]}
            await aws("logs", "PutRetentionPolicy", params)
        elif "RetentionInDays" in old:
            await aws("logs", "DeleteRetentionPolicy", {"logGroupName": physical_id})
        if old.get("DeletionProtectionEnabled") != new.get("DeletionProtectionEnabled"):
            params = {
                "logGroupIdentifier": physical_id,
                "deletionProtectionEnabled": new.get("DeletionProtectionEnabled", False),
            }
            await aws("logs", "PutLogGroupDeletionProtection", params)
        gone = sorted(_tags(old).keys() - _tags(new).keys())
        arn = f"arn:aws:logs:{stack.region}:{stack.account_id}:log-group:{physical_id}"
        if gone:
            await aws("logs", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        if _tags(new) and _tags(new) != _tags(old):
            await aws("logs", "TagResource", {"resourceArn": arn, "tags": _tags(new)})
        return self._made(physical_id, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _quietly(aws, "DeleteLogGroup", {"logGroupName": physical_id})


class LogStreamType:
    """A log stream; it cannot be changed, only replaced."""

    type_name = "AWS::Logs::LogStream"
    properties = frozenset({"LogGroupName", "LogStreamName"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("LogStreamName") or stack.generated_name(512)
        params = {"logGroupName": properties["LogGroupName"], "logStreamName": name}
        await _made(aws, "CreateLogStream", params, generated="LogStreamName" not in properties)
        return Made(name)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        params = {"logGroupName": properties["LogGroupName"], "logStreamName": physical_id}
        await _quietly(aws, "DeleteLogStream", params)


class MetricFilterType:
    """A metric filter."""

    type_name = "AWS::Logs::MetricFilter"
    properties = frozenset({"FilterName", "FilterPattern", "LogGroupName", "MetricTransformations"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        return await self._put(aws, properties.get("FilterName") or stack.generated_name(512), properties)

    async def _put(self, aws: Calls, name: str, properties: Properties) -> Made:
        params = {
            "logGroupName": properties["LogGroupName"],
            "filterName": name,
            "filterPattern": properties["FilterPattern"],
            "metricTransformations": [_transformation(one) for one in properties["MetricTransformations"]],
        }
        await aws("logs", "PutMetricFilter", params)
        return Made(name)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if new.get("FilterName", physical_id) != physical_id or old["LogGroupName"] != new["LogGroupName"]:
            return None
        return await self._put(aws, physical_id, new)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        params = {"logGroupName": properties["LogGroupName"], "filterName": physical_id}
        await _quietly(aws, "DeleteMetricFilter", params)


def _transformation(given: Properties) -> dict[str, Any]:
    found = {name[0].lower() + name[1:]: value for name, value in given.items()}
    if "dimensions" in found:
        found["dimensions"] = {one["Key"]: one["Value"] for one in found["dimensions"]}
    return found


class ResourcePolicyType:
    """A resource policy of the Region's logs."""

    type_name = "AWS::Logs::ResourcePolicy"
    properties = frozenset({"PolicyDocument", "PolicyName"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties["PolicyName"]
        await aws("logs", "PutResourcePolicy", {"policyName": name, "policyDocument": properties["PolicyDocument"]})
        return Made(name)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        return None if new["PolicyName"] != physical_id else await self.create(aws, new, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _quietly(aws, "DeleteResourcePolicy", {"policyName": physical_id})


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (
    LogGroupType(),
    LogStreamType(),
    MetricFilterType(),
    ResourcePolicyType(),
)

"""CloudFormation: AWS::DynamoDB::Table and AWS::DynamoDB::GlobalTable, as wire calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException
from outlast.cloud.services.dynamodb.templates import (
    as_tags,
    index_updates,
    of_home,
    refuse_unknown,
    replica_changes,
    replica_settings,
    table_changes,
    table_params,
    typed,
)

Properties = Mapping[str, Any]
POLL_S = 0.1
POLLS = 3000
KEY_PROPERTIES = ("TableName", "KeySchema", "LocalSecondaryIndexes")


async def described(aws: Calls, name: str, region: str | None = None) -> dict[str, Any] | None:
    """The table's description, or None when it does not exist."""
    try:
        table: dict[str, Any] = (await aws("dynamodb", "DescribeTable", {"TableName": name}, region=region))["Table"]
    except Fault as fault:
        if fault.code == "ResourceNotFoundException":
            return None
        raise
    return table


async def ready(aws: Calls, name: str, region: str | None = None) -> dict[str, Any]:
    """Wait until the table, its indexes and its replicas are ACTIVE; raises Fault when a replica failed."""
    for _ in range(POLLS):
        table = await described(aws, name, region)
        if table is not None:
            replicas = table.get("Replicas", ())
            for each in replicas:
                if each["ReplicaStatus"] == "CREATION_FAILED":
                    raise ValidationException(
                        f"The replica in {each['RegionName']} failed: {each.get('ReplicaStatusDescription', '')}"
                    )
            statuses = {table["TableStatus"], *(each["ReplicaStatus"] for each in replicas)}
            statuses.update(each["IndexStatus"] for each in table.get("GlobalSecondaryIndexes", ()))
            if statuses == {"ACTIVE"}:
                return table
        await aws.sleep(POLL_S)
    raise ValidationException(f"{name} did not become ACTIVE in time")


async def vanished(aws: Calls, name: str, region: str | None = None) -> None:
    """Wait until the table is gone."""
    for _ in range(POLLS):
        if await described(aws, name, region) is None:
            return
        await aws.sleep(POLL_S)
    raise ValidationException(f"{name} was not deleted in time")


async def delete_table(aws: Calls, name: str, region: str | None = None) -> None:
    """Delete the table and wait; no error when it is gone already."""
    for _ in range(POLLS):
        try:
            await aws("dynamodb", "DeleteTable", {"TableName": name}, region=region)
            break
        except Fault as fault:
            if fault.code == "ResourceNotFoundException":
                return
            if fault.code != "ResourceInUseException":
                raise
            await aws.sleep(POLL_S)
    await vanished(aws, name, region)


def made(table: Mapping[str, Any]) -> Made:
    """What Ref and Fn::GetAtt give."""
    attributes = {"Arn": table["TableArn"], "TableId": table["TableId"]}
    if table.get("LatestStreamArn"):
        attributes["StreamArn"] = table["LatestStreamArn"]
    return Made(table["TableName"], attributes)


async def set_expiry(aws: Calls, name: str, old: Properties, new: Properties, region: str | None = None) -> None:
    """Bring time to live to what the properties say."""
    before, after = (typed(each.get("TimeToLiveSpecification") or {"Enabled": False}) for each in (old, new))
    if before == after:
        return
    shown = await aws("dynamodb", "DescribeTimeToLive", {"TableName": name}, region=region)
    present = shown["TimeToLiveDescription"].get("AttributeName")
    if present is not None and (not after["Enabled"] or present != after.get("AttributeName")):
        specification = {"Enabled": False, "AttributeName": present}
        params = {"TableName": name, "TimeToLiveSpecification": specification}
        await aws("dynamodb", "UpdateTimeToLive", params, region=region)
        present = None
    if after["Enabled"] and present is None:
        params = {"TableName": name, "TimeToLiveSpecification": after}
        await aws("dynamodb", "UpdateTimeToLive", params, region=region)


async def set_recovery(aws: Calls, name: str, old: Properties, new: Properties, region: str | None = None) -> None:
    """Bring point-in-time recovery to what the properties say."""
    before, after = (typed(each.get("PointInTimeRecoverySpecification") or {}) for each in (old, new))
    if before == after:
        return
    specification = {"PointInTimeRecoveryEnabled": bool(after.get("PointInTimeRecoveryEnabled"))}
    if after.get("RecoveryPeriodInDays") is not None:
        specification["RecoveryPeriodInDays"] = after["RecoveryPeriodInDays"]
    params = {"TableName": name, "PointInTimeRecoverySpecification": specification}
    await aws("dynamodb", "UpdateContinuousBackups", params, region=region)


async def set_tags(aws: Calls, arn: str, old: Properties, new: Properties, region: str | None = None) -> None:
    """Bring tags to what the properties say."""
    before, after = as_tags(old.get("Tags")), as_tags(new.get("Tags"))
    gone = sorted(set(before) - set(after))
    if gone:
        await aws("dynamodb", "UntagResource", {"ResourceArn": arn, "TagKeys": gone}, region=region)
    added = [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]
    if added:
        await aws("dynamodb", "TagResource", {"ResourceArn": arn, "Tags": added}, region=region)


async def set_policy(aws: Calls, arn: str, old: Properties, new: Properties, region: str | None = None) -> None:
    """Bring the resource policy to what the properties say."""
    before, after = ((each.get("ResourcePolicy") or {}).get("PolicyDocument") for each in (old, new))
    if before == after:
        return
    if after is None:
        await aws("dynamodb", "DeleteResourcePolicy", {"ResourceArn": arn}, region=region)
        return
    text = after if isinstance(after, str) else json.dumps(after)
    await aws("dynamodb", "PutResourcePolicy", {"ResourceArn": arn, "Policy": text}, region=region)


async def change_table(aws: Calls, name: str, old: Properties, new: Properties, region: str | None = None) -> None:
    """Bring what UpdateTable changes to what the properties say, one index at a time as DynamoDB demands."""
    before, after = table_params(name, old), table_params(name, new)
    change = table_changes(before, after)
    if bool(after.get("DeletionProtectionEnabled")) != bool(before.get("DeletionProtectionEnabled")):
        change["DeletionProtectionEnabled"] = bool(after.get("DeletionProtectionEnabled"))
    if after.get("StreamSpecification") != before.get("StreamSpecification"):
        if before.get("StreamSpecification"):
            await _update(aws, name, {"StreamSpecification": {"StreamEnabled": False}}, region)
        if after.get("StreamSpecification"):
            change["StreamSpecification"] = after["StreamSpecification"]
    if change:
        await _update(aws, name, change, region)
    for update in index_updates(before, after):
        definitions = after["AttributeDefinitions"]
        await _update(aws, name, {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [update]}, region)


async def _update(aws: Calls, name: str, change: Mapping[str, Any], region: str | None) -> None:
    await aws("dynamodb", "UpdateTable", {"TableName": name, **change}, region=region)
    await ready(aws, name, region)


class Table:
    """AWS::DynamoDB::Table."""

    type_name = "AWS::DynamoDB::Table"
    properties = frozenset(
        {
            "AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "KeySchema",
            "LocalSecondaryIndexes", "OnDemandThroughput", "PointInTimeRecoverySpecification", "ProvisionedThroughput",
            "ResourcePolicy", "SSESpecification", "StreamSpecification", "TableClass", "TableName", "Tags",
            "TimeToLiveSpecification", "WarmThroughput",
        }
    )  # fmt: skip

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("TableName") or stack.generated_name(255)
        generated = "TableName" not in properties
        if not generated or await described(aws, name) is None:
            params = table_params(name, properties)
            tags = as_tags(properties.get("Tags"))
            if tags:
                params["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
            await aws("dynamodb", "CreateTable", params)
        table = await ready(aws, name)
        await self._settings(aws, name, table["TableArn"], {}, properties)
        return made(table)

    async def _settings(self, aws: Calls, name: str, arn: str, old: Properties, new: Properties) -> None:
        await set_expiry(aws, name, old, new)
        await set_recovery(aws, name, old, new)
        await set_policy(aws, arn, old, new)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if any(old.get(member) != new.get(member) for member in KEY_PROPERTIES):
            return None
        await change_table(aws, physical_id, old, new)
        table = await ready(aws, physical_id)
        await set_tags(aws, table["TableArn"], old, new)
        await self._settings(aws, physical_id, table["TableArn"], old, new)
        return made(table)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await delete_table(aws, physical_id)


class GlobalTable:
    """AWS::DynamoDB::GlobalTable: the table in the stack's Region first, then one replica after another."""

    type_name = "AWS::DynamoDB::GlobalTable"
    properties = frozenset(
        {
            "AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes",
            "MultiRegionConsistency", "Replicas", "SSESpecification", "StreamSpecification", "TableName",
            "TimeToLiveSpecification", "WarmThroughput", "WriteOnDemandThroughputSettings",
            "WriteProvisionedThroughputSettings",
        }
    )  # fmt: skip

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("TableName") or stack.generated_name(255)
        replicas = self._replicas(properties, stack)
        if "TableName" in properties or await described(aws, name) is None:
            await aws("dynamodb", "CreateTable", table_params(name, of_home(properties, stack.region), True))
        await ready(aws, name)
        await set_expiry(aws, name, {}, properties)
        await self._bring(aws, name, {}, replicas, stack)
        return made(await ready(aws, name))

    async def _bring(
        self, aws: Calls, name: str, before: Mapping[str, Properties], replicas: Mapping[str, Properties], stack: Stack
    ) -> None:
        """Bring the replicas and their settings to what the properties say: the stack's own first, for what it says
        of read capacity and table class holds for those that say nothing."""
        here = stack.region
        await self._settings(aws, name, here, before.get(here, {}), replicas[here], stack)
        await self._follow_replicas(aws, name, replicas, stack)
        for region, replica in replicas.items():
            if region != here:
                await self._settings(aws, name, region, before.get(region, {}), replica, stack)

    def _replicas(self, properties: Properties, stack: Stack) -> dict[str, Properties]:
        """The replicas by Region; the stack's own must be among them."""
        if properties.get("MultiRegionConsistency") not in (None, "EVENTUAL"):
            raise ValidationException("MultiRegionConsistency=STRONG is not supported by this cloud.")
        replicas = {each["Region"]: each for each in properties.get("Replicas", ())}
        if len(replicas) < len(properties.get("Replicas", ())):
            raise ValidationException("Replicas must not name a Region twice")
        if len(replicas) > 1 and not properties.get("StreamSpecification"):
            raise ValidationException("StreamSpecification must be given when there is more than one entry in Replicas")
        if stack.region not in replicas:
            raise ValidationException(f"Replicas must include the stack's own Region {stack.region}")
        for replica in replicas.values():
            refuse_unknown(replica)
        return replicas

    async def _follow_replicas(self, aws: Calls, name: str, wanted: Mapping[str, Properties], stack: Stack) -> None:
        """Add and remove replicas until they are those that are wanted."""
        table = await ready(aws, name)
        present = {each["RegionName"] for each in table.get("Replicas", ())} | {stack.region}
        for region in wanted:
            if region not in present:
                await self._one(aws, name, {"Create": {"RegionName": region, **replica_settings(wanted[region])}})
                await ready(aws, name, region)
        for region in sorted(present - set(wanted)):
            await self._one(aws, name, {"Delete": {"RegionName": region}})
            await vanished(aws, name, region)

    async def _one(self, aws: Calls, name: str, update: Mapping[str, Any]) -> None:
        await aws("dynamodb", "UpdateTable", {"TableName": name, "ReplicaUpdates": [update]})
        await ready(aws, name)

    async def _settings(
        self, aws: Calls, name: str, region: str, old: Properties, new: Properties, stack: Stack
    ) -> None:
        """What each replica has of its own: recovery, protection, class, read capacity, key, tags, policy."""
        arn = f"arn:aws:dynamodb:{region}:{stack.account_id}:table/{name}"
        await set_recovery(aws, name, old, new, region)
        change: dict[str, Any] = {}
        protected = typed(new).get("DeletionProtectionEnabled")
        if bool(typed(old).get("DeletionProtectionEnabled")) != bool(protected):
            change["DeletionProtectionEnabled"] = bool(protected)
        classes = [each.get("TableClass") or "STANDARD" for each in (old, new)]
        if region == stack.region and classes[0] != classes[1]:
            change["TableClass"] = classes[1]
        if change:
            await _update(aws, name, change, region)
        if region != stack.region:
            table = await ready(aws, name)
            shown = next(each for each in table["Replicas"] if each["RegionName"] == region)
            changed = replica_changes(old, new, table, shown)
            if changed:
                await self._one(aws, name, {"Update": {"RegionName": region, **changed}})
                await ready(aws, name, region)
        await set_tags(aws, arn, old, new, region)
        await set_policy(aws, arn, old, new, region)

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if any(old.get(member) != new.get(member) for member in KEY_PROPERTIES):
            return None
        replicas = self._replicas(new, stack)
        before = {each["Region"]: each for each in old.get("Replicas", ())}
        table = await ready(aws, physical_id)
        present = {**of_home(old, stack.region), "StreamSpecification": table.get("StreamSpecification")}
        kept = {**of_home(new, stack.region), "StreamSpecification": table.get("StreamSpecification")}
        is_alone = not table.get("Replicas")
        wanted = (new.get("StreamSpecification") or {}).get("StreamViewType")
        if not is_alone and len(replicas) > 1 and wanted != table["StreamSpecification"]["StreamViewType"]:
            raise ValidationException("StreamSpecification can be changed only while Replicas has one entry")
        await change_table(aws, physical_id, present, of_home(new, stack.region) if is_alone else kept)
        await set_expiry(aws, physical_id, old, new)
        await self._bring(aws, physical_id, before, replicas, stack)
        if not is_alone and len(replicas) == 1:
            await change_table(aws, physical_id, kept, of_home(new, stack.region))
        return made(await ready(aws, physical_id))

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        table = await described(aws, physical_id)
        if table is None:
            return
        others = [each["RegionName"] for each in table.get("Replicas", ()) if each["RegionName"] != stack.region]
        for region in others:
            elsewhere = await described(aws, physical_id, region)
            if elsewhere is not None and elsewhere.get("DeletionProtectionEnabled"):
                raise ValidationException(
                    f"Resource cannot be deleted: the replica in {region} is protected against deletion."
                )
        if table.get("DeletionProtectionEnabled"):
            raise ValidationException("Resource cannot be deleted: it is protected against deletion.")
        if table["TableStatus"] == "ACTIVE":
            for region in others:
                await self._one(aws, physical_id, {"Delete": {"RegionName": region}})
                await vanished(aws, physical_id, region)
        await delete_table(aws, physical_id)


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (Table(), GlobalTable())

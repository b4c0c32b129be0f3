"""CloudFormation's AWS::Route53RecoveryControl types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Route53RecoveryControl.html
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

API = "route53-recovery-control-config"
POLL_S = 0.2
MAX_POLLS = 300
Properties = Mapping[str, Any]


def _token(stack: Stack, properties: Properties) -> str:
    """The same for every retry of one resource with these properties."""
    text = json.dumps([stack.id, stack.logical_id, stack.suffix, properties], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}


def _but_wait(rule: Properties) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if name != "WaitPeriodMs"}


class _Type(ABC):
    """What the four types share: the ARN is the physical id; a resource is ready once it is DEPLOYED."""

    noun: ClassVar[str]
    arn_member: ClassVar[str]
    type_name: str
    properties: frozenset[str]
    changeable: ClassVar[frozenset[str]]

    @abstractmethod
    def members(self, properties: Properties) -> dict[str, Any]:
        """Parameters of the create operation."""

    @abstractmethod
    async def rename(self, aws: Calls, physical_id: str, new: Properties) -> None:
        """Bring what can be changed in place to `new`, tags apart."""

    async def describe(self, aws: Calls, physical_id: str) -> dict[str, Any]:
        """The resource by AWS member names."""
        reply = await aws(API, f"Describe{self.noun}", {self.arn_member: physical_id})
        return dict(next(value for value in reply.values() if value))

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        """Make it and wait until it is DEPLOYED."""
        token = _token(stack, properties)
        reply = await aws(API, f"Create{self.noun}", {"ClientToken": token, **self.members(properties)})
        made = next(value for value in reply.values() if value)
        return await self.deployed(aws, str(made[self.arn_member]))

    async def deployed(self, aws: Calls, physical_id: str) -> Made:
        """Wait until it is DEPLOYED."""
        for _ in range(MAX_POLLS):
            found = await self.describe(aws, physical_id)
            if found["Status"] == "DEPLOYED":
                return Made(physical_id, found)
            await aws.sleep(POLL_S)
        raise Fault(f"{physical_id} was not deployed in {MAX_POLLS * POLL_S:.0f} seconds.")

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        """Change name, tags and what else the API lets change; anything else needs a replacement."""
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        if not changed <= self.changeable:
            return None
        if changed - {"Tags"}:
            await self.rename(aws, physical_id, new)
        gone = [key for key in _tags(old) if key not in _tags(new)]
        if gone:
            await aws(API, "UntagResource", {"ResourceArn": physical_id, "TagKeys": gone})
        if _tags(new) != _tags(old) and _tags(new):
            await aws(API, "TagResource", {"ResourceArn": physical_id, "Tags": _tags(new)})
        return await self.deployed(aws, physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        """Delete it; what is gone already is no error."""
        try:
            await aws(API, f"Delete{self.noun}", {self.arn_member: physical_id})
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise


class ClusterType(_Type):
    """AWS::Route53RecoveryControl::Cluster."""

    noun, arn_member = "Cluster", "ClusterArn"
    type_name = "AWS::Route53RecoveryControl::Cluster"
    properties = frozenset({"Name", "NetworkType", "Tags"})
    changeable = frozenset({"NetworkType", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        given = {"ClusterName": properties["Name"], "NetworkType": properties.get("NetworkType", "IPV4")}
        return given | ({"Tags": _tags(properties)} if _tags(properties) else {})

    async def rename(self, aws: Calls, physical_id: str, new: Properties) -> None:
        kind = new.get("NetworkType", "IPV4")
        await aws(API, "UpdateCluster", {"ClusterArn": physical_id, "NetworkType": kind})


class ControlPanelType(_Type):
    """AWS::Route53RecoveryControl::ControlPanel."""

    noun, arn_member = "ControlPanel", "ControlPanelArn"
    type_name = "AWS::Route53RecoveryControl::ControlPanel"
    properties = frozenset({"ClusterArn", "Name", "Tags"})
    changeable = frozenset({"Name", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        given = {"ClusterArn": properties["ClusterArn"], "ControlPanelName": properties["Name"]}
        return given | ({"Tags": _tags(properties)} if _tags(properties) else {})

    async def rename(self, aws: Calls, physical_id: str, new: Properties) -> None:
        params = {"ControlPanelArn": physical_id, "ControlPanelName": new["Name"]}
        await aws(API, "UpdateControlPanel", params)


class RoutingControlType(_Type):
    """AWS::Route53RecoveryControl::RoutingControl."""

    noun, arn_member = "RoutingControl", "RoutingControlArn"
    type_name = "AWS::Route53RecoveryControl::RoutingControl"
    properties = frozenset({"ClusterArn", "ControlPanelArn", "Name"})
    changeable = frozenset({"Name"})

    def members(self, properties: Properties) -> dict[str, Any]:
        given = {name: properties[name] for name in ("ClusterArn", "ControlPanelArn") if name in properties}
        return given | {"RoutingControlName": properties["Name"]}

    async def rename(self, aws: Calls, physical_id: str, new: Properties) -> None:
        params = {"RoutingControlArn": physical_id, "RoutingControlName": new["Name"]}
        await aws(API, "UpdateRoutingControl", params)


class SafetyRuleType(_Type):
    """AWS::Route53RecoveryControl::SafetyRule."""

    noun, arn_member = "SafetyRule", "SafetyRuleArn"
    type_name = "AWS::Route53RecoveryControl::SafetyRule"
    properties = frozenset({"AssertionRule", "ControlPanelArn", "GatingRule", "Name", "RuleConfig", "Tags"})
    changeable = frozenset({"Name", "Tags"})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        """Name, tags and wait period change in place."""
        for member in ("AssertionRule", "GatingRule"):
            if member in old and member in new and _but_wait(old[member]) == _but_wait(new[member]):
                await self.rename(aws, physical_id, new)
                old = {**old, member: new[member], "Name": new["Name"]}
        return await super().update(aws, physical_id, old, new, stack)

    def members(self, properties: Properties) -> dict[str, Any]:
        config = properties["RuleConfig"]
        shared = {
            "Name": properties["Name"],
            "ControlPanelArn": properties["ControlPanelArn"],
            "RuleConfig": {
                "Type": config["Type"],
                "Threshold": int(config["Threshold"]),
                "Inverted": config["Inverted"] in (True, "true"),
            },
        }
        given: dict[str, Any] = {"Tags": _tags(properties)} if _tags(properties) else {}
        for member in ("AssertionRule", "GatingRule"):
            if member in properties:
                rule = dict(properties[member])
                rule["WaitPeriodMs"] = int(rule["WaitPeriodMs"])
                given[member] = shared | rule
        return given

    async def rename(self, aws: Calls, physical_id: str, new: Properties) -> None:
        member = "AssertionRule" if "AssertionRule" in new else "GatingRule"
        change = {
            "SafetyRuleArn": physical_id,
            "Name": new["Name"],
            "WaitPeriodMs": int(new[member]["WaitPeriodMs"]),
        }
        await aws(API, "UpdateSafetyRule", {f"{member}Update": change})


RESOURCE_TYPES: tuple[ResourceType, ...] = (ClusterType(), ControlPanelType(), RoutingControlType(), SafetyRuleType())

"""CloudFormation's AWS::Route53RecoveryReadiness types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Route53RecoveryReadiness.html
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

API = "route53-recovery-readiness"
Properties = Mapping[str, Any]


def _tags(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", ())}


class _Type(ABC):
    """What the four types share: the name is the physical id."""

    noun: ClassVar[str]
    type_name: str
    properties: frozenset[str]

    @property
    def name(self) -> str:
        """The property that holds the name."""
        return f"{self.noun}Name"

    def _made(self, reply: Mapping[str, Any]) -> Made:
        return Made(reply[self.name], {f"{self.noun}Arn": reply[f"{self.noun}Arn"]})

    @abstractmethod
    def members(self, properties: Properties) -> dict[str, Any]:
        """Parameters that create and update share, without the name."""

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        """Make it; one with the generated name is this resource's own, made by an earlier try."""
        name = properties.get(self.name) or stack.generated_name().replace("-", "_")
        params = {self.name: name, **self.members(properties)}
        if _tags(properties):
            params["Tags"] = _tags(properties)
        try:
            return self._made(await aws(API, f"Create{self.noun}", params))
        except Fault as fault:
            if fault.code != "ConflictException" or self.name in properties:
                raise
            return self._made(await aws(API, f"Get{self.noun}", {self.name: name}))

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        """Change everything but the name in place."""
        if old.get(self.name) != new.get(self.name) or old.get("ResourceSetType") != new.get("ResourceSetType"):
            return None
        made = self._made(await aws(API, f"Get{self.noun}", {self.name: physical_id}))
        if self.members(new) != self.members(old):
            await aws(API, f"Update{self.noun}", {self.name: physical_id, **self.members(new)})
        arn = made.attributes[f"{self.noun}Arn"]
        gone = [key for key in _tags(old) if key not in _tags(new)]
        if gone:
            await aws(API, "UntagResource", {"ResourceArn": arn, "TagKeys": gone})
        if _tags(new) and _tags(new) != _tags(old):
            await aws(API, "TagResource", {"ResourceArn": arn, "Tags": _tags(new)})
        return made

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        """Delete it; what is gone already is no error."""
        try:
            await aws(API, f"Delete{self.noun}", {self.name: physical_id})
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise


class CellType(_Type):
    """AWS::Route53RecoveryReadiness::Cell."""

    noun = "Cell"
    type_name = "AWS::Route53RecoveryReadiness::Cell"
    properties = frozenset({"CellName", "Cells", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        return {"Cells": list(properties.get("Cells", ()))}


class RecoveryGroupType(_Type):
    """AWS::Route53RecoveryReadiness::RecoveryGroup."""

    noun = "RecoveryGroup"
    type_name = "AWS::Route53RecoveryReadiness::RecoveryGroup"
    properties = frozenset({"Cells", "RecoveryGroupName", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        return {"Cells": list(properties.get("Cells", ()))}


class ResourceSetType(_Type):
    """AWS::Route53RecoveryReadiness::ResourceSet."""

    noun = "ResourceSet"
    type_name = "AWS::Route53RecoveryReadiness::ResourceSet"
    properties = frozenset({"ResourceSetName", "ResourceSetType", "Resources", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        return {"ResourceSetType": properties["ResourceSetType"], "Resources": list(properties["Resources"])}


class ReadinessCheckType(_Type):
    """AWS::Route53RecoveryReadiness::ReadinessCheck."""

    noun = "ReadinessCheck"
    type_name = "AWS::Route53RecoveryReadiness::ReadinessCheck"
    properties = frozenset({"ReadinessCheckName", "ResourceSetName", "Tags"})

    def members(self, properties: Properties) -> dict[str, Any]:
        return {"ResourceSetName": properties["ResourceSetName"]}


RESOURCE_TYPES: tuple[ResourceType, ...] = (CellType(), RecoveryGroupType(), ResourceSetType(), ReadinessCheckType())

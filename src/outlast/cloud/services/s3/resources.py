"""CloudFormation's AWS::S3 types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_S3.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException

Properties = Mapping[str, Any]
_GONE = ("NoSuchBucket", "NoSuchBucketPolicy")


async def _quietly(aws: Calls, operation: str, params: Mapping[str, Any]) -> None:
    try:
        await aws("s3", operation, params)
    except Fault as fault:
        if fault.code not in _GONE:
            raise


class Bucket:
    """AWS::S3::Bucket."""

    type_name = "AWS::S3::Bucket"
    properties = frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "LifecycleConfiguration",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    )

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        generated = "BucketName" not in properties
        name = properties.get("BucketName") or stack.generated_name(63).lower().replace("_", "-")
        params: dict[str, Any] = {"Bucket": name}
        if stack.region != "us-east-1":
            params["CreateBucketConfiguration"] = {"LocationConstraint": stack.region}
        try:
            if not generated and await self._is_there(aws, name):
                raise ValidationException(f"{name} already exists")
            await aws("s3", "CreateBucket", params)
        except Fault as fault:
            if fault.code != "BucketAlreadyOwnedByYou" or not generated:
                raise
        await self._configure(aws, name, {}, properties)
        return self._made(name, stack)

    async def _is_there(self, aws: Calls, name: str) -> bool:
        try:
            await aws("s3", "HeadBucket", {"Bucket": name})
        except Fault as fault:
            if fault.code == "NoSuchBucket":
                return False
            raise
        return True

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if old.get("BucketName") != new.get("BucketName"):
            return None
        await self._configure(aws, physical_id, old, new)
        return self._made(physical_id, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _quietly(aws, "DeleteBucket", {"Bucket": physical_id})

    def _made(self, name: str, stack: Stack) -> Made:
        regional = f"{name}.s3.{stack.region}.amazonaws.com"
        return Made(
            name,
            {
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": regional,
                "DualStackDomainName": f"{name}.s3.dualstack.{stack.region}.amazonaws.com",
            },
        )

    async def _configure(self, aws: Calls, name: str, old: Properties, new: Properties) -> None:
        named = {"Bucket": name}
        for rule in new.get("OwnershipControls", {}).get("Rules", ()):
            if rule.get("ObjectOwnership") != "BucketOwnerEnforced":
                raise ValidationException("OwnershipControls: only BucketOwnerEnforced is supported by this cloud.")
        versioning = new.get("VersioningConfiguration")
        if versioning is not None and versioning != old.get("VersioningConfiguration"):
            status = {"Status": versioning["Status"]}
            await aws("s3", "PutBucketVersioning", {**named, "VersioningConfiguration": status})
        elif versioning is None and old.get("VersioningConfiguration"):
            await aws("s3", "PutBucketVersioning", {**named, "VersioningConfiguration": {"Status": "Suspended"}})
        await self._encryption(aws, named, old, new)
        block = new.get("PublicAccessBlockConfiguration")
        if block is not None:
            await aws("s3", "PutPublicAccessBlock", {**named, "PublicAccessBlockConfiguration": _booleans(block)})
        await self._lifecycle(aws, named, old, new)
        if new.get("Tags"):
            await aws("s3", "PutBucketTagging", {**named, "Tagging": {"TagSet": new["Tags"]}})
        elif old.get("Tags"):
            await _quietly(aws, "DeleteBucketTagging", named)

    async def _encryption(self, aws: Calls, named: Mapping[str, Any], old: Properties, new: Properties) -> None:
        given = new.get("BucketEncryption")
        if given is not None:
            rules = [
                {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
                for rule in given["ServerSideEncryptionConfiguration"]
                if "ServerSideEncryptionByDefault" in rule
            ]
            configuration = {"Rules": rules}
            await aws("s3", "PutBucketEncryption", {**named, "ServerSideEncryptionConfiguration": configuration})
        elif old.get("BucketEncryption"):
            await _quietly(aws, "DeleteBucketEncryption", named)

    async def _lifecycle(self, aws: Calls, named: Mapping[str, Any], old: Properties, new: Properties) -> None:
        given = new.get("LifecycleConfiguration")
        if given is not None:
            rules = [_rule(index, rule) for index, rule in enumerate(given["Rules"])]
            params = {**named, "LifecycleConfiguration": {"Rules": rules}}
            await aws("s3", "PutBucketLifecycleConfiguration", params)
        elif old.get("LifecycleConfiguration"):
            await _quietly(aws, "DeleteBucketLifecycle", named)


def _booleans(block: Mapping[str, Any]) -> dict[str, bool]:
    return {name: value in (True, "true") for name, value in block.items()}


def _rule(index: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """A lifecycle rule of a template as the API has it; refuses what is not supported by name."""
    known = {"Id", "Status", "Prefix", "ExpirationInDays", "NoncurrentVersionExpiration"}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ValidationException(f"LifecycleConfiguration: {', '.join(unknown)} is not supported by this cloud.")
    rule: dict[str, Any] = {
        "ID": given.get("Id", f"rule-{index}"),
        "Status": given["Status"],
        "Filter": {"Prefix": given.get("Prefix", "")},
    }
    if "ExpirationInDays" in given:
        rule["Expiration"] = {"Days": int(given["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in given:
        days = int(given["NoncurrentVersionExpiration"]["NoncurrentDays"])
        rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
    return rule


class BucketPolicy:
    """AWS::S3::BucketPolicy."""

    type_name = "AWS::S3::BucketPolicy"
    properties = frozenset({"Bucket", "PolicyDocument"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        document = properties["PolicyDocument"]
        text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
        await aws("s3", "PutBucketPolicy", {"Bucket": properties["Bucket"], "Policy": text})
        return Made(properties["Bucket"])

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if old["Bucket"] != new["Bucket"]:
            return None
        return await self.create(aws, new, stack)

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _quietly(aws, "DeleteBucketPolicy", {"Bucket": physical_id})


RESOURCE_TYPES: Sequence[ResourceType] = (Bucket(), BucketPolicy())

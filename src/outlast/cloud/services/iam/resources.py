"""CloudFormation's AWS::IAM types, as calls of the API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack

Properties = Mapping[str, Any]


async def _quietly(aws: Calls, operation: str, params: Mapping[str, Any]) -> None:
    """Call IAM; what is gone already is no error."""
    try:
        await aws("iam", operation, params)
    except Fault as fault:
        if fault.code != "NoSuchEntity":
            raise


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))


def _chosen(properties: Properties, *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


def _inline(properties: Properties) -> dict[str, str]:
    return {each["PolicyName"]: _text(each["PolicyDocument"]) for each in properties.get("Policies", ())}


class Entity:
    """What roles and users share: inline policies, attached policies, tags, boundary."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.key = f"{noun}Name"

    async def put_policies(self, aws: Calls, name: str, old: Properties, new: Properties) -> None:
        """Bring inline and attached policies from `old` to `new`."""
        for policy_name, text in _inline(new).items():
            params = {self.key: name, "PolicyName": policy_name, "PolicyDocument": text}
            await aws("iam", f"Put{self.noun}Policy", params)
        for policy_name in _inline(old).keys() - _inline(new).keys():
            await _quietly(aws, f"Delete{self.noun}Policy", {self.key: name, "PolicyName": policy_name})
        before, after = old.get("ManagedPolicyArns", ()), new.get("ManagedPolicyArns", ())
        for arn in after:
            await aws("iam", f"Attach{self.noun}Policy", {self.key: name, "PolicyArn": arn})
        for arn in before:
            if arn not in after:
                await _quietly(aws, f"Detach{self.noun}Policy", {self.key: name, "PolicyArn": arn})

    async def put_details(self, aws: Calls, name: str, old: Properties, new: Properties) -> None:
        """Bring tags and boundary from `old` to `new`."""
        tags = {tag["Key"]: tag["Value"] for tag in new.get("Tags", ())}
        gone = [tag["Key"] for tag in old.get("Tags", ()) if tag["Key"] not in tags]
        if gone:
            await aws("iam", f"Untag{self.noun}", {self.key: name, "TagKeys": gone})
        if new.get("Tags") and new["Tags"] != old.get("Tags"):
            await aws("iam", f"Tag{self.noun}", {self.key: name, "Tags": new["Tags"]})
        boundary = new.get("PermissionsBoundary")
        if boundary and boundary != old.get("PermissionsBoundary"):
            params = {self.key: name, "PermissionsBoundary": boundary}
            await aws("iam", f"Put{self.noun}PermissionsBoundary", params)
        elif old.get("PermissionsBoundary") and not boundary:
            await _quietly(aws, f"Delete{self.noun}PermissionsBoundary", {self.key: name})

    async def made(self, aws: Calls, params: Mapping[str, Any], *, generated: bool) -> dict[str, Any]:
        """Make it. One that has the generated name already is this resource's own, made by an earlier try."""
        try:
            return dict((await aws("iam", f"Create{self.noun}", params))[self.noun])
        except Fault as fault:
            if fault.code != "EntityAlreadyExists" or not generated:
                raise
        return dict((await aws("iam", f"Get{self.noun}", {self.key: params[self.key]}))[self.noun])

    async def removed(self, aws: Calls, name: str) -> None:
        """Take everything off and delete it."""
        try:
            attached = await aws("iam", f"ListAttached{self.noun}Policies", {self.key: name})
            inline = await aws("iam", f"List{self.noun}Policies", {self.key: name})
        except Fault as fault:
            if fault.code == "NoSuchEntity":
                return
            raise
        for policy in attached["AttachedPolicies"]:
            await _quietly(aws, f"Detach{self.noun}Policy", {self.key: name, "PolicyArn": policy["PolicyArn"]})
        for policy_name in inline["PolicyNames"]:
            await _quietly(aws, f"Delete{self.noun}Policy", {self.key: name, "PolicyName": policy_name})
        await _quietly(aws, f"Delete{self.noun}", {self.key: name})


_ROLE = Entity("Role")
_USER = Entity("User")


class Role:
    """AWS::IAM::Role."""

    type_name = "AWS::IAM::Role"
    properties = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("RoleName") or stack.generated_name(64)
        params = {
            **_chosen(properties, "Path", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags"),
            "RoleName": name,
            "AssumeRolePolicyDocument": _text(properties["AssumeRolePolicyDocument"]),
        }
        role = await _ROLE.made(aws, params, generated="RoleName" not in properties)
        await _ROLE.put_policies(aws, name, {}, properties)
        return Made(name, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if old.get("RoleName") != new.get("RoleName") or old.get("Path", "/") != new.get("Path", "/"):
            return None
        trust = _text(new["AssumeRolePolicyDocument"])
        await aws("iam", "UpdateAssumeRolePolicy", {"RoleName": physical_id, "PolicyDocument": trust})
        details = _chosen(new, "Description", "MaxSessionDuration")
        await aws("iam", "UpdateRole", {"RoleName": physical_id, **details})
        await _ROLE.put_details(aws, physical_id, old, new)
        await _ROLE.put_policies(aws, physical_id, old, new)
        role = (await aws("iam", "GetRole", {"RoleName": physical_id}))["Role"]
        return Made(physical_id, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _ROLE.removed(aws, physical_id)


class User:
    """AWS::IAM::User."""

    type_name = "AWS::IAM::User"
    properties = frozenset({"ManagedPolicyArns", "Path", "PermissionsBoundary", "Policies", "Tags", "UserName"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("UserName") or stack.generated_name(64)
        params = {**_chosen(properties, "Path", "PermissionsBoundary", "Tags"), "UserName": name}
        user = await _USER.made(aws, params, generated="UserName" not in properties)
        await _USER.put_policies(aws, name, {}, properties)
        return Made(name, {"Arn": user["Arn"]})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if old.get("UserName") != new.get("UserName") or old.get("Path", "/") != new.get("Path", "/"):
            return None
        await _USER.put_details(aws, physical_id, old, new)
        await _USER.put_policies(aws, physical_id, old, new)
        user = (await aws("iam", "GetUser", {"UserName": physical_id}))["User"]
        return Made(physical_id, {"Arn": user["Arn"]})

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _USER.removed(aws, physical_id)


class AccessKey:
    """AWS::IAM::AccessKey. Its secret is an attribute that only the stack that made it can read."""

    type_name = "AWS::IAM::AccessKey"
    properties = frozenset({"Serial", "Status", "UserName"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        user_name = properties["UserName"]
        key = (await aws("iam", "CreateAccessKey", {"UserName": user_name}))["AccessKey"]
        await self._set_status(aws, key["AccessKeyId"], properties)
        return Made(key["AccessKeyId"], {"SecretAccessKey": key["SecretAccessKey"]})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await _quietly(aws, "DeleteAccessKey", {"UserName": properties["UserName"], "AccessKeyId": physical_id})

    async def _set_status(self, aws: Calls, access_key_id: str, properties: Properties) -> None:
        if properties.get("Status", "Active") != "Active":
            named = {"UserName": properties["UserName"], "AccessKeyId": access_key_id}
            await aws("iam", "UpdateAccessKey", {**named, "Status": properties["Status"]})


_HOLDERS = (("Role", "Roles"), ("User", "Users"))


class InlinePolicy:
    """AWS::IAM::Policy: the same inline policy on several roles and users."""

    type_name = "AWS::IAM::Policy"
    properties = frozenset({"PolicyDocument", "PolicyName", "Roles", "Users"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        await self._put(aws, properties)
        physical_id = stack.generated_name(128)
        return Made(physical_id, {"Id": physical_id})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        await self._put(aws, new)
        renamed = old["PolicyName"] != new["PolicyName"]
        for noun, member in _HOLDERS:
            for name in old.get(member, ()):
                if renamed or name not in new.get(member, ()):
                    params = {f"{noun}Name": name, "PolicyName": old["PolicyName"]}
                    await _quietly(aws, f"Delete{noun}Policy", params)
        return Made(physical_id, {"Id": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        for noun, member in _HOLDERS:
            for name in properties.get(member, ()):
                params = {f"{noun}Name": name, "PolicyName": properties["PolicyName"]}
                await _quietly(aws, f"Delete{noun}Policy", params)

    async def _put(self, aws: Calls, properties: Properties) -> None:
        named = {"PolicyName": properties["PolicyName"], "PolicyDocument": _text(properties["PolicyDocument"])}
        for noun, member in _HOLDERS:
            for name in properties.get(member, ()):
                await aws("iam", f"Put{noun}Policy", {f"{noun}Name": name, **named})


class ManagedPolicy:
    """AWS::IAM::ManagedPolicy, attached to roles and users."""

    type_name = "AWS::IAM::ManagedPolicy"
    properties = frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument", "Roles", "Users"})

    async def create(self, aws: Calls, properties: Properties, stack: Stack) -> Made:
        name = properties.get("ManagedPolicyName") or stack.generated_name(128)
        path = properties.get("Path", "/")
        params = {
            **_chosen(properties, "Description", "Path"),
            "PolicyName": name,
            "PolicyDocument": _text(properties["PolicyDocument"]),
        }
        arn = f"arn:aws:iam::{stack.account_id}:policy{path}{name}"
        try:
            await aws("iam", "CreatePolicy", params)
        except Fault as fault:
            if fault.code != "EntityAlreadyExists" or "ManagedPolicyName" in properties:
                raise
        await self._attach(aws, arn, {}, properties)
        return Made(arn, {"PolicyArn": arn})

    async def update(self, aws: Calls, physical_id: str, old: Properties, new: Properties, stack: Stack) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("ManagedPolicyName", "Path", "Description")):
            return None
        if _text(old["PolicyDocument"]) != _text(new["PolicyDocument"]):
            await self._drop_old_versions(aws, physical_id)
            text = _text(new["PolicyDocument"])
            params = {"PolicyArn": physical_id, "PolicyDocument": text, "SetAsDefault": True}
            await aws("iam", "CreatePolicyVersion", params)
        await self._attach(aws, physical_id, old, new)
        return Made(physical_id, {"PolicyArn": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Properties, stack: Stack) -> None:
        await self._attach(aws, physical_id, properties, {})
        await self._drop_old_versions(aws, physical_id)
        await _quietly(aws, "DeletePolicy", {"PolicyArn": physical_id})

    async def _attach(self, aws: Calls, arn: str, old: Properties, new: Properties) -> None:
        for noun, member in _HOLDERS:
            for name in new.get(member, ()):
                await aws("iam", f"Attach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})
            for name in old.get(member, ()):
                if name not in new.get(member, ()):
                    await _quietly(aws, f"Detach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})

    async def _drop_old_versions(self, aws: Calls, arn: str) -> None:
        try:
            versions = (await aws("iam", "ListPolicyVersions", {"PolicyArn": arn}))["Versions"]
        except Fault as fault:
            if fault.code == "NoSuchEntity":
                return
            raise
        for version in versions:
            if not version["IsDefaultVersion"]:
                params = {"PolicyArn": arn, "VersionId": version["VersionId"]}
                await _quietly(aws, "DeletePolicyVersion", params)


RESOURCE_TYPES: Sequence[ResourceType] = (Role(), User(), AccessKey(), InlinePolicy(), ManagedPolicy())

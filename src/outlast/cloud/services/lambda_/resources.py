"""AWS::Lambda::* for CloudFormation, as wire calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException
from outlast.cloud.services.lambda_.packages import of_text

POLL_S: Final = 0.1
POLLS: Final = 600
CONFIGURATION: Final = (
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
)
NUMBERS: Final = ("MemorySize", "Timeout", "ReservedConcurrentExecutions")


class NotSettled(Fault, code="NotStabilized"):
    """The function failed, or did not become active in time."""


def plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties with numbers as numbers: templates write them as text too."""
    return {name: int(value) if name in NUMBERS else value for name, value in properties.items()}


def code_of(code: Mapping[str, Any], runtime: str) -> dict[str, Any]:
    """The Code member of CreateFunction; inline text becomes index.py in a zip."""
    if "ZipFile" in code:
        if not str(runtime).startswith("python"):
            raise ValidationException("Code.ZipFile is supported for Python runtimes only.")
        return {"ZipFile": of_text("index.py", str(code["ZipFile"]))}
    return dict(code)


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Tags as a map."""
    return {str(each["Key"]): str(each["Value"]) for each in properties.get("Tags", ())}


async def settled(aws: Calls, name: str) -> dict[str, Any]:
    """Wait until a function is active and updated; raises NotSettled."""
    for _ in range(POLLS):
        found = await aws("lambda", "GetFunctionConfiguration", {"FunctionName": name})
        if found["State"] == "Failed" or found.get("LastUpdateStatus") == "Failed":
            raise NotSettled(f"{name}: {found.get('StateReason', 'the update failed')}")
        if found["State"] == "Active" and found.get("LastUpdateStatus") == "Successful":
            return found
        await aws.sleep(POLL_S)
    raise NotSettled(f"{name} did not become active in time")


async def or_gone(aws: Calls, operation: str, params: Mapping[str, Any]) -> None:
    """Make a deleting call; what is gone already is no error."""
    try:
        await aws("lambda", operation, params)
    except Fault as fault:
        if fault.code != "ResourceNotFoundException":
            raise


class FunctionType:
    """AWS::Lambda::Function."""

    type_name = "AWS::Lambda::Function"
    properties = frozenset(
        {*CONFIGURATION, "Architectures", "Code", "FunctionName", "PackageType", "ReservedConcurrentExecutions", "Tags"}
    )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        given = plain(properties)
        name = given.pop("FunctionName", None) or stack.generated_name()
        reserved = given.pop("ReservedConcurrentExecutions", None)
        tags = tags_of(given)
        given.pop("Tags", None)
        params = {**given, "FunctionName": name, "Code": code_of(given["Code"], given.get("Runtime", ""))}
        if tags:
            params["Tags"] = tags
        try:
            await aws("lambda", "CreateFunction", params)
        except Fault as fault:
            if fault.code != "ResourceConflictException" or not await self._ours(aws, name, params):
                raise
        try:
            found = await settled(aws, name)
            if reserved is not None:
                params = {"FunctionName": name, "ReservedConcurrentExecutions": reserved}
                await aws("lambda", "PutFunctionConcurrency", params)
        except Fault:
            with suppress(Fault):  # a name that is left taken would fail every later creation
                await or_gone(aws, "DeleteFunction", {"FunctionName": name})
            raise
        return Made(name, {"Arn": found["FunctionArn"]})

    async def _ours(self, aws: Calls, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a function of this name is what an interrupted run of this creation left behind."""
        found = await aws("lambda", "GetFunctionConfiguration", {"FunctionName": name})
        return all(found.get(member) == params[member] for member in ("Role", "Handler", "Runtime"))

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(member) != new.get(member) for member in ("FunctionName", "PackageType")):
            return None
        before, after = plain(old), plain(new)
        changed = {name: after.get(name) for name in CONFIGURATION if before.get(name) != after.get(name)}
        if changed:
            empty: dict[str, Any] = {"Environment": {"Variables": {}}, "Layers": [], "Description": ""}
            params = {name: empty.get(name) if value is None else value for name, value in changed.items()}
            params = {name: value for name, value in params.items() if value is not None}
            await aws("lambda", "UpdateFunctionConfiguration", {"FunctionName": physical_id, **params})
            await settled(aws, physical_id)
        if before.get("Code") != after.get("Code") or before.get("Architectures") != after.get("Architectures"):
            code = code_of(after["Code"], after.get("Runtime", ""))
            if "Architectures" in after:
                code["Architectures"] = after["Architectures"]
            await aws("lambda", "UpdateFunctionCode", {"FunctionName": physical_id, **code})
        found = await settled(aws, physical_id)
        await self._update_rest(aws, physical_id, found["FunctionArn"], before, after)
        return Made(physical_id, {"Arn": found["FunctionArn"]})

    async def _update_rest(
        self, aws: Calls, name: str, arn: str, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        reserved = after.get("ReservedConcurrentExecutions")
        if reserved is None and before.get("ReservedConcurrentExecutions") is not None:
            await aws("lambda", "DeleteFunctionConcurrency", {"FunctionName": name})
        elif reserved is not None and reserved != before.get("ReservedConcurrentExecutions"):
            params = {"FunctionName": name, "ReservedConcurrentExecutions": reserved}
            await aws("lambda", "PutFunctionConcurrency", params)
        old_tags, new_tags = tags_of(before), tags_of(after)
        gone = sorted(old_tags.keys() - new_tags.keys())
        if gone:
            await aws("lambda", "UntagResource", {"Resource": arn, "TagKeys": gone})
        if new_tags != old_tags and new_tags:
            await aws("lambda", "TagResource", {"Resource": arn, "Tags": new_tags})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteFunction", {"FunctionName": physical_id})


class VersionType:
    """AWS::Lambda::Version: published once; any change makes another."""

    type_name = "AWS::Lambda::Version"
    properties = frozenset({"CodeSha256", "Description", "FunctionName"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        await settled(aws, properties["FunctionName"])
        made = await aws("lambda", "PublishVersion", dict(properties))
        arn, number = made["FunctionArn"], made["Version"]
        return Made(arn, {"Version": number, "FunctionArn": arn})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteFunction", {"FunctionName": physical_id})


class AliasType:
    """AWS::Lambda::Alias."""

    type_name = "AWS::Lambda::Alias"
    properties = frozenset({"Description", "FunctionName", "FunctionVersion", "Name", "RoutingConfig"})

    @staticmethod
    def _params(properties: Mapping[str, Any]) -> dict[str, Any]:
        params = dict(properties)
        routing = params.get("RoutingConfig")
        if routing is not None:
            weights = routing.get("AdditionalVersionWeights", ())
            listed = {str(each["FunctionVersion"]): float(each["FunctionWeight"]) for each in weights}
            params["RoutingConfig"] = {"AdditionalVersionWeights": listed}
        return params

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = self._params(properties)
        try:
            made = await aws("lambda", "CreateAlias", params)
        except Fault as fault:
            if fault.code != "ResourceConflictException":
                raise
            made = await aws("lambda", "UpdateAlias", params)
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if (old["FunctionName"], old["Name"]) != (new["FunctionName"], new["Name"]):
            return None
        params = {"Description": "", "RoutingConfig": {"AdditionalVersionWeights": {}}, **self._params(new)}
        made = await aws("lambda", "UpdateAlias", params)
        return Made(made["AliasArn"], {"AliasArn": made["AliasArn"]})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        params = {"FunctionName": properties["FunctionName"], "Name": properties["Name"]}
        await or_gone(aws, "DeleteAlias", params)


class PermissionType:
    """AWS::Lambda::Permission; its physical id is the statement's id."""

    type_name = "AWS::Lambda::Permission"
    properties = frozenset({"Action", "FunctionName", "Principal", "PrincipalOrgID", "SourceAccount", "SourceArn"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        sid = stack.generated_name(100)
        try:
            await aws("lambda", "AddPermission", {**properties, "StatementId": sid})
        except Fault as fault:
            if fault.code != "ResourceConflictException":
                raise
        return Made(sid, {"Id": sid})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        params = {"FunctionName": properties["FunctionName"], "StatementId": physical_id}
        await or_gone(aws, "RemovePermission", params)


class LayerVersionType:
    """AWS::Lambda::LayerVersion, refused: layers of one's own cannot be made here."""

    type_name = "AWS::Lambda::LayerVersion"
    properties = frozenset(
        {"CompatibleArchitectures", "CompatibleRuntimes", "Content", "Description", "LayerName", "LicenseInfo"}
    )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        raise ValidationException(
            "AWS::Lambda::LayerVersion is not supported by this cloud: put the code into the function's own package."
        )

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        return None

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        return None


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (
    FunctionType(),
    VersionType(),
    AliasType(),
    PermissionType(),
    LayerVersionType(),
)

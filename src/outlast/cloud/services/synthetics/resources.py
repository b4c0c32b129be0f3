"""AWS::Synthetics::Canary for CloudFormation, as wire calls.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-synthetics-canary.html
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, ResourceType, Stack, ValidationException

SERVICE: Final = "synthetics"
POLL_S: Final = 0.1
POLLS: Final = 600
CODE: Final = frozenset({"Handler", "S3Bucket", "S3Key", "S3ObjectVersion", "Script"})
BUSY: Final = frozenset({"RUNNING", "STARTING", "STOPPING", "UPDATING"})
RENAMED: Final = {
    "SuccessRetentionPeriod": "SuccessRetentionPeriodInDays",
    "FailureRetentionPeriod": "FailureRetentionPeriodInDays",
}


class NotSettled(Fault, code="NotStabilized"):
    """The canary failed, or did not get ready in time."""


def boolean(value: Any) -> bool:
    """A truth value, which templates may write as text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


def code_of(code: Mapping[str, Any]) -> dict[str, Any]:
    """The Code member of the API; a script in the template becomes `python/MODULE.py` in a zip."""
    extra = sorted(code.keys() - CODE)
    if extra:
        raise ValidationException(f"Code.{extra[0]} is not supported by this cloud.")
    params: dict[str, Any] = {"Handler": code["Handler"]}
    if "Script" in code:
        module = str(code["Handler"]).rpartition(".")[0].replace(".", "/")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
            info = zipfile.ZipInfo(f"python/{module}.py", (1980, 1, 1, 0, 0, 0))
            info.external_attr = 0o644 << 16
            bundle.writestr(info, str(code["Script"]))
        return {**params, "ZipFile": buffer.getvalue()}
    for name, target in (("S3Bucket", "S3Bucket"), ("S3Key", "S3Key"), ("S3ObjectVersion", "S3Version")):
        if code.get(name):
            params[target] = code[name]
    return params


def schedule_of(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """The Schedule member of the API: numbers, which templates write as text."""
    params: dict[str, Any] = {"Expression": schedule["Expression"]}
    if schedule.get("DurationInSeconds") is not None:
        params["DurationInSeconds"] = int(schedule["DurationInSeconds"])
    if schedule.get("RetryConfig"):
        params["RetryConfig"] = {"MaxRetries": int(schedule["RetryConfig"]["MaxRetries"])}
    return params


def run_config_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The RunConfig member of the API."""
    params = dict(config)
    for name in ("TimeoutInSeconds", "MemoryInMB", "EphemeralStorage"):
        if name in params:
            params[name] = int(params[name])
    if "ActiveTracing" in params:
        params["ActiveTracing"] = boolean(params["ActiveTracing"])
    if "EnvironmentVariables" in params:
        params["EnvironmentVariables"] = {key: str(value) for key, value in params["EnvironmentVariables"].items()}
    return params


def cleanup_of(properties: Mapping[str, Any]) -> str | None:
    """What becomes of the function when the canary goes."""
    if "ProvisionedResourceCleanup" in properties:
        return str(properties["ProvisionedResourceCleanup"])
    if "DeleteLambdaResourcesOnCanaryDeletion" in properties:
        return "AUTOMATIC" if boolean(properties["DeleteLambdaResourcesOnCanaryDeletion"]) else "OFF"
    return None


def params_of(properties: Mapping[str, Any]) -> dict[str, Any]:
    """What CreateCanary and UpdateCanary take alike."""
    params: dict[str, Any] = {
        "Code": code_of(properties["Code"]),
        "Schedule": schedule_of(properties["Schedule"]),
        "ExecutionRoleArn": properties["ExecutionRoleArn"],
        "RuntimeVersion": properties["RuntimeVersion"],
        "ArtifactS3Location": properties["ArtifactS3Location"],
    }
    if properties.get("RunConfig"):
        params["RunConfig"] = run_config_of(properties["RunConfig"])
    for name, target in RENAMED.items():
        if name in properties:
            params[target] = int(properties[name])
    cleanup = cleanup_of(properties)
    if cleanup is not None:
        params["ProvisionedResourceCleanup"] = cleanup
    return params


class CanaryType:
    """AWS::Synthetics::Canary."""

    type_name = "AWS::Synthetics::Canary"
    properties = frozenset(
        {
            "ArtifactS3Location",
            "Code",
            "DeleteLambdaResourcesOnCanaryDeletion",
            "ExecutionRoleArn",
            "FailureRetentionPeriod",
            "Name",
            "ProvisionedResourceCleanup",
            "RunConfig",
            "RuntimeVersion",
            "Schedule",
            "StartCanaryAfterCreation",
            "SuccessRetentionPeriod",
            "Tags",
        }
    )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        name = properties["Name"]
        params = {**params_of(properties), "Name": name}
        tags = {str(each["Key"]): str(each["Value"]) for each in properties.get("Tags") or ()}
        if tags:
            params["Tags"] = tags
        try:
            await aws(SERVICE, "CreateCanary", params)
        except Fault:
            if not await self._is_ours(aws, name, params):
                raise
        found = await self._settled(aws, name)
        if boolean(properties.get("StartCanaryAfterCreation", False)) and found["Status"]["State"] == "READY":
            await aws(SERVICE, "StartCanary", {"Name": name})
            found = await self._settled(aws, name)
        return self._made(found)

    async def _is_ours(self, aws: Calls, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a canary of this name is what an interrupted run of this creation left behind."""
        try:
            found = (await aws(SERVICE, "GetCanary", {"Name": name}))["Canary"]
        except Fault:
            return False
        same = found["Code"]["Handler"] == params["Code"]["Handler"]
        return bool(same and found["ExecutionRoleArn"] == params["ExecutionRoleArn"])

    async def _settled(self, aws: Calls, name: str) -> dict[str, Any]:
        for _ in range(POLLS):
            found: dict[str, Any] = (await aws(SERVICE, "GetCanary", {"Name": name}))["Canary"]
            state = found["Status"]["State"]
            if state == "ERROR":
                raise NotSettled(f"{name}: {found['Status'].get('StateReason', 'the canary failed')}")
            if state not in ("CREATING", "UPDATING", "STARTING", "STOPPING"):
                return found
            await aws.sleep(POLL_S)
        raise NotSettled(f"{name} did not get ready in time")

    @staticmethod
    def _made(found: Mapping[str, Any]) -> Made:
        attributes = {
            "Id": found["Id"],
            "State": found["Status"]["State"],
            "Code.SourceLocationArn": found["Code"]["SourceLocationArn"],
        }
        return Made(found["Name"], attributes)

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if old["Name"] != new["Name"]:
            return None
        before, after = params_of(old), params_of(new)
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        if changed:
            await aws(SERVICE, "UpdateCanary", {"Name": physical_id, **changed})
        found = await self._settled(aws, physical_id)
        wanted = boolean(new.get("StartCanaryAfterCreation", False))
        if wanted and found["Status"]["State"] in ("READY", "STOPPED"):
            await aws(SERVICE, "StartCanary", {"Name": physical_id})
            found = await self._settled(aws, physical_id)
        return self._made(found)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        try:
            found = (await aws(SERVICE, "GetCanary", {"Name": physical_id}))["Canary"]
            if found["Status"]["State"] == "RUNNING":
                await aws(SERVICE, "StopCanary", {"Name": physical_id})
            for _ in range(POLLS):
                found = (await aws(SERVICE, "GetCanary", {"Name": physical_id}))["Canary"]
                if found["Status"]["State"] not in BUSY:
                    break
                await aws.sleep(POLL_S)
            await aws(SERVICE, "DeleteCanary", {"Name": physical_id})
        except Fault as fault:
            if fault.code != "ResourceNotFoundException":
                raise


RESOURCE_TYPES: Final[tuple[ResourceType, ...]] = (CanaryType(),)

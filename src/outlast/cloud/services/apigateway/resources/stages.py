"""AWS::ApiGateway::Deployment and Stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault, Made, Stack, ValidationException
from outlast.cloud.services.apigateway.resources.common import (
    SERVICE,
    Patch,
    boolean,
    lowered,
    or_gone,
    removing,
    replacing,
    retag,
    tags_of,
)

SETTINGS: Final = {
    "ThrottlingRateLimit": "throttling/rateLimit",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "LoggingLevel": "logging/loglevel",
    "DataTraceEnabled": "logging/dataTrace",
    "MetricsEnabled": "metrics/enabled",
    "CachingEnabled": "caching/enabled",
}


class DeploymentType:
    """AWS::ApiGateway::Deployment: made once; any change but to its description makes another."""

    type_name = "AWS::ApiGateway::Deployment"
    properties = frozenset({"Description", "RestApiId", "StageName"})

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        params = lowered(properties, ("RestApiId", "Description", "StageName"))
        made = await aws(SERVICE, "CreateDeployment", params)
        return Made(made["id"], {"DeploymentId": made["id"]})

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("RestApiId", "StageName")):
            return None
        patches = [replacing("/description", new.get("Description", ""))]
        params = {"restApiId": new["RestApiId"], "deploymentId": physical_id, "patchOperations": patches}
        await aws(SERVICE, "UpdateDeployment", params)
        return Made(physical_id, {"DeploymentId": physical_id})

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteDeployment", {"restApiId": properties["RestApiId"], "deploymentId": physical_id})


def setting_key(setting: Mapping[str, Any]) -> str:
    """The `{resource}/{method}` of a method setting in a patch's path.

    Templates write `/*` for all resources, `/` for the root, and slashes as `~1` after the first one.
    """
    path, method = str(setting.get("ResourcePath", "/*")), str(setting.get("HttpMethod", "*"))
    if path == "/*":
        return f"*/{method}"
    if path.startswith("/~1"):
        return f"{path[1:]}/{method}"
    return f"{path.replace('/', '~1')}/{method}"


def setting_patches(settings: list[Mapping[str, Any]]) -> dict[str, Patch]:
    """Patches by path for a template's MethodSettings; raises ValidationException for what is not supported."""
    patches: dict[str, Patch] = {}
    for setting in settings:
        for name, value in setting.items():
            if name in ("ResourcePath", "HttpMethod"):
                continue
            if name not in SETTINGS:
                raise ValidationException(f"MethodSettings.{name} is not supported by this cloud.")
            path = f"/{setting_key(setting)}/{SETTINGS[name]}"
            patches[path] = replacing(path, value)
    return patches


def stage_patches(properties: Mapping[str, Any]) -> dict[str, Patch]:
    """Patches by path that make a stage what its properties say."""
    patches: dict[str, Patch] = {}
    logs = properties.get("AccessLogSetting") or {}
    for name, target in (("DestinationArn", "destinationArn"), ("Format", "format")):
        if name in logs:
            path = f"/accessLogSettings/{target}"
            patches[path] = replacing(path, str(logs[name]).strip())
    for name, value in (properties.get("Variables") or {}).items():
        patches[f"/variables/{name}"] = replacing(f"/variables/{name}", value)
    if "Description" in properties:
        patches["/description"] = replacing("/description", properties["Description"])
    if boolean(properties.get("TracingEnabled", False)):
        patches["/tracingEnabled"] = replacing("/tracingEnabled", True)
    return patches | setting_patches(list(properties.get("MethodSettings") or ()))


class StageType:
    """AWS::ApiGateway::Stage."""

    type_name = "AWS::ApiGateway::Stage"
    properties = frozenset(
        {
            "AccessLogSetting",
            "DeploymentId",
            "Description",
            "MethodSettings",
            "RestApiId",
            "StageName",
            "Tags",
            "TracingEnabled",
            "Variables",
        }
    )

    async def create(self, aws: Calls, properties: Mapping[str, Any], stack: Stack) -> Made:
        place = {"restApiId": properties["RestApiId"], "stageName": properties.get("StageName") or stack.logical_id}
        params = {**place, "deploymentId": properties["DeploymentId"], "tags": tags_of(properties)}
        patches = list(stage_patches(properties).values())
        try:
            await aws(SERVICE, "CreateStage", params)
        except Fault as fault:
            if fault.code != "ConflictException" or not await self._is_ours(aws, params):
                raise
        if patches:
            await aws(SERVICE, "UpdateStage", {**place, "patchOperations": patches})
        return Made(place["stageName"])

    async def _is_ours(self, aws: Calls, params: Mapping[str, Any]) -> bool:
        """Whether the stage is what an interrupted run of this creation left behind."""
        place = {name: params[name] for name in ("restApiId", "stageName")}
        found = await aws(SERVICE, "GetStage", place)
        return bool(found["deploymentId"] == params["deploymentId"])

    async def update(
        self, aws: Calls, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack: Stack
    ) -> Made | None:
        if any(old.get(name) != new.get(name) for name in ("RestApiId", "StageName")):
            return None
        before, after = stage_patches(old), stage_patches(new)
        patches = [removing(path) for path in before if path not in after]
        patches += [patch for path, patch in after.items() if before.get(path) != patch]
        if old.get("DeploymentId") != new.get("DeploymentId"):
            patches.append(replacing("/deploymentId", new["DeploymentId"]))
        if patches:
            params = {"restApiId": new["RestApiId"], "stageName": physical_id, "patchOperations": patches}
            await aws(SERVICE, "UpdateStage", params)
        arn = f"arn:aws:apigateway:{stack.region}::/restapis/{new['RestApiId']}/stages/{physical_id}"
        await retag(aws, arn, old, new)
        return Made(physical_id)

    async def delete(self, aws: Calls, physical_id: str, properties: Mapping[str, Any], stack: Stack) -> None:
        await or_gone(aws, "DeleteStage", {"restApiId": properties["RestApiId"], "stageName": physical_id})

"""Stages: names under which deployments are served, with variables, limits and logs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import METHODS
from outlast.cloud.services.apigateway.errors import BadRequestException, ConflictException
from outlast.cloud.services.apigateway.operations.common import Document, operation, refuse
from outlast.cloud.services.apigateway.serving.stages import GROUP_ARN
from outlast.cloud.services.apigateway.state import ApiState

LEVELS: Final = frozenset({"OFF", "ERROR", "INFO"})
NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
VARIABLE: Final = re.compile(r"[A-Za-z0-9_]+")
VALUE: Final = re.compile(r"[A-Za-z0-9._~:/?#&=,$!-]*")
SHOWN: Final = (
    "deploymentId", "stageName", "description", "methodSettings", "variables", "accessLogSettings", "tracingEnabled",
    "tags", "createdDate", "lastUpdatedDate", "cacheClusterEnabled", "cacheClusterStatus",
)  # fmt: skip


def _level(value: str) -> str:
    if value not in LEVELS:
        raise BadRequestException(f"Invalid logging level {value}")
    return value


SETTINGS: Final = {
    "throttling/rateLimit": ("throttlingRateLimit", patching.number),
    "throttling/burstLimit": ("throttlingBurstLimit", patching.whole),
    "logging/loglevel": ("loggingLevel", _level),
    "logging/dataTrace": ("dataTraceEnabled", patching.refused("dataTraceEnabled")),
    "metrics/enabled": ("metricsEnabled", patching.boolean),
    "caching/enabled": ("cachingEnabled", patching.refused("cachingEnabled")),
}
RULES: Final = {
    "/deploymentId": patching.replacing(patching.text, "deploymentId"),
    "/description": patching.keyed(patching.text, "description"),
    "/variables/{name}": patching.keyed(patching.text, "variables", "{name}"),
    "/accessLogSettings": patching.keyed(patching.text, "accessLogSettings"),
    "/accessLogSettings/destinationArn": patching.keyed(patching.text, "accessLogSettings", "destinationArn"),
    "/accessLogSettings/format": patching.keyed(patching.text, "accessLogSettings", "format"),
    "/tracingEnabled": patching.replacing(patching.refused("tracingEnabled"), "tracingEnabled"),
    "/cacheClusterEnabled": patching.replacing(patching.refused("cacheClusterEnabled"), "cacheClusterEnabled"),
}


def new_stage(api: str, name: str, deployment: str, now_s: float) -> Document:
    """A stage's document; raises BadRequestException for a name that cannot be."""
    if not NAME.fullmatch(name):
        raise BadRequestException("Stage name only allows a-zA-Z0-9_-")
    return {
        "apiId": api,
        "stageName": name,
        "deploymentId": deployment,
        "createdDate": now_s,
        "lastUpdatedDate": now_s,
        "methodSettings": {},
        "variables": {},
        "tracingEnabled": False,
        "cacheClusterEnabled": False,
        "cacheClusterStatus": "NOT_AVAILABLE",
    }


def shape(document: Mapping[str, Any]) -> Document:
    """The Stage shape."""
    shown = {name: document[name] for name in SHOWN if document.get(name) not in (None, {}) or name == "methodSettings"}
    shown["methodSettings"] = {
        key: {
            "metricsEnabled": False,
            "dataTraceEnabled": False,
            "throttlingBurstLimit": 5000,
            "throttlingRateLimit": 10000.0,
            "cachingEnabled": False,
            "loggingLevel": "OFF",
            **settings,
        }
        for key, settings in document.get("methodSettings", {}).items()
    }
    return shown


def check(state: ApiState, document: Mapping[str, Any]) -> None:
    """Raise BadRequestException for a stage that could not be served or logged."""
    if f"{document['apiId']}/{document['deploymentId']}" not in state.deployments:
        raise BadRequestException("Deployment id does not exist")
    for name, value in (document.get("variables") or {}).items():
        if not VARIABLE.fullmatch(name) or not VALUE.fullmatch(value):
            raise BadRequestException(f"Stage variable {name} has a name or a value that is not allowed")
    logs = document.get("accessLogSettings")
    if isinstance(logs, Mapping):
        _check_logs(state, logs)
    levels = {settings.get("loggingLevel", "OFF") for settings in document.get("methodSettings", {}).values()}
    if levels - {"OFF"} and not state.account.get("cloudwatchRoleArn"):
        raise BadRequestException("CloudWatch Logs role ARN must be set in account settings to enable logging")


def _check_logs(state: ApiState, logs: Mapping[str, Any]) -> None:
    if not GROUP_ARN.fullmatch(logs.get("destinationArn", "")):
        raise BadRequestException(
            "Invalid ARN specified in the request for access logs: this cloud writes them to log groups only."
        )
    form = logs.get("format", "")
    if "$context.requestId" not in form and "$context.extendedRequestId" not in form:
        raise BadRequestException(
            "Access Log format must include either $context.requestId or $context.extendedRequestId"
        )
    if "\n" in form:
        raise BadRequestException("Access Log format must be single line, new line character is allowed only at end")
    if not state.account.get("cloudwatchRoleArn"):
        raise BadRequestException("CloudWatch Logs role ARN must be set in account settings to enable logging")


@operation()
def create_stage(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    stage_name: str,
    deployment_id: str,
    description: str | None = None,
    cache_cluster_enabled: bool = False,
    variables: Mapping[str, str] | None = None,
    canary_settings: Mapping[str, Any] | None = None,
    tracing_enabled: bool = False,
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Serve a deployment under a name."""
    call.state.api(rest_api_id)
    refuse(
        {
            "cacheClusterEnabled": cache_cluster_enabled,
            "canarySettings": canary_settings,
            "tracingEnabled": tracing_enabled,
        }
    )
    if f"{rest_api_id}/{stage_name}" in call.state.stages:
        raise ConflictException("Stage already exists")
    document = new_stage(rest_api_id, stage_name, deployment_id, call.now_s)
    document |= {"description": description, "variables": dict(variables or {}), "tags": dict(tags or {})}
    check(call.state, document)
    call.state.put_stage(document)
    return shape(document)


@operation()
def get_stage(call: Call[ApiState], *, rest_api_id: str, stage_name: str) -> Reply:
    """One stage."""
    return shape(call.state.stage(rest_api_id, stage_name))


@operation()
def get_stages(call: Call[ApiState], *, rest_api_id: str, deployment_id: str | None = None) -> Reply:
    """The stages of an API, perhaps only those of one deployment."""
    call.state.api(rest_api_id)
    found = [stage for _, stage in call.state.stages.items(f"{rest_api_id}/")]
    return {"item": [shape(stage) for stage in found if deployment_id in (None, stage["deploymentId"])]}


@operation()
def update_stage(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    stage_name: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a stage; it is served so from the next request on."""
    document = call.state.stage(rest_api_id, stage_name)
    plain = [each for each in patch_operations or () if not _is_setting(each)]
    changed = patching.apply(document, plain, RULES)
    for each in patch_operations or ():
        if _is_setting(each):
            _set(changed, each)
    if not isinstance(changed.get("accessLogSettings", {}), Mapping):
        raise BadRequestException("Invalid access log settings specified")
    if not changed.get("accessLogSettings"):
        changed.pop("accessLogSettings", None)
    changed["lastUpdatedDate"] = call.now_s
    check(call.state, changed)
    call.state.put_stage(changed)
    return shape(changed)


def _is_setting(patch: Mapping[str, Any]) -> bool:
    parts = patch.get("path", "").split("/")[1:]
    return len(parts) == 4 or (len(parts) == 2 and parts[1] in {"*", *METHODS})


def _set(document: Document, patch: Mapping[str, Any]) -> None:
    """Change one method setting. The resource's slashes are written `~1` and stay so in the key."""
    parts = patch["path"].split("/")[1:]
    key = f"{parts[0]}/{parts[1]}"
    settings = document.setdefault("methodSettings", {})
    if len(parts) == 2:
        if patch.get("op") != "remove":
            raise BadRequestException(f"Invalid patch path '{patch['path']}' specified for op '{patch.get('op')}'.")
        settings.pop(key, None)
        return
    known = SETTINGS.get("/".join(parts[2:]))
    if known is None:
        raise BadRequestException(f"Invalid method setting path: {patch['path']}")
    name, convert = known
    if patch.get("op") == "remove":
        settings.get(key, {}).pop(name, None)
    else:
        settings.setdefault(key, {})[name] = convert(patch.get("value") or "")


@operation()
def delete_stage(call: Call[ApiState], *, rest_api_id: str, stage_name: str) -> Reply:
    """Stop serving under a name."""
    call.state.stage(rest_api_id, stage_name)
    for domain in call.state.domains.values():
        for mapping in domain["mappings"].values():
            if (mapping["restApiId"], mapping.get("stage")) == (rest_api_id, stage_name):
                raise BadRequestException("Please remove all base path mappings related to the stage in your account")
    call.state.remove_stage(rest_api_id, stage_name)
    return {}

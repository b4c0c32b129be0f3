"""Deployments: an API as it was at one moment, which stages serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.apigateway import patching
from outlast.cloud.services.apigateway.documents import check_deployable
from outlast.cloud.services.apigateway.errors import BadRequestException, NotFoundException
from outlast.cloud.services.apigateway.operations.common import Document, operation, page, refuse
from outlast.cloud.services.apigateway.operations.stages import new_stage
from outlast.cloud.services.apigateway.serving.plan import compile_api
from outlast.cloud.services.apigateway.state import ApiState

RULES: Final = {"/description": patching.replacing(patching.text, "description")}


def _deployment(state: ApiState, api: str, ident: str) -> Document:
    state.api(api)
    document = state.deployments.get(f"{api}/{ident}")
    if document is None:
        raise NotFoundException("Invalid Deployment identifier specified")
    return document


def shape(document: Mapping[str, Any], embed: Sequence[str] | None = None) -> Document:
    """The Deployment shape."""
    shown = {name: document[name] for name in ("id", "description", "createdDate") if document.get(name) is not None}
    if "apisummary" in {each.lower() for each in embed or ()}:
        shown["apiSummary"] = {
            resource["path"]: {
                name: {"authorizationType": method["authorizationType"], "apiKeyRequired": False}
                for name, method in resource["methods"].items()
            }
            for resource in document["api"]["resources"].values()
            if resource["methods"]
        }
    return shown


@operation()
def create_deployment(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    stage_name: str | None = None,
    stage_description: str | None = None,
    description: str | None = None,
    cache_cluster_enabled: bool = False,
    variables: Mapping[str, str] | None = None,
    canary_settings: Mapping[str, Any] | None = None,
    tracing_enabled: bool = False,
) -> Reply:
    """Take a snapshot of the API, and let a stage serve it when one is named."""
    api = call.state.api(rest_api_id)
    refuse(
        {
            "cacheClusterEnabled": cache_cluster_enabled,
            "canarySettings": canary_settings,
            "tracingEnabled": tracing_enabled,
        }
    )
    check_deployable(api)
    ident = call.state.identifier(6)
    compile_api(api, ident)
    document: Document = {"id": ident, "description": description, "createdDate": call.now_s, "api": api}
    call.state.deployments.put(f"{rest_api_id}/{ident}", document)
    if stage_name:
        known = call.state.stages.get(f"{rest_api_id}/{stage_name}")
        stage = known or new_stage(rest_api_id, stage_name, ident, call.now_s)
        stage |= {"deploymentId": ident, "lastUpdatedDate": call.now_s}
        if stage_description is not None:
            stage["description"] = stage_description
        if variables:
            stage["variables"] = dict(variables)
        call.state.put_stage(stage)
    return shape(document)


@operation()
def get_deployment(
    call: Call[ApiState], *, rest_api_id: str, deployment_id: str, embed: Sequence[str] | None = None
) -> Reply:
    """One deployment."""
    return shape(_deployment(call.state, rest_api_id, deployment_id), embed)


@operation()
def get_deployments(
    call: Call[ApiState], *, rest_api_id: str, position: str | None = None, limit: int | None = None
) -> Reply:
    """All deployments of an API, by id."""
    call.state.api(rest_api_id)
    found = [shape(document) for _, document in call.state.deployments.items(f"{rest_api_id}/")]
    return page(found, position, limit)


@operation()
def update_deployment(
    call: Call[ApiState],
    *,
    rest_api_id: str,
    deployment_id: str,
    patch_operations: Sequence[Mapping[str, Any]] | None = None,
) -> Reply:
    """Change a deployment's description."""
    document = _deployment(call.state, rest_api_id, deployment_id)
    changed = patching.apply({"description": document.get("description")}, patch_operations, RULES)
    document |= changed
    call.state.deployments.put(f"{rest_api_id}/{deployment_id}", document)
    return shape(document)


@operation()
def delete_deployment(call: Call[ApiState], *, rest_api_id: str, deployment_id: str) -> Reply:
    """Remove a deployment that no stage serves."""
    _deployment(call.state, rest_api_id, deployment_id)
    if any(stage["deploymentId"] == deployment_id for _, stage in call.state.stages.items(f"{rest_api_id}/")):
        raise BadRequestException("Active stages pointing to this deployment must be moved or deleted")
    call.state.deployments.delete(f"{rest_api_id}/{deployment_id}")
    return {}

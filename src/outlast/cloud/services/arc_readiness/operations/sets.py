"""Resource sets.

https://docs.aws.amazon.com/recovery-readiness/latest/api/resourcesets.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.errors import ConflictException, ValidationException
from outlast.cloud.services.arc_readiness.model import Cell, Check, Group, Part, ResourceSet
from outlast.cloud.services.arc_readiness.pages import page
from outlast.cloud.services.arc_readiness.rules import DNS_TARGET, RULES
from outlast.cloud.services.arc_readiness.service import RESOURCE_SET, arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness

MAX_RESOURCES = 6


def _show(state: Readiness, found: ResourceSet) -> dict[str, Any]:
    return {
        "ResourceSetArn": state.arn(found),
        "ResourceSetName": found.name,
        "ResourceSetType": found.type,
        "Resources": [_show_part(part) for part in found.parts],
        "Tags": dict(found.tags),
    }


def _show_part(part: Part) -> dict[str, Any]:
    shown: dict[str, Any] = {"ReadinessScopes": list(part.scopes)}
    if part.target is None:
        return shown | {"ResourceArn": part.arn}
    return shown | {"ComponentId": part.id, "DnsTargetResource": dict(part.target)}


def _parts(call: Call[Readiness], kind: str, resources: Sequence[Mapping[str, Any]]) -> tuple[Part, ...]:
    if kind not in RULES:
        raise ValidationException(f"The resource set type {kind} is not supported by this cloud.")
    if not 1 <= len(resources) <= MAX_RESOURCES:
        raise ValidationException(f"A resource set has 1 to {MAX_RESOURCES} resources.")
    parts = tuple(_part(call, kind, resource) for resource in resources)
    if len({part.id for part in parts}) != len(parts):
        raise ValidationException("A resource is named twice.")
    return parts


def _part(call: Call[Readiness], kind: str, resource: Mapping[str, Any]) -> Part:
    scopes = tuple(resource.get("ReadinessScopes", ()))
    for scope in scopes:
        if not isinstance(call.state.by_arn(scope), (Cell, Group)):
            raise ValidationException(f"The readiness scope {scope} is neither a cell nor a recovery group.")
    target, arn = resource.get("DnsTargetResource") or None, resource.get("ResourceArn", "")
    if (kind == DNS_TARGET) is not (target is not None) or (target is None and not arn):
        raise ValidationException("Give a DNS target resource for a set of that type, else a resource ARN.")
    if target is None:
        return Part(arn, arn, scopes)
    if (target.get("TargetResource") or {}).get("NLBResource"):
        raise ValidationException("NLBResource is not supported by this cloud.")
    return Part(resource.get("ComponentId") or call.region.entropy.hex(32), "", scopes, dict(target))


@arc_readiness.operation(resource=RESOURCE_SET)
def create_resource_set(
    call: Call[Readiness],
    *,
    resource_set_name: str,
    resource_set_type: str,
    resources: Sequence[Mapping[str, Any]],
    tags: Mapping[str, str] | None = None,
) -> Reply:
    """Make a set of resources of one type."""
    parts = _parts(call, resource_set_type, resources)
    made = ResourceSet(resource_set_name, resource_set_type, parts, dict(tags or {}))
    call.state.add(made)
    return _show(call.state, made)


@arc_readiness.operation(resource=RESOURCE_SET)
def get_resource_set(call: Call[Readiness], *, resource_set_name: str) -> Reply:
    """One resource set."""
    return _show(call.state, call.state.find(ResourceSet, resource_set_name))


@arc_readiness.operation()
def list_resource_sets(
    call: Call[Readiness], *, max_results: int | None = None, next_token: str | None = None
) -> Reply:
    """All resource sets."""
    state = call.state
    return page("ResourceSets", [_show(state, each) for each in state.all(ResourceSet)], next_token, max_results)


@arc_readiness.operation(resource=RESOURCE_SET)
def update_resource_set(
    call: Call[Readiness],
    *,
    resource_set_name: str,
    resource_set_type: str,
    resources: Sequence[Mapping[str, Any]],
) -> Reply:
    """Replace the resources; the type stays."""
    state = call.state
    found = state.find(ResourceSet, resource_set_name)
    if resource_set_type != found.type:
        raise ValidationException("The type of a resource set cannot change.")
    changed = replace(found, parts=_parts(call, resource_set_type, resources))
    state.put(changed)
    return _show(state, changed)


@arc_readiness.operation(resource=RESOURCE_SET)
def delete_resource_set(call: Call[Readiness], *, resource_set_name: str) -> Reply:
    """Delete a resource set that no readiness check uses."""
    state = call.state
    found = state.find(ResourceSet, resource_set_name)
    users = [check.name for check in state.all(Check) if check.resource_set == resource_set_name]
    if users:
        raise ConflictException(f"The readiness checks {', '.join(users)} use the resource set {resource_set_name}.")
    state.drop(found)
    return {}

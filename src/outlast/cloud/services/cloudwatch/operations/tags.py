"""Tags of alarms and dashboards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.cloudwatch.errors import InvalidParameterValueException, ResourceNotFoundException
from outlast.cloud.services.cloudwatch.service import cloudwatch
from outlast.cloud.services.cloudwatch.state import Watch

MAX_TAGS = 50


def read_tags(given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Tags by key; raises InvalidParameterValueException."""
    found = {str(tag["Key"]): str(tag["Value"]) for tag in given}
    if len(found) > MAX_TAGS:
        raise InvalidParameterValueException(f"A resource may have at most {MAX_TAGS} tags.")
    if any(key.lower().startswith("aws:") for key in found):
        raise InvalidParameterValueException("aws: prefixed tag key names are not allowed for external use.")
    return found


def _arn(params: Mapping[str, Any], region: Region) -> str:
    return str(params["ResourceARN"])


def _tags_of(state: Watch, arn: str) -> dict[str, str]:
    kind, name = _target(arn)
    if kind == "alarm" and name in state.alarms and state.alarms[name].arn == arn:
        return dict(state.alarms[name].tags)
    dashboard = state.dashboards.get(name) if kind == "dashboard" else None
    if dashboard is not None:
        return dict(dashboard.get("tags", {}))
    raise ResourceNotFoundException(f"Unknown resource {arn}", ResourceType=kind, ResourceId=name)


def _target(arn: str) -> tuple[str, str]:
    parts = arn.split(":", 6)
    if len(parts) == 7 and parts[5] == "alarm":
        return "alarm", parts[6]
    if len(parts) == 6 and parts[5].startswith("dashboard/"):
        return "dashboard", parts[5].removeprefix("dashboard/")
    raise InvalidParameterValueException(f"The value {arn} for parameter ResourceARN is invalid.")


def _keep(state: Watch, arn: str, tags: dict[str, str]) -> None:
    kind, name = _target(arn)
    if kind == "alarm":
        state.put_alarm(replace(state.alarms[name], tags=tags))
    else:
        state.dashboards.put(name, {**(state.dashboards.get(name) or {}), "tags": tags})


@cloudwatch.operation(resource=_arn, control_plane=True)
def tag_resource(call: Call[Watch], *, resource_arn: str, tags: Sequence[Mapping[str, Any]]) -> Reply:
    """Set tags."""
    joined = {**_tags_of(call.state, resource_arn), **read_tags(tags)}
    if len(joined) > MAX_TAGS:
        raise InvalidParameterValueException(f"A resource may have at most {MAX_TAGS} tags.")
    _keep(call.state, resource_arn, joined)
    return {}


@cloudwatch.operation(resource=_arn, control_plane=True)
def untag_resource(call: Call[Watch], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    tags = {key: value for key, value in _tags_of(call.state, resource_arn).items() if key not in tag_keys}
    _keep(call.state, resource_arn, tags)
    return {}


@cloudwatch.operation(resource=_arn)
def list_tags_for_resource(call: Call[Watch], *, resource_arn: str) -> Reply:
    """The tags of an alarm or a dashboard."""
    tags = _tags_of(call.state, resource_arn)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

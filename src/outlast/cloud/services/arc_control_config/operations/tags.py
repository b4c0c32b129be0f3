"""Tags of clusters, control panels and safety rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_control_config.errors import ValidationException
from outlast.cloud.services.arc_control_config.model import Cluster, Control, Panel, Rule
from outlast.cloud.services.arc_control_config.service import arc_control_config
from outlast.cloud.services.arc_control_config.state import Configuration

MAX_TAGS = 50
RESOURCE = "{ResourceArn}"


def _tagged(state: Configuration, arn: str) -> Cluster | Panel | Rule:
    found = state.any(arn)
    if isinstance(found, Control):
        raise ValidationException("A routing control cannot have tags.")
    return found


@arc_control_config.operation(resource=RESOURCE)
def list_tags_for_resource(call: Call[Configuration], *, resource_arn: str) -> Reply:
    """The tags of a resource."""
    return {"Tags": dict(_tagged(call.state, resource_arn).tags)}


@arc_control_config.operation(resource=RESOURCE)
def tag_resource(call: Call[Configuration], *, resource_arn: str, tags: Mapping[str, str]) -> Reply:
    """Add tags, or change their values."""
    found = _tagged(call.state, resource_arn)
    merged = {**found.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise ValidationException(f"A resource may have {MAX_TAGS} tags.")
    call.state.put(replace(found, tags=merged))
    return {}


@arc_control_config.operation(resource=RESOURCE)
def untag_resource(call: Call[Configuration], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    found = _tagged(call.state, resource_arn)
    call.state.put(replace(found, tags={key: value for key, value in found.tags.items() if key not in tag_keys}))
    return {}

"""Tags of everything here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from outlast.cloud.contract import Call, Reply
from outlast.cloud.services.arc_readiness.errors import ValidationException
from outlast.cloud.services.arc_readiness.service import arc_readiness
from outlast.cloud.services.arc_readiness.state import Readiness

MAX_TAGS = 50
RESOURCE = "{ResourceArn}"


@arc_readiness.operation(resource=RESOURCE)
def list_tags_for_resources(call: Call[Readiness], *, resource_arn: str) -> Reply:
    """The tags of a resource."""
    return {"Tags": dict(call.state.by_arn(resource_arn).tags)}


@arc_readiness.operation(resource=RESOURCE)
def tag_resource(call: Call[Readiness], *, resource_arn: str, tags: Mapping[str, str]) -> Reply:
    """Add tags, or change their values."""
    found = call.state.by_arn(resource_arn)
    merged = {**found.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise ValidationException(f"A resource may have {MAX_TAGS} tags.")
    call.state.put(replace(found, tags=merged))
    return {}


@arc_readiness.operation(resource=RESOURCE)
def untag_resource(call: Call[Readiness], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags."""
    found = call.state.by_arn(resource_arn)
    kept = {key: value for key, value in found.tags.items() if key not in tag_keys}
    call.state.put(replace(found, tags=kept))
    return {}

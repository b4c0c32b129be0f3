"""Tags of hosted zones and health checks.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.route53.errors import InvalidInput, no_such_zone
from outlast.cloud.services.route53.model import Zone
from outlast.cloud.services.route53.service import route53
from outlast.cloud.services.route53.state import State

RESOURCE: Final = "arn:aws:route53:::{ResourceType}/{ResourceId}"
MOST_TAGS: Final = 10
LONGEST_ID: Final = 32
TAG_CHARACTERS: Final = frozenset(" _.:/=+-@")


def _zone(state: State, resource_id: str) -> Zone:
    """The zone by its bare id: with tags, unlike elsewhere, Route 53 does not take `/hostedzone/Z123` for `Z123`."""
    if len(resource_id) > LONGEST_ID:
        raise InvalidInput(
            f"1 validation error detected: Value '{resource_id}' at 'resourceId' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LONGEST_ID}"
        )
    if "/" in resource_id:
        raise no_such_zone(resource_id)
    return state.zone(resource_id)


def _tags(state: State, kind: str, resource_id: str) -> Mapping[str, str]:
    if kind == "hostedzone":
        return _zone(state, resource_id).tags
    return state.check(resource_id).tags


def _each(params: Mapping[str, Any], _region: Region) -> Iterable[tuple[str, str]]:
    for resource_id in params["ResourceIds"]:
        yield "route53:ListTagsForResources", f"arn:aws:route53:::{params['ResourceType']}/{resource_id}"


@route53.operation(resource=RESOURCE)
def change_tags_for_resource(
    call: Call[State],
    *,
    resource_type: str,
    resource_id: str,
    add_tags: Sequence[Mapping[str, str]] = (),
    remove_tag_keys: Sequence[str] = (),
) -> Reply:
    """Add, replace and remove tags."""
    if not add_tags and not remove_tag_keys:
        raise InvalidInput("At least one of AddTags and RemoveTagKeys must be given.")
    added = {tag.get("Key", ""): tag.get("Value", "") for tag in add_tags}
    both = added.keys() & set(remove_tag_keys)
    if both:
        raise InvalidInput(f"The same tag key was specified in both AddTags and RemoveTagKeys: {sorted(both)[0]}")
    for key in added:
        if not key or key.lower().startswith("aws:"):
            raise InvalidInput(f"Invalid tag key: {key}")
    if any(not all(each.isalnum() or each in TAG_CHARACTERS for each in text) for tag in added.items() for text in tag):
        raise InvalidInput(
            "Invalid parameter : Tags can only contain letters, numbers, spaces, and the following special characters: "
            "_ . : / = + - @"
        )
    kept = {**_tags(call.state, resource_type, resource_id), **added}
    tags = {key: value for key, value in kept.items() if key not in remove_tag_keys}
    if len(tags) > MOST_TAGS:
        raise InvalidInput(f"Number of tags limit of {MOST_TAGS} exceeded for this resource.")
    if resource_type == "hostedzone":
        call.state.replace_zone(replace(_zone(call.state, resource_id), tags=tags))
    else:
        call.state.put_check(replace(call.state.check(resource_id), tags=tags))
    return {}


def _tag_set(state: State, kind: str, resource_id: str) -> dict[str, Any]:
    tags = _tags(state, kind, resource_id)
    return {
        "ResourceType": kind,
        "ResourceId": resource_id,
        "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())],
    }


@route53.operation(resource=RESOURCE)
def list_tags_for_resource(call: Call[State], *, resource_type: str, resource_id: str) -> Reply:
    """The tags of one resource."""
    return {"ResourceTagSet": _tag_set(call.state, resource_type, resource_id)}


@route53.operation(resource=_each)
def list_tags_for_resources(call: Call[State], *, resource_type: str, resource_ids: Sequence[str]) -> Reply:
    """The tags of several resources of one kind."""
    return {"ResourceTagSets": [_tag_set(call.state, resource_type, each) for each in resource_ids]}

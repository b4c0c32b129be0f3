"""Tags of log groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.logs.errors import InvalidParameterException, TooManyTagsException
from outlast.cloud.services.logs.model import Group
from outlast.cloud.services.logs.operations.paging import plain_name
from outlast.cloud.services.logs.service import group_arn, logs
from outlast.cloud.services.logs.state import LogStore

MAX_TAGS: Final = 50


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags; raises a Fault for reserved keys and too many."""
    if len(tags) > MAX_TAGS:
        raise TooManyTagsException(f"A resource may have at most {MAX_TAGS} tags.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise InvalidParameterException("aws: prefixed tag key names are not allowed for external use.")
    return dict(tags)


def _arn(params: Mapping[str, Any], region: Region) -> str:
    return str(params["resourceArn"])


def _of(call: Call[LogStore], arn: str) -> Group:
    if not arn.startswith("arn:"):
        raise InvalidParameterException("1 validation error detected: Value at 'resourceArn' is not an ARN")
    return call.state.group(plain_name(None, arn))


def _set(call: Call[LogStore], group: Group, tags: Mapping[str, str]) -> Reply:
    call.state.put_group(replace(group, tags=check_tags({**group.tags, **tags})))
    return {}


def _unset(call: Call[LogStore], group: Group, keys: Sequence[str]) -> Reply:
    call.state.put_group(replace(group, tags={key: value for key, value in group.tags.items() if key not in keys}))
    return {}


@logs.operation(resource=_arn, control_plane=True)
def tag_resource(call: Call[LogStore], *, resource_arn: str, tags: Mapping[str, str]) -> Reply:
    """Set tags of a group."""
    return _set(call, _of(call, resource_arn), tags)


@logs.operation(resource=_arn, control_plane=True)
def untag_resource(call: Call[LogStore], *, resource_arn: str, tag_keys: Sequence[str]) -> Reply:
    """Remove tags of a group."""
    return _unset(call, _of(call, resource_arn), tag_keys)


@logs.operation(resource=_arn, control_plane=True)
def list_tags_for_resource(call: Call[LogStore], *, resource_arn: str) -> Reply:
    """The tags of a group."""
    return {"tags": dict(_of(call, resource_arn).tags)}


@logs.operation(resource=group_arn, control_plane=True)
def tag_log_group(call: Call[LogStore], *, log_group_name: str, tags: Mapping[str, str]) -> Reply:
    """Set tags of a group; the older form of TagResource."""
    return _set(call, call.state.group(log_group_name), tags)


@logs.operation(resource=group_arn, control_plane=True)
def untag_log_group(call: Call[LogStore], *, log_group_name: str, tags: Sequence[str]) -> Reply:
    """Remove tags of a group; the older form of UntagResource."""
    return _unset(call, call.state.group(log_group_name), tags)


@logs.operation(resource=group_arn, control_plane=True)
def list_tags_log_group(call: Call[LogStore], *, log_group_name: str) -> Reply:
    """The tags of a group; the older form of ListTagsForResource."""
    return {"tags": dict(call.state.group(log_group_name).tags)}

"""Tags of functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlast.cloud.contract import Call, Region, Reply
from outlast.cloud.services.lambda_.errors import InvalidParameterValueException
from outlast.cloud.services.lambda_.model import Function
from outlast.cloud.services.lambda_.names import Reference
from outlast.cloud.services.lambda_.operations.common import plain_name
from outlast.cloud.services.lambda_.service import lambda_
from outlast.cloud.services.lambda_.state import LambdaState

MAX_TAGS = 50


def _arn(params: Mapping[str, Any], region: Region) -> str:
    return str(params["Resource"])


def _function(call: Call[LambdaState], resource: str) -> Function:
    if ":function:" not in resource:
        raise InvalidParameterValueException(f"Only functions have tags in this cloud; {resource} is none.")
    return call.state.function(Reference(plain_name(call.state.reference(resource))))


@lambda_.operation(resource=_arn, control_plane=True)
def tag_resource(call: Call[LambdaState], *, resource: str, tags: Mapping[str, str]) -> Reply:
    """Add or change tags."""
    function = _function(call, resource)
    merged = {**function.tags, **tags}
    if len(merged) > MAX_TAGS:
        raise InvalidParameterValueException(f"A function has at most {MAX_TAGS} tags.")
    call.state.replace(replace(function, tags=merged))
    return {}


@lambda_.operation(resource=_arn, control_plane=True)
def untag_resource(call: Call[LambdaState], *, resource: str, tag_keys: list[str]) -> Reply:
    """Remove tags; those that are not there are no error."""
    function = _function(call, resource)
    call.state.replace(
        replace(function, tags={key: each for key, each in function.tags.items() if key not in tag_keys})
    )
    return {}


@lambda_.operation(resource=_arn, control_plane=True)
def list_tags(call: Call[LambdaState], *, resource: str) -> Reply:
    """A function's tags."""
    return {"Tags": dict(_function(call, resource).tags)}

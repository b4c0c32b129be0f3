"""What the resource types share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from outlast.cloud.contract import Calls, Fault

SERVICE: Final = "apigateway"
Patch = dict[str, str]


def lowered(properties: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The named properties that are given, by the API's member names (`RestApiId` is `restApiId`)."""
    return {name[0].lower() + name[1:]: properties[name] for name in names if properties.get(name) is not None}


def tags_of(properties: Mapping[str, Any]) -> dict[str, str]:
    """Tags as a map."""
    return {str(each["Key"]): str(each["Value"]) for each in properties.get("Tags") or ()}


def boolean(value: Any) -> bool:
    """A truth value, which templates may write as text."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


def text(value: Any) -> str:
    """A value as patch operations carry it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def escaped(name: str) -> str:
    """A name as a part of a patch's path."""
    return name.replace("~", "~0").replace("/", "~1")


def replacing(path: str, value: Any) -> Patch:
    """A patch that sets a value."""
    return {"op": "replace", "path": path, "value": text(value)}


def removing(path: str) -> Patch:
    """A patch that takes a value away."""
    return {"op": "remove", "path": path}


async def or_gone(aws: Calls, operation: str, params: Mapping[str, Any]) -> None:
    """Make a deleting call; what is gone already is no error."""
    try:
        await aws(SERVICE, operation, params)
    except Fault as fault:
        if fault.code != "NotFoundException":
            raise


async def retag(aws: Calls, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Make an ARN's tags those of the new properties."""
    before, after = tags_of(old), tags_of(new)
    gone = sorted(before.keys() - after.keys())
    if gone:
        await aws(SERVICE, "UntagResource", {"resourceArn": arn, "tagKeys": gone})
    if after != before and after:
        await aws(SERVICE, "TagResource", {"resourceArn": arn, "tags": after})
